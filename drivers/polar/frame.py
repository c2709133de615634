"""Frames of Polar's measurement data (FB005C82): the head, samples as they are, and samples as differences.

Facts: Polar, online_measurement.pdf v1.0 (August 2024), and the tests of polar-ble-sdk. All fields are little-endian. A
compressed frame begins with a whole sample; blocks of differences follow, each with a width in bits and a number of
samples, byte-aligned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
MOST_SAMPLES: Final = 1024  # two seconds of the fastest there is; differences of no bits would fill a frame with 60,000
PPI_BYTES: Final = 6
_WORD_BYTES: Final = 5  # hold the widest difference wherever in a byte it begins

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


class PmdFrame(NamedTuple):
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


class Block(NamedTuple):
    """Differences of one width.

    Attributes:
        at: Where they begin in the content, bytes.
        width: Of each, bits.
        samples: How many.
    """

    at: int
    width: int
    samples: int


class Content(NamedTuple):
    """Samples of one frame that are whole, and not yet read.

    Attributes:
        data: The bytes.
        samples: How many there are.
        blocks: Where the differences are; none in a frame that is not compressed.
    """

    data: bytes
    samples: int
    blocks: tuple[Block, ...] = ()


def content_of(frame: PmdFrame) -> tuple[Content, Layout]:
    """Return what a frame holds, measured and not yet read, and its layout; raises MalformedFrameError.

    A frame tells how much work it makes: what no sensor sends would stop the gateway for everybody.
    """
    written = layout(frame.kind, frame.frame_type, compressed=frame.compressed)
    size, data = written.bits // 8 * written.channels, frame.content
    if not frame.compressed:
        if len(data) % size:
            raise MalformedFrameError("truncated frame")
        return Content(data, len(data) // size), written
    if len(data) < size:
        raise MalformedFrameError("truncated frame")
    blocks = tuple(_blocks(data, size, written.channels))
    samples = 1 + sum(block.samples for block in blocks)
    if samples > MOST_SAMPLES:
        raise MalformedFrameError("more samples than a frame can hold")
    return Content(data, samples, blocks), written


def _blocks(data: bytes, at: int, channels: int) -> Iterator[Block]:
    """Yield the blocks of differences from a place on. Raises MalformedFrameError."""
    while at < len(data):
        if at + 2 > len(data):
            raise MalformedFrameError("truncated block of differences")
        width, samples = data[at], data[at + 1]
        if width > WIDEST_BITS:
            raise MalformedFrameError("differences wider than any value")
        yield Block(at + 2, width, samples)
        at += 2 + (width * samples * channels + 7) // 8
    if at > len(data):
        raise MalformedFrameError("truncated block of differences")


def read(contents: Sequence[Content], written: Layout, *, compressed: bool) -> Counts:
    """Return the samples (n, channels) of frames of one layout, one behind the other, as counts or floats."""
    if compressed:
        integers = _summed(contents, written)
    else:
        integers = _signed(b"".join([each.data for each in contents]), written.bits).reshape(-1, written.channels)
    if not written.floats:
        return integers
    patterns = (integers & 0xFFFFFFFF).astype(np.uint32)
    with np.errstate(invalid="ignore"):  # any bytes may come: a NaN that signals is one like the others
        return patterns.view(np.float32).astype(np.float64)


def counts(frame: PmdFrame) -> tuple[Counts, Layout]:
    """Return the samples of one frame and their layout; raises MalformedFrameError."""
    content, written = content_of(frame)
    return read([content], written, compressed=frame.compressed), written


def intervals(frame: PmdFrame) -> list[Interval]:
    """Return the intervals between pulses; raises MalformedFrameError."""
    if frame.compressed or frame.frame_type:
        raise MalformedFrameError("frame of an unknown kind")
    if len(frame.content) % PPI_BYTES:
        raise MalformedFrameError("truncated frame")
    rows = np.frombuffer(frame.content, np.dtype([("hr", "u1"), ("ms", "<u2"), ("error", "<u2"), ("flags", "u1")]))
    return [Interval(*row) for row in rows.tolist()]


def _signed(content: bytes, bits: int) -> NDArray[np.int64]:
    """Return little-endian two's complements of so many bits, whole bytes each."""
    width = bits // 8
    padded = np.zeros((len(content) // width, 4), np.uint8)
    padded[:, 4 - width :] = np.frombuffer(content, np.uint8).reshape(-1, width)
    return (padded.view("<i4")[:, 0] >> (WIDEST_BITS - bits)).astype(np.int64)


def _summed(contents: Sequence[Content], written: Layout) -> NDArray[np.int64]:
    """Return the samples of frames that each begin with a whole one, behind which differences are added up."""
    channels, size = written.channels, written.bits // 8 * written.channels
    many = np.array([each.samples for each in contents], np.int64)
    begins = np.cumsum(many) - many
    steps = np.empty((int(many.sum()), channels), np.int64)
    whole = np.zeros(len(steps), np.bool_)
    whole[begins] = True
    steps[whole] = _signed(b"".join([each.data[:size] for each in contents]), written.bits).reshape(-1, channels)
    steps[~whole] = _differences(contents, channels).reshape(-1, channels)
    sums: NDArray[np.int64] = np.cumsum(steps, axis=0)
    before = sums[begins] - steps[begins]  # what the frames before have added up to
    sums -= np.repeat(before, many, axis=0)
    return sums


def _differences(contents: Sequence[Content], channels: int) -> NDArray[np.int64]:
    """Return the two's complements of all blocks of all frames, unpacked from their lowest bits on."""
    joined = np.frombuffer(b"".join([each.data for each in contents]) + bytes(_WORD_BYTES), np.uint8)
    rows = []
    at = 0
    for each in contents:
        rows += [(8 * (at + block.at), block.width, block.samples * channels) for block in each.blocks]
        at += len(each.data)
    if not rows:
        return np.zeros(0, np.int64)
    first, width, count = np.array(rows, np.int64).T
    widths = np.repeat(width, count)
    place = np.arange(len(widths)) - np.repeat(np.cumsum(count) - count, count)
    bit = np.repeat(first, count) + place * widths
    byte = bit >> 3
    words = np.zeros(len(byte), np.int64)
    for n in range(_WORD_BYTES):
        words |= joined[byte + n].astype(np.int64) << 8 * n
    highest = np.left_shift(1, widths) >> 1
    values: NDArray[np.int64] = (words >> (bit & 7)) & (np.left_shift(1, widths) - 1)
    values ^= highest  # the highest bit is the sign
    values -= highest
    return values
