"""What a Shimmer3 dialogue says: commands and replies to names and values, for people and tests."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drivers.errors import MalformedFrameError
from drivers.shimmer3.calibration import ORDER, ORDER_3R
from drivers.shimmer3.pressure import BMP180, BMP280, COEFFICIENT_BYTES, parse_barometer
from drivers.shimmer3.protocol import (
    ACK,
    BATTERY_REPLY,
    BMP180_REPLY,
    BMP280_REPLY,
    BOARD_REPLY,
    CALIBRATION_BYTES,
    CALIBRATION_BYTES_3R,
    CALIBRATION_REPLY,
    CLOCK_REPLY,
    CONFIG_TIME_REPLY,
    EXG_REPLY,
    EXPERIMENT_REPLY,
    FIRMWARE_REPLY,
    FIRMWARE_TYPES,
    GET_BATTERY,
    GET_BMP180,
    GET_BMP280,
    GET_BOARD,
    GET_CALIBRATION,
    GET_CLOCK,
    GET_CONFIG_TIME,
    GET_EXG,
    GET_EXPERIMENT,
    GET_FIRMWARE,
    GET_GSR_RANGE,
    GET_HARDWARE,
    GET_NAME,
    GET_PRESSURE,
    GET_RATE,
    GET_SERIAL,
    GET_STATUS,
    GSR_RANGE_REPLY,
    HARDWARE,
    HARDWARE_REPLY,
    INQUIRY,
    INQUIRY_REPLY,
    INSTREAM,
    INSTREAM_BYTES,
    LOG,
    NAME_REPLY,
    PRESSURE_REPLY,
    RATE_REPLY,
    SERIAL_REPLY,
    SET_CLOCK,
    SET_CONFIG_TIME,
    SET_CRC,
    SET_EXG,
    SET_EXPERIMENT,
    SET_GSR_RANGE,
    SET_NAME,
    SET_RATE,
    SET_SENSORS,
    START,
    START_LOGGING,
    STATUS_ACK,
    STATUS_REPLY,
    STOP,
    STOP_LOG,
    STOP_LOGGING,
    TEST_CONNECTION,
    TICK_HZ,
    UNIQUE_BYTES,
    check_crc,
    inquiry_bytes,
    inquiry_head,
    parse_battery,
    parse_clock,
    parse_firmware,
    parse_inquiry,
    parse_rate,
    parse_status,
)

Described = dict[str, Any]

_QUESTIONS = (
    INQUIRY, GET_RATE, START, STOP, START_LOGGING, GET_CALIBRATION, GET_FIRMWARE, GET_HARDWARE, GET_STATUS, GET_BATTERY,
    GET_CLOCK, GET_NAME, GET_SERIAL, GET_PRESSURE, GET_BMP280, GET_BMP180, GET_EXPERIMENT, GET_CONFIG_TIME,
    GET_GSR_RANGE, LOG, STOP_LOG, STOP_LOGGING, TEST_CONNECTION,
)  # fmt: skip
LONGEST_CRC = 2


def describe(packets: Sequence[bytes]) -> Described:
    """Return what commands and replies in order say, later ones over earlier ones.

    A reply may follow its acknowledgement (0xFF) and carry a check sum of one or two bytes (``crc_byte``).

    Raises:
        MalformedFrameError: for what is cut, unknown, or fails its check sum.
    """
    described: Described = {}
    statuses: list[int] = []
    for packet in packets:
        described |= _describe(packet)
        if "status_byte" in described:
            statuses.append(described.pop("status_byte"))
    return described | ({"status_bytes": statuses} if statuses else {})


def _describe(packet: bytes) -> Described:
    inner = packet[1:] if len(packet) > 1 and packet[0] == ACK else packet
    if not inner:
        raise MalformedFrameError("empty frame")
    if inner == bytes((ACK,)):
        return {"acknowledged": True}
    size = _size(packet, inner)
    crc_bytes = len(inner) - size
    if not crc_bytes:
        return _meaning(inner)
    return _meaning(inner[:size]) | {"crc_byte": packet[-crc_bytes], "crc_ok": True}


def _size(packet: bytes, inner: bytes) -> int:
    """Length of a command or reply without its check sum; raises MalformedFrameError.

    A few replies of a Shimmer3R are longer: one is taken for that only where it is none of a Shimmer3.
    """
    sizes = _sizes(inner)
    if len(inner) == sizes[0]:
        return sizes[0]
    refused: MalformedFrameError | None = None
    for size in sizes:
        if 0 < len(inner) - size <= LONGEST_CRC:
            try:
                check_crc(packet, len(inner) - size)
            except MalformedFrameError as problem:
                refused = refused or problem
            else:
                return size
    if len(inner) in sizes:
        return len(inner)
    if refused is not None:
        raise refused
    raise MalformedFrameError("truncated frame" if len(inner) < max(sizes) else "bytes behind the frame")


def _sizes(data: bytes) -> tuple[int, ...]:
    """Whole length of a command or reply by what is there of it: of a Shimmer3, then of a 3R where it differs."""
    kind = data[0]
    if kind in _QUESTIONS:
        return (1,)
    if kind == INQUIRY_REPLY:
        return tuple(
            inquiry_bytes(data, version) if len(data) >= inquiry_head(version) else inquiry_head(version)
            for version in HARDWARE
        )
    if kind == INSTREAM and len(data) > 1:
        size = INSTREAM_BYTES.get(data[1], len(data))
        return (size, size + 1) if data[1] == STATUS_REPLY else (size,)
    if kind in _COUNTED:
        at = _COUNTED[kind]
        return (at + 1 + data[at] if len(data) > at else at + 1,)
    if kind in _FIXED:
        return tuple(1 + size for size in _FIXED[kind])
    raise MalformedFrameError("unknown command or reply")


_COUNTED = {  # where the count of the bytes behind it stands
    SET_NAME: 1, NAME_REPLY: 1, SET_EXPERIMENT: 1, EXPERIMENT_REPLY: 1, SET_CONFIG_TIME: 1, CONFIG_TIME_REPLY: 1,
    EXG_REPLY: 1, SET_EXG: 3, PRESSURE_REPLY: 1, BOARD_REPLY: 1,
}  # fmt: skip
_FIXED = {  # bytes behind the first
    RATE_REPLY: (2,), SET_RATE: (2,), SET_SENSORS: (3,), FIRMWARE_REPLY: (6,), HARDWARE_REPLY: (1,), CLOCK_REPLY: (8,),
    SET_CLOCK: (8,), CALIBRATION_REPLY: (CALIBRATION_BYTES, CALIBRATION_BYTES_3R), STATUS_ACK: (1,), SET_CRC: (1,),
    GET_EXG: (3,), SERIAL_REPLY: tuple(UNIQUE_BYTES.values()), GSR_RANGE_REPLY: (1,), SET_GSR_RANGE: (1,),
    GET_BOARD: (2,), BMP280_REPLY: (COEFFICIENT_BYTES[BMP280],), BMP180_REPLY: (COEFFICIENT_BYTES[BMP180],),
}  # fmt: skip


def _inquiry(data: bytes) -> Described:
    inquiry = parse_inquiry(data, next(each for each in HARDWARE if len(data) == inquiry_bytes(data, each)))
    return {
        "hz": inquiry.rate_hz,
        "config_bytes_le": inquiry.config.hex(),
        "n_channels": len(inquiry.channels),
        "buffer_size": inquiry.buffer_size,
        "channels": list(inquiry.channels),
    }


def _firmware(data: bytes) -> Described:
    kind, version = parse_firmware(data)
    return {"type": FIRMWARE_TYPES.get(kind, str(kind)), "version": list(version)}


def _instream(data: bytes) -> Described:
    if data[1:2] == bytes((STATUS_REPLY,)):
        return {**parse_status(data), "status_byte": data[2]}
    if data[1:2] == bytes((BATTERY_REPLY,)):
        battery = parse_battery(data)
        return {"percent": battery.percent, "volts": battery.volts, "raw": battery.raw, "charging": battery.charging}
    raise MalformedFrameError("unknown in-stream reply")


def _calibration(data: bytes) -> Described:
    """As stored: offset, sensitivity and alignment of each sensor."""
    names = ORDER_3R if len(data) > 1 + CALIBRATION_BYTES else ORDER
    parts = [struct.unpack(">6h9b", data[1 + 21 * i : 22 + 21 * i]) for i in range(len(names))]
    return {
        name: {"offset": list(part[:3]), "sensitivity": list(part[3:6]), "alignment": [a / 100 for a in part[6:]]}
        for name, part in zip(names, parts, strict=True)
    }


def _rate_setting(data: bytes) -> Described:
    return {"hz": parse_rate(bytes((RATE_REPLY,)) + data[1:])}


def _registers(data: bytes) -> Described:
    if data[0] == EXG_REPLY:
        return {"registers": data[2:].hex()}
    return {"chip": data[1], "offset": data[2], "count": data[3], "registers": data[4:].hex()}


def _text(key: str) -> Callable[[bytes], Described]:
    return lambda data: {key: data[2:].decode("ascii", "replace")}


def _config_time(data: bytes) -> Described:
    text = data[2:].decode("ascii", "replace")
    return {"config_time": int(text) if text.isascii() and text.isdigit() else text}


def _barometer(data: bytes) -> Described:
    barometer = parse_barometer(data)
    return {"sensor": barometer.kind, "coefficients": barometer.coefficients.hex()}


def _board(data: bytes) -> Described:
    keys = ("board", "revision", "special_revision")
    return dict(zip(keys, data[2:], strict=False)) | {"bytes": data[2:].hex()}


_MEANINGS: Mapping[int, Callable[[bytes], Described]] = {
    INQUIRY_REPLY: _inquiry,
    FIRMWARE_REPLY: _firmware,
    INSTREAM: _instream,
    CALIBRATION_REPLY: _calibration,
    RATE_REPLY: lambda data: {"hz": parse_rate(data)},
    SET_RATE: _rate_setting,
    CLOCK_REPLY: lambda data: {"seconds": parse_clock(data)},
    SET_CLOCK: lambda data: {"seconds": int.from_bytes(data[1:], "little") / TICK_HZ},
    SET_SENSORS: lambda data: {"sensors": int.from_bytes(data[1:], "little")},
    HARDWARE_REPLY: lambda data: {"hardware": HARDWARE.get(data[1], str(data[1])), "hardware_version": data[1]},
    NAME_REPLY: _text("name"),
    SET_NAME: _text("name"),
    EXPERIMENT_REPLY: _text("experiment"),
    SET_EXPERIMENT: _text("experiment"),
    CONFIG_TIME_REPLY: _config_time,
    SET_CONFIG_TIME: _config_time,
    SERIAL_REPLY: lambda data: {"serial": data[1:].hex()},
    GSR_RANGE_REPLY: lambda data: {"gsr_range": data[1]},
    SET_GSR_RANGE: lambda data: {"gsr_range": data[1]},
    PRESSURE_REPLY: _barometer,
    BMP280_REPLY: _barometer,
    BMP180_REPLY: _barometer,
    BOARD_REPLY: _board,
    EXG_REPLY: _registers,
    SET_EXG: _registers,
    GET_EXG: _registers,
    STATUS_ACK: lambda data: {"enabled": bool(data[1])},
    SET_CRC: lambda data: {"crc_mode": data[1]},
}


def _meaning(data: bytes) -> Described:
    return _MEANINGS[data[0]](data) if data[0] in _MEANINGS else {"command": data[0]}
