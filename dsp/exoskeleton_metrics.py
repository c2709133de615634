"""The metrics of exoskeletons: what a device that moves somebody says of itself, second by second."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

from dsp.metric import Metric
from dsp.result import Side

EACH_SIDE: Final[tuple[Side, ...]] = ("left", "right")
DEVICE: Final[tuple[Side, ...]] = ("none",)
JOINTS: Final = ("hip", "knee", "ankle", "elbow")

MOST_TORQUE_NM = 300.0  # no wearable actuator gives more, and a knee that jumps takes less
MOST_ANGLE_DEG = 200.0

_exo = partial(Metric, kind="window", group="exoskeleton", digits=0)
_torque = partial(_exo, unit="N.m", unit_text="Nm", sides=EACH_SIDE, digits=1, low=-MOST_TORQUE_NM, high=MOST_TORQUE_NM)
_whole = partial(_exo, sides=DEVICE)


def _of_joint(joint: str) -> Iterator[Metric]:
    yield _exo(
        f"exo_{joint}_angle",
        f"Exoskeleton {joint} angle",
        unit="deg",
        unit_text="°",
        sides=EACH_SIDE,
        low=-MOST_ANGLE_DEG,
        high=MOST_ANGLE_DEG,
        description="Mean of what the device measures over a second; 0 upright, positive in flexion.",
    )
    yield _torque(
        f"exo_{joint}_torque",
        f"Exoskeleton {joint} torque",
        description="Mean of the measured torque over a second.",
    )
    yield _torque(
        f"exo_{joint}_peak_torque",
        f"Exoskeleton {joint} peak torque",
        description="The measured torque that is furthest from zero within a second, with its sign.",
    )
    yield _torque(
        f"exo_{joint}_command",
        f"Exoskeleton {joint} commanded torque",
        description="Mean of the torque that the controller asks for, over a second.",
    )
    yield _torque(
        f"exo_{joint}_interaction",
        f"Exoskeleton {joint} interaction torque",
        description="Mean of the torque between limb and frame over a second.",
    )


EXOSKELETON: Final[tuple[Metric, ...]] = (
    *(metric for joint in JOINTS for metric in _of_joint(joint)),
    _exo(
        "exo_motor_temperature",
        "Exoskeleton motor temperature",
        unit="Cel",
        unit_text="°C",
        sides=EACH_SIDE,
        low=-40.0,
        high=200.0,
        description="The hottest motor of a side within a second.",
    ),
    _whole(
        "exo_assistance",
        "Exoskeleton assistance",
        unit="%",
        unit_text="%",
        low=0.0,
        high=100.0,
        description="Assistance level over a second, as the device defines it; 0 none, 100 the most it gives.",
    ),
    _whole(
        "exo_body_weight_support",
        "Body weight support",
        unit="%",
        unit_text="%",
        low=0.0,
        high=100.0,
        description="Share of the body's weight that the device carries, mean over a second.",
    ),
    _whole(
        "exo_battery_voltage",
        "Exoskeleton battery voltage",
        unit="V",
        unit_text="V",
        digits=1,
        low=0.0,
        high=100.0,
        description="Mean over a second, of devices that tell no charge in per cent.",
    ),
    _whole(
        "exo_fault",
        "Exoskeleton fault",
        unit="1",
        unit_text="",
        low=0.0,
        description="What the device says is wrong, as its maker numbers it; 0 nothing. Told at once when it changes.",
    ),
    _whole(
        "exo_emergency_stop",
        "Exoskeleton emergency stop",
        unit="1",
        unit_text="",
        low=0.0,
        high=1.0,
        description="1 while the emergency stop is pressed, else 0. Told at once when it changes.",
    ),
    _exo(
        "exo_clock_offset",
        "Exoskeleton to leg sensor offset",
        unit="ms",
        unit_text="ms",
        sides=EACH_SIDE,
        digits=1,
        low=-1000.0,
        high=1000.0,
        description="By how much the samples of the sensor on the shank lie later than the exoskeleton's, found while"
        " walking from the joints' rate and the shank's turning, over two minutes; `sync_ms` is its uncertainty."
        " Nothing is moved by it. Without a value where it cannot be known, such as at rest.",
    ),
)
