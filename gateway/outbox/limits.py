"""How long a row may wait for the disk, and how much may lie there."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Limits:
    """The limits of an outbox; those of its next commit hold.

    Attributes:
        commit_s: Longest wait of a row before it is written, seconds.
        max_bytes: Cap of rows and gaps on disk.
    """

    commit_s: float
    max_bytes: int
