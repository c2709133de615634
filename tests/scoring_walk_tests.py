"""What the shared scorer of walk tests calls: the product's own operator, fed in packets."""

from __future__ import annotations

from typing import Any

from dsp.walk_tests.course import CourseWalks, UTurn, Walk
from tests.scoring_events import Scored


def _event(found: Walk | UTurn) -> dict[str, Any]:
    if isinstance(found, UTurn):
        return {"kind": "turn", "start": found.start, "end": found.end, "angle_deg": found.angle_deg}
    return {"kind": "walk", "start": found.start, "end": found.end}


def walk_test(_placement: str, rate_hz: float, *, protocol: str = "", **_info: Any) -> Scored[Walk | UTurn]:
    """Return a detector; where a protocol is named, there is one walk between two turns."""
    walks = CourseWalks(rate_hz, course=bool(protocol))
    return Scored(walks, _event, walks.flush)
