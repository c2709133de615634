"""The metrics of tremor."""

from __future__ import annotations

from functools import partial
from typing import Final

from dsp.metric import Metric

_tremor = partial(Metric, kind="window", sides=("left", "right", "none"), group="tremor", digits=1, low=0.0)
_share = partial(_tremor, unit="%", unit_text="%", digits=0, high=100.0)
_amplitude = partial(_tremor, unit="m/s2", unit_text="m/s²", digits=2, high=100.0)
_power = partial(_tremor, unit="deg2/s2", unit_text="°²/s²")

TREMOR: Final[tuple[Metric, ...]] = (
    _share(
        "rest_tremor_time_pct",
        "Rest tremor, share of time",
        description="Of the seconds of half a minute in which the limb rests, those with a tremor: one narrow peak from"
        " 3.5 to 7.5 Hz that stays where it is and is no harmonic of a slower movement (Salarian 2007).",
    ),
    _share(
        "action_tremor_time_pct",
        "Action tremor, share of time",
        description="The same of the seconds in which the limb moves otherwise (0.3 to 3 Hz, above 0.3 m/s²). A peak"
        " below 4.5 Hz is taken for the movement then.",
    ),
    _amplitude(
        "rest_tremor_amplitude",
        "Rest tremor, amplitude",
        description="Median over the seconds with rest tremor of the root mean square of the acceleration from 3.5 to"
        " 7.5 Hz.",
    ),
    _amplitude(
        "action_tremor_amplitude",
        "Action tremor, amplitude",
        description="The same over the seconds with action tremor; the movement's own share in the band is in it.",
    ),
    _tremor(
        "tremor_amplitude_rms",
        "Tremor, rotation",
        unit="deg/s",
        unit_text="°/s",
        high=2000.0,
        description="Median over the seconds with tremor of the root mean square of the angular velocity from 3.5 to"
        " 7.5 Hz.",
    ),
    _tremor(
        "tremor_frequency",
        "Tremor, frequency",
        unit="Hz",
        unit_text="Hz",
        low=3.0,
        high=8.0,
        description="Median over the seconds with tremor of the frequency of its peak.",
    ),
    _power(
        "tremor_power_35_7",
        "Tremor, power 3.5 to 7 Hz",
        description="Median over the seconds with tremor of the mean square of the angular velocity from 3.5 to 7 Hz.",
    ),
    _power(
        "tremor_power_4_6",
        "Tremor, power 4 to 6 Hz",
        description="The same from 4 to 6 Hz, where rest tremor of Parkinson's disease lies.",
    ),
)
