"""Walking bouts, contacts, rhythm and turns from one inertial sensor on the lower back (L5)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.lower_back.kernel import finish, walks
from dsp.lower_back.layout import (
    BOUT,
    EVENT,
    GAP,
    INITIAL_CONTACT,
    MAX_HALF,
    PARAMS,
    QUEUE,
    RHYTHM,
    STATE,
    TURN,
)
from dsp.lower_back.walk import ALGORITHM, LowerBackWalk
from dsp.roster import require_rate
from dsp.sensor_rows import SensorRows

__all__ = [
    "ALGORITHM",
    "BOUT",
    "EVENT",
    "GAP",
    "INITIAL_CONTACT",
    "RHYTHM",
    "TURN",
    "LowerBack",
    "LowerBackParams",
    "LowerBackWalk",
]

RATE_RANGE_HZ = (50.0, 208.0)  # above, the smoothing window and the looks back outgrow their buffers
HEIGHT_RANGE_M = (0.5, 2.6)  # of people
SENSOR_HEIGHT_RANGE_M = (0.25, 1.7)
LEG_PER_HEIGHT = 0.53  # leg length over body height (Drillis & Contini 1966)
LEG_PER_SENSOR_HEIGHT = 0.875  # the fifth lumbar vertebra stands at 0.606 of body height
WINDOW_WIDTH = 3.0  # standard deviations on each side


@dataclass(frozen=True, slots=True)
class LowerBackParams:
    """What counts as a step, a walk and a turn.

    Attributes:
        smoothing_s: Standard deviation of the Gaussian over the vertical force. Its slope answers most to 1.5 steps a
            second and lets impacts, which differ between people, pass as one.
        lead_s: How long the contact follows the steepest rise of the smoothed force (measured on healthy walkers).
        vertical_memory_s: Time constant with which gravity corrects the vertical: longer than a stride, shorter than a
            turn.
        bridge_s: Longest run of lost samples that is interpolated.
        shortest_s: Shortest step before the walker's own is known (200 steps a minute).
        pause_s: Longest step; a longer stand ends the bout. Mobilise-D's longest step is 2.124 s.
        floor: Weakest rise of a step, m/s^3: slow indoor steps reach 2 to 8, fast ones 20.
        turn_floor: Weakest rise of a step of a turn, m/s^3 (a quarter of those of U-turns stay below 1.1).
        faint: Weakest rise of the step with which the trailing foot joins at the end of a walk, m/s^3.
        firm: Typical rise below which repeated movement is no walk, m/s^3.
        turn_edge: Yaw rate at which a turn begins and ends, rad/s (5 degrees a second).
        turn_peak: Yaw rate that a turn must reach, rad/s (15 degrees a second).
        turn_least: Smallest turn, rad (45 degrees).
        turn_s: Shortest and longest turn.
    """

    smoothing_s: float = 0.11
    lead_s: float = 0.068
    vertical_memory_s: float = 3.0
    bridge_s: float = 0.2
    shortest_s: float = 0.3
    pause_s: float = 2.124
    floor: float = 1.5
    turn_floor: float = 1.0
    faint: float = 0.5
    firm: float = 2.0
    turn_edge: float = math.radians(5.0)
    turn_peak: float = math.radians(15.0)
    turn_least: float = math.radians(45.0)
    turn_s: tuple[float, float] = (0.5, 10.0)

    def for_sensor(self, rate_hz: float, leg_m: float) -> NDArray[np.void]:
        """Return one row of the kernel's parameters for a sampling rate and a leg length (NaN if not known)."""
        p = np.zeros(1, PARAMS)
        sigma = self.smoothing_s * rate_hz
        half = min(round(WINDOW_WIDTH * sigma), MAX_HALF)
        m = np.arange(half + 1)
        gauss = np.exp(-0.5 * (m / sigma) ** 2)
        slope = m * gauss
        p["dt"] = 1.0 / rate_hz
        p["leg"] = leg_m
        p["half"] = half
        p["slope"][0, : half + 1] = slope * rate_hz / (2.0 * np.sum(m * slope))  # of a ramp: its slope
        p["smooth"][0, : half + 1] = gauss / (2.0 * gauss.sum() - gauss[0])  # of a constant: the constant
        p["bridge"] = round(self.bridge_s * rate_hz)
        p["vertical_memory"] = self.vertical_memory_s * rate_hz
        p["lead"] = self.lead_s * rate_hz
        p["shortest"] = self.shortest_s * rate_hz
        p["pause"] = self.pause_s * rate_hz
        p["floor"] = self.floor
        p["turn_floor"] = self.turn_floor
        p["faint"] = self.faint
        p["firm"] = self.firm
        p["turn_edge"] = self.turn_edge
        p["turn_peak"] = self.turn_peak
        p["turn_least"] = self.turn_least
        p["turn_short"] = self.turn_s[0] * rate_hz
        p["turn_long"] = self.turn_s[1] * rate_hz
        return p


