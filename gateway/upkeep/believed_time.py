"""Whether the clock may say how old something is: what is deleted by a wrong clock is gone.

No single witness is enough. A clock counts when it is possible, has run for an hour without being set, goes on from
where it stood when the file was last open, and the gateways that are heard of tell about the same time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from gateway.machine import facts
from gateway.machine.facts import TRUE_FROM_US

SETTLED_S = 3_600.0
"""A clock that is set, or was set before the start, is seen to be within this: time services answer in minutes."""
STEP_S = 60.0
"""A clock that went so far apart from the monotonic one was set, or the machine slept."""
HEARD_S = 3_600.0
"""What gateways say of the time counts for so long."""
APART_US = 86_400_000_000
"""A day: the clocks of machines that nobody keeps differ by less."""
AWAY_US = 31 * 86_400_000_000
"""A historian that was off for longer than a month has a person beside it; a clock that jumped by so much, too."""
MICRO = 1_000_000
UNSETTLED = "the clock has not run for an hour without being set"
"""A doubt that passes by itself: nothing to tell."""


class BelievedTime:
    """Judges the wall clock of this machine.

    Args:
        now: Wall clock, seconds.
        monotonic: Monotonic seconds.
        kernel: Asks the kernel whether something keeps the clock right.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        kernel: Callable[[], facts.Clock] = facts.clock,
    ) -> None:
        self._now = now
        self._monotonic = monotonic
        self._kernel = kernel
        self._apart = now() - monotonic()
        self._settled_at = monotonic() + SETTLED_S
        self._heard_at = self._agreed_at = float("-inf")

    def now_us(self) -> int:
        """Return what the clock says, microseconds."""
        return round(self._now() * MICRO)

    def heard(self, apart_us: int) -> None:
        """Note how far measurements that have just come are from the clock, the nearest of them."""
        self._heard_at = self._monotonic()
        if apart_us <= APART_US:
            self._agreed_at = self._heard_at

    def look(self) -> None:
        """See whether the clock was set since the last look."""
        apart = self._now() - self._monotonic()
        if abs(apart - self._apart) > STEP_S:
            self._settled_at = self._monotonic() + SETTLED_S
        self._apart = apart

    def doubt(self, alive_us: int | None) -> str:
        """Return why the clock is not believed; empty if it is.

        Args:
            alive_us: What the clock said when the file was last written with a believed one; None if never.
        """
        self.look()
        at, now_us = self._monotonic(), self.now_us()
        if now_us < TRUE_FROM_US:
            return "the clock is before 2025"
        if at < self._settled_at:
            return UNSETTLED
        if at - self._heard_at < HEARD_S and at - self._agreed_at >= HEARD_S:
            return "no gateway that is heard of tells the same day as the clock"
        if alive_us is not None and now_us < alive_us - STEP_S * MICRO and self._kernel().synchronised is not True:
            return "the clock was later before"
        if alive_us is not None and now_us - alive_us > AWAY_US:
            return f"the clock went on by {(now_us - alive_us) // APART_US} days while the historian was off"
        return ""
