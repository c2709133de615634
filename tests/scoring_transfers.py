"""What the shared scorer of transfers calls: the product's own operator, fed in packets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.transfers.found import Found, Transfer, Turn
from dsp.transfers.transfers import Transfers


class TransferDetector:
    """One sensor behind the scorer's interface."""

    def __init__(self, operator: Transfers) -> None:
        self._operator = operator

    def push(
        self, index: NDArray[np.int64], acc: NDArray[np.float64], gyr: NDArray[np.float64]
    ) -> Iterator[dict[str, Any]]:
        return _told(self._operator.process(index, acc, gyr))

    def flush(self) -> Iterator[dict[str, Any]]:
        return _told(self._operator.finish())


def _told(found: Iterable[Found]) -> Iterator[dict[str, Any]]:
    for one in found:
        span = {"start": one.start, "end": one.end}
        if isinstance(one, Transfer):
            yield {"kind": one.kind, **span}
        elif isinstance(one, Turn):
            yield {"kind": "turn", "angle_deg": one.angle_deg, **span}
        elif one.quality != "invalid":
            yield {"kind": "tug", **span}


def transfers(placement: Any, rate_hz: float, *, height_m: float | None = None, **_info: Any) -> TransferDetector:
    """Return a detector for a placement; raises ValueError for one that the product does not know."""
    return TransferDetector(Transfers(rate_hz, placement=placement, height_m=height_m))
