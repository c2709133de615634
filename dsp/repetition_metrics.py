"""The metrics of an exercise that is repeated."""

from __future__ import annotations

from functools import partial
from typing import Final

from dsp.metric import Metric

_rep = partial(Metric, kind="window", sides=("left", "right", "none"), group="arms", digits=1, low=0.0)
_set = partial(_rep, kind="test")
_smoothness = partial(_rep, unit="1", unit_text="", digits=2, low=None)

REPETITIONS: Final[tuple[Metric, ...]] = (
    _set(
        "rep_count",
        "Repetitions",
        unit="1",
        unit_text="",
        digits=0,
        description="Repetitions in the session: a limb goes about its main axis at least 15° (or what the protocol"
        " says) to one end, and at least half the way back.",
    ),
    _rep(
        "rep_duration",
        "Repetition, duration",
        unit="s",
        unit_text="s",
        high=20.0,
        description="From leaving its place by 5 % of the way to being as near again.",
    ),
    _rep(
        "rep_rom",
        "Repetition, range of motion",
        unit="deg",
        unit_text="°",
        digits=0,
        high=360.0,
        description="Mean of the angles there and back, about the axis with most of the rotation.",
    ),
    _smoothness(
        "rep_sparc",
        "Repetition, smoothness (SPARC)",
        high=0.0,
        description="Spectral arc length of the angular speed of a repetition, there and back together: nearer to 0 is"
        " smoother. Not comparable with that of a single movement or of a stride (Balasubramanian 2015).",
    ),
    _smoothness(
        "rep_ldlj",
        "Repetition, smoothness (LDLJ)",
        description="Log dimensionless jerk of the same: nearer to 0 is smoother. Depends on the sampling rate"
        " (Balasubramanian 2015).",
    ),
    _set(
        "rep_tempo_cv",
        "Repetitions, unevenness of tempo",
        unit="%",
        unit_text="%",
        description="100 SD / mean of the durations of the session's repetitions, from three on.",
    ),
    _set(
        "adherence",
        "Exercise done of prescription",
        unit="%",
        unit_text="%",
        digits=0,
        high=100.0,
        description="Repetitions done by those that the protocol prescribes (`reps`, `sets`, `rom`); more in a set than"
        " asked for do not count. A pause of 10 s begins a set.",
    ),
)
