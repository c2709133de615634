"""The walk for a set time (six or two minutes): distance by laps, by feet and by the lower back, and its stops.

Laps of a course of known length are believed first: they are counted, and no error of a sensor adds up. Then feet,
whose strides are integrated, then the lower back, whose step is that of a pendulum. Where laps and feet differ by far,
the distance is degraded and says so: a U-turn may have been missed, or the course be another than was said.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from dsp.result import Result
from dsp.walk_tests.progress import Progress, Source
from dsp.walk_tests.result import Window

UNLIKE: Final = 0.15
"""Of the distance believed: feet and laps agree within some percent, a lap of 20 in a test is 5."""
LEAST_LAPS: Final = 2
"""Lengths of the course, without which nobody knows how many steps one has."""
STOP_S: Final = 3.0
"""Without a step for so long somebody has stopped: longer than any step, shorter than a rest."""
HARDLY: Final = 0.5
"""Of the time without a step: then somebody rested for long, or walks as the sensors do not see."""
WHOLE_S: Final = 2.0
"""A test that ended so much before its time was stopped."""


class Shuttle(NamedTuple):
    """How the test is done.

    Attributes:
        metric: Id of the distance in the catalogue.
        duration_s: For how long.
        length_m: From one U-turn to the next; NaN where it is not known.
    """

    metric: str
    duration_s: float
    length_m: float = math.nan


def measure_distance(
    progress: Progress, shuttle: Shuttle, span_s: tuple[float, float], laps: tuple[float, ...]
) -> list[Result]:
    """Return distance, laps and stops of a test.

    Args:
        progress: What was found of the walk.
        shuttle: How the test is done.
        span_s: Its first and last instant, gateway seconds.
        laps: When somebody marked the end of a length; empty for none: then the U-turns that were found count.
    """
    start_s, end_s = span_s
    times = progress.contact_times(start_s, end_s)
    window = Window(start_s, end_s, len(times))
    if not times:
        return [window.result(shuttle.metric, None, "no steps seen")]
    short = end_s - start_s < shuttle.duration_s - WHOLE_S
    doubt = f"ended after {end_s - start_s:.0f} s" if short else ""
    stops = [(a, b) for a, b in pairwise([start_s, *times, end_s]) if b - a > _stop_s(times)]
    stopped_s = float(sum(b - a for a, b in stops))
    if stopped_s > HARDLY * (end_s - start_s):
        doubt = "; ".join(filter(None, (doubt, f"steps seen for {end_s - start_s - stopped_s:.0f} s only")))
    turned = _lap_ends(progress, span_s, laps)
    found = {
        "laps": _by_laps(progress, shuttle, span_s, turned),
        "feet": _by_steps(progress, span_s, "feet"),
        "lower_back": _by_steps(progress, span_s, "lower back"),
    }
    out = [_believed(window, shuttle.metric, found, doubt)]
    out += [
        window.result(f"walk_test_distance_{by}", distance, doubt) for by, distance in found.items() if distance > 0
    ]
    out.append(window.result("walk_test_lengths", float(len(turned)), doubt))
    out.append(window.result("walk_test_stops", float(len(stops)), doubt))
    out.append(window.result("walk_test_stop_time", stopped_s, doubt))
    return out


def _believed(window: Window, metric: str, found: dict[str, float], doubt: str) -> Result:
    known = {by: distance for by, distance in found.items() if distance > 0}
    if not known:
        return window.result(metric, None, "neither laps nor lengths of steps known")
    by, distance = next(iter(known.items()))
    others = [
        f"{other.replace('_', ' ')}: {value:.0f} m"
        for other, value in known.items()
        if abs(value - distance) > UNLIKE * distance and other != "lower_back"
    ]
    weak = "by the lower back alone" if by == "lower_back" else ""
    return window.result(metric, distance, doubt, weak, *others)


def _stop_s(times: list[float]) -> float:
    steps = np.diff(times)
    return max(STOP_S, 2.5 * float(np.median(steps))) if len(steps) else STOP_S


def _lap_ends(progress: Progress, span_s: tuple[float, float], laps: tuple[float, ...]) -> list[tuple[float, float]]:
    """Return when each length ended and the next began: as marked, or by the U-turns."""
    start_s, end_s = span_s
    if laps:
        return [(lap, lap) for lap in sorted(laps) if start_s < lap <= end_s]
    return [(turn.start_s, turn.end_s) for turn in progress.turns(start_s, end_s)]


def _by_laps(
    progress: Progress, shuttle: Shuttle, span_s: tuple[float, float], turned: list[tuple[float, float]]
) -> float:
    """Return the distance in metres: whole lengths, and of the last its share of the steps of a whole one; or NaN."""
    if len(turned) < LEAST_LAPS or math.isnan(shuttle.length_m):
        return math.nan
    start_s, end_s = span_s
    edges = [start_s, *(time for turn in turned for time in turn), end_s]
    steps = [len(progress.contact_times(a, b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    whole = float(np.median(steps[:-1]))
    last = min(1.0, steps[-1] / whole) if whole else 0.0
    return shuttle.length_m * (len(turned) + last)


def _by_steps(progress: Progress, span_s: tuple[float, float], source: Source) -> float:
    """Return the distance that one kind of sensor says; NaN where it measured no lengths."""
    total = 0.0
    for start_s, end_s in progress.walks(*span_s, source, to_and_fro=False):
        stepped = progress.steps(start_s, end_s, source)
        if stepped.measured:
            total += float(stepped.far_m[-1])
    return total or math.nan
