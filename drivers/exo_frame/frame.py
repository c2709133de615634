"""The parts of the open exoskeleton frame, version 1: bytes to values (docs/exoskeleton-frame.md is the specification).

All numbers are little-endian. A part begins with eight bytes: version and kind, what it is of, a counter of samples and
the device's time in microseconds. Bytes behind those that are known here are of a later minor version, or padding.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Final

from drivers.errors import MalformedFrameError
from drivers.exoskeleton import JOINTS, SIDES

VERSION: Final = 1
LIMB, DEVICE = 1, 2
LONGEST_PART: Final = 64  # bytes: a CAN FD frame

HEAD = struct.Struct("<BBHI")
_LEG = struct.Struct("<BB")
_JOINT = struct.Struct("<Bb5h")
_STATE = struct.Struct("<BBHBBBBHHIQ")

_COUNT, _LAST, _RIGHT = 0x07, 0x08, 0x80
_STOPPED, _POWERED, _CHARGING = 0x01, 0x02, 0x04

NO_I16, NO_I8, NO_U8, NO_U16 = -0x8000, -0x80, 0xFF, 0xFFFF
END_I16: Final = 0x7FFF  # at the end of the range: it may have been more
STEPS: Final = (100.0, 10.0, 100.0, 100.0, 100.0)
"""To a degree (angle), a degree/s (velocity) and a Nm (measured, commanded and interaction torque)."""
PHASE_STEPS: Final = 200.0  # of a stride
CENTIVOLTS: Final = 100.0


@dataclass(frozen=True, slots=True)
class Joint:
    """One joint of a limb: NaN for what the device does not measure.

    Attributes:
        name: One of `drivers.exoskeleton.JOINTS`.
        values: Angle (degrees), velocity (degrees/s), measured, commanded and interaction torque (Nm).
        temperature: Of the motor, degrees Celsius.
        clipped: Whether a value is at the end of its range.
    """

    name: str
    values: tuple[float, ...]
    temperature: float
    clipped: bool


@dataclass(frozen=True, slots=True)
class Limb:
    """One side at one instant.

    Attributes:
        side: ``"left"`` or ``"right"``.
        last: Whether it is the last part of this sample.
        counter: Of samples, 16 bits.
        time_us: Device clock, 32 bits.
        gait_state: 0 not known, 1 stance, 2 swing; NaN for what a later version may add.
        gait_phase: Share of the stride that is over, 0 to 1; NaN if not known.
        joints: At most one of each.
    """

    side: str
    last: bool
    counter: int
    time_us: int
    gait_state: float
    gait_phase: float
    joints: tuple[Joint, ...]


@dataclass(frozen=True, slots=True)
class Device:
    """The device as a whole, and what it has; NaN for what it does not tell.

    Attributes:
        counter: Of the newest sample.
        time_us: Device clock, 32 bits.
        stopped: Whether the emergency stop is pressed.
        powered: Whether the motors are under power.
        charging: Whether the battery is being charged.
        joints: Names of the joints of each side, left first.
        rate_hz: Samples a second.
        mode: As the maker numbers them.
        assistance: Per cent.
        body_weight_support: Per cent.
        battery: Per cent.
        battery_voltage: Volts.
        faults: A bit each.
        serial: Number of this very device; 0 if it has none.
    """

    counter: int
    time_us: int
    stopped: bool
    powered: bool
    charging: bool
    joints: tuple[tuple[str, ...], tuple[str, ...]]
    rate_hz: int
    mode: float
    assistance: float
    body_weight_support: float
    battery: float
    battery_voltage: float
    faults: int
    serial: int


Part = Limb | Device


def parse_part(data: bytes) -> Part:
    """Read one part; raises MalformedFrameError for another version, an unknown kind, or one that is cut."""
    if len(data) < HEAD.size:
        raise MalformedFrameError("truncated part")
    if len(data) > LONGEST_PART:
        raise MalformedFrameError("oversized part")
    kind, what, counter, time_us = HEAD.unpack_from(data)
    if kind >> 4 != VERSION:
        raise MalformedFrameError("a version that is not known")
    try:
        if kind & 0x0F == LIMB:
            return _limb(data, what, counter, time_us)
        if kind & 0x0F == DEVICE:
            return _device(data, what, counter, time_us)
    except struct.error as problem:
        raise MalformedFrameError("truncated part") from problem
    raise MalformedFrameError("a kind of part that is not known")


def _limb(data: bytes, what: int, counter: int, time_us: int) -> Limb:
    state, phase = _LEG.unpack_from(data, HEAD.size)
    begin = HEAD.size + _LEG.size
    joints = tuple(_joint(data, begin + k * _JOINT.size) for k in range(what & _COUNT))
    if len({joint.name for joint in joints}) < len(joints):
        raise MalformedFrameError("one joint twice")
    side = SIDES[bool(what & _RIGHT)]
    gait_phase = phase / PHASE_STEPS if phase <= PHASE_STEPS else math.nan
    gait_state = float(state) if state <= 2 else math.nan
    return Limb(side, bool(what & _LAST), counter, time_us, gait_state, gait_phase, joints)


def _joint(data: bytes, at: int) -> Joint:
    number, temperature, *raw = _JOINT.unpack_from(data, at)
    if number >= len(JOINTS):
        raise MalformedFrameError("a joint that is not known")
    values = tuple(math.nan if value == NO_I16 else value / steps for value, steps in zip(raw, STEPS, strict=True))
    clipped = any(value in {END_I16, -END_I16} for value in raw)
    return Joint(JOINTS[number], values, math.nan if temperature == NO_I8 else float(temperature), clipped)


def _device(data: bytes, what: int, counter: int, time_us: int) -> Device:
    left, right, rate_hz, mode, assistance, support, battery, volts, _, faults, serial = _STATE.unpack_from(
        data, HEAD.size
    )
    joints = _named(left), _named(right)
    if not rate_hz or not any(joints):
        raise MalformedFrameError("a device without joints, or without a rate")
    return Device(
        counter, time_us, bool(what & _STOPPED), bool(what & _POWERED), bool(what & _CHARGING), joints, rate_hz,
        _number(mode), _percent(assistance), _percent(support), _percent(battery),
        math.nan if volts == NO_U16 else volts / CENTIVOLTS, faults, serial,
    )  # fmt: skip


def _named(mask: int) -> tuple[str, ...]:
    return tuple(joint for bit, joint in enumerate(JOINTS) if mask >> bit & 1)


def _number(value: int) -> float:
    return math.nan if value == NO_U8 else float(value)


def _percent(value: int) -> float:
    return float(value) if value <= 100 else math.nan
