"""Which of several streams that share a channel have fallen silent while the others go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

LOOK_S = 5.0  # between two looks


class Looks:
    """Counts what came of each stream between two looks."""

    def __init__(self) -> None:
        self._came: Counter[int] = Counter()
        self._missed: Counter[int] = Counter()

    def came(self, stream: int) -> None:
        """Note a notification of a stream."""
        self._came[stream] += 1

    def silent(self, patience: Mapping[int, int]) -> list[int]:
        """Look again; return the streams of which nothing came in as many looks as each is given."""
        found = []
        for stream, looks in patience.items():
            self._missed[stream] = 0 if self._came[stream] else self._missed[stream] + 1
            if self._missed[stream] >= looks:
                self._missed[stream] = 0
                found.append(stream)
        self._came.clear()
        return found
