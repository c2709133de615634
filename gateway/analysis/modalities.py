"""The one table of the kinds of signal that the gateway measures by: a row from the stream to the metrics.

The pipeline, the warm-up, the check of a configuration, the dashboard and docs/architecture.md read it. A new kind is a
row here, one file of this folder that it names (`gateway.analysis.ward_operators`), and an operator of `dsp/` with its
metrics in the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, get_args

from config.settings import Placement
from drivers.exoskeleton import FAULTS, STATE, STREAM, UNITS
from dsp.exoskeleton_metrics import EXOSKELETON
from dsp.exoskeleton_stride_metrics import EXOSKELETON_DOSE, EXOSKELETON_STRIDES
from gateway.analysis.imu import IMU
from gateway.analysis.modality import Modality, Signal
from gateway.analysis.motions import METRICS as MOTION_METRICS

if TYPE_CHECKING:
    from gateway.analysis.ward_operators import WardOperators

ON_THE_BODY: Final[tuple[Placement, ...]] = tuple(
    place for place in get_args(Placement) if place not in ("bedside", "exoskeleton")
)
WRISTS: Final[tuple[Placement, ...]] = ("wrist", "left_wrist", "right_wrist")

ORIENTATION: Final = (
    "q_w", "q_x", "q_y", "q_z", "roll", "pitch", "yaw", "free_acc_x", "free_acc_y", "free_acc_z",
    "dq_w", "dq_x", "dq_y", "dq_z", "dv_x", "dv_y", "dv_z",
)  # fmt: skip
ORIENTATION_UNITS: Final = (*("1",) * 4, *("rad",) * 3, *("m/s2",) * 3, *("1",) * 4, *("m/s",) * 3)
INSOLE_GAIT: Final = (
    "step", "kind", "direction", "stance_time", "swing_time", "foot_angle", "stride_x", "stride_y", "stride_z",
    "landing_force", "strike_angle", "pronation", "rotation", "distance", "energy",
)  # fmt: skip
INSOLE_GAIT_UNITS: Final = ("1", "1", "1", "s", "s", "deg", "m", "m", "m", "1", "deg", "deg", "deg", "m", "kcal")


def _movement() -> type[WardOperators]:
    from gateway.analysis.movement import MovementOperators

    return MovementOperators


def _heart() -> type[WardOperators]:
    from gateway.analysis.heart import HeartOperators

    return HeartOperators


def _exoskeleton() -> type[WardOperators]:
    from gateway.analysis.exoskeleton import ExoskeletonOperators

    return ExoskeletonOperators


def _oximetry() -> type[WardOperators]:
    from gateway.analysis.oximetry import OximetryOperators

    return OximetryOperators


def _exercise() -> type[WardOperators]:
    from gateway.analysis.exercise import ExerciseOperators

    return ExerciseOperators


def _weight() -> type[WardOperators]:
    from gateway.analysis.vitals import WeightOperators

    return WeightOperators


def _pressure() -> type[WardOperators]:
    from gateway.analysis.vitals import PressureOperators

    return PressureOperators


def _temperature() -> type[WardOperators]:
    from gateway.analysis.vitals import TemperatureOperators

    return TemperatureOperators


def _recorded() -> type[WardOperators]:
    from gateway.analysis.recorded import RecordedOperators

    return RecordedOperators


def _battery() -> type[WardOperators]:
    from gateway.analysis.battery import BatteryOperators

    return BatteryOperators


MODALITIES: Final[tuple[Modality, ...]] = (
    Modality(
        "movement",
        "motion sensor",
        signals=(IMU,),
        placements=ON_THE_BODY,
        metrics=(
            "initial_contact", "final_contact", "foot_flat", "walking_bout",
            "cadence", "walking_speed", "n_steps", "walking_time",
            "stride_time", "step_time", "stance_time", "swing_time",
            "stance_pct", "swing_pct", "double_support_pct", "single_support_pct",
            "stride_length", "foot_clearance", "foot_strike_angle", "toe_off_angle",
            "hip_flexion_angle", "hip_rom", "knee_flexion_angle", "knee_rom", "knee_peak_swing",
            "ankle_dorsiflexion_angle", "ankle_rom",
            "symmetry_index", "symmetry_ratio", "pci",
            "harmonic_ratio_v", "harmonic_ratio_ap", "harmonic_ratio_ml",
            "stride_time_cv", "step_regularity", "stride_regularity",
            "stride_turn", "turn_angle", "turn_duration",
            *MOTION_METRICS,
        ),
        operators=_movement,
    ),
    Modality(
        "heart",
        "heart monitor",
        signals=(Signal("heart_rate", ("heart_rate",), ("/min",)), Signal("rr", ("rr",), ("s",))),
        placements=("chest", *WRISTS),
        metrics=("heart_rate", "hrv_rmssd", "hrv_sdnn"),
        operators=_heart,
    ),
    Modality(
        "exoskeleton",
        "exoskeleton",
        signals=(
            Signal(STREAM, tuple(UNITS), tuple(UNITS.values()), some=True),
            Signal(FAULTS.name, FAULTS.channels, FAULTS.units),
            Signal(STATE.name, STATE.channels, STATE.units),
        ),
        placements=("exoskeleton",),
        metrics=tuple(metric.id for metric in (*EXOSKELETON, *EXOSKELETON_STRIDES, *EXOSKELETON_DOSE)),
        operators=_exoskeleton,
    ),
    Modality(
        "oxygen",
        "oximeter",
        signals=(
            Signal(
                "oximetry",
                ("spo2", "pulse_rate", "perfusion", "status", "sensor_status", "age"),
                ("%", "/min", "%", "1", "1", "s"),
            ),
        ),
        placements=("finger", "ear_lobe", *WRISTS, "chest"),
        metrics=("spo2", "pulse_rate", "perfusion_index"),
        operators=_oximetry,
    ),
    Modality(
        "exercise",
        "exercise machine or sensor",
        signals=(
            Signal(
                "exercise", ("speed", "cadence", "power", "distance", "energy"), ("m/s", "/min", "W", "m", "kcal")
            ),
        ),
        placements=("bedside", "left_foot", "right_foot", "left_shank", "right_shank", "lower_back"),
        metrics=("exercise_speed", "exercise_cadence", "exercise_power", "exercise_distance", "exercise_energy"),
        operators=_exercise,
    ),
    Modality(
        "weight",
        "scale",
        signals=(Signal("weight", ("weight", "age"), ("kg", "s")),),
        placements=("bedside",),
        metrics=("body_weight",),
        operators=_weight,
    ),
    Modality(
        "blood pressure",
        "blood pressure monitor",
        signals=(
            Signal(
                "blood_pressure",
                ("systolic", "diastolic", "mean", "status", "age"),
                ("mm[Hg]", "mm[Hg]", "mm[Hg]", "1", "s"),
            ),
        ),
        placements=("upper_arm", *WRISTS, "bedside"),
        metrics=("bp_systolic", "bp_diastolic", "bp_mean"),
        operators=_pressure,
    ),
    Modality(
        "temperature",
        "thermometer",
        signals=(Signal("temperature", ("temperature", "age"), ("Cel", "s")),),
        placements=("bedside", "chest", "upper_arm"),
        metrics=("body_temperature",),
        operators=_temperature,
    ),
    Modality(
        "muscle",
        "EMG amplifier",
        signals=(Signal("emg", tuple(f"emg_{n}" for n in range(1, 17)), ("mV",) * 16, some=True),),
        placements=ON_THE_BODY,
        metrics=(),
        operators=_recorded,
    ),
    Modality(
        "electrocardiogram",
        "ECG amplifier",
        signals=(Signal("ecg", tuple(f"ecg_{n}" for n in range(1, 5)), ("mV",) * 4, some=True),),
        placements=ON_THE_BODY,
        metrics=(),
        operators=_recorded,
    ),
    Modality(
        "pulse wave",
        "optical pulse sensor",
        signals=(Signal("ppg", ("ppg_1", "ppg_2", "ppg_3", "ppg_4", "ambient"), ("1",) * 5, some=True),),
        placements=(*WRISTS, "finger", "ear_lobe", "upper_arm", "chest"),
        metrics=(),
        operators=_recorded,
    ),
    Modality(
        "skin conductance",
        "skin conductance sensor",
        signals=(Signal("skin_conductance", ("conductance",), ("uS",)),),
        placements=(*WRISTS, "finger"),
        metrics=(),
        operators=_recorded,
    ),
    Modality(
        "sole pressure",
        "pressure insole",
        signals=(
            Signal("insole", tuple(f"pressure_{n}" for n in range(1, 17)), ("1",) * 16, some=True),
            Signal("insole_gait", INSOLE_GAIT, INSOLE_GAIT_UNITS, some=True),
        ),
        placements=("left_foot", "right_foot"),
        metrics=(),
        operators=_recorded,
    ),
    Modality(
        "motion in parts",  # what an `imu` has in one stream, each with a clock of its own, or made of it by the sensor
        "motion sensor",
        signals=(
            Signal("acceleration", ("acc_x", "acc_y", "acc_z"), ("m/s2",) * 3),
            Signal("rotation", ("gyr_x", "gyr_y", "gyr_z"), ("rad/s",) * 3),
            Signal("magnetic_field", ("mag_x", "mag_y", "mag_z"), ("uT",) * 3),
            Signal("orientation", ORIENTATION, ORIENTATION_UNITS, some=True),
        ),
        placements=ON_THE_BODY,
        metrics=(),
        operators=_recorded,
    ),
    Modality(
        "surroundings",
        "temperature and air pressure of a sensor",
        signals=(
            Signal("sensor_temperature", ("temperature",), ("Cel",)),
            Signal("air_pressure", ("pressure",), ("Pa",)),
        ),
        placements=(),
        metrics=(),
        operators=_recorded,
        tells_of="device",
    ),
    Modality(
        "battery",
        "battery",
        signals=(Signal("battery", ("level",), ("%",)),),
        placements=(),
        metrics=("battery_pct",),
        operators=_battery,
        tells_of="device",
    ),
)  # fmt: skip


def by_stream(modalities: Iterable[Modality] = MODALITIES) -> dict[str, tuple[Modality, Signal]]:
    """Return the row, and the signal in it, of each stream's name."""
    return {signal.stream: (modality, signal) for modality in modalities for signal in modality.signals}


def measured_by(streams: Iterable[str], modalities: Iterable[Modality] = MODALITIES) -> list[Modality]:
    """Return what somebody is measured by with a device of such streams; nothing that only tells of the device."""
    names = set(streams)
    return [m for m in modalities if m.tells_of == "wearer" and names & {signal.stream for signal in m.signals}]
