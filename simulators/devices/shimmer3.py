"""A Shimmer3 or 3R with LogAndStream firmware behind a serial port.

Facts: vendor's LogAndStream firmware and drivers. Every command is acknowledged with FF; its reply follows. A
sample is 00, 24 bits of a clock at 32768 Hz, and the channels that are switched on, in the order of the firmware. The
sensor keeps to the rate of its source: another rate is acknowledged, and the next inquiry tells what it is.
"""

from __future__ import annotations

import binascii
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

from simulators.body.electrodes import Electrodes
from simulators.devices.battery import Battery
from simulators.devices.shimmer3_sensors import Exg, Part, WornParts
from simulators.devices.shimmer3_triads import (
    ACCELERATION,
    ACCELERATION_3R,
    ANGULAR_RATE,
    ANGULAR_RATE_3R,
    CONFIGURATION,
    CONFIGURATION_3R,
    DEG,
    FIRST_MAGNETIC,
    HIGH_G_3R,
    LOW_NOISE_3R,
    LOW_NOISE_CALIBRATION,
    MAGNETIC,
    MAGNETIC_3R,
    SECOND_MAGNETIC_3R,
    Triad,
)
from simulators.motion.source import Motion, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.pull import Pull
from simulators.radio.serial_device import SerialDevice

TICK_HZ = 32768
TICK_MASK = 0xFFFFFF  # wraps every 512 s
ACK = b"\xff"
DATA = b"\x00"

FIRMWARE = {3: struct.pack("<HHBB", 3, 0, 16, 0), 10: struct.pack("<HHBB", 3, 1, 1, 6)}  # LogAndStream
SHIMMER3, SHIMMER3R = 3, 10
BATTERY_EMPTY_V, BATTERY_FULL_V = 3.2, 4.167
ADC_PER_VOLT = 4095 / 3.0 / 1.988  # 12 bits over 3 V, behind a divider
CRC_START = 0xB0CA

