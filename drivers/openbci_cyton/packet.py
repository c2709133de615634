"""A packet of a Cyton: 33 bytes, ``A0``, a counter, eight counts of 24 bits, six more bytes, and how to read those.

Facts: OpenBCI, Cyton Data Format. Everything is big-endian. ``C0``: acceleration, zeros where there is no new one.
``C3`` and ``C4``: a letter, one byte of acceleration (X, Y, Z the upper, x, y, z the lower one) and the board's time in
milliseconds; ``C5`` and ``C6``: two bytes of a user and that time; ``C1`` and ``C2``: six bytes of a user.
"""

from __future__ import annotations

import struct
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drivers.errors import MalformedFrameError

MARK: Final = b"\xa0"
PACKET: Final = np.dtype([("mark", "u1"), ("counter", "u1"), ("counts", "u1", (8, 3)), ("aux", "u1", 6), ("end", "u1")])
CHANNELS: Final = 8
WITH_ACCELERATION: Final = 0xC0
TIMED_ACCELERATION: Final = (0xC3, 0xC4)
TIMED: Final = (0xC3, 0xC4, 0xC5, 0xC6)
ENDS: Final = frozenset(range(0xC0, 0xC7))
WORDS: Final = struct.Struct(">3h")
AXES: Final = b"XxYyZz"

REFERENCE_V: Final = 4.5
FULL_SCALE: Final = (1 << 23) - 1
GAINS: Final = (1, 2, 4, 6, 8, 12, 24)
G_A_STEP: Final = 0.002 / 16


def volts_a_count(gain: float) -> float:
    """Return the voltage at the electrode for each count."""
    return REFERENCE_V / gain / FULL_SCALE


def holds(data: bytes) -> bool:
    """Whether 33 bytes that begin with the mark end as a packet does."""
    return data[-1] in ENDS


def counts_of(raw: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Return counts with sign, of bytes (..., 3)."""
    wide = raw.astype(np.int32)
    return ((wide[..., 0] << 24) | (wide[..., 1] << 16) | (wide[..., 2] << 8)) >> 8


def words_of(raw: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Return numbers of 16 bits with sign, of bytes (..., 2)."""
    return np.ascontiguousarray(raw).view(">i2")[..., 0].astype(np.int16)


def parse_packet(data: bytes, *, gain: float = 24.0) -> dict[str, Any]:
    """Return what one whole packet says, for people; raises MalformedFrameError."""
    if len(data) != PACKET.itemsize or not data.startswith(MARK) or not holds(data):
        raise MalformedFrameError("no whole packet")
    (row,) = np.frombuffer(data, PACKET)
    end, aux = int(row["end"]), bytes(row["aux"])
    volts = counts_of(row["counts"]) * volts_a_count(gain)
    found: dict[str, Any] = {"sample_number": int(row["counter"]), "eeg_volts": volts.tolist(), "stop": end}
    if end == WITH_ACCELERATION:
        found["accel_g"] = (words_of(row["aux"].reshape(3, 2)) * G_A_STEP).tolist()
    if end in TIMED_ACCELERATION:
        found |= {"accel_code": chr(aux[0]), "accel_byte": aux[1]}
    if end in TIMED:
        found["board_time_ms"] = found["board_time"] = int.from_bytes(aux[2:], "big")
    return found
