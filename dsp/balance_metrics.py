"""The metrics of quiet standing, from the acceleration of the lower back."""

from __future__ import annotations

from functools import partial
from typing import Final

from dsp.metric import Metric

_sway = partial(Metric, kind="test", sides=("none",), group="balance", digits=3, low=0.0)

BALANCE: Final[tuple[Metric, ...]] = (
    _sway(
        "sway_path",
        "Sway path",
        unit="m/s2",
        unit_text="m/s²",
        digits=2,
        description="Sum of the increments of the horizontal acceleration of the lower back, low-passed at 3.5 Hz, over"
        " a trial of quiet standing. Eyes, surface and stance are fields of the session's protocol. (Mancini 2012).",
    ),
    _sway(
        "sway_mean_velocity",
        "Sway path by time",
        unit="m/s3",
        unit_text="m/s³",
        description="Sway path divided by the duration of the trial.",
    ),
    _sway(
        "sway_rms_ap",
        "Sway forward and back",
        unit="m/s2",
        unit_text="m/s²",
        high=20.0,
        description="Root mean square of the horizontal acceleration about its mean, forward and back.",
    ),
    _sway(
        "sway_rms_ml",
        "Sway to the side",
        unit="m/s2",
        unit_text="m/s²",
        high=20.0,
        description="Root mean square of the horizontal acceleration about its mean, from side to side.",
    ),
    _sway(
        "sway_ellipse_area95",
        "Sway area",
        unit="m2/s4",
        unit_text="m²/s⁴",
        description="Area of the ellipse that holds 95 % of all further accelerations (Schubert & Kirchner 2014).",
    ),
    _sway(
        "sway_jerk",
        "Sway jerk",
        unit="m2/s5",
        unit_text="m²/s⁵",
        description="Half of the integral of the squared jerk, forward and to the side together, over the trial.",
    ),
    _sway(
        "sway_f95",
        "Sway frequency, 95 %",
        unit="Hz",
        unit_text="Hz",
        digits=2,
        high=3.5,
        description="Below it lies 95 % of the power of the horizontal acceleration from 0.15 to 3.5 Hz.",
    ),
    _sway(
        "sway_centroid_freq",
        "Sway frequency, mean",
        unit="Hz",
        unit_text="Hz",
        digits=2,
        high=3.5,
        description="Mean frequency of the horizontal acceleration from 0.15 to 3.5 Hz, weighted by its power.",
    ),
)
