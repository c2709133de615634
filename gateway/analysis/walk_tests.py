"""Timed walks of a person: which operator measures them, and how the protocol of the session says that it is done."""

from __future__ import annotations

from typing import Final

from config.protocol import DISTANCES_M, Protocol, read_protocol
from dsp.walk_tests.over_distance import RUN_UP_M, Course
from dsp.walk_tests.over_time import Shuttle
from dsp.walk_tests.timed import DistanceWalk, TimeWalk
from gateway.analysis.motion import INTERRUPTED
from gateway.model.ward import Bed

MINUTES: Final = {"6mwt": 6, "2mwt": 2}
START_UNKNOWN: Final = "start=static or start=dynamic not said: a run-up is taken for granted"


def timed_walk(bed: Bed) -> DistanceWalk | TimeWalk:
    """Return the operator of the session of a bed."""
    protocol = read_protocol(bed.slot.protocol)
    doubt = INTERRUPTED if bed.interrupted else ""
    if protocol.word in MINUTES:
        minutes = MINUTES[protocol.word]
        return TimeWalk(Shuttle(f"mwt{minutes}_distance", 60.0 * minutes, protocol.number("course_m")), doubt=doubt)
    course = course_of(protocol)
    if "start" not in protocol.fields:
        doubt = "; ".join(filter(None, (doubt, START_UNKNOWN)))
    return DistanceWalk(course, doubt=doubt)


def course_of(protocol: Protocol) -> Course:
    """Return how a walk over a distance is done."""
    usual_m = DISTANCES_M[protocol.word]
    static = protocol.fields.get("start") == "static"
    run_up_m = 0.0 if static else protocol.number("run_up_m", RUN_UP_M)
    return Course(f"tmwt{usual_m:.0f}_speed", protocol.number("distance_m", usual_m), run_up_m)
