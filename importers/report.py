"""What an import could not take: counted by reason, with the first places of each, so that nothing goes unsaid."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

PLACES = 5  # of each reason that are named


class Report:
    """Rows and values that were left out, and remarks.

    Attributes:
        samples: Rows taken.
        rows: Rows left out, by reason.
        values: Values that are missing although something stood there, by reason.
        changed: Values that are not what stood there, by reason.
        remarks: Sentences about the file as a whole.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.rows: Counter[str] = Counter()
        self.values: Counter[str] = Counter()
        self.changed: Counter[str] = Counter()
        self.remarks: list[str] = []
        self._places: defaultdict[str, list[str]] = defaultdict(list)

    def leave_out(self, reason: str, place: str) -> None:
        """Count a row that is not taken."""
        self.rows[reason] += 1
        self._note(reason, place)

    def miss(self, reason: str, place: str) -> None:
        """Count a value that is not taken; its row is."""
        self.values[reason] += 1
        self._note(reason, place)

    def change(self, reason: str, place: str) -> None:
        """Count a value that is taken as another one."""
        self.changed[reason] += 1
        self._note(reason, place)

    @property
    def spotless(self) -> bool:
        """Whether all was taken."""
        return not self.rows and not self.values and not self.changed

    def sentences(self) -> Iterator[str]:
        """Yield what is to be said, the remarks first."""
        yield from self.remarks
        kinds = (("row", "left out", self.rows), ("value", "left out", self.values), ("value", "changed", self.changed))
        for what, became, counts in kinds:
            for reason, count in counts.most_common():
                places = self._places[reason]
                more = ", …" if count > len(places) else ""
                yield f"{count:,} {what}{'' if count == 1 else 's'} {became}: {reason} ({', '.join(places)}{more})"

    def _note(self, reason: str, place: str) -> None:
        if len(self._places[reason]) < PLACES:
            self._places[reason].append(place)
