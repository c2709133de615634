"""What a Shimmer3 dialogue says: commands and replies to names and values, for people and tests."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from drivers.errors import MalformedFrameError
from drivers.shimmer3.protocol import (
    ACK,
    BATTERY_REPLY,
    CALIBRATION_BYTES,
    CALIBRATION_REPLY,
    CLOCK_REPLY,
    EXG_REPLY,
    FIRMWARE_REPLY,
    FIRMWARE_TYPES,
    GET_BATTERY,
    GET_CALIBRATION,
    GET_CLOCK,
    GET_EXG,
    GET_FIRMWARE,
    GET_HARDWARE,
    GET_NAME,
    GET_RATE,
    GET_STATUS,
    HARDWARE,
    HARDWARE_REPLY,
    INQUIRY,
    INQUIRY_HEAD,
    INQUIRY_REPLY,
    INSTREAM,
    INSTREAM_BYTES,
    NAME_REPLY,
    RATE_REPLY,
    SET_CLOCK,
    SET_CRC,
    SET_EXG,
    SET_NAME,
    SET_RATE,
    SET_SENSORS,
    START,
    START_LOGGING,
    STATUS_ACK,
    STATUS_REPLY,
    STOP,
    TICK_HZ,
    check_crc,
    inquiry_bytes,
    parse_battery,
    parse_clock,
    parse_firmware,
    parse_inquiry,
    parse_rate,
    parse_status,
)

Described = dict[str, Any]

_QUESTIONS = (INQUIRY, GET_RATE, START, STOP, START_LOGGING, GET_CALIBRATION, GET_FIRMWARE, GET_HARDWARE, GET_STATUS,
              GET_BATTERY, GET_CLOCK, GET_NAME)  # fmt: skip
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
    size = _size(inner)
    if len(inner) < size:
        raise MalformedFrameError("truncated frame")
    crc_bytes = len(inner) - size
    if not crc_bytes:
        return _meaning(inner)
    if crc_bytes > LONGEST_CRC:
        raise MalformedFrameError("bytes behind the frame")
    check_crc(packet, crc_bytes)
    return _meaning(inner[:size]) | {"crc_byte": packet[-crc_bytes], "crc_ok": True}


def _size(data: bytes) -> int:
    """Whole length of a command or reply, from as much of it as is there; raises MalformedFrameError."""
    kind = data[0]
    if kind in _QUESTIONS:
        return 1
    if kind == INQUIRY_REPLY:
        return inquiry_bytes(data) if len(data) >= INQUIRY_HEAD else INQUIRY_HEAD
    if kind == INSTREAM and len(data) > 1:
        return INSTREAM_BYTES.get(data[1], len(data))
    if kind in _COUNTED:
        at = _COUNTED[kind]
        return at + 1 + data[at] if len(data) > at else at + 1
    if kind in _FIXED:
        return 1 + _FIXED[kind]
    raise MalformedFrameError("unknown command or reply")


_COUNTED = {SET_NAME: 1, NAME_REPLY: 1, EXG_REPLY: 1, SET_EXG: 3}  # where the count of the bytes behind it stands
_FIXED = {  # bytes behind the first
    RATE_REPLY: 2, SET_RATE: 2, SET_SENSORS: 3, FIRMWARE_REPLY: 6, HARDWARE_REPLY: 1, CLOCK_REPLY: 8, SET_CLOCK: 8,
    CALIBRATION_REPLY: CALIBRATION_BYTES, STATUS_ACK: 1, SET_CRC: 1, GET_EXG: 3,
}  # fmt: skip


def _inquiry(data: bytes) -> Described:
    inquiry = parse_inquiry(data)
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
    """As stored: offset, sensitivity and alignment of low-noise accelerometer, gyroscope, magnetometer, wide range."""
    names = ("acc_ln", "gyr", "mag", "acc_wr")
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
    NAME_REPLY: lambda data: {"name": data[2:].decode("ascii", "replace")},
    SET_NAME: lambda data: {"name": data[2:].decode("ascii", "replace")},
    EXG_REPLY: _registers,
    SET_EXG: _registers,
    GET_EXG: _registers,
    STATUS_ACK: lambda data: {"enabled": bool(data[1])},
    SET_CRC: lambda data: {"crc_mode": data[1]},
}


def _meaning(data: bytes) -> Described:
    return _MEANINGS[data[0]](data) if data[0] in _MEANINGS else {"command": data[0]}
