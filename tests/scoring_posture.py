"""What the shared scorer of posture calls: the product's own operator, fed in packets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.posture.posture import Posture, PostureDetector


class PostureScored:
    """One sensor behind the scorer's interface."""

    def __init__(self, placement: str, rate_hz: float) -> None:
        self._detector = PostureDetector(rate_hz, placement)

    def push(
        self, index: NDArray[np.int64], acc: NDArray[np.float64], gyr: NDArray[np.float64]
    ) -> Iterator[dict[str, Any]]:
        yield from map(_event, self._detector.process(index, acc, gyr))

    def flush(self) -> Iterator[dict[str, Any]]:
        yield from map(_event, self._detector.finish())


def _event(found: Posture) -> dict[str, Any]:
    return {"kind": "posture", "index": found.at, "posture": found.posture, "quality": found.quality}


def posture(placement: str, rate_hz: float, **_info: Any) -> PostureScored:
    """Return a detector for a placement; raises ValueError for one that the product does not know."""
    return PostureScored(placement, rate_hz)
