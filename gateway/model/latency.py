"""How late things are: percentiles over the last minutes, for the health page."""

from __future__ import annotations

from collections import deque

import numpy as np

from gateway.model.status import Percentiles

KEPT = 4096  # values: some minutes of steps


class Latency:
    """Recent delays."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=KEPT)

    def add(self, seconds: float) -> None:
        """Note one delay."""
        self._recent.append(seconds)

    def summary_ms(self) -> Percentiles:
        """Return median and 95th percentile in milliseconds; None before the first."""
        if not self._recent:
            return {"p50": None, "p95": None}
        p50, p95 = np.percentile(np.array(self._recent), [50, 95]).tolist()
        return {"p50": round(p50 * 1000, 1), "p95": round(p95 * 1000, 1)}
