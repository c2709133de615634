"""The battery of a simulated device."""

from __future__ import annotations

from dataclasses import dataclass

SECONDS_AN_HOUR = 3600.0


@dataclass(slots=True)
class Battery:
    """A battery that empties evenly.

    Attributes:
        full: Charge at the beginning of the scene, 0 to 1.
        lasts_h: Hours from full to empty.
        at_most: What it has at most at present, percent: less while it is said to be run down.
    """

    full: float = 0.9
    lasts_h: float = 8.0
    at_most: int = 100

    def percent(self, now_s: float) -> int:
        """Return the charge after ``now_s`` simulated seconds, percent; an empty one stays at 1 and goes on."""
        return max(1, min(self.at_most, round(100 * (self.full - now_s / (self.lasts_h * SECONDS_AN_HOUR)))))
