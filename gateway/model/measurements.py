"""What a step completed, as the rows that go to the outbox; an object only for whoever asks for one.

A full ward makes five thousand measurements a second, and nobody but a test or a replay looks at one by itself: a tuple
of its fields costs a tenth of a `Measurement`, and the fields of many are columns for whoever encodes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from itertools import starmap
from operator import attrgetter
from typing import Any, Final, TypeAlias, overload

from gateway.model.measurement import Measurement

Fields: TypeAlias = tuple[Any, ...]
"""The fields of one `Measurement`, in their order."""

NAMES: Final = tuple(field.name for field in fields(Measurement))
METRIC_ID, START_US, END_US, DEVICES, SLOT = map(NAMES.index, ("metric", "start_us", "end_us", "devices", "slot"))
"""Places of fields."""

fields_of: Final[Callable[[Measurement], Fields]] = attrgetter(*NAMES)


class Measurements(Sequence[Measurement]):
    """Measurements in their order: equal to any sequence of the same ones.

    Args:
        rows: The fields of each.
    """

    __slots__ = ("rows",)

    def __init__(self, rows: Sequence[Fields] = ()) -> None:
        self.rows = rows

    @classmethod
    def of(cls, measurements: Sequence[Measurement]) -> Measurements:
        """Return measurements as such rows; those that are already, as they are."""
        return measurements if isinstance(measurements, cls) else cls([fields_of(each) for each in measurements])

    def events(self) -> list[int]:
        """Return which of them are of an instant, by their places."""
        return [at for at, row in enumerate(self.rows) if is_event(row)]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Measurement]:
        return starmap(Measurement, self.rows)

    @overload
    def __getitem__(self, at: int) -> Measurement: ...

    @overload
    def __getitem__(self, at: slice) -> Measurements: ...

    def __getitem__(self, at: int | slice) -> Measurement | Measurements:
        return Measurements(self.rows[at]) if isinstance(at, slice) else Measurement(*self.rows[at])

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Sequence[Measurement]) -> list[Measurement]:
        return [*self, *other]

    def __radd__(self, other: Sequence[Measurement]) -> list[Measurement]:
        return [*other, *self]


def is_event(row: Fields) -> bool:
    """Whether a measurement is of an instant."""
    happened: bool = row[START_US] == row[END_US]
    return happened
