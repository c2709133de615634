"""The metrics of posture, activity and falls, from one motion sensor."""

from __future__ import annotations

from functools import partial
from typing import Final

from dsp.metric import Metric

_activity = partial(Metric, kind="window", sides=("none",), group="posture", unit="h", unit_text="h", digits=2, low=0.0)
_fall = partial(
    Metric, kind="event", sides=("none",), group="falls", unit="1", unit_text="", digits=2, low=0.0, high=1.0
)

ON_BODY: Final = (
    "A quarter that was not worn (wear time) has none; one in which nothing moves is told once that is known."
)
DAY: Final = "A day is the sum; time that two sensors told of counts once."

POSTURE: Final[tuple[Metric, ...]] = (
    _activity(
        "posture",
        "Posture",
        kind="event",
        unit="1",
        unit_text="",
        digits=0,
        high=4.0,
        description="From its beginning until the next: 0 lying, 1 sitting, 2 standing, 3 walking, 4 stairs. From the"
        " inclination of a thigh and of the trunk together; of one of them alone it is degraded where that cannot tell"
        " (a thigh: lying from sitting, a trunk: sitting from standing), and a wrist is a guess. One that begins"
        " with or before another takes its place from there on: what does not last half a second is a moment of a"
        " movement, and gives its beginning to what comes after it.",
    ),
    _activity(
        "upright_time",
        "Upright time",
        high=0.25,
        adds_up=True,
        description=f"Time standing, walking and on stairs within a quarter of an hour. {ON_BODY} {DAY}",
    ),
    _activity(
        "sedentary_time",
        "Sedentary time",
        high=0.25,
        adds_up=True,
        description=f"Time sitting and lying within a quarter of an hour, asleep or awake. {ON_BODY} {DAY}",
    ),
    _activity(
        "sedentary_bouts_30",
        "Long sitting",
        kind="count",
        unit="1",
        unit_text="",
        digits=0,
        description="One for each stretch of half an hour and more without getting up for two seconds, when it ends;"
        " of quarters of an hour that were worn.",
    ),
    _activity(
        "transfer_count",
        "Transfers",
        kind="count",
        unit="1",
        unit_text="",
        digits=0,
        description=f"Risings from sitting or lying, and the reverse, within a quarter of an hour. {ON_BODY} {DAY}",
    ),
    _activity(
        "wear_time",
        "Wear time",
        high=0.25,
        adds_up=True,
        description="Time worn within a quarter of an hour: from its first sample to its last, without gaps of more"
        " than two seconds; none of an hour in which two axes of acceleration vary by less than 13 mg (van Hees 2013):"
        " a limb that is held so still for an hour is taken for a table, and what shakes a table for a wearer."
        f" Known three quarters of an hour later. {DAY} A day with less than ten hours says little.",
    ),
    _fall(
        "fall_event",
        "Possible fall",
        review="A fall may have happened",
        description="Lull, impact, another posture, then rest; the value is how much of each was seen, 0 to 1. For"
        " review, never an alarm: slow falls are missed, and real falls are found less often than simulated ones.",
    ),
    _fall(
        "near_fall_event",
        "Possible stumble",
        description="An impact greater than the steps before, with the trunk thrown, that was recovered from; 0 to 1.",
    ),
)
