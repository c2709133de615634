"""An exoskeleton with the open exoskeleton frame, and the reference encoder of that frame.

Written from docs/exoskeleton-frame.md, as a maker would; docs/exo_frame.h is the same in C. A limb part goes out for
each side and sample, a device part once a second and whenever the emergency stop or a fault changes.
"""

from __future__ import annotations

import math
import struct
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from simulators.body.exoskeleton import ExoMotion, WornExoskeleton
from simulators.devices.battery import Battery
from simulators.motion.timeline import Timeline
from simulators.radio.device import SimulatedDevice
from simulators.radio.serial_device import SerialDevice

VERSION: Final = 1
LIMB, DEVICE = 1, 2
JOINT_NUMBERS: Final = {"hip": 0, "knee": 1, "ankle": 2, "elbow": 3}
UNKNOWN, STANCE, SWING = 0, 1, 2
NO_I16, NO_I8, NO_U8, NO_U16 = -32768, -128, 255, 65535
CAN_FD_LENGTHS: Final = (8, 12, 16, 20, 24, 32, 48, 64)
EMPTY_V, FULL_V = 39.0, 50.4  # of twelve cells
TICK_HZ: Final = 1_000_000
WARM_C: Final = 34.0


@dataclass(frozen=True, slots=True)
class JointSample:
    """One joint, in physical units; NaN for what is not measured."""

    joint: str
    angle: float = math.nan
    velocity: float = math.nan
    torque: float = math.nan
    command: float = math.nan
    interaction: float = math.nan
    temperature: float = math.nan


@dataclass(frozen=True, slots=True)
class DeviceState:
    """The device as a whole; NaN, or None, for what it does not tell."""

    joints_left: Sequence[str]
    joints_right: Sequence[str]
    rate_hz: int
    stopped: bool = False
    powered: bool = True
    charging: bool = False
    mode: int | None = None
    assistance: float = math.nan
    body_weight_support: float = math.nan
    battery: float = math.nan
    battery_v: float = math.nan
    faults: int = 0
    serial: int = 0


def _scaled(value: float, steps: float) -> int:
    """Return a number in steps of a unit, halves away from zero, held at the ends of 16 bits; NaN is "none"."""
    if math.isnan(value):
        return NO_I16
    count = math.floor(abs(value) * steps + 0.5)
    return min(count, 32767) if value >= 0 else max(-count, -32767)


def _byte(value: float | None, steps: float = 1.0, most: int = 254) -> int:
    if value is None or math.isnan(value):
        return NO_U8
    return min(max(math.floor(value * steps + 0.5), 0), most)


def encode_limb(
    *, right: bool, last: bool, counter: int, time_us: int, gait_state: int, gait_phase: float,
    joints: Sequence[JointSample],
) -> bytes:  # fmt: skip
    """Return a limb part (section 3 of the specification)."""
    what = len(joints) | (0x08 if last else 0) | (0x80 if right else 0)
    head = struct.pack("<BBHI", VERSION << 4 | LIMB, what, counter & 0xFFFF, time_us & 0xFFFFFFFF)
    body = struct.pack("<BB", gait_state, _byte(gait_phase, 200.0, 200))
    for each in joints:
        celsius = NO_I8 if math.isnan(each.temperature) else max(-127, min(127, math.floor(each.temperature + 0.5)))
        body += struct.pack(
            "<Bb5h", JOINT_NUMBERS[each.joint], celsius, _scaled(each.angle, 100.0), _scaled(each.velocity, 10.0),
            _scaled(each.torque, 100.0), _scaled(each.command, 100.0), _scaled(each.interaction, 100.0),
        )  # fmt: skip
    return head + body


def encode_device(state: DeviceState, *, counter: int, time_us: int) -> bytes:
    """Return a device part (section 4)."""
    flags = (0x01 if state.stopped else 0) | (0x02 if state.powered else 0) | (0x04 if state.charging else 0)
    masks = [sum(1 << JOINT_NUMBERS[joint] for joint in own) for own in (state.joints_left, state.joints_right)]
    volts = NO_U16 if math.isnan(state.battery_v) else min(max(math.floor(state.battery_v * 100 + 0.5), 0), 65534)
    return struct.pack(
        "<BBHIBBHBBBBHHIQ", VERSION << 4 | DEVICE, flags, counter & 0xFFFF, time_us & 0xFFFFFFFF, *masks, state.rate_hz,
        NO_U8 if state.mode is None else state.mode, _byte(state.assistance, most=100),
        _byte(state.body_weight_support, most=100), _byte(state.battery, most=100), volts, 0, state.faults,
        state.serial,
    )  # fmt: skip


