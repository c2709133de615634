"""Shimmer3 LogAndStream: commands, replies, channels and check sums. Pure; no state.

Facts: ../shared/protocols/shimmer3.md as published by the vendor and its users; what rests on general knowledge is
marked so. Every command is acknowledged with 0xFF, then the reply follows.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from drivers.errors import MalformedFrameError

TICK_HZ = 32768.0

DATA = 0x00  # first byte of a data packet
ACK = 0xFF
INSTREAM = 0x8A  # first byte of a reply that may come between data packets

INQUIRY, INQUIRY_REPLY = 0x01, 0x02
GET_RATE, RATE_REPLY, SET_RATE = 0x03, 0x04, 0x05
START, STOP, START_LOGGING = 0x07, 0x20, 0x70
SET_SENSORS = 0x08
GET_FIRMWARE, FIRMWARE_REPLY = 0x2E, 0x2F
GET_HARDWARE, HARDWARE_REPLY = 0x3F, 0x25
GET_STATUS, STATUS_REPLY = 0x72, 0x71
GET_BATTERY, BATTERY_REPLY = 0x95, 0x94
SET_CLOCK, GET_CLOCK, CLOCK_REPLY = 0x8F, 0x91, 0x90
GET_CALIBRATION, CALIBRATION_REPLY, CALIBRATION_BYTES = 0x2C, 0x2D, 84
SET_EXG, EXG_REPLY, GET_EXG = 0x61, 0x62, 0x63
SET_NAME, NAME_REPLY, GET_NAME = 0x79, 0x7A, 0x7B
STATUS_ACK = 0xA3
SET_CRC = 0x8B

INSTREAM_BYTES = {STATUS_REPLY: 3, BATTERY_REPLY: 5}  # whole length, INSTREAM and type included
MAX_CHANNELS = 64  # more than any firmware has; keeps a broken inquiry reply from asking for a huge packet

STATUS_BITS = ("docked", "sensing", "rtc_set", "logging", "streaming", "sd_present", "sd_error", "red_led")
FIRMWARE_TYPES = {1: "BtStream", 2: "SDLog", 3: "LogAndStream"}  # 1 and 2 from general knowledge
HARDWARE = {3: "Shimmer3", 10: "Shimmer3R"}


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of a data packet.

    Attributes:
        name: As the peers name it.
        width: Bytes on the wire.
        signed: Two's complement.
        big: Big-endian.
    """

    name: str
    width: int = 2
    signed: bool = True
    big: bool = False


def _axes(name: str, first: int, *, big: bool = False) -> dict[int, Channel]:
    return {first + i: Channel(f"{name}_{axis}", big=big) for i, axis in enumerate("XYZ")}


def _exg(chip: int, first: int) -> dict[int, Channel]:
    names = (f"EXG{chip}_CH1_24BIT", f"EXG{chip}_CH2_24BIT")
    status = {first: Channel(f"EXG{chip}_STATUS", 1, signed=False)}
    return status | {first + 1 + i: Channel(name, 3, big=True) for i, name in enumerate(names)}


_ADC = ("EXTERNAL_ADC_A0", "EXTERNAL_ADC_A1", "EXTERNAL_ADC_A2", "INTERNAL_ADC_A3", "INTERNAL_ADC_A0",
        "INTERNAL_ADC_A1", "INTERNAL_ADC_A2")  # fmt: skip
_EXG16 = ("EXG1_CH1_16BIT", "EXG1_CH2_16BIT", "EXG2_CH1_16BIT", "EXG2_CH2_16BIT")

CHANNELS: Mapping[int, Channel] = (
    _axes("ACCEL_LN", 0x00)
    | {0x03: Channel("VBATT")}
    | _axes("ACCEL_WR", 0x04)
    | _axes("MAG_REG", 0x07)
    | _axes("GYRO", 0x0A, big=True)
    | {0x0D + i: Channel(name, signed=False) for i, name in enumerate(_ADC)}
    | _axes("ACCEL_HG", 0x14)  # 3R only, from general knowledge
    | _axes("MAG_WR", 0x17)  # 3R only, from general knowledge
    | {0x1A: Channel("TEMPERATURE", signed=False, big=True), 0x1B: Channel("PRESSURE", 3, signed=False, big=True)}
    | {0x1C: Channel("GSR_RAW", signed=False)}
    | _exg(1, 0x1D)
    | _exg(2, 0x20)
    | {0x23 + i: Channel(name, big=True) for i, name in enumerate(_EXG16)}
    | {0x27: Channel("STRAIN_HIGH", signed=False), 0x28: Channel("STRAIN_LOW", signed=False)}
)


@dataclass(frozen=True, slots=True)
class Inquiry:
    """How the device samples and what its packets hold.

    Attributes:
        divisor: Ticks from one sample to the next.
        config: The four configuration bytes as sent.
        buffer_size: As the device says; always 1.
        channels: Channel numbers in packet order.
    """

    divisor: int
    config: bytes
    buffer_size: int
    channels: tuple[int, ...]

    @property
    def rate_hz(self) -> float:
        """Samples a second."""
        return TICK_HZ / self.divisor

    @property
    def wide_range(self) -> int:
        """Range setting of the wide-range accelerometer (0 to 3); from general knowledge."""
        return self.config[0] >> 2 & 3

    @property
    def gyro_range(self) -> int:
        """Range setting of the gyroscope: 0 to 3 for 250, 500, 1000, 2000 deg/s; from general knowledge."""
        return self.config[2] & 3

    @property
    def mag_gain(self) -> int:
        """Gain setting of the magnetometer (1 to 7); from general knowledge."""
        return self.config[2] >> 5