_ARGUMENT_BYTES = {
    0x05: 2,  # sampling rate
    0x08: 3,  # sensors
    0x09: 1,  # range of the wide-range accelerometer
    0x49: 1,  # range of the gyroscope
    0x63: 3,  # which ExG registers
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


class Shimmer3(SerialDevice):
    """A simulated Shimmer3.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        path: Name of the serial port.
        source: Movement of the limb that it is worn on.
        worn: What its electrodes and probes pick up.
        exg: What its ExG amplifiers are set up for.
        hardware: Version: 3, or 10 for a Shimmer3R.
        first_magnetometer: Whether it is one of the first units, with a magnetometer of its own order.

    Attributes:
        parts: What it has beside inertial sensors.
    """

    def __init__(
        self,
        *,
        name: str,
        timeline: Timeline,
        path: Path,
        source: MotionSource,
        worn: Electrodes | None = None,
        exg: Exg = "ecg",
        hardware: int = SHIMMER3,
        first_magnetometer: bool = False,
    ) -> None:
        super().__init__(name=name, timeline=timeline, path=path)
        self.source = source
        self._pull = Pull(source, self.counts)
        self.parts = WornParts(worn or Electrodes(), exg, newer=hardware == SHIMMER3R)
        self._hardware = hardware
        self._magnetic = FIRST_MAGNETIC if first_magnetometer else MAGNETIC
        self.battery = Battery(lasts_h=12.0)
        self._sensors = ACCELERATION.sensors | ANGULAR_RATE.sensors
        self._crc_bytes = 0
        self._clock_ticks: int | None = None
        self._commands = bytearray()
        self._replies: Mapping[int, Callable[[], bytes]] = {
            0x01: self._inquiry,
            0x03: lambda: struct.pack("<BH", 0x04, self._divisor),
            0x2C: self._calibration,
            0x2E: lambda: b"\x2f" + FIRMWARE[self._hardware],
            0x3E: self._unique_number,
            0x3F: lambda: bytes([0x25, self._hardware]),
            0x72: self._status,
            0x7B: self._name_answer,
            0x91: lambda: struct.pack("<BQ", 0x90, self._clock_ticks or 0),
            0x95: self._battery_level,
            0xA7: self.parts.coefficients,
        }

    @property
    def enabled(self) -> list[Triad | Part]:
        """What a packet carries, in the order of the firmware."""
        return [each for each in self._all() if self._sensors & each.sensors]

    def _all(self) -> list[Triad | Part]:
        analogue, air, amplifiers = self.parts.analogue, self.parts.barometer, self.parts.amplifiers
        if self._hardware == SHIMMER3:
            return [*analogue, ANGULAR_RATE, ACCELERATION, self._magnetic, air, *amplifiers]
        return [
            MAGNETIC_3R, ANGULAR_RATE_3R, LOW_NOISE_3R, air, HIGH_G_3R, ACCELERATION_3R, SECOND_MAGNETIC_3R,
            *amplifiers, *analogue,
        ]  # fmt: skip

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
        if command == 0x63:
            self._write(self._checked(ACK + self._registers(*argument)))
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
            known = 0
            for each in self._all():
                known |= each.sensors
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
        channels = [channel for part in self.enabled for channel in part.channels]
        configuration = CONFIGURATION if self._hardware == SHIMMER3 else CONFIGURATION_3R
        return struct.pack("<BH", 0x02, self._divisor) + configuration + bytes((len(channels), 1, *channels))

    def _unique_number(self) -> bytes:
        """The number of the processor: 8 bytes of a Shimmer3, 12 of a 3R."""
        size = 8 if self._hardware == SHIMMER3 else 12
        return b"\x3d" + binascii.crc32(self.name.encode()).to_bytes(4, "little").ljust(size, b"\x5a")

    def _registers(self, chip: int, begin: int, count: int) -> bytes:
        """Registers of an ExG chip; nothing for those that there are not."""
        if chip > 1 or begin + count > len(self.parts.registers[0]):
            return b""
        return bytes((0x62, count)) + self.parts.registers[chip][begin : begin + count]

    def _name_answer(self) -> bytes:
        name = self.name.encode()[:_NAME_BYTES]
        return bytes([0x7A, len(name)]) + name

    def _calibration(self) -> bytes:
        """All four sensors, low-noise accelerometer first; of a Shimmer3R six."""
        if self._hardware == SHIMMER3:
            announced = [triad.calibration() for triad in (ANGULAR_RATE, MAGNETIC, ACCELERATION)]  # x, y, z
            return b"\x2d" + LOW_NOISE_CALIBRATION + b"".join(announced)
        order = (LOW_NOISE_3R, ANGULAR_RATE_3R, MAGNETIC_3R, ACCELERATION_3R, HIGH_G_3R, SECOND_MAGNETIC_3R)
        return b"\x2d" + b"".join(triad.calibration() for triad in order)

    def _status(self) -> bytes:
        clock = _CLOCK_SET if self._clock_ticks is not None else 0
        plugged = b"" if self._hardware == SHIMMER3 else b"\x00"
        return bytes([0x8A, 0x71, clock | (_STREAMING | _SENSING if self.streaming else 0)]) + plugged

    def _battery_level(self) -> bytes:
        share = self.battery.percent(self.timeline.now_s) / 100
        volts = BATTERY_EMPTY_V + share * (BATTERY_FULL_V - BATTERY_EMPTY_V)
        return struct.pack("<BBHB", 0x8A, 0x94, round(volts * ADC_PER_VOLT), 0x80)

    def _send(self, until_s: float) -> bool:
        motion = self._pull.due(until_s, wanted=self.streaming)
        if motion is not None and len(motion.time_s):
            self._send_motion(motion)
        return motion is not None

    def _send_motion(self, motion: Motion) -> None:
        packets = []
        bodies = zip(*(self._encoded(part, motion) for part in self.enabled), strict=True)
        for time_s, sent, parts in zip(motion.time_s.tolist(), motion.sent.tolist(), bodies, strict=True):
            ticks = round(self.clock_s(time_s) * TICK_HZ) & TICK_MASK
            if sent and not self._muted:
                packets.append(self._checked(DATA + ticks.to_bytes(3, "little") + b"".join(parts)))
        self.write_packets(packets, len(motion.time_s))

    def _encoded(self, part: Triad | Part, motion: Motion) -> list[bytes]:
        """Return the bytes of each sample of one part."""
        if isinstance(part, Part):
            return part.encode(motion.time_s)
        values = {"acc": motion.acc, "gyr": motion.gyr * DEG, "mag": motion.mag}[part.quantity]
        return [part.counts(value) for value in values.tolist()]
