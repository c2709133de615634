"""Absences of samples, each said as what it is: a gap, not a zero and not an old value."""

from __future__ import annotations

import numpy as np

from dsp.result import Result
from gateway.analysis.backlog import LeftOut
from gateway.analysis.ward_operators import INTAKE_ALGORITHM
from gateway.clocks.device_clock import NS
from gateway.intake.arrived import Arrived

LEAST_GAP_S = 0.2  # no operator bridges more, so from here on an absence changes what is computed
NOT_ANALYSED = "not analysed: movement analysis was being prepared"


def gaps_within(arrived: Arrived, rate_hz: float, since_s: float) -> list[Result]:
    """Return the gaps before and between the samples that arrived of a device, from when its wearer put it on."""
    index = arrived.index
    steps = np.diff(index, prepend=arrived.before)
    reason = "device clock restarted" if arrived.reset else "samples lost"
    found: list[Result] = []
    for at in np.flatnonzero(steps - 1 >= LEAST_GAP_S * rate_hz):
        last = index[at - 1] if at else arrived.before
        start_s, end_s = arrived.timeline.at(np.array([last, index[at]], float)).tolist()
        missing = int(steps[at]) - 1
        if start_s < since_s:
            start_s, missing = since_s, min(missing, int((end_s - since_s) * rate_hz))
        if missing >= LEAST_GAP_S * rate_hz:
            found.append(_gap(start_s, end_s, missing, reason))
    return found


def gap_of(left_out: LeftOut, origin_ns: int) -> Result:
    """Return the gap that samples make which found no room while kernels were compiled, and were not analysed.

    Args:
        left_out: Which samples.
        origin_ns: Second 0 of gateway time on the monotonic clock.
    """
    start_s, end_s = ((ns - origin_ns) / NS for ns in (left_out.first_ns, left_out.last_ns))
    return _gap(start_s, end_s, left_out.samples, NOT_ANALYSED)


def _gap(start_s: float, end_s: float, samples: int, reason: str) -> Result:
    return Result("stream_gap", end_s - start_s, "none", start_s, end_s, samples, INTAKE_ALGORITHM,
                  quality="degraded", reason=reason)  # fmt: skip
