"""What the shared lower-back scorer calls: the product's own operator, fed in packets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.lower_back.lower_back import BOUT, INITIAL_CONTACT, LowerBack


class LowerBackDetector:
    """One lower-back sensor behind the scorer's interface."""

    def __init__(self, rate_hz: float, **body: float) -> None:
        self._walks = LowerBack()
        self._sensor = self._walks.attach(rate_hz, **body)

    def push(
        self, index: NDArray[np.int64], acc: NDArray[np.float64], gyr: NDArray[np.float64]
    ) -> Iterator[dict[str, Any]]:
        yield from self._as_scored(self._walks.process(Batch.single(index, acc, gyr, self._sensor)))

    def flush(self) -> Iterator[dict[str, Any]]:
        yield from self._as_scored(self._walks.flush(self._sensor))

    def _as_scored(self, events: NDArray[np.void]) -> Iterator[dict[str, Any]]:
        for event in events:
            if event["kind"] == INITIAL_CONTACT:
                yield {"kind": "ic", "index": float(event["index"])}
            elif event["kind"] == BOUT:
                yield {
                    "kind": "bout",
                    "start": float(event["start"]),
                    "end": float(event["index"]),
                    "cadence_spm": float(event["cadence_spm"]),
                    "stride_length_m": 2.0 * float(event["step_length_m"]),
                    "speed_mps": float(event["speed_mps"]),
                }


def detector(placement: str, rate_hz: float, **info: Any) -> LowerBackDetector:
    """Return a detector for the lower back."""
    if placement != "lower_back":
        raise ValueError(f"not the lower back: {placement}")
    return LowerBackDetector(rate_hz, **{k: v for k, v in info.items() if k in ("height_m", "sensor_height_m")})
