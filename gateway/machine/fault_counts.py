"""Faults by kind: each is counted, and only the first of a kind is logged, or a flood of them would fill the log."""

from __future__ import annotations

import logging
from collections import Counter


class FaultCounts:
    """Counts of what went wrong since the start. Any thread may count.

    Args:
        log: Where the first of a kind is told.
    """

    def __init__(self, log: logging.Logger) -> None:
        self._log = log
        self._counts: Counter[str] = Counter()

    def add(self, kind: str, n: int = 1) -> None:
        """Count without a word."""
        self._counts[kind] += n

    def note(self, kind: str, what: str) -> None:
        """Count, and log the first of its kind."""
        self._counts[kind] += 1
        if self._counts[kind] == 1:
            self._log.warning("%s: %s (further ones are only counted)", kind, what)

    def counts(self) -> Counter[str]:
        """Return a copy of the counts: other threads count meanwhile."""
        return Counter(dict(self._counts))
