"""What was: the one place where the dashboard touches the history."""

from __future__ import annotations

from collections.abc import Callable

from config.settings import Settings

Row = tuple[int, float | None, str]
"""End of the measurement's window (UTC microseconds), its value, its quality."""

Past = Callable[[str, str, str, int], list[Row]]
"""Slot, metric, side and since when (UTC microseconds) to the rows from then on, oldest first."""


class PastError(Exception):
    """There is no history to read."""


def open_past(settings: Settings) -> Past:
    """Return a reader of the history that the settings name; it may appear later than we do."""
    database = settings.historian.database or settings.site.data / "history.db"

    def read(slot: str, metric: str, side: str, since_us: int) -> list[Row]:
        raise PastError(f"{database.name} is not there yet")

    return read