@dataclass(frozen=True, slots=True)
class Battery:
    """Battery reply.

    Attributes:
        raw: 12-bit reading.
        charging: Status byte of the charger.
    """

    raw: int
    charging: int

    @property
    def volts(self) -> float:
        """Voltage of the cell: 3 V reference over a divider of 1.988 (vendor's user manual)."""
        return self.raw * 3.0 * 1.988 / 4095

    @property
    def percent(self) -> float:
        """State of charge of a resting lithium-polymer cell at this voltage, from general knowledge; coarse."""
        return float(np.interp(self.volts, *CHARGE_CURVE))


CHARGE_CURVE = (  # volts, percent
    (3.20, 3.50, 3.61, 3.69, 3.73, 3.77, 3.80, 3.84, 3.87, 3.95, 4.02, 4.11, 4.167),
    (0, 2, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100),
)


def body(reply: bytes, kind: int, size: int) -> bytes:
    """Return what follows the type byte of a reply of known size; raises MalformedFrameError."""
    if not reply or reply[0] != kind:
        raise MalformedFrameError("unexpected reply")
    if len(reply) != 1 + size:
        raise MalformedFrameError("truncated reply" if len(reply) < 1 + size else "bytes behind the reply")
    return reply[1:]


def instream_body(reply: bytes, kind: int) -> bytes:
    """Return the payload of a reply that begins with 0x8A; raises MalformedFrameError."""
    if not reply or reply[0] != INSTREAM:
        raise MalformedFrameError("unexpected reply")
    return body(reply[1:], kind, INSTREAM_BYTES[kind] - 2)


def parse_rate(reply: bytes) -> float:
    """Sampling rate in Hz from the reply to 0x03."""
    divisor: int = struct.unpack("<H", body(reply, RATE_REPLY, 2))[0]
    if not divisor:
        raise MalformedFrameError("impossible sampling rate")
    return TICK_HZ / divisor


def inquiry_bytes(head: bytes) -> int:
    """Whole length of an inquiry reply, from its first nine bytes."""
    return INQUIRY_HEAD + head[7]


INQUIRY_HEAD = 9  # type, divisor u16, configuration 4 bytes, channel count, buffer size


def parse_inquiry(reply: bytes) -> Inquiry:
    """Read an inquiry reply; raises MalformedFrameError when cut or with channels that no firmware has."""
    if len(reply) < INQUIRY_HEAD or reply[0] != INQUIRY_REPLY:
        raise MalformedFrameError("truncated inquiry reply" if reply[:1] == b"\x02" else "unexpected reply")
    if len(reply) != inquiry_bytes(reply):
        raise MalformedFrameError("inquiry reply of wrong length")
    (divisor,) = struct.unpack_from("<H", reply, 1)
    channels = tuple(reply[INQUIRY_HEAD:])
    if not divisor:
        raise MalformedFrameError("impossible sampling rate")
    if len(channels) > MAX_CHANNELS or not set(channels) <= set(CHANNELS):
        raise MalformedFrameError("unknown channel")
    return Inquiry(divisor, reply[3:7], reply[8], channels)


def parse_status(reply: bytes) -> dict[str, bool]:
    """State of the device by name of the bit, from the reply to 0x72."""
    status = instream_body(reply, STATUS_REPLY)[0]
    return {name: bool(status >> bit & 1) for bit, name in enumerate(STATUS_BITS)}


def parse_battery(reply: bytes) -> Battery:
    """Battery from the reply to 0x95."""
    return Battery(*struct.unpack("<HB", instream_body(reply, BATTERY_REPLY)))


def parse_firmware(reply: bytes) -> tuple[int, tuple[int, int, int]]:
    """Firmware type (see FIRMWARE_TYPES) and version from the reply to 0x2E."""
    kind, major, minor, internal = struct.unpack("<HHBB", body(reply, FIRMWARE_REPLY, 6))
    return kind, (major, minor, internal)


def parse_clock(reply: bytes) -> float:
    """Real-time clock in seconds from the reply to 0x91."""
    ticks: int = struct.unpack("<Q", body(reply, CLOCK_REPLY, 8))[0]
    return ticks / TICK_HZ


def rate_command(rate_hz: float) -> bytes:
    """Return the command that sets the sampling rate; raises ValueError outside 0.5 to 8192 Hz."""
    divisor = round(TICK_HZ / rate_hz)
    if not 4 <= divisor <= 0xFFFF:
        raise ValueError(f"a Shimmer3 cannot sample at {rate_hz:g} Hz")
    return struct.pack("<BH", SET_RATE, divisor)


CRC_START = 0xB0CA


def crc16(data: bytes) -> int:
    """Check sum of a packet or reply: CCITT in nibble form, an odd length padded with one zero byte."""
    crc = CRC_START
    for byte in data + bytes(len(data) % 2):
        crc = (crc >> 8 | crc << 8) & 0xFFFF
        crc ^= byte
        crc ^= (crc & 0xFF) >> 4
        crc ^= crc << 12 & 0xFFFF
        crc ^= (crc & 0xFF) << 5
    return crc


def check_crc(data: bytes, crc_bytes: int) -> bytes:
    """Return the data without its check sum; raises MalformedFrameError when that is wrong."""
    if len(data) <= crc_bytes:
        raise MalformedFrameError("truncated frame")
    inner = data[: len(data) - crc_bytes]
    if data[len(inner) :] != crc16(inner).to_bytes(2, "little")[:crc_bytes]:
        raise MalformedFrameError("wrong check sum")
    return inner
