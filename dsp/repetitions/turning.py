"""Where a movement to and fro turns round: extremes that what follows has left by a least angle."""

from __future__ import annotations

from typing import NamedTuple


class Turn(NamedTuple):
    """An instant at which a movement turned round: number of the sample, and the angle there, deg."""

    at: int
    angle: float


class TurnFinder:
    """Finds turns among the extremes of an angle, in their order; what follows has to leave one before it counts."""

    def __init__(self) -> None:
        self._rises: bool | None = None
        self._low: Turn | None = None
        self._high: Turn | None = None

    @property
    def open_turn(self) -> Turn | None:
        """The extreme that the movement has come to and has not left yet; None before the first movement."""
        return None if self._rises is None else (self._high if self._rises else self._low)

    def add(self, extreme: Turn, least_deg: float) -> Turn | None:
        """Take the next extreme; return the turn before it, once this one is ``least_deg`` away from it."""
        if self._low is None or self._high is None:
            self._low = self._high = extreme
        if self._rises is not False and extreme.angle >= self._high.angle:
            self._high = extreme
        if self._rises is not True and extreme.angle <= self._low.angle:
            self._low = extreme
        if self._rises is not True and extreme.angle - self._low.angle >= least_deg:
            self._rises, self._high = True, extreme
            return self._low
        if self._rises is not False and self._high.angle - extreme.angle >= least_deg:
            self._rises, self._low = False, extreme
            return self._high
        return None
