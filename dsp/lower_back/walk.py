"""One subject's walk as the lower back shows it: events of the kernel become results on the gateway clock."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsp.catalogue import plausible_ranges
from dsp.lower_back.layout import BOUT, GAP, INITIAL_CONTACT, RHYTHM, TURN
from dsp.record import Floats
from dsp.result import Quality, Result, Side

ALGORITHM: Final = "lower-back/2"

SIDES: Final[dict[int, Side]] = {1: "left", 0: "none", -1: "right"}
RHYTHMS: Final = (
    "step_regularity",
    "stride_regularity",
    "harmonic_ratio_v",
    "harmonic_ratio_ap",
    "harmonic_ratio_ml",
)

WINDOW_STEPS = 8  # live cadence, speed and stride length: the last four strides
MIN_STEPS = 3  # fewer make no cadence
GOOD_STEPS = 6  # three strides: fewer are degraded (metrics reference, section 0)
GOOD_STRIDES = 10  # for regularity and harmonic ratio (the same)
EVERY_S = 1.0  # live values at most once a second
PAUSE_S = 2.124  # the longest step (Mobilise-D); a longer one begins a new window
FORGOTTEN_S = 2.0 * PAUSE_S  # after the last step: whatever comes then begins a new window
SURE = 0.5  # confidence up to which a contact is degraded


class TimedEvent(NamedTuple):
    """An event of the kernel (`lower_back.EVENT`) on the gateway clock; ``start_s`` and ``end_s`` are its instants."""

    start_s: float
    end_s: float
    kind: int
    confidence: float
    side: int
    steps: int
    cadence_spm: float
    step_length_m: float
    speed_mps: float
    angle_rad: float
    step_regularity: float
    stride_regularity: float
    harmonic_ratio: Sequence[float]  # (3)


def timed_events(events: NDArray[np.void], start_s: Floats, end_s: Floats) -> list[TimedEvent]:
    """Return events, rows of ``lower_back.EVENT``, with the gateway seconds of their ``start`` and their ``index``."""
    columns = (start_s, end_s, *(events[name] for name in TimedEvent._fields[2:]))
    return list(map(TimedEvent, *(column.tolist() for column in columns)))


@dataclass(frozen=True, slots=True)
class _Step:
    at_s: float
    length_m: float  # of the step that ended here; NaN if not known


class _Span(NamedTuple):
    """What a value rests on: a stretch of time, steps or strides, and a doubt."""

    start_s: float
    end_s: float
    n: int
    doubt: str = ""


class LowerBackWalk:
    """Streaming results of one lower-back sensor; a function of its events and their times alone.

    Args:
        exoskeleton: Take the wider plausibility limits of exoskeleton gait.
    """

    def __init__(self, *, exoskeleton: bool = False) -> None:
        self._plausible = plausible_ranges(exoskeleton=exoskeleton)
        self._steps: deque[_Step] = deque(maxlen=WINDOW_STEPS + 1)
        self._due_s = -math.inf
        self._blocks: list[tuple[float, float, int, tuple[float, ...]]] = []
        self._out: list[Result] = []

    @property
    def due_s(self) -> float:
        """Nothing comes of `process` without events before this instant."""
        return self._steps[-1].at_s + FORGOTTEN_S if self._steps else math.inf

    def process(self, events: Iterable[TimedEvent], now_s: float) -> list[Result]:
        """Return what follows from the newest events of the sensor.

        Args:
            events: In the order in which the kernel reported them.
            now_s: Gateway time up to which all samples have been seen.
        """
        for event in events:
            self._add_event(event)
        if self._steps and now_s - self._steps[-1].at_s > FORGOTTEN_S:
            self._steps.clear()
        return self._collect() if self._out else []

    def finish(self) -> list[Result]:
        """End of the session: return the rhythm that was still being gathered."""
        self._add_rhythm()
        self._steps.clear()
        return self._collect()

    def _collect(self) -> list[Result]:
        out, self._out = self._out, []
        return out

    def _add_event(self, event: TimedEvent) -> None:
        kind, start_s, end_s = event.kind, event.start_s, event.end_s
        if kind == INITIAL_CONTACT:
            self._contact(event)
        elif kind == RHYTHM:
            values = (event.step_regularity, event.stride_regularity, *event.harmonic_ratio)
            self._blocks.append((start_s, end_s, event.steps // 2, values))
            if sum(block[2] for block in self._blocks) >= GOOD_STRIDES:
                self._add_rhythm()
        elif kind == BOUT:
            self._bout(event)
        elif kind == TURN:
            side = SIDES[event.side]
            self._add_result("turn_angle", math.degrees(event.angle_rad), side, _Span(start_s, end_s, 1))
            self._add_result("turn_duration", end_s - start_s, side, _Span(start_s, end_s, 1))
        elif kind == GAP:
            self._steps.clear()

    def _contact(self, event: TimedEvent) -> None:
        at_s = event.end_s
        doubt = "uncertain contact" if event.confidence <= SURE else ""
        self._add_result("initial_contact", 1.0, SIDES[event.side], _Span(at_s, at_s, 1, doubt))
        if self._steps and at_s - self._steps[-1].at_s > PAUSE_S:
            self._steps.clear()
        self._steps.append(_Step(at_s, event.step_length_m))
        n = len(self._steps) - 1
        if n < MIN_STEPS or at_s < self._due_s:
            return
        self._due_s = at_s + EVERY_S
        start_s = self._steps[0].at_s
        span = _Span(start_s, at_s, n, _few(n))
        self._add_result("cadence", 60.0 * n / (at_s - start_s), "both", span)
        lengths = [step.length_m for step in list(self._steps)[1:]]
        if all(map(math.isfinite, lengths)):
            self._pace(sum(lengths) / n, sum(lengths) / (at_s - start_s), span)

    def _bout(self, event: TimedEvent) -> None:
        self._add_rhythm()
        start_s, end_s, n = event.start_s, event.end_s, event.steps
        for metric in ("walking_bout", "walking_time"):
            self._add_result(metric, end_s - start_s, "both", _Span(start_s, end_s, n))
        self._add_result("n_steps", float(n), "both", _Span(start_s, end_s, n))
        span = _Span(start_s, end_s, n, _few(n))
        self._add_result("cadence", event.cadence_spm, "both", span)
        if math.isfinite(event.step_length_m):
            self._pace(event.step_length_m, event.speed_mps, span)

    def _pace(self, step_m: float, speed_mps: float, span: _Span) -> None:
        self._add_result("stride_length", 2.0 * step_m, "both", span)
        self._add_result("walking_speed", speed_mps, "both", span)

    def _add_rhythm(self) -> None:
        if not self._blocks:
            return
        strides = sum(block[2] for block in self._blocks)
        doubt = f"only {strides} strides" if strides < GOOD_STRIDES else ""
        span = _Span(self._blocks[0][0], self._blocks[-1][1], strides, doubt)
        for metric, values in zip(RHYTHMS, zip(*(block[3] for block in self._blocks), strict=True), strict=True):
            known = [value for value in values if math.isfinite(value)]
            if known:
                self._add_result(metric, sum(known) / len(known), "both", span)
        self._blocks = []

    def _add_result(self, metric: str, value: float, side: Side, span: _Span) -> None:
        """Add one value; one that no body can reach is added as none."""
        start_s, end_s, n, doubt = span
        low, high = self._plausible[metric]
        if not low <= value <= high:
            self._out.append(
                Result(metric, None, side, start_s, end_s, 0, ALGORITHM, n, quality="invalid", reason="implausible")
            )
            return
        quality: Quality = "degraded" if doubt else "ok"
        self._out.append(Result(metric, value, side, start_s, end_s, n, ALGORITHM, 0, quality, doubt))


def _few(steps: int) -> str:
    return f"only {steps} steps" if steps < GOOD_STEPS else ""
