"""The metrics of heart and lungs in exertion and at rest."""

from __future__ import annotations

from functools import partial
from typing import Final

from dsp.metric import LOINC, Code, Metric

_rate = partial(Metric, unit="/min", unit_text="bpm", kind="test", sides=("none",), group="exertion", digits=0)
_saturation = partial(Metric, unit="%", unit_text="%", kind="test", sides=("none",), group="exertion", digits=0)

EXERTION: Final[tuple[Metric, ...]] = (
    _rate(
        "hr_rest",
        "Heart rate at rest",
        kind="window",
        codes=(Code(LOINC, "40443-4"),),
        low=25.0,
        high=250.0,
        description="Lowest mean of 5 min in which nobody walked, of the last day and this session. Of less than an"
        " hour it is degraded, but in sessions of rest.",
    ),
    _rate(
        "hr_peak",
        "Heart rate, peak",
        low=25.0,
        high=250.0,
        description="Highest median of five heart rates in a row, within a test or session of exertion.",
    ),
    _rate(
        "hr_recovery_60",
        "Heart rate recovery, 60 s",
        low=-100.0,
        high=200.0,
        description="Peak less the heart rate 60 s after the end (median of 10 s about it).",
    ),
    _saturation(
        "spo2_nadir",
        "Oxygen saturation, lowest",
        low=35.0,
        high=100.0,
        description="Lowest median of three saturations in a row, within a test and the minute after it.",
    ),
    _saturation(
        "desaturation",
        "Fall of the oxygen saturation",
        low=-20.0,
        high=65.0,
        description="Saturation at rest (the minute before the marked start, else the first 20 s) less the lowest one"
        " of the test and the minute after it.",
    ),
    _saturation(
        "spo2_recovery_60",
        "Oxygen saturation, recovered in 60 s",
        low=-20.0,
        high=65.0,
        description="Saturation 60 s after the end (median of 10 s about it) less the lowest one.",
    ),
    Metric(
        "distance_saturation_product",
        "Distance-saturation product",
        unit="m",
        unit_text="m",
        kind="test",
        sides=("none",),
        group="exertion",
        digits=0,
        low=0.0,
        high=2000.0,
        description="Distance of the 6-minute walk times its lowest saturation as a fraction of 1; papers call it m.%.",
    ),
    Metric(
        "time_above_ceiling",
        "Time above the heart rate ceiling",
        unit="s",
        unit_text="s",
        kind="window",
        sides=("none",),
        group="exertion",
        digits=0,
        low=0.0,
        description="How long the heart rate was above the ceiling set for the patient, in this session.",
    ),
    _rate(
        "ceiling_exceeded",
        "Heart rate above the ceiling",
        kind="event",
        low=25.0,
        high=250.0,
        review="The heart rate is above the ceiling set for the patient",
        description="The heart rate has been above the ceiling set for the patient for 30 s.",
    ),
)
