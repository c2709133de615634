"""The metrics of both arms, from a motion sensor on each wrist."""

# ruff: noqa: RUF001 - people read the descriptions: they have real minus signs
from __future__ import annotations

from functools import partial
from typing import Final

from dsp.metric import Metric

_arm = partial(Metric, kind="window", sides=("left", "right"), group="arms", digits=0, low=0.0)
_both = partial(_arm, sides=("left", "right", "none"), unit="1", unit_text="", digits=2)

ARMS: Final[tuple[Metric, ...]] = (
    _arm(
        "activity_counts",
        "Arm, activity counts of a minute",
        unit="1",
        unit_text="",
        high=60_000.0,
        description="Sum over a minute of the vector magnitude of each second's counts, walking and all (Neishabouri"
        " 2022); at rates other than 30 Hz close to those of an ActiGraph, and not the same.",
    ),
    _arm(
        "arm_active_time",
        "Arm, time in use",
        unit="s",
        unit_text="s",
        high=60.0,
        adds_up=True,
        description="Seconds of a minute in which the arm is used: 2 activity counts or more (Lang 2017), and the body"
        " does not walk; a day is the sum.",
    ),
    _arm(
        "use_hours",
        "Arm, hours of use",
        unit="h",
        unit_text="h",
        digits=2,
        high=1.0,
        description="The same of the last hour, or since the session began where that is less; each minute.",
    ),
    _both(
        "use_ratio",
        "Use ratio of the affected arm",
        high=100.0,
        description="Time in use of the affected arm / that of the other one, in the last hour, or since the session"
        " began where that is less; each minute. The side is the affected one (Lang 2017). Walking is left out.",
    ),
    _both(
        "magnitude_ratio",
        "Magnitude ratio of the affected arm",
        low=-7.0,
        high=7.0,
        description="Median over the seconds in which either arm moves of ln(counts of the affected / of the other"
        " one), from −7 to 7; of the same hour (Bailey 2015). 0: both alike; below 0: the affected one less.",
    ),
    _both(
        "bilateral_magnitude",
        "Magnitude of both arms",
        sides=("both",),
        digits=0,
        high=2000.0,
        description="Median over the same seconds of the sum of both arms' counts (Bailey 2015).",
    ),
    _arm(
        "arm_swing_amplitude",
        "Arm swing",
        unit="deg",
        unit_text="°",
        high=270.0,
        description="Median over the swings of a minute's walking, in windows of 5 s, of the angle by which the forearm"
        " turns from where it turns round to where it does again, about the axis with most of the rotation (Mirelman"
        " 2015). None of an arm that hardly swings, which is said. Where a thigh, the trunk, a foot or a shank tells of"
        " walking.",
    ),
    _arm(
        "arm_swing_peak_velocity",
        "Arm swing, peak velocity",
        unit="deg/s",
        unit_text="°/s",
        high=2000.0,
        description="Median over the same swings of the quickest rotation.",
    ),
    _arm(
        "arm_swing_asymmetry",
        "Arm swing, asymmetry",
        sides=("both",),
        unit="%",
        unit_text="%",
        digits=1,
        low=-50.0,
        high=50.0,
        description="Symmetry angle of both arms' swings (Zifchock 2008): (45° − arctan(left / right)) / 90°, turned so"
        " that above 0 the right arm swings less; 0 even, ±50 where one does not swing.",
    ),
)
