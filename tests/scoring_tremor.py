"""What the shared scorer of tremor calls: the product's own operator, fed in packets."""

from __future__ import annotations

import math
from typing import Any

from dsp.tremor.tremor import Tremor, TremorValue
from tests.scoring_events import Scored


def _event(found: TremorValue) -> dict[str, Any]:
    return {
        "kind": "tremor",
        "index": found.last,
        "frequency_hz": None if math.isnan(found.frequency_hz) else found.frequency_hz,
        "amplitude": None if math.isnan(found.amplitude) else found.amplitude,
        "present": found.present,
    }


def tremor(_placement: str, rate_hz: float, **_info: Any) -> Scored[TremorValue]:
    """Return a detector for one hand, wrist or leg."""
    return Scored(Tremor(rate_hz), _event)
