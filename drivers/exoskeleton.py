"""What exoskeletons of all makes tell, in the same words: channels by side, joint and quantity, each in one unit.

A device has the channels that it can fill and no others. Angles are zero in the upright stance and positive in flexion
(ankle: dorsiflexion); a torque is positive where it acts towards flexion, if the device's page does not say otherwise.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from drivers.packet import StreamSpec

STREAM: Final = "exoskeleton"
FAULT_STREAM: Final = "exoskeleton_fault"
STATE_STREAM: Final = "exoskeleton_state"

SIDES: Final = ("left", "right")
JOINTS: Final = ("hip", "knee", "ankle", "elbow")

OF_JOINT: Final[Mapping[str, str]] = MappingProxyType(
    {
        "angle": "deg",
        "velocity": "deg/s",
        "torque": "N.m",  # as measured at the joint
        "command": "N.m",  # the torque that the controller asks of the actuator
        "interaction": "N.m",  # between limb and frame: what the wearer adds or resists
        "temperature": "Cel",  # of the motor
    }
)
"""What is told of one joint: quantity and UCUM unit."""

DESIRED_ANGLE: Final = "desired_angle"
"""Of a joint too, in degrees, and of few devices: where the controller wants it. Never taken for the angle itself."""

OF_LEG: Final[Mapping[str, str]] = MappingProxyType(
    {
        "gait_state": "1",  # 0 not known, 1 stance, 2 swing
        "gait_phase": "1",  # share of the stride that is over, 0 to 1
        "stance": "1",  # 1 where the device takes the foot to be on the ground
        "toe_fsr": "1",  # force under the toe, as the device scales it
        "heel_fsr": "1",
    }
)
OF_DEVICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "assistance": "%",
        "body_weight_support": "%",
        "mode": "1",  # as the maker numbers them
        "battery_voltage": "V",
        "uptime": "s",
    }
)
UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **{f"{s}_{j}_{q}": unit for s in SIDES for j in JOINTS for q, unit in OF_JOINT.items()},
        **{f"{s}_{j}_{DESIRED_ANGLE}": "deg" for s in SIDES for j in JOINTS},
        **{f"{s}_{q}": unit for s in SIDES for q, unit in OF_LEG.items()},
        **OF_DEVICE,
    }
)
"""Every channel that has a meaning here, and its UCUM unit."""

FAULTS: Final = StreamSpec(FAULT_STREAM, ("fault", "fault_joint", "emergency_stop"), ("1", "1", "1"))
"""Comes when something changes. ``fault`` as the maker numbers them, 0 for none; ``fault_joint`` as `joint_number`, 0
for the whole device; ``emergency_stop`` 1 while it is pressed. NaN where the device does not tell."""

STATE: Final = StreamSpec(
    STATE_STREAM, ("assistance", "body_weight_support", "mode", "battery_voltage"), ("%", "%", "1", "V")
)
"""What a device tells now and then, beside its samples. NaN where it does not tell."""


def joint_number(side: str, joint: str) -> int:
    """Return the number of a joint in `FAULTS`: 1 to 4 on the left, 5 to 8 on the right, in the order of `JOINTS`."""
    return SIDES.index(side) * len(JOINTS) + JOINTS.index(joint) + 1


def stream(
    channels: Sequence[str],
    units: Iterable[str] | None = None,
    *,
    rate_hz: float | None = None,
    tick_hz: float | None = None,
    tick_bits: int = 32,
) -> StreamSpec:
    """Return the main stream of a device; units may be left out where all channels have a meaning here."""
    found = tuple(UNITS[channel] for channel in channels) if units is None else tuple(units)
    return StreamSpec(STREAM, tuple(channels), found, rate_hz, tick_hz, tick_bits)
