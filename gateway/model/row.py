"""What the outbox numbers and the broker carries: a row, a gap among the rows, and how far the audit has come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

METRIC, EVENT, AUDIT = 0, 1, 2
"""Classes, in the order in which they have to go. EVENT holds notices too, AUDIT the ward.
Waveforms come before all: never queued."""
CLASSES = ("metric", "event", "audit")
UNKNOWN = -1
"""Class of numbers of which nothing but the number is known."""


class Row(NamedTuple):
    """One durable row: its number, its slot (none for notices and the audit), its class, its JSON with the number."""

    seq: int
    slot: str
    rank: int
    payload: bytes

    @property
    def urgent(self) -> bool:
        """Whether it is sent at once."""
        return self.rank != METRIC


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers ``first`` to ``last``, both included, that never will come, and why."""

    first: int
    last: int
    reason: str


@dataclass(frozen=True, slots=True)
class Chain:
    """How far the audit has come: how many records there were, and the SHA-256 of the last; empty before the first."""

    n: int = 0
    head: str = ""
