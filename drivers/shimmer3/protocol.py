"""Shimmer3 and 3R LogAndStream: commands, replies and check sums. Pure; no state.

Facts: ../shared/protocols/shimmer3.md as published by the vendor and its users; what rests on general knowledge is
marked so. Every command is acknowledged with 0xFF, then the reply follows.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from drivers.errors import MalformedFrameError
from drivers.shimmer3.channels import SHIMMER3, SHIMMER3R, channel_table

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
GET_CALIBRATION, CALIBRATION_REPLY = 0x2C, 0x2D
CALIBRATION_BYTES, CALIBRATION_BYTES_3R = 84, 126  # of four sensors, and of six
GET_SERIAL, SERIAL_REPLY = 0x3E, 0x3D
GET_BOARD, BOARD_REPLY = 0x66, 0x65
GET_PRESSURE, PRESSURE_REPLY = 0xA7, 0xA6
GET_BMP280, BMP280_REPLY = 0xA0, 0x9F  # what firmware knew before it knew 0xA7
GET_BMP180, BMP180_REPLY = 0x59, 0x58
SET_EXG, EXG_REPLY, GET_EXG, EXG_REGISTERS = 0x61, 0x62, 0x63, 10
SET_EXPERIMENT, EXPERIMENT_REPLY, GET_EXPERIMENT = 0x7C, 0x7D, 0x7E
SET_CONFIG_TIME, CONFIG_TIME_REPLY, GET_CONFIG_TIME = 0x85, 0x86, 0x87
GET_GSR_RANGE, GSR_RANGE_REPLY, SET_GSR_RANGE = 0x23, 0x22, 0x21
LOG, STOP_LOG, STOP_LOGGING, TEST_CONNECTION = 0x92, 0x93, 0x97, 0x96
SET_NAME, NAME_REPLY, GET_NAME = 0x79, 0x7A, 0x7B
STATUS_ACK = 0xA3
SET_CRC = 0x8B

INSTREAM_BYTES = {STATUS_REPLY: 3, BATTERY_REPLY: 5}  # whole length, INSTREAM and type included
SECOND_STATUS_BYTE_FROM = (1, 0, 24)  # LogAndStream of a Shimmer3R: whether it is plugged in
MAX_CHANNELS = 64  # more than any firmware has; keeps a broken inquiry reply from asking for a huge packet

STATUS_BITS = ("docked", "sensing", "rtc_set", "logging", "streaming", "sd_present", "sd_error", "red_led")
FIRMWARE_TYPES = {1: "BtStream", 2: "SDLog", 3: "LogAndStream"}  # 1 and 2 from general knowledge
HARDWARE = {SHIMMER3: "Shimmer3", SHIMMER3R: "Shimmer3R"}
UNIQUE_BYTES = {SHIMMER3: 8, SHIMMER3R: 12}  # of the processor's own number


@dataclass(frozen=True, slots=True)
class Inquiry:
    """How the device samples and what its packets hold.

    Attributes:
        divisor: Ticks from one sample to the next.
        config: The configuration bytes as sent: four, and seven of a Shimmer3R.
        buffer_size: As the device says; always 1.
        channels: Channel numbers in packet order.
        hardware: Hardware version of the device.
    """

    divisor: int
    config: bytes
    buffer_size: int
    channels: tuple[int, ...]
    hardware: int = SHIMMER3

    @property
    def rate_hz(self) -> float:
        """Samples a second."""
        return TICK_HZ / self.divisor

    @property
    def wide_range(self) -> int:
        """Range setting of the wide-range accelerometer (0 to 3)."""
        return self.config[0] >> 2 & 3

    @property
    def low_noise_range(self) -> int:
        """Range setting of a Shimmer3R's low-noise accelerometer (0 to 3); a Shimmer3's has one range."""
        return self.config[3] >> 6

    @property
    def gyro_range(self) -> int:
        """Range setting of the gyroscope: 0 to 3 for 250 to 2000 deg/s, of a Shimmer3R 0 to 7, from 125 deg/s on."""
        low = self.config[2] & 3
        return low | (self.config[4] & 4 if self.hardware == SHIMMER3R else 0)

    @property
    def mag_gain(self) -> int:
        """Gain setting of the magnetometer (1 to 7); of a Shimmer3R's second one."""
        return self.config[2] >> 5

    @property
    def pressure_oversampling(self) -> int:
        """Setting of the pressure sensor (0 to 3)."""
        return self.config[3] >> 4 & 3


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


def inquiry_head(hardware: int = SHIMMER3) -> int:
    """How many bytes of an inquiry reply come before its channels."""
    return INQUIRY_HEAD + (EXTRA_CONFIG if hardware == SHIMMER3R else 0)


def inquiry_bytes(head: bytes, hardware: int = SHIMMER3) -> int:
    """Whole length of an inquiry reply, from what comes before its channels."""
    size = inquiry_head(hardware)
    return size + head[size - 2]


INQUIRY_HEAD = 9  # type, divisor u16, configuration 4 bytes, channel count, buffer size
EXTRA_CONFIG = 3  # bytes more of configuration from a Shimmer3R


def parse_inquiry(reply: bytes, hardware: int = SHIMMER3) -> Inquiry:
    """Read an inquiry reply; raises MalformedFrameError when cut or with channels that no firmware has."""
    head = inquiry_head(hardware)
    if len(reply) < head or reply[0] != INQUIRY_REPLY:
        raise MalformedFrameError("truncated inquiry reply" if reply[:1] == b"\x02" else "unexpected reply")
    if len(reply) != inquiry_bytes(reply, hardware):
        raise MalformedFrameError("inquiry reply of wrong length")
    (divisor,) = struct.unpack_from("<H", reply, 1)
    channels = tuple(reply[head:])
    if not divisor:
        raise MalformedFrameError("impossible sampling rate")
    if len(channels) > MAX_CHANNELS or not set(channels) <= set(channel_table(hardware, channels)):
        raise MalformedFrameError("unknown channel")
    return Inquiry(divisor, reply[3 : head - 2], reply[head - 1], channels, hardware)


def parse_hardware(reply: bytes) -> int:
    """Hardware version from the reply to 0x3F."""
    return body(reply, HARDWARE_REPLY, 1)[0]


def parse_status(reply: bytes) -> dict[str, bool]:
    """State of the device by name of the bit, from the reply to 0x72; a Shimmer3R has a byte more."""
    plugged = {"usb_plugged_in": bool(reply[3] & 1)} if len(reply) > INSTREAM_BYTES[STATUS_REPLY] else {}
    status = instream_body(reply[: INSTREAM_BYTES[STATUS_REPLY]], STATUS_REPLY)[0]
    return {name: bool(status >> bit & 1) for bit, name in enumerate(STATUS_BITS)} | plugged


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
