"""The one table of the operators of single motion sensors: who gets which, where, and in which sessions.

A new one is a row here, the function that it names, an operator of `dsp/`, and its metrics in the catalogue; how, is
told in docs/architecture.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from config.settings import Placement
from gateway.analysis.motion import INTERRUPTED, Motion, MotionOperator, Worn

if TYPE_CHECKING:
    from dsp.posture.watch import Watch

SEES_TRANSFERS_AS: Final[dict[Placement, Literal["thigh", "wrist", "lower_back", "chest"]]] = {
    "lower_back": "lower_back", "chest": "chest", "left_thigh": "thigh", "right_thigh": "thigh", "wrist": "wrist",
    "left_wrist": "wrist", "right_wrist": "wrist",
}  # fmt: skip
TRANSFERS_SEEN: Final[tuple[tuple[Placement, ...], ...]] = (
    ("lower_back",), ("chest",), ("left_thigh", "right_thigh"), ("wrist", "left_wrist", "right_wrist"),
)  # fmt: skip
"""The trunk sees its own lean; a thigh sees who sits; a wrist sees what the hands do meanwhile."""
ONE_WRIST: Final[tuple[tuple[Placement, ...], ...]] = (("wrist",), ("left_wrist",), ("right_wrist",))
"""What the whole body does is told once, though both wrists are worn."""
OF_TRANSFER: Final = (
    "sit_to_stand_time", "stand_to_sit_time", "sit_to_stand_velocity", "sit_to_stand_power", "sit_to_stand_lean",
    "sit_to_stand_smoothness",
)  # fmt: skip


def _freezing(worn: Worn) -> MotionOperator:
    from dsp.freezing.measured import FreezingMetrics, index_of

    freeze_index = worn.shared("freeze index", lambda: index_of(worn.rate_hz))
    return FreezingMetrics(worn.rate_hz, episodes=worn.placement != "lower_back", freeze_index=freeze_index)


def _smoothness(worn: Worn) -> MotionOperator:
    from dsp.gait.stride_smoothness import StrideSmoothness

    return StrideSmoothness(worn.rate_hz, "foot" if worn.placement.endswith("_foot") else "shank")


def _tremor(worn: Worn) -> MotionOperator:
    from dsp.tremor.measured import TremorMetrics

    return TremorMetrics(worn.rate_hz)


def _arms(worn: Worn) -> MotionOperator:
    from dsp.arms.measured import WristCounts

    return WristCounts(worn.rate_hz)


def _arm_swing(worn: Worn) -> MotionOperator:
    from dsp.arms.swing_windows import SwingWindows

    return SwingWindows(worn.rate_hz)


def _repetitions(worn: Worn) -> MotionOperator:
    from dsp.repetitions.exercise_set import Prescription
    from dsp.repetitions.measured import RepetitionMetrics
    from dsp.repetitions.repetitions import LEAST_ROM_DEG

    reps, sets = worn.protocol.number("reps"), worn.protocol.number("sets", 1)
    rom_deg = worn.protocol.number("rom", 0.0)
    prescribed = Prescription(int(reps), int(sets), rom_deg) if reps >= 1 else None
    least_deg = worn.protocol.number("least_rom", LEAST_ROM_DEG)
    doubt = INTERRUPTED if worn.interrupted else ""
    return RepetitionMetrics(worn.rate_hz, prescribed=prescribed, least_rom_deg=least_deg, doubt=doubt)


def _sway(worn: Worn) -> MotionOperator:
    from dsp.sway.trial import SwayTrial

    return SwayTrial(worn.rate_hz, doubt=INTERRUPTED if worn.interrupted else "")


def _watch(worn: Worn) -> Watch:
    """Return what posture and falls look at together: it costs as much as either of them."""
    from dsp.posture.posture import watch_of

    return worn.shared("watch", lambda: watch_of(worn.rate_hz, worn.placement))


def _activity(worn: Worn) -> MotionOperator:
    from dsp.activity.measured import ActivityMetrics

    return ActivityMetrics(worn.rate_hz, worn.placement, _watch(worn))


def _posture_beside(worn: Worn) -> MotionOperator:
    from dsp.posture.measured import PostureMetrics

    return PostureMetrics(worn.rate_hz, worn.placement, _watch(worn))


def _falls(worn: Worn) -> MotionOperator:
    from dsp.falls.measured import FallMetrics

    return FallMetrics(worn.rate_hz, worn.placement, _watch(worn))


def _transfers(worn: Worn) -> MotionOperator:
    from dsp.transfers.measured import TransferTest

    return TransferTest(
        worn.rate_hz, SEES_TRANSFERS_AS[worn.placement], worn.protocol.word, height_m=worn.height_m,
        mass_kg=worn.mass_kg, doubt=INTERRUPTED if worn.interrupted else "",
    )  # fmt: skip


def _turns(worn: Worn) -> MotionOperator:
    from dsp.walk_tests.turns import TurnMetrics

    return TurnMetrics(worn.rate_hz)


MOTIONS: Final[tuple[Motion, ...]] = (
    Motion(
        "freezing",
        places=(("left_shank", "right_shank"), ("left_foot", "right_foot"), ("lower_back",)),
        metrics=("freeze_index_multitaper", "freezing_episode", "n_fog", "pct_time_frozen"),
        make=_freezing,
    ),
    Motion(  # of the leg's sensor that tells its strides (`gateway.analysis.contacts.steps_by`)
        "smoothness of the left leg",
        places=(("left_foot",), ("left_shank",)),
        metrics=("stride_sparc", "stride_ldlj"),
        make=_smoothness,
    ),
    Motion(
        "smoothness of the right leg",
        places=(("right_foot",), ("right_shank",)),
        metrics=("stride_sparc", "stride_ldlj"),
        make=_smoothness,
    ),
    Motion(
        "tremor",
        places=(("wrist", "left_wrist", "right_wrist"),),
        metrics=(
            "rest_tremor_time_pct", "action_tremor_time_pct", "rest_tremor_amplitude", "action_tremor_amplitude",
            "tremor_amplitude_rms", "tremor_frequency", "tremor_power_35_7", "tremor_power_4_6",
        ),
        make=_tremor,
    ),
    Motion(  # of both wrists, and of the walk, ratios are made (`gateway.analysis.arms`)
        "arms",
        places=(("left_wrist", "right_wrist"),),
        metrics=(
            "activity_counts", "arm_active_time", "use_hours", "use_ratio", "magnitude_ratio", "bilateral_magnitude",
        ),
        make=_arms,
    ),
    Motion(  # of what each wrist tells, that is kept in which somebody walks (`gateway.analysis.arms`)
        "arm swing",
        places=(("left_wrist", "right_wrist"),),
        metrics=("arm_swing_amplitude", "arm_swing_peak_velocity", "arm_swing_asymmetry"),
        make=_arm_swing,
    ),
    Motion(
        "repetitions",
        places=(
            ("wrist", "left_wrist", "right_wrist", "upper_arm"),
            ("left_shank", "right_shank"), ("left_thigh", "right_thigh"),
        ),
        metrics=(
            "rep_count", "rep_duration", "rep_rom", "rep_sparc", "rep_ldlj", "rep_tempo_cv", "adherence",
        ),
        make=_repetitions,
        protocols=frozenset({"exercise"}),
    ),
    Motion(
        "sway",
        places=(("lower_back",),),
        metrics=(
            "sway_path", "sway_mean_velocity", "sway_rms_ap", "sway_rms_ml", "sway_ellipse_area95", "sway_jerk",
            "sway_f95", "sway_centroid_freq",
        ),
        make=_sway,
        protocols=frozenset({"balance"}),
    ),
    Motion(
        "activity",
        places=(("left_thigh",), ("right_thigh",), ("lower_back",), ("chest",), *ONE_WRIST),
        metrics=(
            "posture", "upright_time", "sedentary_time", "sedentary_bouts_30", "transfer_count", "wear_time",
        ),
        make=_activity,
    ),
    Motion(  # with the thigh's it becomes one posture of the person (`gateway.analysis.posture`)
        "posture of the trunk",
        places=(("lower_back",), ("chest",)),
        metrics=("posture",),
        make=_posture_beside,
        beside=("left_thigh", "right_thigh"),
    ),
    Motion(
        "falls",
        places=(("lower_back",), ("chest",), ("left_thigh",), ("right_thigh",), *ONE_WRIST),
        metrics=("fall_event", "near_fall_event"),
        make=_falls,
    ),
    Motion(
        "timed up and go",
        places=TRANSFERS_SEEN,
        metrics=(
            "tug_total", "tug_sit_to_stand", "tug_walk_out", "tug_turn_180", "tug_walk_back", "tug_turn_to_sit",
            *OF_TRANSFER,
        ),
        make=_transfers,
        protocols=frozenset({"tug"}),
    ),
    Motion(
        "chair stands",
        places=TRANSFERS_SEEN,
        metrics=("sts5_time", "sts30_reps", "sts60_reps", *OF_TRANSFER),
        make=_transfers,
        protocols=frozenset({"5xsts", "30scst", "1msts", "sts"}),
    ),
    Motion(
        "turns",
        places=(("lower_back",), ("chest",)),
        metrics=("u_turn_angle", "turn_steps", "turn_peak_velocity"),
        make=_turns,
        protocols=frozenset({"10mwt", "4mwt", "6mwt", "2mwt"}),
    ),
)  # fmt: skip

METRICS: Final = tuple(dict.fromkeys(metric for motion in MOTIONS for metric in motion.metrics))
