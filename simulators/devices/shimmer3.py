"""A Shimmer3 with LogAndStream firmware behind a serial port: wide-range accelerometer, gyroscope, magnetometer.

Facts: vendor's LogAndStream firmware and drivers. Every command is acknowledged with FF; its reply follows. A
sample is 00, 24 bits of a clock at 32768 Hz, and 16 bits a channel. The sensor keeps to the rate of its source:
another rate is acknowledged, and the next inquiry tells what it is.
"""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulators.devices.battery import Battery
from simulators.motion.source import Motion, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.pull import Pull
from simulators.radio.serial_device import SerialDevice

TICK_HZ = 32768
TICK_MASK = 0xFFFFFF  # wraps every 512 s
ACK = b"\xff"
DATA = b"\x00"
DEG = 180.0 / math.pi

FIRMWARE = struct.pack("<HHBB", 3, 0, 16, 0)  # LogAndStream 0.16.0
HARDWARE = 3  # Shimmer3
BATTERY_EMPTY_V, BATTERY_FULL_V = 3.2, 4.167
ADC_PER_VOLT = 4095 / 3.0 / 1.988  # 12 bits over 3 V, behind a divider
CRC_START = 0xB0CA
INT16_MAX = 32767

_ARGUMENT_BYTES = {
    0x05: 2,  # sampling rate
    0x08: 3,  # sensors
    0x09: 1,  # range of the wide-range accelerometer
    0x49: 1,  # range of the gyroscope
    0x8B: 1,  # check sum
    0x8F: 8,  # real-time clock
    0xA3: 1,  # acknowledgement of status changes
}
_STREAMING, _SENSING, _CLOCK_SET = 0x10, 0x02, 0x04
_ALLOWED_WHILE_STREAMING = (0x20, 0x72, 0x95)
_NAME_BYTES = 32  # the firmware keeps 12


def crc16(data: bytes) -> int:
    """Return the firmware's check sum: CCITT, odd lengths padded with a zero byte."""
    return binascii.crc_hqx(data + bytes(len(data) % 2), CRC_START)


@dataclass(frozen=True, slots=True)
class Triad:
    """A sensor of three axes: how a quantity becomes raw counts, and how that is announced.

    Attributes:
        sensors: Bit of the sensor in the command that chooses sensors, little-endian.
        channels: Channel numbers of x, y and z.
        big: Whether counts are big-endian on the wire.
        sensitivity: Counts for one unit (m/s^2, deg/s or gauss).
        stored_scale: Factor by which the stored sensitivity is larger, as the firmware keeps it in whole numbers.
        alignment: Rows of the matrix from the body's axes to the chip's, as mounted on the board.
    """

    sensors: int
    channels: tuple[int, int, int]
    big: bool
    sensitivity: float
    stored_scale: int
    alignment: tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]

    def counts(self, value: Sequence[float]) -> bytes:
        """Return the raw counts of a value of three axes in the announced unit, cut at the ends of the range.

        In plain numbers, since a device sends a sample or two at a time.
        """
        raw = [
            round(sum(share * part for share, part in zip(row, value, strict=True)) * self.sensitivity)
            for row in self.alignment
        ]
        return struct.pack(">3h" if self.big else "<3h", *(max(-INT16_MAX - 1, min(INT16_MAX, count)) for count in raw))

    def calibration(self) -> bytes:
        """Return the 21 bytes that announce offset, sensitivity and alignment."""
        stored = round(self.sensitivity * self.stored_scale)
        rows = [100 * entry for row in self.alignment for entry in row]
        return struct.pack(">3h3h9b", 0, 0, 0, stored, stored, stored, *rows)


# Ranges of 8 g, 500 deg/s and 1.3 gauss; sensitivities and mountings of the vendor's default calibration.
ACCELERATION = Triad(0x001000, (0x04, 0x05, 0x06), False, 408.0, 1, ((-1, 0, 0), (0, 1, 0), (0, 0, -1)))
ANGULAR_RATE = Triad(0x000040, (0x0A, 0x0B, 0x0C), True, 65.5, 100, ((0, -1, 0), (-1, 0, 0), (0, 0, -1)))
MAGNETIC = Triad(0x000020, (0x07, 0x08, 0x09), False, 1100.0, 1, ((-1, 0, 0), (0, 1, 0), (0, 0, -1)))
LOW_NOISE_CALIBRATION = struct.pack(">3h3h9b", 2047, 2047, 2047, 83, 83, 83, 0, -100, 0, -100, 0, 0, 0, 0, -100)
CONFIGURATION = bytes([2 << 2, 0xFF, (1 << 5) | 1, 0x08])  # 8 g; mag gain 1, 500 deg/s; battery monitor


TRIADS = (ANGULAR_RATE, ACCELERATION, MAGNETIC)
"""In the order in which the firmware puts them into a packet."""


