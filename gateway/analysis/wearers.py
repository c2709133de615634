"""Whose samples are: what a device sends while nobody wears it, or still of who wore it before, is of nobody."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from gateway.intake.arrived import Arrived, ArrivedBatch
from gateway.intake.intake import Intake
from gateway.intake.intakes import Intakes

AGE = "age"
"""Channel of devices that tell how long before it arrived a value was measured, seconds; NaN where they do not tell."""
FORMER_WEARER = "from before it was put on"


class Wearers:
    """Since when devices are worn by who wears them now.

    Args:
        intakes: The devices.
    """

    def __init__(self, intakes: Intakes) -> None:
        self._intakes = intakes
        self._from_s: dict[int, float] = {}  # of devices whose first samples may still be the former wearer's
        self._since_s: dict[int, float] = {}

    def put_on(self, devices: Iterable[int], now_s: float, *, again: Collection[int] = ()) -> None:
        """Take that devices are worn anew from a gateway time on; ``again`` by who wore them until then."""
        anew = dict.fromkeys(devices, now_s)
        self._from_s |= anew
        self._since_s |= {number: since_s for number, since_s in anew.items() if number not in again}

    def since_s(self, device: int) -> float:
        """Return since when who wears a device now does; -inf if since before the run."""
        return self._since_s.get(device, -math.inf)

    def samples_of(self, arrived: ArrivedBatch) -> ArrivedBatch | None:
        """Return the samples that are of who wears the devices now; None where there are none."""
        suspected = np.flatnonzero(~self._intakes.worn[arrived.numbers]).tolist()
        if self._from_s:
            new = (at for at, number in enumerate(arrived.numbers.tolist()) if number in self._from_s)
            suspected = sorted({*suspected, *new})
        if not suspected:
            return arrived
        theirs = np.ones(int(arrived.start[-1]), np.bool_)
        for at in suspected:
            own = slice(int(arrived.start[at]), int(arrived.start[at + 1]))
            theirs[own] = self._of_wearer(arrived.intakes[at], arrived.one(at))
        return arrived.kept(theirs) if theirs.any() else None

    def _of_wearer(self, intake: Intake, arrived: Arrived) -> bool | NDArray[np.bool_]:
        """Return which samples are of who wears the device now: not on nobody, and none from before it was put on."""
        if intake.slot is None:
            return False
        put_on_s = self._from_s.get(arrived.number)
        if put_on_s is None:
            return True
        if AGE in arrived.spec.channels:
            age_s = np.nan_to_num(arrived.samples[:, arrived.spec.channels.index(AGE)])
            theirs: NDArray[np.bool_] = arrived.timeline.at(arrived.index.astype(float)) - age_s >= put_on_s
            if not theirs.all():
                intake.note(FORMER_WEARER)
            return theirs
        first_s = float(arrived.timeline.at(arrived.index[:1].astype(float))[0])
        if first_s < put_on_s:
            intake.note(FORMER_WEARER)
            return False
        if arrived.spec.rate_hz:
            del self._from_s[arrived.number]  # what is sampled comes in order: nothing older follows
        return True
