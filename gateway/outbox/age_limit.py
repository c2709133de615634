"""How old a row may be, judged by a wall clock that may be wrong: rather kept too long than dropped by mistake."""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.machine.facts import TRUE_FROM_US

SETTLED_S = 3_600.0
"""Ages count once the clock has run so long without being set: a start in 2040, or a step there, drops nothing."""
STEP_S = 60.0
"""A clock that went so far apart from the monotonic one was set, or the machine slept."""
LOOK_S = 60.0
"""Time between two looks for rows that are too old."""
MICRO = 1_000_000


class AgeLimit:
    """Says which rows are too old.

    Args:
        max_age_s: The limit, seconds.
        now: Wall clock, seconds.
        monotonic: Monotonic seconds.
    """

    def __init__(
        self,
        max_age_s: float,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_age_s = max_age_s
        self._now = now
        self._monotonic = monotonic
        self._apart = now() - monotonic()
        self._settled_at = monotonic() + SETTLED_S
        self._look_at = 0.0

    def made_before(self) -> tuple[int, int] | None:
        """Return between when and when a row that is too old was made, UTC microseconds; None if it is no time to look.

        Rows of a clock that had not been set yet say nothing of their age by themselves.
        """
        at = self._monotonic()
        apart = self._now() - at
        if abs(apart - self._apart) > STEP_S:
            self._settled_at = at + SETTLED_S
        self._apart = apart
        if at < self._settled_at or at < self._look_at:
            return None
        self._look_at = at + LOOK_S
        return TRUE_FROM_US, round((self._now() - self._max_age_s) * MICRO)

    def again(self) -> None:
        """Look again with the next commit: there may be more."""
        self._look_at = 0.0
