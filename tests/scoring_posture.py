"""What the shared scorer of posture calls: the product's own operator, fed in packets."""

from __future__ import annotations

from typing import Any

from dsp.posture.posture import Posture, PostureDetector
from tests.scoring_events import Scored


def _event(found: Posture) -> dict[str, Any]:
    return {"kind": "posture", "index": found.at, "posture": found.posture, "quality": found.quality}


def posture(placement: str, rate_hz: float, **_info: Any) -> Scored[Posture]:
    """Return a detector for a placement; raises ValueError for one that the product does not know."""
    detector = PostureDetector(rate_hz, placement)
    return Scored(detector, _event, detector.finish)
