"""Where a simulated device gets its samples from: a walking body, a heart, or a recording.

A source is pulled by a simulated device in step with its own time; it neither sleeps nor reads a clock, so a
run is the same every time and can go as fast as the machine allows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

G = 9.80665
"""Standard gravity, m/s^2."""


@dataclass(frozen=True, slots=True)
class Motion:
    """Samples of one inertial sensor, imperfections included, in the sensor's own frame.

    Attributes:
        time_s: (n,) device clock at each sample, seconds since its power-on (offset and drift included).
        acc: (n, 3) specific force, m/s^2.
        gyr: (n, 3) angular velocity, rad/s.
        mag: (n, 3) magnetic field, arbitrary units; zeros where the source has none.
        sent: (n,) False for samples that the radio loses.
    """

    time_s: Floats
    acc: Floats
    gyr: Floats
    mag: Floats
    sent: NDArray[np.bool_]

    def each(self) -> Iterator[tuple[float, Any, Any, Any, bool]]:
        """Return the samples one by one: time, acceleration, angular rate and field (three numbers), whether sent."""
        columns = (self.time_s, self.acc, self.gyr, self.mag, self.sent)
        return zip(*(column.tolist() for column in columns), strict=True)


class MotionSource(ABC):
    """Movement of one sensor."""

    rate_hz: float

    @abstractmethod
    def read_until(self, until_s: float) -> Motion | None:
        """Return the samples not yet taken whose true time is at most ``until_s`` (n may be 0); None at the end."""

    def skip(self, until_s: float) -> int | None:
        """Leave out the samples that `read_until` would return; return how many, None at the end."""
        motion = self.read_until(until_s)
        return None if motion is None else len(motion.time_s)


@dataclass(frozen=True, slots=True)
class Beats:
    """Heart beats: what a chest strap would notice.

    Attributes:
        time_s: (n,) true time of each beat, seconds.
        rr_s: (n,) interval that ended at that beat, seconds.
    """

    time_s: Floats
    rr_s: Floats


class BeatSource(ABC):
    """A heart."""

    @abstractmethod
    def read_until(self, until_s: float) -> Beats | None:
        """Return the beats not yet taken up to true time ``until_s``; None at the end."""
