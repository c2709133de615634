"""What the values of lines or structs mean: their numbers to times, counts and samples, of many rows at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drivers.declared.declaration import Binary, Clock, Declaration, Text
from drivers.declared.layout import layout_of
from drivers.declared.reading import plain_numbers
from drivers.declared.values import Value
from drivers.packet import Ticks

MOST_MEANINGS: Final = 64  # that are kept: a ward declares few

NO_TICKS: Final[Ticks] = np.empty(0, np.int64)
Table = NDArray[np.float64]


class Meaning:
    """What is alike in the rows of devices that are declared alike.

    Args:
        values: In the order of a row.
        layout: Format of the struct that a row is; empty of one that holds numbers already.
        clock: Which of them are time and counter.
        missing: A number that stands for none; None if there is no such.
        text: Whether a row is a line of text.
        commas: Whether it is one with commas between its values.

    Attributes:
        text: As given.
        clock: As given.
        streams: By name, which numbers of a row are its channels.
    """

    def __init__(
        self, values: tuple[Value, ...], layout: str, clock: Clock, missing: float | None, *, text: bool, commas: bool
    ) -> None:
        self.clock = clock
        self.text, self._commas = text, commas
        self.streams: dict[str, list[int]] = {}
        for at, value in enumerate(values):
            if value.stream:
                self.streams.setdefault(value.stream, []).append(at)
        self._layout = layout_of(layout) if layout else None
        self._factors = np.array([value.factor for value in values])
        self._missing = missing

    def table(self, rows: Sequence[Any]) -> Table:
        """Return the numbers (n, values) of rows: of structs, or of lines that were read already."""
        numbers = rows if self._layout is None else list(self._layout.iter_unpack(b"".join(rows)))
        return np.array(numbers, np.float64).reshape(-1, len(self._factors))

    def plain_table(self, lines: Sequence[bytes]) -> Table | None:
        """Return the numbers of lines, all read at once; None where each is to be read by itself."""
        rows = plain_numbers(lines, len(self._factors)) if self._commas else None
        return None if rows is None else np.array(rows, np.float64)

    def has_time(self, table: Table) -> NDArray[np.bool_]:
        """Return which rows have a time that is a whole number of ticks on the wire; all, where none is declared."""
        at = self.clock.time_at
        return _whole(_ticks(table[:, at], self.clock.ticks), self.clock.bits) if at is not None else _all(table)

    def has_count(self, table: Table) -> NDArray[np.bool_]:
        """Return which rows have a count that is one; all, where none is declared."""
        at = self.clock.count_at
        return _whole(table[:, at], self.clock.count_bits) if at is not None else _all(table)

    def times(self, table: Table) -> Ticks:
        """Return the ticks of samples: of their time, or else of their counter."""
        if self.clock.time_at is not None:
            return _ticks(table[:, self.clock.time_at], self.clock.ticks).astype(np.int64)
        return NO_TICKS if self.clock.count_at is None else table[:, self.clock.count_at].astype(np.int64)

    def scaled(self, table: Table) -> Table:
        """Return the values in the units of their channels; NaN where there is none."""
        if self._missing is not None:
            table = np.where(table == self._missing, np.nan, table)
        with np.errstate(over="ignore"):
            values: Table = table * self._factors
        values[~np.isfinite(values)] = np.nan
        return values


_meaning = lru_cache(MOST_MEANINGS)(Meaning)


def meaning_of(declaration: Declaration) -> Meaning:
    """Return what rows of a device mean: the same one for all devices that are declared alike."""
    form = declaration.form
    layout = form.layout.format if isinstance(form, Binary) else ""
    text = isinstance(form, Text)
    commas = isinstance(form, Text) and form.pattern is None and form.separator == b","
    return _meaning(declaration.values, layout, declaration.clock, declaration.missing, text=text, commas=commas)


def _all(table: Table) -> NDArray[np.bool_]:
    return np.ones(len(table), np.bool_)


def _whole(numbers: NDArray[np.float64], bits: int) -> NDArray[np.bool_]:
    good: NDArray[np.bool_] = (numbers >= 0) & (numbers < float(1 << bits)) & (numbers == np.floor(numbers))
    return good


def _ticks(time: NDArray[np.float64], each: float) -> NDArray[np.float64]:
    """Return times in ticks; those that have decimals to the nearest one."""
    ticks: NDArray[np.float64] = time if each == 1.0 else np.round(time * each)
    return ticks
