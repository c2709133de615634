"""Whose samples are: what a device sends while nobody wears it, or still of who wore it before, is of nobody."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from gateway.intake.intake import Arrived, ArrivedBatch, Intake

FORMER_WEARER = "from before it was put on"


class Wearers:
    """Since when devices are worn by who wears them now."""

    def __init__(self) -> None:
        self._from_s: dict[int, float] = {}  # of devices whose first samples may still be the former wearer's

    def put_on(self, devices: Iterable[int], now_s: float) -> None:
        """Take that devices have another wearer from a gateway time on."""
        self._from_s |= dict.fromkeys(devices, now_s)

    def samples_of(self, arrived: ArrivedBatch) -> ArrivedBatch | None:
        """Return the samples that are of who wears the devices now; None where there are none."""
        suspected = [
            at
            for at, (number, intake) in enumerate(zip(arrived.numbers.tolist(), arrived.intakes, strict=True))
            if intake.slot is None or number in self._from_s
        ]
        if not suspected:
            return arrived
        theirs = np.ones(len(arrived.numbers), np.bool_)
        theirs[suspected] = [self._is_of_wearer(arrived.intakes[at], arrived.one(at)) for at in suspected]
        return arrived.kept(np.repeat(theirs, np.diff(arrived.start))) if theirs.any() else None

    def _is_of_wearer(self, intake: Intake, arrived: Arrived) -> bool:
        """Whether samples are of who wears the device now: not on nobody, and none from before it was put on."""
        if intake.slot is None:
            return False
        put_on_s = self._from_s.get(arrived.number)
        if put_on_s is None:
            return True
        first_s = float(arrived.timeline.at(arrived.index[:1].astype(float))[0])
        if first_s < put_on_s:
            intake.note(FORMER_WEARER)
            return False
        if arrived.spec.rate_hz:
            del self._from_s[arrived.number]  # what is sampled comes in order: nothing older follows
        return True
