"""What an outbox holds, as the gateway's status says it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.model.row import CLASSES, UNKNOWN
from gateway.outbox.file import OutboxFile
from gateway.outbox.unopened import UnopenedFile


@dataclass(frozen=True, slots=True)
class OutboxState:
    """What the outbox holds.

    Attributes:
        depth: Rows on disk and in memory.
        bytes: On disk, with overhead.
        oldest_s: Age of the oldest row on disk, seconds; 0 when empty.
        dropped: Rows that had to go, by reason, in the life of this epoch.
        epoch: The life of this file, 16 hexadecimal digits.
        last_seq: The last number given.
        durable_seq: The last number on disk; the same unless a commit is failing.
        released_seq: Everything up to here has left with a receipt or as a gap.
        error: Why commits fail at present; empty when they do not.
        set_aside: Damaged files that were renamed since the start.
        earlier: Rows of earlier lives of the outbox that wait, on disk too.
    """

    depth: int = 0
    bytes: int = 0
    oldest_s: float = 0.0
    dropped: dict[str, int] = field(default_factory=dict)
    epoch: str = ""
    last_seq: int = 0
    durable_seq: int = 0
    released_seq: int = 0
    error: str = ""
    set_aside: int = 0
    earlier: int = 0


def age_s(made_us: Iterable[int | None], now: float) -> float:
    """Return the age, in seconds, of the oldest row of those whose times are known; 0 without one."""
    oldest_us = min(filter(None, made_us), default=None)
    return 0.0 if oldest_us is None else max(0.0, now - oldest_us / 1e6)


def by_reason(dropped: Mapping[tuple[str, int], int]) -> dict[str, int]:
    """Return rows dropped by reason, whatever their class."""
    found: Counter[str] = Counter()
    for (reason, _), n in dropped.items():
        found[reason] += n
    return dict(found)


def classes_of(file: OutboxFile | UnopenedFile, now: float) -> dict[str, dict[str, Any]]:
    """Return what of each class is on disk, how old the oldest is in seconds, and what had to go, by reason."""
    depths, oldest, dropped = file.depths, file.oldest_us, file.dropped
    found: dict[str, dict[str, Any]] = {
        name: {
            "depth": depths[rank],
            "oldest_s": age_s([oldest[rank]], now),
            "dropped": {reason: n for (reason, of), n in dropped.items() if of == rank},
        }
        for rank, name in enumerate(CLASSES)
    }
    if unknown := {reason: n for (reason, of), n in dropped.items() if of == UNKNOWN}:
        found["unknown"] = {"depth": 0, "oldest_s": 0.0, "dropped": unknown}
    return found
