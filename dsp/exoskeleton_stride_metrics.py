"""The metrics of exoskeletons that go by strides: torque, power and work of each joint, and the dose of therapy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from dsp.exoskeleton_metrics import DEVICE, EACH_SIDE, MOST_ANGLE_DEG, MOST_TORQUE_NM
from dsp.metric import Metric

LEGS: Final = ("hip", "knee", "ankle")
"""The joints that stride."""
MOST_POWER_W = 3000.0  # the greatest torque at ten radians a second
MOST_WORK_J = 500.0  # of one joint in one stride; walking takes a tenth of it
MOST_PER_KG = 10.0  # N.m/kg: the greatest torque on somebody of 30 kg

_stride = partial(Metric, kind="stride", group="exoskeleton", sides=EACH_SIDE)
_torque = partial(_stride, unit="N.m", unit_text="Nm", digits=1, low=-MOST_TORQUE_NM, high=MOST_TORQUE_NM)
_by_mass = partial(_stride, unit="N.m/kg", unit_text="Nm/kg", digits=2, high=MOST_PER_KG)
_dose = partial(Metric, kind="window", group="exoskeleton", sides=DEVICE, digits=0, low=0.0)


def _of_torque(joint: str) -> Iterator[Metric]:
    yield _torque(
        f"exo_{joint}_torque_peak",
        f"Exoskeleton {joint} peak torque of a stride",
        description="The measured torque that is furthest from zero within a stride, with its sign.",
    )
    yield _torque(
        f"exo_{joint}_torque_rms",
        f"Exoskeleton {joint} RMS torque of a stride",
        low=0.0,
        description="√mean(τ²) of the measured torque over a stride.",
    )
    yield _by_mass(
        f"exo_{joint}_torque_peak_norm",
        f"Exoskeleton {joint} peak torque by body mass",
        low=-MOST_PER_KG,
        description="Peak torque of a stride over body mass; only where `mass_kg` is set.",
    )
    yield _by_mass(
        f"exo_{joint}_torque_rms_norm",
        f"Exoskeleton {joint} RMS torque by body mass",
        low=0.0,
        description="RMS torque of a stride over body mass; only where `mass_kg` is set.",
    )
    yield _torque(
        f"exo_{joint}_interaction_torque_peak",
        f"Exoskeleton {joint} peak interaction torque of a stride",
        description="The torque between limb and frame that is furthest from zero within a stride, with its sign.",
    )


def _of_work(joint: str) -> Iterator[Metric]:
    yield _stride(
        f"exo_{joint}_power_peak",
        f"Exoskeleton {joint} peak power of a stride",
        unit="W",
        unit_text="W",
        digits=0,
        low=-MOST_POWER_W,
        high=MOST_POWER_W,
        description="Greatest τ·ω within a stride: torque times angular velocity, positive where it moves the limb on.",
    )
    yield _stride(
        f"exo_{joint}_work_pos",
        f"Exoskeleton {joint} positive work",
        unit="J",
        unit_text="J",
        digits=1,
        low=0.0,
        high=MOST_WORK_J,
        description="∫ τ·ω dt over a stride where it is positive: what the device gave.",
    )
    yield _stride(
        f"exo_{joint}_work_neg",
        f"Exoskeleton {joint} negative work",
        unit="J",
        unit_text="J",
        digits=1,
        low=-MOST_WORK_J,
        high=0.0,
        description="∫ τ·ω dt over a stride where it is negative: what the device took by braking.",
    )


def _of_help(joint: str) -> Iterator[Metric]:
    yield _stride(
        f"exo_{joint}_assist_pct_est",
        f"Exoskeleton {joint} assistance, estimated",
        unit="%",
        unit_text="%",
        digits=0,
        low=0.0,
        high=1000.0,
        description=(
            "100 ∫|τ·ω| / ∫|(τ + τᵢ)·ω| over a stride, τᵢ the torque between limb and frame; above 100 where the "
            "wearer resists. Not the assistance level that a device reports (`exo_assistance`)."
        ),
    )
    yield _stride(
        f"exo_{joint}_tracking_rmse",
        f"Exoskeleton {joint} tracking error",
        unit="deg",
        unit_text="°",
        digits=1,
        low=0.0,
        high=MOST_ANGLE_DEG,
        description="√mean((desired - measured angle)²) over a stride; only of devices that tell the desired angle.",
    )


EXOSKELETON_STRIDES: Final[tuple[Metric, ...]] = tuple(
    metric for joint in LEGS for metric in (*_of_torque(joint), *_of_work(joint), *_of_help(joint))
)
EXOSKELETON_DOSE: Final[tuple[Metric, ...]] = (
    _dose(
        "exo_up_time",
        "Time upright in the exoskeleton",
        unit="s",
        unit_text="s",
        description=(
            "Standing and walking since the session began: hip and knee of one leg at least are bent by less than 45°."
        ),
    ),
    _dose(
        "exo_walk_time",
        "Time walking in the exoskeleton",
        unit="s",
        unit_text="s",
        description="Within a stride of either leg since the session began, as the device tells its gait.",
    ),
    _dose(
        "exo_steps",
        "Steps in the exoskeleton",
        unit="1",
        unit_text="",
        description="Contacts of both feet since the session began, as the device tells its gait.",
    ),
    _dose(
        "exo_failed_steps",
        "Failed steps in the exoskeleton",
        unit="1",
        unit_text="",
        description=(
            "Feet put down again before they were carried forward, since the session began: a swing of less than "
            "0.2 s, or one that the device broke off."
        ),
    ),
)
