"""What is done for a radio that does not work, one step after the other: pure, so that it can be read without one.

    rescan -> reconnect -> reset the adapter -> restart bluetoothd -> let the watchdog start the gateway again

Scans and connections begin again by themselves and are only counted; the ladder has the steps from the reset on.
Nothing is done to a radio that still has links: a reset drops them all.
"""

from __future__ import annotations

from enum import StrEnum

STEP_S = 60.0  # between two steps: an adapter needs seconds to come back, bluetoothd likewise, and devices are searched
LONGEST_S = 1800.0  # between the last ones: a laboratory at night may have nobody who advertises


class Step(StrEnum):
    """A step of the ladder."""

    RESCAN = "rescan"
    RECONNECT = "reconnect"
    RESET = "reset"
    RESTART = "restart"
    WATCHDOG = "watchdog"


RUNGS = (Step.RESET, Step.RESET, Step.RESTART, Step.RESET, Step.WATCHDOG)


class Ladder:
    """Says what to do next for one radio that fails again and again."""

    def __init__(self) -> None:
        self._rung = 0
        self._not_before_s = 0.0

    @property
    def exhausted(self) -> bool:
        """Whether every step was taken, and none helped."""
        return self._rung >= len(RUNGS)

    def worked(self) -> None:
        """The radio works: the next failure begins at the bottom."""
        self._rung, self._not_before_s = 0, 0.0

    def climb(self, now_s: float) -> Step | None:
        """Return what to do now that it does not work; None while the step before may still help."""
        if now_s < self._not_before_s:
            return None
        step = RUNGS[min(self._rung, len(RUNGS) - 1)]
        self._rung = min(self._rung + 1, len(RUNGS))
        self._not_before_s = now_s + min(LONGEST_S, STEP_S * 2.0 ** max(0, self._rung - 2))
        return step
