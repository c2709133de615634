"""The parts of the open exoskeleton frame, version 1: bytes to values (docs/exoskeleton-frame.md is the specification).

All numbers are little-endian. A part begins with eight bytes: version and kind, what it is of, a counter of samples and
the device's time in microseconds. Bytes behind those that are known here are of a later minor version, or padding.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from itertools import permutations
from typing import Final, NamedTuple

from drivers.errors import MalformedFrameError
from drivers.exo_frame.values import JOINT, LEG, NO_U8, Rows
from drivers.exoskeleton import JOINTS, SIDES

VERSION: Final = 1
LIMB, DEVICE = 1, 2
LONGEST_PART: Final = 64  # bytes: a CAN FD frame

HEAD = struct.Struct("<BBHI")
_STATE = struct.Struct("<BBHBBBBHHIQ")

_COUNT, _LAST, _RIGHT = 0x07, 0x08, 0x80
_STOPPED, _POWERED, _CHARGING = 0x01, 0x02, 0x04

LIMB_MARK: Final = bytes((VERSION << 4 | LIMB,))
"""What the parts of limbs begin with, and no others."""
FIRST_JOINT: Final = HEAD.size + LEG.size
LIMB_BYTES: Final = tuple(FIRST_JOINT + JOINT.size * count for count in range(8))  # by the number of joints
_KNOWN: Final = frozenset(
    bytes(joints) for count in range(len(JOINTS) + 1) for joints in permutations(range(len(JOINTS)), count)
)
"""Numbers of joints that a limb may have, in any order, each once."""

NO_U16: Final = 0xFFFF
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


LimbFields = tuple[bool, bool, int, int, bytes, bytes]


class Limb(NamedTuple):
    """One side at one instant.

    Attributes:
        right: Whether it is the right one.
        last: Whether it is the last part of this sample.
        counter: Of samples, 16 bits.
        time_us: Device clock, 32 bits.
        numbers: Of its joints, as the wire has them: at most one of each.
        body: What `drivers.exo_frame.values` reads: the leg, then the joints.
    """

    right: bool
    last: bool
    counter: int
    time_us: int
    numbers: bytes
    body: bytes

    @property
    def side(self) -> str:
        """``"left"`` or ``"right"``."""
        return SIDES[self.right]

    @property
    def gait_state(self) -> float:
        """0 not known, 1 stance, 2 swing; NaN for what a later version may add."""
        return self._values()[0]

    @property
    def gait_phase(self) -> float:
        """Share of the stride that is over, 0 to 1; NaN if not known."""
        return self._values()[1]

    @property
    def joints(self) -> tuple[Joint, ...]:
        """Its joints, as the device measures them."""
        return tuple(map(self._joint, self.numbers))

    def joint(self, number: int) -> bytes:
        """Return the bytes of one of its joints; none if it has none of that number."""
        at = LEG.size + JOINT.size * self.numbers.find(number)
        return self.body[at : at + JOINT.size] if number in self.numbers else b""

    def _joint(self, number: int) -> Joint:
        values, clipped = Rows([1]).read([self.body[: LEG.size] + self.joint(number)])
        *own, temperature = values[0, LEG.size :].tolist()
        return Joint(JOINTS[number], tuple(own), temperature, bool(clipped[0]))

    def _values(self) -> list[float]:
        found: list[float] = Rows([len(self.numbers)]).read([self.body])[0][0].tolist()
        return found


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


def parse_part(data: bytes) -> Limb | Device:
    """Read one part; raises MalformedFrameError for another version, an unknown kind, or one that is cut."""
    return Limb(*parse_limb(data)) if data.startswith(LIMB_MARK) else parse_device(data)


def parse_limb(data: bytes) -> LimbFields:
    """Read a part that begins with `LIMB_MARK`: as a `Limb`, in half the time. Raises MalformedFrameError."""
    size = len(data)
    if size < HEAD.size:
        raise MalformedFrameError("truncated part")
    if size > LONGEST_PART:
        raise MalformedFrameError("oversized part")
    _, what, counter, time_us = HEAD.unpack_from(data)
    end = LIMB_BYTES[what & _COUNT]
    if size < end:
        raise MalformedFrameError("truncated part")
    numbers = data[FIRST_JOINT : end : JOINT.size]
    if numbers not in _KNOWN:
        raise MalformedFrameError("one joint twice" if max(numbers) < len(JOINTS) else "a joint that is not known")
    return what >= _RIGHT, what & _LAST != 0, counter, time_us, numbers, data[HEAD.size : end]


def what_of_limb(*, right: bool, last: bool, joints: int) -> int:
    """Return the byte that says what a limb part is of."""
    return (_RIGHT if right else 0) | (_LAST if last else 0) | joints


def parse_device(data: bytes) -> Device:
    """Read a part that does not begin with `LIMB_MARK`; raises MalformedFrameError."""
    size = len(data)
    if size < HEAD.size:
        raise MalformedFrameError("truncated part")
    if size > LONGEST_PART:
        raise MalformedFrameError("oversized part")
    kind, what, counter, time_us = HEAD.unpack_from(data)
    if kind >> 4 != VERSION:
        raise MalformedFrameError("a version that is not known")
    if kind & 0x0F != DEVICE:
        raise MalformedFrameError("a kind of part that is not known")
    if size < HEAD.size + _STATE.size:
        raise MalformedFrameError("truncated part")
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
