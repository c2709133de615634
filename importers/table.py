"""Rows of numbers with the names of their columns, wherever they come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from importers.errors import ImportProblem


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        place: Where it stands, for people: ``line 12``.
        time_s: Seconds, from anywhere; None where the row has no time.
        values: Of the columns asked for; NaN where there is none.
    """

    place: str
    time_s: float | None
    values: Sequence[float]


class Table(ABC):
    """A file of rows."""

    @property
    @abstractmethod
    def columns(self) -> Sequence[str]:
        """Names of the columns, in their order."""

    @property
    @abstractmethod
    def share_read(self) -> float:
        """How much of the file has been read, 0 to 1."""

    @abstractmethod
    def rows(self, time_column: str, columns: Sequence[str]) -> Iterator[Row]:
        """Yield the rows; what cannot be read is in the report. Raises ImportProblem."""

    def usual_unit(self, column: str) -> str | None:  # noqa: ARG002 - most files do not tell
        """Return the unit that the kind of file prescribes for a column, if it does."""
        return None

    def place_of(self, column: str) -> int:
        """Return the place of a column, by its name or else its number from 1; raises ImportProblem."""
        if column in self.columns:
            if list(self.columns).count(column) > 1:
                raise ImportProblem(f"there are several columns '{column}': give their numbers, from 1 on")
            return list(self.columns).index(column)
        if column.isdecimal() and 1 <= int(column) <= len(self.columns):
            return int(column) - 1
        shown = ", ".join(f"'{name}'" for name in self.columns[:20])
        more = ", …" if len(self.columns) > 20 else ""
        raise ImportProblem(f"there is no column '{column}': the file has {shown}{more}")