class Shimmer3(SerialDevice):
    """A simulated Shimmer3.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        path: Name of the serial port.
        source: Movement of the limb that it is worn on.
    """

    def __init__(self, *, name: str, timeline: Timeline, path: Path, source: MotionSource) -> None:
        super().__init__(name=name, timeline=timeline, path=path)
        self.source = source
        self._pull = Pull(source, self.counts)
        self._battery = Battery(lasts_h=12.0)
        self._sensors = ACCELERATION.sensors | ANGULAR_RATE.sensors
        self._crc_bytes = 0
        self._clock_ticks: int | None = None
        self._commands = bytearray()
        self._replies: Mapping[int, Callable[[], bytes]] = {
            0x01: self._inquiry,
            0x03: lambda: struct.pack("<BH", 0x04, self._divisor),
            0x2C: self._calibration,
            0x2E: lambda: b"\x2f" + FIRMWARE,
            0x3F: lambda: bytes([0x25, HARDWARE]),
            0x72: self._status,
            0x7B: self._name_answer,
            0x91: lambda: struct.pack("<BQ", 0x90, self._clock_ticks or 0),
            0x95: self._battery_level,
        }

    @property
    def enabled(self) -> list[Triad]:
        """The sensors that a packet carries, in its order."""
        return [triad for triad in TRIADS if self._sensors & triad.sensors]

    @property
    def _divisor(self) -> int:
        return round(TICK_HZ / self.source.rate_hz)

    def _on_hung_up(self) -> None:
        super()._on_hung_up()
        self._crc_bytes = 0
        self._commands.clear()

    def receive(self, data: bytes) -> None:
        """Carry out whole commands; a byte that is none is passed over in silence, as the firmware does."""
        self._commands += data
        while self._commands:
            size = 1 + _ARGUMENT_BYTES.get(self._commands[0], 0)
            if len(self._commands) < size:
                return
            command, argument = self._commands[0], bytes(self._commands[1:size])
            del self._commands[:size]
            if not self.streaming or command in _ALLOWED_WHILE_STREAMING:
                self._obey(command, argument)

    def _obey(self, command: int, argument: bytes) -> None:
        if (reply := self._replies.get(command)) is not None:
            self._write(self._checked(ACK + reply()))
            return
        if command in (0x07, 0x70):
            self._write(self._checked(ACK))
            self.streaming = True
        elif command == 0x20:
            self.streaming = False
            self._write(self._checked(ACK))
        elif command in _ARGUMENT_BYTES:
            self._write(self._checked(ACK))
            self._set(command, argument)

    def _set(self, command: int, argument: bytes) -> None:
        if command == 0x08:
            known = sum(triad.sensors for triad in TRIADS)
            self._sensors = int.from_bytes(argument, "little") & known
        elif command == 0x8B:
            self._crc_bytes = min(argument[0], 2)
        elif command == 0x8F:
            self._clock_ticks = int.from_bytes(argument, "little")

    def _write(self, data: bytes) -> bool:
        return self.port.write(data)

    def _checked(self, data: bytes) -> bytes:
        return data + crc16(data).to_bytes(2, "little")[: self._crc_bytes]

    def _inquiry(self) -> bytes:
        channels = [channel for triad in self.enabled for channel in triad.channels]
        head = struct.pack("<BH4sBB", 0x02, self._divisor, CONFIGURATION, len(channels), 1)
        return head + bytes(channels)

    def _name_answer(self) -> bytes:
        name = self.name.encode()[:_NAME_BYTES]
        return bytes([0x7A, len(name)]) + name

    def _calibration(self) -> bytes:
        """All four sensors, low-noise accelerometer first."""
        announced = [triad.calibration() for triad in (ANGULAR_RATE, MAGNETIC, ACCELERATION)]
        return b"\x2d" + LOW_NOISE_CALIBRATION + b"".join(announced)

    def _status(self) -> bytes:
        clock = _CLOCK_SET if self._clock_ticks is not None else 0
        return bytes([0x8A, 0x71, clock | (_STREAMING | _SENSING if self.streaming else 0)])

    def _battery_level(self) -> bytes:
        share = self._battery.percent(self.timeline.now_s) / 100
        volts = BATTERY_EMPTY_V + share * (BATTERY_FULL_V - BATTERY_EMPTY_V)
        return struct.pack("<BBHB", 0x8A, 0x94, round(volts * ADC_PER_VOLT), 0x80)

    def _send(self, until_s: float) -> bool:
        motion = self._pull.due(until_s, wanted=self.streaming)
        if motion is not None and len(motion.time_s):
            self._send_motion(motion)
        return motion is not None

    def _send_motion(self, motion: Motion) -> None:
        """Write the samples at once: each write is a call of the system."""
        packets = []
        for time_s, acc, gyr, mag, sent in zip(
            motion.time_s.tolist(),
            motion.acc.tolist(),
            (motion.gyr * DEG).tolist(),
            motion.mag.tolist(),
            motion.sent.tolist(),
            strict=True,
        ):
            ticks = round(self.clock_s(time_s) * TICK_HZ) & TICK_MASK
            if sent and not self._muted:
                values = {ANGULAR_RATE.sensors: gyr, ACCELERATION.sensors: acc, MAGNETIC.sensors: mag}
                row = b"".join(triad.counts(values[triad.sensors]) for triad in self.enabled)
                packets.append(self._checked(DATA + ticks.to_bytes(3, "little") + row))
        written = bool(packets) and self._write(b"".join(self._as_sent(packets)))
        heard = len(packets) if written else 0
        self.counts.sent += heard
        self.counts.lost += len(motion.time_s) - heard
