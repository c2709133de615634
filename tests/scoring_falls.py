"""What the shared scorer of falls calls: the product's own operator, fed in packets."""

from __future__ import annotations

from typing import Any

from dsp.falls.fall import Fall, FallDetector
from tests.scoring_events import Scored


def _event(found: Fall) -> dict[str, Any]:
    return {"kind": found.kind, "index": found.at, "confidence": found.confidence}


def falls(placement: str, rate_hz: float, **_info: Any) -> Scored[Fall]:
    """Return a detector for a placement; raises ValueError for one that the product does not know."""
    detector = FallDetector(rate_hz, placement)
    return Scored(detector, _event, detector.finish)
