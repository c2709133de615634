"""Weight, blood pressure and temperature as a device reports them: one at a time, when somebody measures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final

from dsp.reported import KEPT, LONGEST_AGE_S, UNDATED, reported
from dsp.result import Result

ALGORITHM: Final = "vitals/1"

PRESSURE_DOUBTS: Final = {
    0: "moved while it was measured",
    1: "cuff too loose",
    2: "irregular pulse",
    5: "arm in a wrong position",
}
"""Bits of the measurement status of a blood pressure monitor."""
PULSE_OUT_OF_RANGE: Final = "pulse rate outside the device's range"
_RANGE_AT, _RANGE = 3, 0b11


def pressure_doubt(status: float) -> str:
    """Return what a monitor says against its own measurement; empty if nothing."""
    if not math.isfinite(status):
        return ""
    bits = int(status)
    words = [word for bit, word in PRESSURE_DOUBTS.items() if bits >> bit & 1]
    if bits >> _RANGE_AT & _RANGE in {1, 2}:
        words.append(PULSE_OUT_OF_RANGE)
    return "; ".join(words)


def measured(
    at_s: float, values: Mapping[str, float], *, age_s: float, undated: bool = False, doubt: str = ""
) -> Iterable[Result]:
    """Yield what was measured at once, by metric; what the device does not tell is not said.

    What it does not tell of is something else: where none of the metrics has a value, the first says so.
    """
    finite = {metric: value for metric, value in values.items() if math.isfinite(value)}
    spoilt = KEPT if age_s > LONGEST_AGE_S else ""
    doubt = "; ".join(word for word in (doubt, UNDATED if undated else "") if word)
    for metric, value in (finite or dict(list(values.items())[:1])).items():
        yield reported(metric, value, at_s, ALGORITHM, spoilt=spoilt, doubt=doubt)
