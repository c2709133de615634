"""What people entered: the last word of each holds, and no mean of all of them.

Each stands in the history as a measurement of its own, a mistaken one too. Of a test whose start and end were corrected
another trial of the session has other times; a correction that shares time with an earlier one was made in its place,
as the test page shows it. What a patient was asked after a test (Borg, pain, a form) is what they said last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.history.reader import HistoryReader
from gateway.model.entered import BY_HAND

OK, DEGRADED, INVALID = range(3)
"""Qualities as the history keeps them: places in `gateway.history.schema.QUALITY`."""
Row = tuple[int, float | None, int, str, int]
"""End, value, quality, reason, start."""


def standing(reader: HistoryReader, series: Sequence[int], algorithm: str = BY_HAND) -> list[Row]:
    """Return what was entered of series and by nothing later replaced, the oldest first."""
    marks = ", ".join("?" * len(series))
    rows: list[Any] = reader.rows(
        "SELECT end_us, value, quality, reason, start_us FROM measurements"  # noqa: S608 - marks alone
        f" WHERE series IN ({marks}) ORDER BY id", tuple(series),
    )  # fmt: skip
    held: list[Row] = []
    for row in rows:
        apart = [one for one in held if one[4] >= row[0] or row[4] >= one[0]] if algorithm == BY_HAND else []
        held = [*apart, row]
    return sorted(held)


def sums_of(rows: Sequence[Row]) -> list[Any]:
    """Return of a series what ``gateway.results.values`` has the history sum, in its order."""
    valued = [one[1] for one in rows if one[1] is not None and one[2] != INVALID]
    good = [one[1] for one in rows if one[1] is not None and one[2] == OK]
    return [
        len(rows), sum(one[2] == DEGRADED for one in rows), sum(one[2] == INVALID for one in rows),
        len(valued), sum(valued), len(good), sum(good), min(one[4] for one in rows), max(one[0] for one in rows),
    ]  # fmt: skip
