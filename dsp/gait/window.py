"""What a window of steps and strides shows: cadence, symmetry, variability, coordination. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

Foot = Literal["left", "right"]

CADENCE_STEPS = 8  # about 4 s of walking: follows a change within a breath, rides out one odd step
MIN_STRIDES = 3  # fewer strides make no mean (metrics reference, section 0 rule 6)
SYMMETRY_STEPS = 20  # ten of each side
CV_MIN, CV_OK = 20, 30  # strides: below the first nothing is said, below the second it is degraded


class Interval(NamedTuple):
    """A step or stride, named by the foot whose contact ends it."""

    side: Foot
    start_s: float
    end_s: float


class Stride(NamedTuple):
    """A stride of one foot from initial contact to initial contact, and how far it came, metres."""

    side: Foot
    start_s: float
    end_s: float
    length_m: float


class Window(NamedTuple):
    """A value over a window; ``reason`` says why it is not to be trusted fully."""

    value: float
    start_s: float
    end_s: float
    n: int
    n_rejected: int
    reason: str = ""


def cadence(steps: Sequence[Interval], rejected: Iterable[float]) -> Window | None:
    """Return steps a minute over the last steps; None below two strides, degraded below three."""
    used = steps[-CADENCE_STEPS:]
    if len(used) < 2 * MIN_STRIDES - 2:
        return None
    reason = "" if len(used) >= 2 * MIN_STRIDES else "few steps"
    return _window(60.0 * len(used) / math.fsum(_lengths(used)), used, rejected, reason)


def speed(strides: Sequence[Stride], reason: str = "") -> Window | None:
    """Return way by time over strides of both feet; None below three."""
    if len(strides) < MIN_STRIDES:
        return None
    way = math.fsum([stride.length_m for stride in strides])
    return _window(way / math.fsum(_lengths(strides)), strides, (), reason)


def symmetry(steps: Sequence[Interval], rejected: Iterable[float]) -> dict[str, Window]:
    """Return symmetry index and ratio of the mean step times of the two sides, from three steps of each."""
    used = steps[-SYMMETRY_STEPS:]
    left, right = (_lengths([s for s in used if s.side == side]) for side in ("left", "right"))
    if min(len(left), len(right)) < MIN_STRIDES:
        return {}
    mean_left, mean_right = _mean(left), _mean(right)
    index = 100.0 * (mean_right - mean_left) / (0.5 * (mean_right + mean_left))
    ratio = max(mean_left, mean_right) / min(mean_left, mean_right)
    window = _window(index, used, rejected)
    return {"symmetry_index": window, "symmetry_ratio": window._replace(value=ratio)}


def variability(strides: Mapping[Foot, Sequence[Interval]], rejected: Iterable[float]) -> Window | None:
    """Return 100 SD / mean of stride time; each side against its own mean, so that a limp is no variability."""
    sides = [_lengths(strides[side]) for side in sorted(strides) if len(strides[side]) > 1]
    n = sum(map(len, sides))
    if n < CV_MIN:
        return None
    squares = math.fsum([(x - of_side) ** 2 for side in sides for of_side in [_mean(side)] for x in side])
    mean = math.fsum([x for side in sides for x in side]) / n
    used = [s for side in sorted(strides) for s in strides[side]]
    reason = "" if n >= CV_OK else "few strides"
    return _window(100.0 * math.sqrt(squares / (n - len(sides))) / mean, used, rejected, reason)


def coordination(
    steps: Sequence[Interval], strides: Mapping[Foot, Sequence[Interval]], rejected: Iterable[float]
) -> Window | None:
    """Return the phase coordination index: scatter and bias of one foot's contact in the other's stride.

    The phase is 360 degrees times the step to the other foot over the stride of the reference foot, which is the one
    of the longer steps; it stands in for the longer swing of Plotnik 2007, with which it goes in steady walking.
    """
    if max(map(len, strides.values()), default=0) < CV_MIN:
        return None
    means = {side: _mean(_lengths([s for s in steps if s.side == side]) or [0.0]) for side in ("left", "right")}
    reference: Foot = "left" if means["left"] >= means["right"] else "right"
    to_other = {s.start_s: s.end_s - s.start_s for s in steps if s.side != reference}
    used = [s for s in strides[reference] if s.start_s in to_other]
    n = len(used)
    if n < CV_MIN:
        return None
    phases = [360.0 * to_other[s.start_s] / (s.end_s - s.start_s) for s in used]
    mean = _mean(phases)
    scatter = math.sqrt(math.fsum([(x - mean) ** 2 for x in phases]) / (n - 1)) / mean
    bias = math.fsum([abs(x - 180.0) for x in phases]) / n / 180.0
    return _window(100.0 * (scatter + bias), used, rejected, "" if n >= CV_OK else "few strides")


def halves(strides: Sequence[Interval]) -> list[Interval]:
    """Return two equal steps for each stride: all that one foot alone can say of steps."""
    return [
        Interval(s.side, a, b)
        for s in strides
        for middle_s in [s.start_s + 0.5 * (s.end_s - s.start_s)]
        for a, b in ((s.start_s, middle_s), (middle_s, s.end_s))
    ]


def _lengths(intervals: Sequence[Interval | Stride]) -> list[float]:
    """Return the durations, seconds."""
    return [interval.end_s - interval.start_s for interval in intervals]


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _window(value: float, used: Sequence[Interval | Stride], rejected: Iterable[float], reason: str = "") -> Window:
    start, end = min([s.start_s for s in used]), max([s.end_s for s in used])
    return Window(value, start, end, len(used), sum(start <= t <= end for t in rejected), reason)
