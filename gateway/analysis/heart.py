"""Heart rate and its variability: each strap by itself, whoever wears it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from drivers.packet import Flag
from dsp.heart.heart import HeartMetrics
from dsp.result import Result
from gateway.analysis.ward_operators import EachDevice, channel, seconds
from gateway.intake.arrived import Arrived


class HeartOfDevice:
    """The heart that one device listens to: rates, and intervals between beats."""

    def __init__(self) -> None:
        self._heart = HeartMetrics()
        self._repeated: int | None = None  # second deliveries that the heart was told of; those before are another's

    def process(self, arrived: Arrived) -> list[Result]:
        """Take heart rates, or intervals between beats."""
        if arrived.stream == "heart_rate":
            return self._heart.add_rates(seconds(arrived), channel(arrived, "heart_rate"), _touches(arrived))
        before = arrived.repeated if self._repeated is None else self._repeated
        again, self._repeated = arrived.repeated - before, arrived.repeated
        return self._heart.add_intervals(seconds(arrived), channel(arrived, "rr"), _touches(arrived), repeated=again)


class HeartOperators(EachDevice):
    """Hearts of a ward."""

    operator: ClassVar = HeartOfDevice


def _touches(arrived: Arrived) -> NDArray[np.bool_]:
    """Return whether the sensor touched the body, or could not tell, for each sample."""
    touches: NDArray[np.bool_] = (arrived.flags & Flag.NO_CONTACT) == 0
    return touches
