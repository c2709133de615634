"""Exercise with known truth: somebody trains at a steady pace from one moment to another, and rests otherwise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Exercise:
    """One bout.

    Attributes:
        begin_s: When it begins, seconds.
        end_s: When it ends.
        speed_mps: Speed of belt, wheel or foot.
        cadence: Steps, strokes or turns of the crank a minute.
        power_w: Power.
        wheel_m: Circumference of a wheel, metres.
    """

    begin_s: float = 0.0
    end_s: float = float("inf")
    speed_mps: float = 1.25
    cadence: float = 60.0
    power_w: float = 40.0
    wheel_m: float = 2.0

    def works(self, now_s: float) -> bool:
        """Whether somebody trains at a moment."""
        return self.begin_s <= now_s < self.end_s

    def lasted_s(self, now_s: float) -> float:
        """Return how long it has lasted until a moment."""
        return max(0.0, min(now_s, self.end_s) - self.begin_s)

    def speed(self, now_s: float) -> float:
        """Return the speed of a moment, m/s."""
        return self.speed_mps if self.works(now_s) else 0.0

    def distance_m(self, now_s: float) -> float:
        """Return the distance until a moment."""
        return self.speed_mps * self.lasted_s(now_s)

    def energy_kcal(self, now_s: float) -> float:
        """Return what was spent until a moment, at an efficiency of a quarter."""
        return 4.0 * self.power_w * self.lasted_s(now_s) / 4184.0

    def crank(self, now_s: float) -> tuple[int, float]:
        """Return how often the crank has turned, and when it did last."""
        return self._turns(self.cadence / 60.0, now_s)

    def wheel(self, now_s: float) -> tuple[int, float]:
        """Return how often the wheel has turned, and when it did last."""
        return self._turns(self.speed_mps / self.wheel_m, now_s)

    def _turns(self, rate_hz: float, now_s: float) -> tuple[int, float]:
        turns = int(rate_hz * self.lasted_s(now_s))
        return turns, self.begin_s + turns / rate_hz if turns else 0.0
