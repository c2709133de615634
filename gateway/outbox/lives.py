"""How an outbox names what it knows of its earlier lives: the file that one left, and the facts that it keeps of it."""

from __future__ import annotations

from pathlib import Path

EARLIER = "earlier "
"""Begins the names of the facts that say how far each earlier life had got."""


def left_behind(path: Path, epoch: str) -> Path:
    """Return the name of the file of an earlier life."""
    return path.with_name(f"{path.name}.left-{epoch}")


def earlier_key(epoch: str) -> str:
    """Return under which name an outbox keeps that it had an earlier life, with the last number of it that is known."""
    return f"{EARLIER}{epoch}"


def moved_key(epoch: str) -> str:
    """Return under which name an outbox keeps which rows of an earlier life have moved into it: beyond and up to."""
    return f"moved {epoch}"
