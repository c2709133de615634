"""What was: the one place where the dashboard touches the history."""

from __future__ import annotations

from collections.abc import Callable

from config.settings import Settings
from gateway.history.reader import HistoryReader
from gateway.model.measurement import Quality, Side

Row = tuple[int, float | None, Quality]
"""End of the measurement's window (UTC microseconds), its value, its quality."""

Past = Callable[[str, str, Side, str | None, int], list[Row]]
"""Slot, metric, side, algorithm (None for any) and since when (UTC microseconds) to the rows since; may block."""


def open_past(settings: Settings) -> Past:
    """Return a reader of the history that the settings name; it may appear later than we do."""
    reader = HistoryReader(settings.historian.database or settings.site.data / "history.db")

    def read(slot: str, metric: str, side: Side, algorithm: str | None, since_us: int) -> list[Row]:
        points = reader.series(slot, metric, side, from_us=since_us, algorithm=algorithm)
        return [(point.end_us, point.value, point.quality) for point in points]

    return read