class LowerBack(SensorRows):
    """Streaming walk detector for many sensors, one kernel call a batch.

    The sensor may be strapped on at any angle. The same samples in any chunking give the same events, bit for bit.
    Methods: McCamley 2012 (contacts), Zijlstra & Hof 2003 (step length), Moe-Nilssen & Helbostad 2004 (regularity),
    Bellanca 2013 (harmonic ratio), El-Gohary 2014 (turns).
    """

    def __init__(self, params: LowerBackParams | None = None) -> None:
        super().__init__(PARAMS, STATE)
        self._params = params or LowerBackParams()
        self._out = np.zeros(64, EVENT).view(np.recarray)

    def attach(self, rate_hz: float, height_m: float = math.nan, sensor_height_m: float = math.nan) -> int:
        """Return the number of a new sensor; without a body measure (m) there are no lengths and speeds.

        Raises:
            ValueError: for a rate that cannot do, and for a measure that is no person's in metres.
        """
        require_rate("the lower back needs", rate_hz, RATE_RANGE_HZ)
        _require_height("height_m", height_m, HEIGHT_RANGE_M)
        _require_height("sensor_height_m", sensor_height_m, SENSOR_HEIGHT_RANGE_M)
        leg = height_m * LEG_PER_HEIGHT if math.isnan(sensor_height_m) else sensor_height_m * LEG_PER_SENSOR_HEIGHT
        return self._attach(self._params.for_sensor(rate_hz, leg))

    def process(self, batch: Batch) -> NDArray[np.void]:
        """Return the events decided by these samples: array of ``EVENT``, by sensor in the batch's order."""
        self._look_at(batch)
        # A sample can end a walk and begin a gap; a walk that is found reports all the steps that were waiting.
        self._make_room((QUEUE + 4) * len(batch.sensor) + 6 * len(batch.index))
        n = walks(
            batch.sensor,
            batch.start,
            batch.index,
            batch.acc,
            batch.gyr,
            self._row_records,
            self._state_records,
            self._out,
        )
        return self._events(n)

    def flush(self, sensor: int) -> NDArray[np.void]:
        """End the stream of a sensor: return what was still open; it starts afresh."""
        self._roster.check(sensor)
        self._make_room(QUEUE + 4)
        n = finish(self._state_records, self._row_records, sensor, self._out)
        self._begin(sensor)
        return self._events(n)

    def _events(self, n: int) -> NDArray[np.void]:
        return np.array(self._out[:n], dtype=EVENT)

    def _make_room(self, events: int) -> None:
        if len(self._out) < events:
            self._out = np.zeros(2 * events, EVENT).view(np.recarray)


def _require_height(name: str, height_m: float, limits_m: tuple[float, float]) -> None:
    low, high = limits_m
    if not (math.isnan(height_m) or low <= height_m <= high):
        raise ValueError(f"{name} must be {low:g} to {high:g} m, not {height_m:g}: is it in another unit?")
