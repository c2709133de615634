"""A motion sensor that has operators of its own: who wears it, and where on its grid of samples a time lies."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from config.settings import Device
from dsp.catalogue import CATALOGUE
from dsp.found import Found
from dsp.reported import implausible
from dsp.result import Result, Side
from gateway.analysis.motion import Motion, MotionOperator, SharedPart, SteppingMotion
from gateway.clocks.timeline import Timeline
from gateway.model.ward import Bed


class SensorOperator(NamedTuple):
    """An operator of a sensor, with its row of the table; and once more where it goes by strides, asked once."""

    motion: Motion
    operator: MotionOperator
    stepping: SteppingMotion | None


@dataclass(slots=True)
class MotionSensor:
    """A device with its operators.

    Attributes:
        bed: Who wears it, in which session.
        device: How and where.
        motions: Rows of the table.
        row: Of what waits.
        turn_s: How often its operators are called.
        operators: Made when its first samples come, and anew when its rate is another one.
        parts: What they have in common.
        defects: How often each row's has failed.
        rate_hz: What they were made for; 0 before the first.
        timeline: Of its stream.
        marks: What was marked before its first sample, with gateway seconds.
        last: Number of its newest sample.
    """

    bed: Bed
    device: Device
    motions: tuple[Motion, ...]
    row: int
    turn_s: float
    operators: list[SensorOperator] = field(default_factory=list)
    parts: tuple[SharedPart, ...] = ()
    defects: dict[str, int] = field(default_factory=dict)
    rate_hz: float = 0.0
    timeline: Timeline | None = None
    marks: list[tuple[str, float]] = field(default_factory=list)
    last: int = 0

    @property
    def started(self) -> bool:
        """Whether there are samples by which it is known where on the grid a time lies."""
        return self.timeline is not None and math.isfinite(self.timeline.newest_s)

    def numbers_of(self, *times_s: float) -> list[float]:
        """Return the numbers of the samples at gateway times, in parts of one; there is a timeline."""
        assert self.timeline is not None
        known = float(self.last)
        known_s = float(self.timeline.at(np.array([known]))[0])
        return [known + (at_s - known_s) * self.rate_hz for at_s in times_s]

    def results(self, found: Sequence[Found], algorithm: str) -> Iterator[Result]:
        """Yield what an operator found, on the gateway's clock; what no body can do has no value."""
        assert self.timeline is not None
        times_s = self.timeline.at(np.array([(each.first, each.last) for each in found]).ravel()).tolist()
        for each, start_s, end_s in zip(found, times_s[::2], times_s[1::2], strict=True):
            metric, value, quality, reason = CATALOGUE[each.metric], each.value, each.quality, each.reason
            if value is not None and (refusal := implausible(each.metric, value)):
                value, quality, reason = None, "invalid", refusal
            yield Result(
                each.metric, value, _side(self.device.placement, metric.sides), start_s, end_s, each.n,
                each.algorithm or algorithm, each.n_rejected, quality, reason,
            )  # fmt: skip


def _side(placement: str, sides: Sequence[Side]) -> Side:
    """Return the side of the limb that a sensor is on, where the metric has sides."""
    for side in sides:
        if placement.startswith(f"{side}_"):
            return side
    return "none" if "none" in sides else "both"
