"""The metric catalogue: what every number is called, measured in, coded as and limited to.

Code, documentation and dashboard all read this one table. A code of a terminology stands here only when the
project's metrics reference has seen it in a primary or several independent sources; a metric without one is known
by its own id alone. Plausibility limits reject what a body cannot do; they are no reference values and say nothing
about health. The limits of cadence, speed, stride length, stride time and step time are those of the Mobilise-D
"ALL" cohort; the others, and the wider ones for exoskeleton gait, are the project's own proposals.

The metrics of walking stand in `dsp.gait_metrics`, those of exoskeletons in `dsp.exoskeleton_metrics`, what health and
fitness devices report in `dsp.health_metrics`, those of standing in `dsp.balance_metrics`, those of freezing in
`dsp.freezing_metrics`, of tremor in `dsp.tremor_metrics`, of both arms in `dsp.arm_metrics`, of exercises that are
repeated in `dsp.repetition_metrics`, of transfers and their tests in `dsp.transfer_metrics`, of posture and falls in
`dsp.posture_metrics`, of walk tests in `dsp.walk_test_metrics`, and what people say themselves in
`dsp.reported_metrics`.
"""
# ruff: noqa: RUF001 - people read the descriptions: they have real multiplication and minus signs

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import Final

from dsp.arm_metrics import ARMS
from dsp.balance_metrics import BALANCE
from dsp.exertion_metrics import EXERTION
from dsp.exoskeleton_metrics import EXOSKELETON
from dsp.exoskeleton_stride_metrics import EXOSKELETON_DOSE, EXOSKELETON_STRIDES
from dsp.freezing_metrics import FREEZING
from dsp.gait_metrics import GAIT
from dsp.health_metrics import HEALTH
from dsp.metric import LOINC, MDC, Code, Metric
from dsp.posture_metrics import POSTURE
from dsp.repetition_metrics import REPETITIONS
from dsp.reported_metrics import REPORTED
from dsp.result import Side
from dsp.transfer_metrics import TRANSFERS
from dsp.tremor_metrics import TREMOR
from dsp.walk_test_metrics import WALK_TESTS

SIDELESS: Final[tuple[Side, ...]] = ("none",)

# What the metrics of a group share; each metric below states the rest.
_heart = partial(Metric, unit="ms", unit_text="ms", kind="window", sides=SIDELESS, group="heart", digits=0)
_device = partial(Metric, unit="%", unit_text="%", kind="window", sides=SIDELESS, group="device", digits=0)

METRICS: Final[tuple[Metric, ...]] = (
    *GAIT,
    _heart(
        "heart_rate",
        "Heart rate",
        unit="/min",
        unit_text="bpm",
        codes=(Code(LOINC, "8867-4"), Code(MDC, "8454258")),
        low=25.0,
        high=250.0,
        description="Beats a minute as the device reports them.",
    ),
    _heart(
        "hrv_rmssd",
        "Heart rate variability (RMSSD)",
        low=0.0,
        high=400.0,
        description=(
            "√mean((NNᵢ₊₁ − NNᵢ)²) over the last 60 s; intervals at a beat that came early, or in which one was "
            "missed, are left out."
        ),
    ),
    _heart(
        "hrv_sdnn",
        "Heart rate variability (SDNN)",
        codes=(Code(LOINC, "80404-7"),),
        low=0.0,
        high=500.0,
        description="Standard deviation of the intervals between normal beats over the last 300 s.",
    ),
    *EXOSKELETON,
    *EXOSKELETON_STRIDES,
    *EXOSKELETON_DOSE,
    *HEALTH,
    *BALANCE,
    *FREEZING,
    *EXERTION,
    *TREMOR,
    *ARMS,
    *REPETITIONS,
    *POSTURE,
    *TRANSFERS,
    *WALK_TESTS,
    *REPORTED,
    _device(
        "battery_pct",
        "Battery",
        codes=(Code(MDC, "67996"),),
        low=0.0,
        high=100.0,
        description="Charge left, as the device reports it.",
    ),
    _device(
        "stream_gap",
        "Gap in the data",
        unit="s",
        unit_text="s",
        digits=2,
        low=0.0,
        description="How long a stream of a device had no samples: an absence that is said, not hidden.",
    ),
)
CATALOGUE: Final[Mapping[str, Metric]] = MappingProxyType({metric.id: metric for metric in METRICS})


@cache
def plausible_ranges(*, exoskeleton: bool) -> Mapping[str, tuple[float, float]]:
    """Return the least and the greatest plausible value of each metric, infinite where there is no limit."""
    limits = {metric.id: metric.limits(exoskeleton=exoskeleton) for metric in METRICS}
    return MappingProxyType(
        {
            id_: (-math.inf if low is None else low, math.inf if high is None else high)
            for id_, (low, high) in limits.items()
        }
    )
