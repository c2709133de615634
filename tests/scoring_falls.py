"""What the shared scorer of falls calls: the product's own operator, fed in packets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.falls.fall import Fall, FallDetector


class FallsScored:
    """One sensor behind the scorer's interface."""

    def __init__(self, placement: str, rate_hz: float) -> None:
        self._detector = FallDetector(rate_hz, placement)

    def push(
        self, index: NDArray[np.int64], acc: NDArray[np.float64], gyr: NDArray[np.float64]
    ) -> Iterator[dict[str, Any]]:
        yield from map(_event, self._detector.process(index, acc, gyr))

    def flush(self) -> Iterator[dict[str, Any]]:
        yield from map(_event, self._detector.finish())


def _event(found: Fall) -> dict[str, Any]:
    return {"kind": found.kind, "index": found.at, "confidence": found.confidence}


def falls(placement: str, rate_hz: float, **_info: Any) -> FallsScored:
    """Return a detector for a placement; raises ValueError for one that the product does not know."""
    return FallsScored(placement, rate_hz)
