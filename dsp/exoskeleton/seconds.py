"""Samples of an exoskeleton to one value a metric, side and second.

A second is closed by the first sample of a later one, and worked out at once from all that came in it, so that the same
samples in any chunking give the same numbers, bit for bit. Whatever a device does not tell has no value: nothing is
held over from the second before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from dsp.catalogue import CATALOGUE
from dsp.exoskeleton.whole_seconds import Floats, Second, WholeSeconds
from dsp.exoskeleton_metrics import JOINTS
from dsp.metric import Metric
from dsp.result import Result, Side

ALGORITHM: Final = "exoskeleton/1"
IMPLAUSIBLE: Final = "implausible"
REJECTED_SHARE: Final = 0.2  # with more implausible samples than this a value is doubted

Summary = Callable[[Floats], float]


def _mean(values: Floats) -> float:
    return float(values.mean())


def _peak(values: Floats) -> float:
    return float(values[np.abs(values).argmax()])


def _highest(values: Floats) -> float:
    return float(values.max())


OF_JOINT: Final[tuple[tuple[str, str, Summary], ...]] = (
    ("angle", "angle", _mean),
    ("torque", "torque", _mean),
    ("torque", "peak_torque", _peak),
    ("command", "command", _mean),
    ("interaction", "interaction", _mean),
)
"""Channel of a joint, what its metric ends with, and how a second of it becomes one value."""

OF_DEVICE: Final = ("assistance", "body_weight_support", "battery_voltage")
SIDES: Final[tuple[Side, ...]] = ("left", "right")


@dataclass(frozen=True, slots=True)
class Part:
    """One metric of one side.

    Attributes:
        metric: Of the catalogue.
        side: Left, right or none.
        columns: The channels that it is made of.
        summary: What becomes of their values.
    """

    metric: Metric
    side: Side
    columns: tuple[int, ...]
    summary: Summary


def parts_of(channels: Sequence[str]) -> list[Part]:
    """Return what can be told of a stream with these channels."""
    at = {channel: column for column, channel in enumerate(channels)}
    found = [
        Part(CATALOGUE[f"exo_{joint}_{end}"], side, (at[f"{side}_{joint}_{quantity}"],), summary)
        for joint in JOINTS
        for side in SIDES
        for quantity, end, summary in OF_JOINT
        if f"{side}_{joint}_{quantity}" in at
    ]
    for side in SIDES:
        motors = tuple(at[f"{side}_{joint}_temperature"] for joint in JOINTS if f"{side}_{joint}_temperature" in at)
        if motors:
            found.append(Part(CATALOGUE["exo_motor_temperature"], side, motors, _highest))
    found += [Part(CATALOGUE[f"exo_{name}"], "none", (at[name],), _mean) for name in OF_DEVICE if name in at]
    return found


class ExoskeletonSeconds:
    """Streaming: one device's samples in, results of whole seconds out.

    Args:
        channels: Names of the columns.
    """

    def __init__(self, channels: Sequence[str]) -> None:
        self._parts = parts_of(channels)
        self._whole = WholeSeconds()

    def add(self, time_s: Floats, samples: Floats) -> list[Result]:
        """Take samples (n, channels) at gateway times (n,) in ascending order; return the seconds that they end."""
        return self._results(self._whole.add(time_s, samples))

    def finish(self) -> list[Result]:
        """Return what the last second says, as far as it came."""
        return self._results(self._whole.finish())

    def _results(self, seconds: Sequence[Second]) -> list[Result]:
        return [
            result
            for time_s, samples in seconds
            for part in self._parts
            if (result := _result_of(part, samples[:, part.columns], (float(time_s[0]), float(time_s[-1])))) is not None
        ]


def _result_of(part: Part, values: Floats, span: tuple[float, float]) -> Result | None:
    """Return what a second says of one metric; None where the device told nothing."""
    known = np.ascontiguousarray(values).ravel()
    known = known[~np.isnan(known)]
    if not len(known):
        return None
    low, high = part.metric.limits()
    fine = known[(known >= (-np.inf if low is None else low)) & (known <= (np.inf if high is None else high))]
    rejected = len(known) - len(fine)
    metric, side, (start_s, end_s) = part.metric.id, part.side, span
    if not len(fine):
        return Result(metric, None, side, start_s, end_s, 0, ALGORITHM, rejected, "invalid", IMPLAUSIBLE)
    doubted = rejected > REJECTED_SHARE * len(known)
    return Result(
        metric, part.summary(fine), side, start_s, end_s, len(fine), ALGORITHM, rejected,
        "degraded" if doubted else "ok", IMPLAUSIBLE if doubted else "",
    )  # fmt: skip
