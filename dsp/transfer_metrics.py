"""The metrics of transfers and of the timed tests that are made of them."""

from __future__ import annotations

from functools import partial
from typing import Final

from dsp.metric import SNOMED, Code, Metric

_tug = partial(
    Metric, unit="s", unit_text="s", kind="test", sides=("left", "right", "none"), group="tests", digits=1, low=0.1,
    high=600.0,
)  # fmt: skip
_chair = partial(Metric, kind="test", sides=("left", "right", "none"), group="tests")
_transfer = partial(Metric, kind="window", sides=("left", "right", "none"), group="transfers", low=0.0)

TRANSFERS: Final[tuple[Metric, ...]] = (
    _tug(
        "tug_total",
        "Timed Up and Go",
        low=2.0,
        codes=(Code(SNOMED, "444680009"),),
        description="From the beginning of the rise to the end of sitting down; from or to a mark of the session where"
        " there is one. A thigh or wrist does not show the trunk: when it leans and rests is estimated there.",
    ),
    _tug("tug_sit_to_stand", "TUG: standing up", description="The rise, from the trunk's lean to upright."),
    _tug("tug_walk_out", "TUG: walking out", description="From the end of the rise to the beginning of the turn."),
    _tug("tug_turn_180", "TUG: turning", description="The turn of 180 degrees at the mark on the floor."),
    _tug("tug_walk_back", "TUG: walking back", description="From the end of the turn to the beginning of the second."),
    _tug(
        "tug_turn_to_sit",
        "TUG: turning and sitting down",
        description="From the beginning of the second turn to the end of sitting down, which are one movement.",
    ),
    _chair(
        "sts5_time",
        "Five times sit-to-stand",
        unit="s",
        unit_text="s",
        digits=1,
        low=2.0,
        high=300.0,
        description="From the beginning of the first rise, or the mark of the start, until the seat is reached after"
        " the fifth.",
    ),
    _chair(
        "sts30_reps",
        "Chair stands in 30 s",
        unit="1",
        unit_text="",
        digits=0,
        low=0.0,
        high=60.0,
        codes=(Code(SNOMED, "450736002"),),
        description="How often somebody stood up within 30 s of the first rise, or of the mark of the start; the last"
        " one counts if more than half of it was done.",
    ),
    _chair(
        "sts60_reps",
        "Chair stands in 1 min",
        unit="1",
        unit_text="",
        digits=0,
        low=0.0,
        high=120.0,
        description="The same within one minute.",
    ),
    _transfer(
        "sit_to_stand_time", "Standing up", unit="s", unit_text="s", digits=2, high=30.0,
        description="Of one rise, from the trunk's lean to upright.",
    ),
    _transfer(
        "stand_to_sit_time", "Sitting down", unit="s", unit_text="s", digits=2, high=30.0,
        description="From the first bend until the trunk is at rest on the seat.",
    ),
    _transfer(
        "sit_to_stand_velocity", "Speed of standing up", unit="m/s", unit_text="m/s", digits=2, high=4.0,
        description="Greatest vertical speed of the trunk; with a sensor on the thigh, of the hips, from its angle and"
        " a thigh of 0.245 of the height.",
    ),
    _transfer(
        "sit_to_stand_power", "Power of standing up", unit="W", unit_text="W", digits=0, high=5000.0,
        description="Greatest product of mass, gravity plus vertical acceleration, and vertical speed: m(g + a)v.",
    ),
    _transfer(
        "sit_to_stand_lean", "Lean in standing up", unit="deg", unit_text="°", digits=0, high=120.0,
        description="Greatest angle between the trunk in a rise and upright after it.",
    ),
    _transfer(
        "sit_to_stand_smoothness", "Smoothness of standing up", unit="1", unit_text="", digits=2, low=-100.0, high=0.0,
        description="Spectral arc length of the angular speed of one rise: nearer to 0 is smoother (Balasubramanian"
        " 2015). Not comparable between placements.",
    ),
)  # fmt: skip
