"""What the shared scorer of heart rate variability calls: the product's own operators, fed in notifications."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.heart.beats import REGULAR, BeatJudge
from dsp.heart.heart import HeartMetrics, is_interval
from dsp.result import Result

KINDS = {"hrv_rmssd": "rmssd", "hrv_sdnn": "sdnn"}


class HeartDetector:
    """One strap behind the scorer's interface."""

    def __init__(self) -> None:
        self._heart = HeartMetrics()
        self._judge = BeatJudge()
        self._number = 0  # of the next interval that is judged

    def push(self, t_s: NDArray[np.float64], rr_s: NDArray[np.float64]) -> Iterator[dict[str, Any]]:
        for rr in rr_s.tolist():
            if is_interval(rr):
                yield from self._judged(self._judge.add(rr))
            else:
                yield from self._judged([*self._judge.end(), None])
        yield from map(_scored, self._heart.add_intervals(t_s, rr_s, np.ones(len(t_s), bool)))

    def flush(self) -> Iterator[dict[str, Any]]:
        yield from self._judged(self._judge.end())

    def _judged(self, verdicts: Iterable[int | None]) -> Iterator[dict[str, Any]]:
        for verdict in verdicts:
            yield {"kind": "beat", "number": self._number, "normal": verdict == REGULAR}
            self._number += 1


def _scored(result: Result) -> dict[str, Any]:
    return {"kind": KINDS[result.metric], "t_s": result.end_s, "ms": result.value, "quality": result.quality}


def beats(_placement: str, _rate_hz: float, **_info: Any) -> HeartDetector:
    """Return a detector of regular beats and their variability."""
    return HeartDetector()
