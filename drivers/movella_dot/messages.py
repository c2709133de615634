"""Movella DOT message service (characteristics 7001 to 7003): recording, synchronisation and configuration messages.

A message is identifier, length, data, checksum; all its bytes add up to 0 modulo 256. Facts: XD0506P rev C,
section 5 (its two StartRecording examples have wrong checksums).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

from drivers.errors import MalformedFrameError

RECORDING, SYNCHRONISATION, CONFIGURATION = 1, 2, 3  # message identifiers
MAX_DATA = 157

ACKNOWLEDGE = 0x01  # of a recording message
START_RECORDING, RECORDING_TIME = 0x40, 0x43
REQUEST_FILE_INFO, REQUEST_FILE_DATA, SELECT_EXPORT = 0x60, 0x70, 0x74
EXPORT_FILE_DATA, RETRANSMIT, EXPORT_FILE_INVALID, ERASE_FLASH = 0x71, 0x75, 0x76, 0x30
START_SYNC, STOP_SYNC, SYNC_ACKNOWLEDGE, SYNC_STATUS = 0x01, 0x02, 0x03, 0x08
STOP_SYNC_RESULT, SYNC_STATUS_VALUE = 0x50, 0x51

SYNCED, NOT_SYNCED = 4, 9  # values of SYNC_STATUS_VALUE


@dataclass(frozen=True, slots=True)
class Message:
    """One message: what it is about, its sub-identifier, and the data behind that.

    Attributes:
        mid: RECORDING, SYNCHRONISATION or CONFIGURATION.
        kind: First byte of the data (ReID, SyID, ConfigID).
        data: The rest.
    """

    mid: int
    kind: int
    data: bytes = b""

    def encode(self) -> bytes:
        """Return the bytes with length and checksum."""
        body = bytes((self.mid, 1 + len(self.data), self.kind)) + self.data
        return body + bytes((-sum(body) & 0xFF,))

    def fields(self) -> dict[str, Any]:
        """Return what the data mean, by name; raises MalformedFrameError when they are too short."""
        try:
            if self.mid == RECORDING:
                return {"mid": self.mid, "reid": self.kind} | _recording(self.kind, self.data)
            if self.mid == SYNCHRONISATION:
                return {"mid": self.mid, "syid": self.kind} | _synchronisation(self.kind, self.data)
        except (struct.error, IndexError) as problem:
            raise MalformedFrameError("truncated message") from problem
        return {"mid": self.mid, "config_id": self.kind, "data": self.data.hex()}


def parse_message(data: bytes) -> Message:
    """Check and take apart one message; zeros that pad a fixed-length characteristic are ignored.

    Raises:
        MalformedFrameError: if it is cut, its checksum is wrong, or it is of no known kind.
    """
    if len(data) < 3:
        raise MalformedFrameError("truncated message")
    mid, count = data[0], data[1]
    if mid not in (RECORDING, SYNCHRONISATION, CONFIGURATION):
        raise MalformedFrameError("unknown message identifier")
    if not 1 <= count <= MAX_DATA:
        raise MalformedFrameError("impossible message length")
    size = count + 3
    if len(data) < size:
        raise MalformedFrameError("truncated message")
    if any(data[size:]):
        raise MalformedFrameError("bytes behind the message")
    if sum(data[:size]) & 0xFF:
        raise MalformedFrameError("wrong checksum")
    return Message(mid, data[2], data[3 : size - 1])


def start_sync(root_address: str) -> bytes:
    """Return the message that starts radio synchronisation with the sensor at ``root_address`` as root."""
    return Message(SYNCHRONISATION, START_SYNC, bytes.fromhex(root_address.replace(":", ""))[::-1]).encode()


def stop_sync() -> bytes:
    """Return the message that ends radio synchronisation."""
    return Message(SYNCHRONISATION, STOP_SYNC).encode()


def sync_status() -> bytes:
    """Return the message that asks whether the sensor is synchronised."""
    return Message(SYNCHRONISATION, SYNC_STATUS).encode()


_RECORDING_FIELDS = {  # ReID: names and wire format of the fixed fields
    START_RECORDING: (("start_utc", "duration_s"), "<IH"),
    RECORDING_TIME: (("start_utc", "total_s", "remaining_s"), "<IHH"),
    ERASE_FLASH: (("erase_utc",), "<I"),
    REQUEST_FILE_INFO: (("file_index",), "<B"),
    REQUEST_FILE_DATA: (("file_index",), "<B"),
    EXPORT_FILE_DATA: (("number",), "<I"),
    RETRANSMIT: (("number",), "<I"),
    EXPORT_FILE_INVALID: (("number",), "<I"),
}


def _recording(kind: int, data: bytes) -> dict[str, Any]:
    if kind == ACKNOWLEDGE:
        return {"result": data[0], "echo": data[1:].hex()}
    if kind == SELECT_EXPORT:
        return {"fields": list(data)}
    names, layout = _RECORDING_FIELDS.get(kind, ((), "<"))
    values = struct.unpack_from(layout, data)
    return dict(zip(names, values, strict=True)) | {"data": data[struct.calcsize(layout) :].hex()}


def _synchronisation(kind: int, data: bytes) -> dict[str, Any]:
    if kind == START_SYNC:
        if len(data) < 6:
            raise MalformedFrameError("truncated message")
        return {"root_mac": data[5::-1].hex(":").upper()}
    if kind == SYNC_ACKNOWLEDGE:
        return {"result": data[0], "echo": data[1:].hex()}
    if kind == STOP_SYNC_RESULT:
        return {"result": data[0]}
    if kind == SYNC_STATUS_VALUE:
        return {"value": data[0]}
    return {"data": data.hex()}