def crc16(data: bytes) -> int:
    """Return CRC-16/CCITT-FALSE: polynomial 1021, start FFFF, highest bit first; of "123456789" it is 29B1."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def cobs(data: bytes) -> bytes:
    """Return data without a zero byte: each run of up to 254 others behind its length and one."""
    out = bytearray()
    for run in data.split(b"\0"):
        while len(run) >= 254:
            out += b"\xff" + run[:254]
            run = run[254:]  # noqa: PLW2901 - what is left of the run
        out += bytes([len(run) + 1]) + run
    return bytes(out)


def serial_frame(part: bytes) -> bytes:
    """Return a part as it goes over a serial port (section 5)."""
    return cobs(part + crc16(part).to_bytes(2, "little")) + b"\0"


def can_fd_frame(part: bytes) -> bytes:
    """Return a part padded to a length that CAN FD has (section 6)."""
    return part.ljust(next(length for length in CAN_FD_LENGTHS if length >= len(part)), b"\0")


class ExoTelemetry(SimulatedDevice):
    """What exoskeletons with the open frame have in common, however they are reached: they stream, and take nothing.

    Attributes:
        source: The exoskeleton and who wears it.
        state: The device as a whole.
    """

    source: WornExoskeleton
    state: DeviceState

    def press_stop(self, *, pressed: bool = True) -> None:
        """Press the emergency stop, or pull it out again."""
        self.state = replace(self.state, stopped=pressed, powered=not pressed)

    def fail(self, faults: int) -> None:
        """Have faults, a bit each; 0 for none."""
        self.state = replace(self.state, faults=faults)

    @abstractmethod
    def _deliver(self, parts: Sequence[bytes]) -> bool:
        """Send parts, each by itself; False if nobody listens."""

    def _wear(self, source: WornExoskeleton, serial: int) -> None:
        self.source = source
        joints = source.joints
        self.state = DeviceState(
            joints, joints, round(source.rate_hz), mode=2, assistance=source.assistance, body_weight_support=0.0,
            serial=serial,
        )  # fmt: skip
        self.battery = Battery(lasts_h=3.0)
        self._counter = 0
        self._described_s = -math.inf
        self._described = self.state

    def _describe_anew(self) -> None:
        """Begin with a device part: somebody else may listen now."""
        self._described_s = -math.inf

    def _send(self, until_s: float) -> bool:
        pieces = self.source.read_until(until_s)
        if pieces is None:
            return False
        for motion in pieces:
            self._send_motion(motion)
        return True

    def _send_motion(self, motion: ExoMotion) -> None:
        samples = len(motion)
        if self._muted or not self.wanted:
            self._counter += samples
            self.counts.lost += samples
            return
        parts: list[bytes] = []
        for k in range(samples):
            parts += self._sample(motion, k)
            self._counter += 1
        sent = self._deliver(parts)
        self.streaming = self.streaming or sent
        if sent:
            self.counts.sent += samples
        else:
            self.counts.lost += samples

    def _device_part(self, time_us: int) -> bytes:
        percent = self.battery.percent(self.timeline.now_s)
        volts = EMPTY_V + percent / 100 * (FULL_V - EMPTY_V)
        return encode_device(
            replace(self.state, battery=percent, battery_v=volts), counter=self._counter, time_us=time_us
        )

    def _sample(self, motion: ExoMotion, k: int) -> list[bytes]:
        """Return the parts of a sample, and before it the device's, if that is due."""
        clock_s = self.clock_s(float(motion.time_s[k]))
        time_us = round(clock_s * TICK_HZ)
        parts = []
        if clock_s >= self._described_s + 1.0 or clock_s < self._described_s or self.state != self._described:
            self._described_s, self._described = clock_s, self.state
            parts.append(self._device_part(time_us))
        for side in (0, 1):
            joints = [self._joint(motion, k, side, j) for j in range(len(self.source.joints))]
            parts.append(
                encode_limb(
                    right=bool(side),
                    last=bool(side),
                    counter=self._counter,
                    time_us=time_us,
                    gait_state=STANCE if motion.stance[k, side] else SWING,
                    gait_phase=float(motion.phase[k, side]),
                    joints=joints,
                )
            )
        return parts

    def _joint(self, motion: ExoMotion, k: int, side: int, j: int) -> JointSample:
        channels = (motion.angle, motion.velocity, motion.torque, motion.command, motion.interaction)
        angle, velocity, torque, command, interaction = (float(part[k, side, j]) for part in channels)
        return JointSample(self.source.joints[j], angle, velocity, torque, command, interaction, WARM_C)


class ExoFrame(ExoTelemetry, SerialDevice):
    """A simulated exoskeleton behind a serial port: streams as soon as somebody listens.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        path: Name of the serial port.
        source: The exoskeleton and who wears it.
        serial: Its number.
    """

    def __init__(
        self, *, name: str, timeline: Timeline, path: Path, source: WornExoskeleton, serial: int = 1001
    ) -> None:
        super().__init__(name=name, timeline=timeline, path=path)
        self.received = bytearray()
        self._wear(source, serial)

    @property
    def wanted(self) -> bool:
        """Whether somebody listens."""
        return self.port.opened

    def receive(self, data: bytes) -> None:
        """Keep what nobody may send."""
        self.received += data

    def _on_hung_up(self) -> None:
        super()._on_hung_up()
        self._describe_anew()

    def _deliver(self, parts: Sequence[bytes]) -> bool:
        return self.port.write(b"".join(self._as_sent([serial_frame(part) for part in parts])))
