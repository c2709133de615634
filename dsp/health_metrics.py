"""What health and fitness devices measure by themselves: oxygen, exercise, weight, blood pressure and temperature."""

from __future__ import annotations

from functools import partial
from typing import Final

from dsp.metric import LOINC, MDC, Code, Metric
from dsp.result import Side

SIDELESS: Final[tuple[Side, ...]] = ("none",)

# What the metrics of a group share; each metric below states the rest.
_oxygen = partial(Metric, unit="%", unit_text="%", kind="window", sides=SIDELESS, group="oxygen", digits=0)
_exercise = partial(Metric, kind="window", sides=SIDELESS, group="exercise", digits=0, low=0.0)
_vital = partial(Metric, kind="window", sides=SIDELESS, group="vitals")
_pressure = partial(_vital, unit="mm[Hg]", unit_text="mmHg", digits=0)

HEALTH: Final[tuple[Metric, ...]] = (
    _oxygen(
        "spo2",
        "Oxygen saturation",
        codes=(Code(LOINC, "59408-5"), Code(MDC, "150456")),
        low=35.0,
        high=100.0,
        description="SpO₂ as the oximeter reports it. Most are only accurate from 70 to 100 %.",
    ),
    _oxygen(
        "pulse_rate",
        "Pulse rate",
        unit="/min",
        unit_text="bpm",
        codes=(Code(MDC, "149530"),),
        low=25.0,
        high=250.0,
        description="Pulses a minute at the place of the sensor, as the oximeter reports them.",
    ),
    _oxygen(
        "perfusion_index",
        "Perfusion index",
        digits=1,
        low=0.0,
        high=100.0,
        description="How much of the light pulsates, as the oximeter reports it: a low one makes the others doubtful.",
    ),
    _exercise(
        "exercise_speed",
        "Exercise speed",
        unit="m/s",
        unit_text="m/s",
        digits=2,
        high=30.0,
        description="Speed of the belt, the wheel or the foot, as the device reports it or its counter shows.",
    ),
    _exercise(
        "exercise_cadence",
        "Exercise cadence",
        unit="/min",
        unit_text="per min",
        high=300.0,
        description="Steps, strokes or turns of the crank a minute, as the device counts them.",
    ),
    _exercise(
        "exercise_power",
        "Exercise power",
        unit="W",
        unit_text="W",
        low=-500.0,
        high=3000.0,
        description="Power as the device reports it; below nought where a machine drives the patient.",
    ),
    _exercise(
        "exercise_distance",
        "Exercise distance",
        unit="m",
        unit_text="m",
        description="Distance since the person got on; of the first one of a run, since the device began to count.",
    ),
    _exercise(
        "exercise_energy",
        "Exercise energy",
        unit="kcal",
        unit_text="kcal",
        description="Energy over the same time as the distance, as the device estimates it: makers do so differently.",
    ),
    _vital(
        "body_weight",
        "Body weight",
        unit="kg",
        unit_text="kg",
        digits=1,
        low=2.0,
        high=400.0,
        description="Weight, as the scale reports it.",
    ),
    _pressure(
        "bp_systolic",
        "Blood pressure, systolic",
        low=40.0,
        high=300.0,
        description="Systolic pressure, as the monitor reports it.",
    ),
    _pressure(
        "bp_diastolic",
        "Blood pressure, diastolic",
        low=20.0,
        high=200.0,
        description="Diastolic pressure, as the monitor reports it.",
    ),
    _pressure(
        "bp_mean",
        "Blood pressure, mean",
        low=25.0,
        high=250.0,
        description="Mean arterial pressure, as the monitor reports it.",
    ),
    _vital(
        "body_temperature",
        "Body temperature",
        unit="Cel",
        unit_text="°C",
        digits=1,
        low=25.0,
        high=45.0,
        description="Temperature, as the thermometer reports it, wherever it was taken.",
    ),
)
