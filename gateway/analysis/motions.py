"""The one table of the operators of single motion sensors: who gets which, where, and in which sessions.

A new one is a row here, the function that it names, an operator of `dsp/`, and its metrics in the catalogue; how, is
told in docs/architecture.md.
"""

from __future__ import annotations

from typing import Final

from gateway.analysis.motion import INTERRUPTED, Motion, MotionOperator, Worn


def _freezing(worn: Worn) -> MotionOperator:
    from dsp.freezing.measured import FreezingMetrics

    return FreezingMetrics(worn.rate_hz)


def _sway(worn: Worn) -> MotionOperator:
    from dsp.sway.trial import SwayTrial

    return SwayTrial(worn.rate_hz, doubt=INTERRUPTED if worn.interrupted else "")


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
)  # fmt: skip

METRICS: Final = tuple(metric for motion in MOTIONS for metric in motion.metrics)
