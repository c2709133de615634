"""Frames of Polar's measurement data (FB005C82): the head, samples as they are, and samples as differences.

Facts: Polar, online_measurement.pdf v1.0 (August 2024), and the tests of polar-ble-sdk. All fields are little-endian. A
compressed frame begins with a whole sample; blocks of differences follow, each with a width in bits and a number of
samples, byte-aligned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.errors import MalformedFrameError
from drivers.gatt.record import MAX_BYTES

ECG, PPG, ACCELERATION, PPI, ROTATION, MAGNETIC_FIELD = 0, 1, 2, 3, 5, 6
SDK_MODE, LOCATION, PRESSURE, TEMPERATURE = 9, 10, 11, 12

TICK_HZ: Final = 1e9  # nanoseconds since 2000, 64 bits
TICK_BITS: Final = 62  # as many as there are for us: till the year 2146
UNIX_NS: Final = 946_684_800_000_000_000  # of the beginning of 2000

HEAD_BYTES: Final = 10
TYPE_BITS, DELTA_BIT = 0x3F, 0x80
WIDEST_BITS: Final = 32
PPI_BYTES: Final = 6

_G_MS2 = 9.80665
_DEGREE = np.pi / 180
_GAUSS_UT = 100.0
_HPA_PA = 100.0

Counts = NDArray[np.int64] | NDArray[np.float64]


class Layout(NamedTuple):
    """How samples of one kind of frame are written.

    Attributes:
        bits: Of a channel.
        channels: In a sample.
        scale: To the unit of the stream.
        floats: Whether a channel is a 32-bit float; differences are of its bit pattern.
    """

    bits: int
    channels: int
    scale: float
    floats: bool = False


_RAW: Final[Mapping[tuple[int, int], Layout]] = {
    (ECG, 0): Layout(24, 1, 1e-3),
    (ACCELERATION, 0): Layout(8, 3, 1e-3 * _G_MS2),
    (ACCELERATION, 1): Layout(16, 3, 1e-3 * _G_MS2),
    (ACCELERATION, 2): Layout(24, 3, 1e-3 * _G_MS2),
    (ROTATION, 0): Layout(16, 3, _DEGREE),
    (ROTATION, 1): Layout(32, 3, _DEGREE, floats=True),
    (MAGNETIC_FIELD, 0): Layout(16, 3, _GAUSS_UT),
    (MAGNETIC_FIELD, 1): Layout(16, 4, 1e-3 * _GAUSS_UT),
    (PPG, 0): Layout(24, 4, 1.0),
    (PRESSURE, 0): Layout(32, 1, _HPA_PA, floats=True),
    (TEMPERATURE, 0): Layout(32, 1, 1.0, floats=True),
}
_DELTA: Final[Mapping[tuple[int, int], Layout]] = {
    **_RAW,
    (ACCELERATION, 0): Layout(16, 3, _G_MS2),  # in g, where the frame of this number that is not compressed has mg
}


def layout(kind: int, frame_type: int, *, compressed: bool) -> Layout:
    """Return how samples are written; raises MalformedFrameError for a frame that nobody has described."""
    found = (_DELTA if compressed else _RAW).get((kind, frame_type))
    if found is None:
        raise MalformedFrameError("frame of an unknown kind")
    return found


class Interval(NamedTuple):
    """One interval between pulses, as it is sent.

    Attributes:
        heart_rate: Beats a minute; 0 while there is none.
        ppi_ms: The interval.
        error_ms: How far it may be off.
        flags: Bit 0 says that it is none (the wearer moved), bit 1 that the sensor touches the skin.
    """

    heart_rate: int
    ppi_ms: int
    error_ms: int
    flags: int


@dataclass(frozen=True, slots=True)
class PmdFrame:
    """One notification.

    Attributes:
        kind: Type of measurement.
        stamp: Of the last sample, nanoseconds since 2000; 0 where the device has none.
        frame_type: How samples are written.
        compressed: Whether they are differences.
        content: What follows the head.
    """

    kind: int
    stamp: int
    frame_type: int
    compressed: bool
    content: bytes


def parse_frame(data: bytes) -> PmdFrame:
    """Read the head; raises MalformedFrameError when it is cut or the frame longer than any."""
    if len(data) > MAX_BYTES:
        raise MalformedFrameError("oversized frame")
    if len(data) <= HEAD_BYTES:
        raise MalformedFrameError("truncated frame")
    shape = data[9]
    return PmdFrame(
        data[0] & TYPE_BITS,
        int.from_bytes(data[1:9], "little"),
        shape & ~DELTA_BIT,
        bool(shape & DELTA_BIT),
        data[HEAD_BYTES:],
    )


def counts(frame: PmdFrame) -> tuple[Counts, Layout]:
    """Return the samples (n, channels) as counts or floats, and their layout; raises MalformedFrameError."""
    written = layout(frame.kind, frame.frame_type, compressed=frame.compressed)
    integers = _differences(frame.content, written) if frame.compressed else _whole(frame.content, written)
    if not written.floats:
        return integers, written
    patterns = (integers & 0xFFFFFFFF).astype(np.uint32)
    return patterns.view(np.float32).astype(np.float64), written


def intervals(frame: PmdFrame) -> list[Interval]:
    """Return the intervals between pulses; raises MalformedFrameError."""
    if frame.compressed or frame.frame_type:
        raise MalformedFrameError("frame of an unknown kind")
    if len(frame.content) % PPI_BYTES:
        raise MalformedFrameError("truncated frame")
    rows = np.frombuffer(frame.content, np.dtype([("hr", "u1"), ("ms", "<u2"), ("error", "<u2"), ("flags", "u1")]))
    return [Interval(*row) for row in rows.tolist()]


def _whole(content: bytes, written: Layout) -> NDArray[np.int64]:
    size = written.bits // 8 * written.channels
    if len(content) % size:
        raise MalformedFrameError("truncated frame")
    return _signed(content, written.bits).reshape(-1, written.channels)


def _signed(content: bytes, bits: int) -> NDArray[np.int64]:
    """Return little-endian two's complements of so many bits, whole bytes each."""
    width = bits // 8
    padded = np.zeros((len(content) // width, 4), np.uint8)
    padded[:, 4 - width :] = np.frombuffer(content, np.uint8).reshape(-1, width)
    return (padded.view("<i4")[:, 0] >> (WIDEST_BITS - bits)).astype(np.int64)


def _differences(content: bytes, written: Layout) -> NDArray[np.int64]:
    size = written.bits // 8 * written.channels
    if len(content) < size:
        raise MalformedFrameError("truncated frame")
    parts = [_signed(content[:size], written.bits).reshape(1, -1)]
    at = size
    while at < len(content):
        if at + 2 > len(content):
            raise MalformedFrameError("truncated block of differences")
        width, samples = content[at], content[at + 1]
        end = at + 2 + (width * samples * written.channels + 7) // 8
        if width > WIDEST_BITS:
            raise MalformedFrameError("differences wider than any value")
        if end > len(content):
            raise MalformedFrameError("truncated block of differences")
        parts.append(_unpacked(content[at + 2 : end], width, samples * written.channels).reshape(-1, written.channels))
        at = end
    return np.cumsum(np.concatenate(parts), axis=0)


def _unpacked(packed: bytes, width: int, count: int) -> NDArray[np.int64]:
    """Return ``count`` two's complements of ``width`` bits, packed from the lowest bit on."""
    if not width:
        return np.zeros(count, np.int64)
    bits = np.unpackbits(np.frombuffer(packed, np.uint8), count=width * count, bitorder="little")
    weights = np.left_shift(1, np.arange(width, dtype=np.int64))
    weights[-1] = -weights[-1]
    unpacked: NDArray[np.int64] = bits.astype(np.int64).reshape(count, width) @ weights
    return unpacked
