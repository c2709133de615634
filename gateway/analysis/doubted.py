"""Results that rest on a device whose units are in doubt: marked as such, and not held back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dsp.result import Result
from gateway.analysis.ward_operators import INTAKE_ALGORITHM


def mark_doubted(result: Result, devices: Sequence[int], doubts: Mapping[int, str]) -> Result:
    """Return a result with what is doubted of its devices; what is about a device itself rests on none of its samples.

    Args:
        result: What was computed.
        devices: Numbers of the devices that it came from.
        doubts: By device number, why what it measures seems to be in other units.
    """
    if result.algorithm == INTAKE_ALGORITHM:
        return result
    reasons = dict.fromkeys(doubt for number in devices if (doubt := doubts.get(number)))
    return result.doubted("; ".join(reasons)) if reasons else result
