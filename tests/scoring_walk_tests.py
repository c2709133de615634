"""What the shared scorer of walk tests calls: the product's own operator, fed in packets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dsp.walk_tests.course import CourseWalks, UTurn, Walk


class WalkTestDetector:
    """One sensor behind the scorer's interface."""

    def __init__(self, rate_hz: float, *, course: bool) -> None:
        self._walks = CourseWalks(rate_hz, course=course)

    def push(
        self, index: NDArray[np.int64], acc: NDArray[np.float64], gyr: NDArray[np.float64]
    ) -> Iterator[dict[str, Any]]:
        yield from map(_as_scored, self._walks.process(index, acc, gyr))

    def flush(self) -> Iterator[dict[str, Any]]:
        yield from map(_as_scored, self._walks.flush())


def _as_scored(found: Walk | UTurn) -> dict[str, Any]:
    if isinstance(found, UTurn):
        return {"kind": "turn", "start": found.start, "end": found.end, "angle_deg": found.angle_deg}
    return {"kind": "walk", "start": found.start, "end": found.end}


def walk_test(_placement: str, rate_hz: float, *, protocol: str = "", **_info: Any) -> WalkTestDetector:
    """Return a detector; where a protocol is named, there is one walk between two turns."""
    return WalkTestDetector(rate_hz, course=bool(protocol))
