"""What the shared scorer of sway calls: the product's own function, fed in packets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.sway.sway import measure_sway


class SwayDetector:
    """One trial behind the scorer's interface."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._index: list[NDArray[np.int64]] = []
        self._cop_mm: list[NDArray[np.float64]] = []

    def push(self, index: NDArray[np.int64], cop_mm: NDArray[np.float64]) -> Iterator[dict[str, Any]]:
        self._index.append(index)
        self._cop_mm.append(cop_mm)
        yield from ()

    def flush(self) -> Iterator[dict[str, Any]]:
        sway = measure_sway(np.concatenate(self._index), np.concatenate(self._cop_mm), self._rate_hz)
        if sway is not None:
            yield {
                "kind": "sway",
                "sway_path": sway.path,
                "sway_mean_velocity": sway.mean_velocity,
                "sway_rms_ap": sway.rms_ap,
                "sway_rms_ml": sway.rms_ml,
                "sway_ellipse_area95": sway.ellipse_area95,
                "sway_centroid_freq": sway.centroid_freq_hz,
                "quality": "degraded" if sway.reason else "ok",
            }


def sway(_placement: str, rate_hz: float, **_info: Any) -> SwayDetector:
    """Return a detector for one trial."""
    return SwayDetector(rate_hz)
