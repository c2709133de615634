"""The metrics of walk tests, and of the U-turns in them."""

from __future__ import annotations

from functools import partial
from typing import Final

from dsp.metric import LOINC, Code, Metric

_turn = partial(Metric, kind="window", sides=("left", "right", "none"), group="turns")
_test = partial(Metric, kind="test", sides=("none",), group="tests", low=0.0)
_speed = partial(_test, unit="m/s", unit_text="m/s", digits=2, high=4.0)
_time = partial(_test, unit="s", unit_text="s", digits=1)
_distance = partial(_test, unit="m", unit_text="m", digits=0, high=2000.0)
_count = partial(_test, unit="1", digits=0)

_TIMED = (
    "Between two marks; without, in the middle of the way between two stands, or from the first foot that leaves the"
    " floor to the last contact where it is walked from standing. Pace and start are fields of the session's protocol."
)
_BELIEVED = (
    "By laps where the course is known, else by the strides of the feet, else by the lower back, and then degraded;"
    " degraded too where laps and feet differ by more than 15 %."
)

WALK_TESTS: Final[tuple[Metric, ...]] = (
    _turn(
        "u_turn_angle",
        "U-turn",
        unit="deg",
        unit_text="°",
        digits=0,
        low=-720.0,
        high=720.0,
        description="Angle between the directions walked before and after a U-turn, to the left positive; of a sensor"
        " that is worn anyhow. Where nobody walks beside it, between the directions stood in, and degraded.",
    ),
    _turn(
        "turn_steps",
        "Steps of a U-turn",
        unit="1",
        unit_text="steps",
        digits=0,
        low=0.0,
        high=60.0,
        description="Maxima of the upward force while the heading changes from 3 to 97 % of the turn's angle.",
    ),
    _turn(
        "turn_peak_velocity",
        "Peak velocity of a U-turn",
        unit="deg/s",
        unit_text="°/s",
        digits=0,
        low=0.0,
        high=720.0,
        description="Highest rate of turning about gravity, without sign, as a mean over 0.3 s.",
    ),
    _speed("tmwt10_speed", "Ten-metre walk, speed", description=f"Timed distance by time. {_TIMED}"),
    _time("tmwt10_time", "Ten-metre walk, time", high=600.0, description="Time of the timed distance."),
    _speed("tmwt4_speed", "Four-metre walk, speed", description=f"Timed distance by time. {_TIMED}"),
    _time("tmwt4_time", "Four-metre walk, time", high=600.0, description="Time of the timed distance."),
    _distance(
        "mwt6_distance",
        "Six-minute walk, distance",
        codes=(Code(LOINC, "64098-7"),),
        description=f"Distance in six minutes. {_BELIEVED}",
    ),
    _distance("mwt2_distance", "Two-minute walk, distance", description=f"Distance in two minutes. {_BELIEVED}"),
    _distance(
        "walk_test_distance_laps",
        "Distance by laps",
        description="Lengths of the course from one U-turn, or lap that was marked, to the next; of the last its share"
        " of the steps of a whole one.",
    ),
    _distance(
        "walk_test_distance_feet",
        "Distance by feet",
        description="Half the sum of the strides of both feet; those that turn by 20° and more come no further.",
    ),
    _distance(
        "walk_test_distance_lower_back",
        "Distance by the lower back",
        description="Steps, those of U-turns left out, times the usual step of the lower back's pendulum.",
    ),
    _count(
        "walk_test_lengths", "Lengths walked", unit_text="lengths", high=500.0,
        description="U-turns, or laps that were marked, within the time of the test.",
    ),
    _count(
        "walk_test_stops", "Stops", unit_text="stops", high=500.0,
        description="Times without a step for 3 s, or 2.5 usual steps where those are longer.",
    ),
    _time(
        "stairs_time", "Stair climb, time", high=3600.0,
        description="From the mark of the start to that of the stop; without, from the first foot that leaves the floor"
        " to the last contact of the session, and degraded, for what was walked to the stairs is in it.",
    ),
    _count(
        "stairs_steps", "Stair climb, steps", unit_text="steps", high=2000.0,
        description="Contacts of both feet within that time; who puts both feet on each stair makes twice as many. By"
        " the lower back alone it is degraded.",
    ),
    _test(
        "stairs_rate", "Stairs a minute", unit="/min", unit_text="stairs/min", digits=0, high=300.0,
        description="Stairs of the flight, as the protocol says (`steps`), by that time.",
    ),
    _time("walk_test_stop_time", "Time stopped", high=3600.0, description="Sum of the stops of a walk test."),
)  # fmt: skip
