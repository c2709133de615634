"""What the shared scorer of transfers calls: the product's own operator, fed in packets."""

from __future__ import annotations

from typing import Any

from dsp.transfers.found import Found, Transfer, Turn
from dsp.transfers.transfers import Transfers
from tests.scoring_events import Scored


def _event(found: Found) -> dict[str, Any] | None:
    span = {"start": found.start, "end": found.end}
    if isinstance(found, Transfer):
        return {"kind": found.kind, **span}
    if isinstance(found, Turn):
        return {"kind": "turn", "angle_deg": found.angle_deg, **span}
    return None if found.quality == "invalid" else {"kind": "tug", **span}


def transfers(placement: Any, rate_hz: float, *, height_m: float | None = None, **_info: Any) -> Scored[Found]:
    """Return a detector for a placement; raises ValueError for one that the product does not know."""
    operator = Transfers(rate_hz, placement=placement, height_m=height_m)
    return Scored(operator, _event, operator.finish)
