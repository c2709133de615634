"""The one table of the operators of single motion sensors: who gets which, where, and in which sessions.

A new one is a row here, the function that it names, an operator of `dsp/`, and its metrics in the catalogue; how, is
told in docs/architecture.md.
"""

from __future__ import annotations

from typing import Final, Literal

from config.settings import Placement
from gateway.analysis.motion import INTERRUPTED, Motion, MotionOperator, Worn

SEES_TRANSFERS_AS: Final[dict[Placement, Literal["thigh", "wrist", "lower_back", "chest"]]] = {
    "lower_back": "lower_back", "chest": "chest", "left_thigh": "thigh", "right_thigh": "thigh", "wrist": "wrist",
}  # fmt: skip
TRANSFERS_SEEN: Final[tuple[tuple[Placement, ...], ...]] = (
    ("lower_back",), ("chest",), ("left_thigh", "right_thigh"), ("wrist",),
)  # fmt: skip
"""The trunk sees its own lean; a thigh sees who sits; a wrist sees what the hands do meanwhile."""
OF_TRANSFER: Final = (
    "sit_to_stand_time", "stand_to_sit_time", "sit_to_stand_velocity", "sit_to_stand_power", "sit_to_stand_lean",
    "sit_to_stand_smoothness",
)  # fmt: skip


def _freezing(worn: Worn) -> MotionOperator:
    from dsp.freezing.measured import FreezingMetrics

    return FreezingMetrics(worn.rate_hz)


def _sway(worn: Worn) -> MotionOperator:
    from dsp.sway.trial import SwayTrial

    return SwayTrial(worn.rate_hz, doubt=INTERRUPTED if worn.interrupted else "")


def _transfers(worn: Worn) -> MotionOperator:
    from dsp.transfers.measured import TransferTest

    return TransferTest(
        worn.rate_hz, SEES_TRANSFERS_AS[worn.placement], worn.protocol.word, height_m=worn.height_m,
        mass_kg=worn.mass_kg, doubt=INTERRUPTED if worn.interrupted else "",
    )  # fmt: skip


MOTIONS: Final[tuple[Motion, ...]] = (
    Motion(
        "freezing",
        places=(("left_shank", "right_shank"), ("left_foot", "right_foot"), ("lower_back",)),
        metrics=("freeze_index_multitaper",),
        make=_freezing,
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
)  # fmt: skip

METRICS: Final = tuple(dict.fromkeys(metric for motion in MOTIONS for metric in motion.metrics))
