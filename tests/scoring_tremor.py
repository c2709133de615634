"""What the shared scorer of tremor calls: the product's own operator, fed in packets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.tremor.tremor import Tremor


class TremorDetector:
    """One limb behind the scorer's interface."""

    def __init__(self, rate_hz: float) -> None:
        self._tremor = Tremor(rate_hz)

    def push(
        self, index: NDArray[np.int64], acc: NDArray[np.float64], gyr: NDArray[np.float64]
    ) -> Iterator[dict[str, Any]]:
        for found in self._tremor.process(index, acc, gyr):
            yield {
                "kind": "tremor",
                "index": found.last,
                "frequency_hz": None if math.isnan(found.frequency_hz) else found.frequency_hz,
                "amplitude": None if math.isnan(found.amplitude) else found.amplitude,
                "present": found.present,
            }


def tremor(_placement: str, rate_hz: float, **_info: Any) -> TremorDetector:
    """Return a detector for one hand, wrist or leg."""
    return TremorDetector(rate_hz)
