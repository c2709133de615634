"""Exercise on a machine or with a sensor that counts: each by itself, whoever uses it.

What adds up, a machine counts from when it pleases: the distance of whoever was on the treadmill before is no other's.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial

import numpy as np

from config.settings import Device
from dsp.exercise import ExerciseMetrics
from dsp.result import Result
from gateway.analysis.sensor_bank import Refuse
from gateway.analysis.ward_operators import EachOfPerson, PersonOperators, WardOperators, channel, seconds
from gateway.clocks.timeline import Floats
from gateway.intake.arrived import Arrived
from gateway.model.ward import Bed

RATES = ("speed", "cadence", "power")
TOTALS = ("distance", "energy")
"""As `ExerciseMetrics.add` names them."""

BEGUN_ANEW = 0.5  # of the count before: one that falls so low began anew; one that falls by less was corrected


NOBODY = ""  # no pseudonym is


class Count:
    """What one counter of a machine has counted for who uses it now.

    The first user of a run is taken to have had the machine from where it began to count; each later one begins where
    the counter stood when it was first heard of for them. A machine that begins anew meanwhile is counted on.
    """

    def __init__(self) -> None:
        self._user: str | None = None
        self._base: float | None = 0.0  # of the counter, where the user began; None until it is heard of for them
        self._newest = 0.0

    def leave(self) -> None:
        """Nobody uses it, as far as anybody knows."""
        self._user = NOBODY

    def own(self, user: str, counted: Floats) -> Floats:
        """Return of what the counter told, in order, how much is this user's; NaN where it told nothing."""
        if self._user not in {None, user}:
            self._base = None
        self._user = user
        return np.array([np.nan if np.isnan(value) else self._own(value) for value in counted.tolist()], np.float64)

    def _own(self, value: float) -> float:
        if self._base is None:
            self._base = value
        elif value < BEGUN_ANEW * self._newest:
            self._base -= self._newest
        self._newest = value
        return max(0.0, value - self._base)


Counts = defaultdict[tuple[int, str], Count]  # by number of the device and name of what it counts


class ExerciseOfDevice:
    """What one device counts for one person.

    Args:
        user: Pseudonym of the person.
        counts: The counters of all devices, whoever uses them.
    """

    def __init__(self, user: str, counts: Counts) -> None:
        self._user = user
        self._counts = counts
        self._exercise = ExerciseMetrics()

    def process(self, arrived: Arrived) -> list[Result]:
        """Take samples."""
        told = {name: channel(arrived, name) for name in RATES}
        for name in TOTALS:
            told[name] = self._counts[arrived.number, name].own(self._user, channel(arrived, name))
        return self._exercise.add(seconds(arrived), **told)


class ExerciseOperators(WardOperators):
    """Machines and sensors of a ward."""

    def __init__(self, refuse: Refuse | None = None) -> None:
        super().__init__(refuse)
        self._counts: Counts = defaultdict(Count)

        self._left: set[int] = set()  # devices that somebody has left in this step

    def put_on(self, bed: Bed, devices: Mapping[int, Device]) -> PersonOperators:
        """Begin with a person, who may have had the machine until now, beside other devices."""
        self._left -= devices.keys()
        return EachOfPerson(partial(ExerciseOfDevice, bed.slot.subject, self._counts))

    def remove_device(self, number: int) -> None:
        """Somebody leaves a machine, if they are not put on it again in the same step."""
        self._left.add(number)

    def step(self) -> None:
        """Take those who left for gone: what a machine counts from now on is of nobody, or of somebody else."""
        for number in self._left:
            for name in TOTALS:
                self._counts[number, name].leave()
        self._left.clear()
