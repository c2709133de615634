"""What the shared scorer of freezing calls: the product's own operator, fed in packets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.freezing.freeze_index import FreezeIndex


class FreezingDetector:
    """One leg behind the scorer's interface."""

    def __init__(self, rate_hz: float) -> None:
        self._freeze_index = FreezeIndex(rate_hz)

    def push(
        self, index: NDArray[np.int64], acc: NDArray[np.float64], _gyr: NDArray[np.float64]
    ) -> Iterator[dict[str, Any]]:
        for found in self._freeze_index.process(index, acc):
            yield {"kind": "freeze_index", "index": found.last, "value": found.value}


def freezing(_placement: str, rate_hz: float, **_info: Any) -> FreezingDetector:
    """Return a detector for one leg."""
    return FreezingDetector(rate_hz)
