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
from numpy.typing import NDArray

from dsp.arrays import require_one_length
from dsp.catalogue import CATALOGUE
from dsp.exoskeleton_metrics import JOINTS
from dsp.metric import Metric
from dsp.result import Result, Side

ALGORITHM: Final = "exoskeleton/1"
IMPLAUSIBLE: Final = "implausible"
REJECTED_SHARE: Final = 0.2  # with more implausible samples than this a value is doubted
MOST_SAMPLES: Final = (
    4096  # of a second: four times what the fastest devices send; what a flood brings beyond is left out
)

Floats = NDArray[np.float64]
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
        self._second = -np.inf
        self._times: list[Floats] = []
        self._samples: list[Floats] = []
        self._kept = 0

    def add(self, time_s: Floats, samples: Floats) -> list[Result]:
        """Take samples (n, channels) at gateway times (n,) in ascending order; return the seconds that they end."""
        require_one_length(time_s=time_s, samples=samples[:, 0])
        seconds = np.maximum.accumulate(np.floor(time_s))
        results: list[Result] = []
        begin = 0
        while begin < len(seconds):
            if seconds[begin] > self._second:
                results += self._close()
                self._second = float(seconds[begin])
            end = int(np.searchsorted(seconds, max(self._second, seconds[begin]), side="right"))
            self._keep(time_s[begin:end], samples[begin:end])
            begin = end
        return results

    def finish(self) -> list[Result]:
        """Return what the last second says, as far as it came."""
        return self._close()

    def _keep(self, time_s: Floats, samples: Floats) -> None:
        room = MOST_SAMPLES - self._kept
        if room > 0:
            self._times.append(time_s[:room])
            self._samples.append(samples[:room])
            self._kept += len(time_s[:room])

    def _close(self) -> list[Result]:
        """Return what the open second says, and begin another."""
        if not self._kept:
            return []
        time_s, samples = np.concatenate(self._times), np.concatenate(self._samples)
        self._times, self._samples, self._kept = [], [], 0
        span = float(time_s[0]), float(time_s[-1])
        results = (_result_of(part, samples[:, part.columns], span) for part in self._parts)
        return [result for result in results if result is not None]


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
