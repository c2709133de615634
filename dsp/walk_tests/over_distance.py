"""The walk over a set distance (10 or 4 metres), timed: comfortable or fast, from standing or with a run-up.

Somebody's marks go before everything: the time between them. Without, the walk is found, the way between the two stands
is taken to be as long as the course, and the timed middle is where steps of that way say that it began and ended. So
what a sensor measures of lengths only has to be right in proportion; where it is not alike by far, that is said.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from dsp.result import Result
from dsp.walk_tests.progress import Progress, Stepped
from dsp.walk_tests.result import Window

RUN_UP_M: Final = 2.0
"""Before and behind the timed middle, where nobody says otherwise: 10 m in 14, 6 m in 10."""
OTHER_WAY: Final = 0.25
"""A walk whose measured length is so far from the course's, by share, was none of the test: to its start, or back."""
WITHOUT_COURSE: Final = "no length of a step measured: any walk is taken for the test"


class Course(NamedTuple):
    """How the test is done.

    Attributes:
        metric: Id of the speed in the catalogue; with ``_time`` for ``_speed`` that of the time.
        distance_m: What is timed.
        run_up_m: From the first stand to where timing begins, and from where it ends to the last; zero if somebody
            starts from standing and stops at the end.
    """

    metric: str
    distance_m: float
    run_up_m: float = 0.0

    @property
    def way_m(self) -> float:
        """From stand to stand, metres."""
        return self.distance_m + 2 * self.run_up_m


def time_walk(stepped: Stepped, course: Course) -> list[Result]:
    """Return speed and time of a walk between two stands; nothing for one of quite another length."""
    way_m = float(stepped.far_m[-1])
    if stepped.measured and abs(way_m - course.way_m) > OTHER_WAY * course.way_m:
        return []
    scale = way_m / course.way_m
    if course.run_up_m:
        start_s = stepped.when(course.run_up_m * scale)
        end_s = stepped.when((course.run_up_m + course.distance_m) * scale)
    else:
        start_s, end_s = stepped.start_s, float(stepped.time_s[-1])
    doubt = "" if stepped.measured else WITHOUT_COURSE
    return speed_results(course, start_s, end_s, len(stepped.time_s), doubt)


def time_marked(progress: Progress, course: Course, start_s: float, end_s: float) -> list[Result]:
    """Return speed and time between two marks."""
    steps = len(progress.contact_times(start_s, end_s))
    return speed_results(course, start_s, end_s, steps, "" if steps else "no steps seen between the marks")


def speed_results(course: Course, start_s: float, end_s: float, n: int, doubt: str) -> list[Result]:
    """Return speed and time; neither of a speed that nobody walks, for then the time is none of the test."""
    window = Window(start_s, end_s, n)
    if not (math.isfinite(start_s) and end_s > start_s):
        return [window.result(course.metric, None, "no time passed")]
    speed = window.result(course.metric, course.distance_m / (end_s - start_s), doubt)
    time = window.result(course.metric.replace("_speed", "_time"), end_s - start_s, doubt)
    return [speed, time if speed.value is not None else speed._replace(metric=time.metric)]
