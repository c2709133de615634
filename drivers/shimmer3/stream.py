"""Shimmer3 byte stream to packets: a serial port keeps no boundaries, and without check sums there is no sync word.

A data packet is 0x00, a time stamp, the channels. Zeros occur in the data too, so a packet counts only when the
element behind it is a packet whose stamp lies a whole number of sampling intervals later (or, with check sums on,
when its check sum is right). After a loss two such successors are asked for before anything is believed again.
A change that keeps the number of bytes cannot be seen without check sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

import numpy as np
from numpy.typing import NDArray

from drivers.errors import MalformedFrameError
from drivers.packet import Frame, Ticks
from drivers.shimmer3.protocol import (
    ACK,
    CHANNELS,
    CRC_START,
    DATA,
    INSTREAM,
    INSTREAM_BYTES,
    TICK_HZ,
    Channel,
    check_crc,
)

Bytes = NDArray[np.uint8]

STAMP_SLACK_TICKS = 2  # a stamp may be off the sampling grid by rounding
STAMP_SLACK = 0.01  # and, over a gap, by the fraction to which a divisor can approximate a rate
LONGEST_GAP_S = 10.0  # a longer pause is treated like a loss of sync, which costs one packet
NEAR_INTERVALS = 8  # a successor so near is proof; a farther one has to have a near successor itself
HUNT_SUCCESSORS = 2  # near successors in a row that end a hunt


@dataclass(frozen=True, slots=True)
class Layout:
    """Shape of the data packets of one connection.

    Attributes:
        channels: Channel numbers in packet order.
        divisor: Ticks from one sample to the next.
        stamp_bytes: 3, or 2 with old firmware.
        crc_bytes: Check sum bytes behind each packet: 0, 1 or 2.
    """

    channels: tuple[int, ...]
    divisor: int = 640
    stamp_bytes: int = 3
    crc_bytes: int = 0

    @property
    def size(self) -> int:
        """Bytes of one packet."""
        return 1 + self.stamp_bytes + sum(CHANNELS[c].width for c in self.channels) + self.crc_bytes

    @property
    def longest_gap(self) -> int:
        """Ticks between two stamps beyond which they say nothing about each other."""
        longest = min(round(LONGEST_GAP_S * TICK_HZ), 1 << (8 * self.stamp_bytes - 1))
        return max(longest, self.divisor + STAMP_SLACK_TICKS)

    def stamps(self, rows: Bytes) -> Ticks:
        """Time stamps of (n, at least 1 + stamp_bytes) packet heads."""
        return _number(rows[:, 1 : 1 + self.stamp_bytes], Channel("", self.stamp_bytes, signed=False))

    def values(self, rows: Bytes) -> dict[int, Ticks]:
        """Raw values by channel number of (n, size) packets."""
        found, at = {}, 1 + self.stamp_bytes
        for number in self.channels:
            channel = CHANNELS[number]
            found[number] = _number(rows[:, at : at + channel.width], channel)
            at += channel.width
        return found

    def plausible(self, steps: Ticks) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which steps from one stamp to the next (modulo the wrap) are few whole intervals, and which a longer gap."""
        steps = steps & ((1 << 8 * self.stamp_bytes) - 1)
        intervals = np.maximum(1, np.rint(steps / self.divisor))
        off = np.abs(steps - intervals * self.divisor)
        near: NDArray[np.bool_] = (steps > 0) & (intervals <= NEAR_INTERVALS)
        near &= off <= STAMP_SLACK_TICKS + STAMP_SLACK * steps
        far: NDArray[np.bool_] = (intervals > NEAR_INTERVALS) & (steps <= self.longest_gap)
        return near, far

    def steady(self, data: Bytes, begins: Ticks, lengths: Ticks) -> Ticks:
        """Return how many packets each stretch of bytes holds if it is plainly in step, and -1 where it is not.

        Plainly: packets and the beginning of one more, each proved by the next (or its check sum), from the first
        byte on. What `Splitter.scan` finds in a stretch in step is the same.
        """
        whole = self.size if self.crc_bytes else 1 + self.stamp_bytes
        heads = np.maximum(0, (lengths - whole) // self.size + 1)
        counts = heads if self.crc_bytes else np.maximum(0, heads - 1)
        owner = np.repeat(np.arange(len(begins)), heads)
        first = np.cumsum(heads) - heads
        at = begins[owner] + (np.arange(len(owner)) - first[owner]) * self.size
        rows = data[at[:, None] + np.arange(whole)]
        good = rows[:, 0] == DATA
        if self.crc_bytes:
            good &= checked(rows, self.crc_bytes)
        else:
            near, _ = self.plausible(np.diff(self.stamps(rows)))
            good[1:] &= near | (np.diff(owner) > 0)
        # What is left over, less than is asked of a packet, must begin like one.
        over = heads * self.size
        left = np.flatnonzero(lengths > over)
        counts[left[data[(begins + over)[left]] != DATA]] = -1
        counts[owner[~good]] = -1
        return counts


def parse_packet(data: bytes, layout: Layout) -> tuple[int, dict[str, int]]:
    """Time stamp and raw values by channel name of exactly one data packet.

    Raises:
        MalformedFrameError: if it is cut, too long, no data packet, or its check sum is wrong.
    """
    if len(data) != layout.size:
        raise MalformedFrameError("truncated packet" if len(data) < layout.size else "bytes behind the packet")
    if data[0] != DATA:
        raise MalformedFrameError("not a data packet")
    if layout.crc_bytes:
        check_crc(data, layout.crc_bytes)
    rows = np.frombuffer(data, np.uint8).reshape(1, -1)
    values = {CHANNELS[number].name: int(value[0]) for number, value in layout.values(rows).items()}
    return int(layout.stamps(rows)[0]), values


class Element(Enum):
    """What can begin at a byte of the stream."""

    PACKETS = auto()
    REPLY = auto()
    GARBAGE = auto()
    UNDECIDED = auto()  # not before more bytes have come


@dataclass(frozen=True, slots=True)
class Split:
    """What is found in the bytes of some connections of one layout.

    Attributes:
        rows: (n, size) bytes of whole packets, connection after connection.
        arrival_ns: (n,) arrival of the frame that completed each.
        ends: (k,) where the rows of each connection end.
        replies: (k,) in-stream replies of each, their acknowledgement (0xFF) included, with the arrival of the frame
            that completed each.
    """

    rows: Bytes
    arrival_ns: Ticks
    ends: list[int]
    replies: list[list[Frame]]


class Splitter:
    """Finds packets and replies in the bytes of one connection; the same ones in any chunking.

    Attributes:
        layout: Shape of the packets.
        synced: Whether the next byte is known to begin a packet or a reply.
    """

    def __init__(self, layout: Layout, faults: Counter[str]) -> None:
        self.layout = layout
        self.synced = True  # a stream begins with a packet
        self._faults = faults
        self._head = 1 + layout.stamp_bytes
        self._rest = b""
        self._rest_frames: list[tuple[int, int]] = []  # (end in the rest, arrival)

    def begin(self, frames: Sequence[Frame]) -> tuple[bytes, list[tuple[int, int]]]:
        """Return all bytes not yet decided, and where each frame ends in them with its arrival."""
        if not self._rest_frames and len(frames) == 1:
            return frames[0].data, [(len(frames[0].data), frames[0].arrival_ns)]
        parts, ends, end = [self._rest], self._rest_frames.copy(), len(self._rest)
        for frame in frames:
            end += len(frame.data)
            parts.append(frame.data)
            ends.append((end, frame.arrival_ns))
        return b"".join(parts), ends

    def keep(self, data: bytes, frames: list[tuple[int, int]], used: int) -> None:
        """Keep what lies behind the first ``used`` bytes of what `begin` returned."""
        self._rest = data[used:]
        self._rest_frames = [(end - used, arrival) for end, arrival in frames if end > used]

    def scan(self, data: Bytes) -> tuple[Ticks, list[tuple[int, int]], int]:
        """Return starts of packets, spans of replies, and how many bytes are done with."""
        starts = [np.empty(0, np.int64)]
        replies: list[tuple[int, int]] = []
        at = 0
        while at < len(data):
            kind, end = self._element(data, at)
            if kind is Element.UNDECIDED:
                break
            if kind is Element.PACKETS:
                starts.append(np.arange(at, end, self.layout.size, dtype=np.int64))
                self.synced = True
            elif kind is Element.REPLY:
                replies.append((at, end))
            else:
                end = self._skip(data, at)
            at = end
        return np.concatenate(starts), replies, at

    def _skip(self, data: Bytes, at: int) -> int:
        """Return where the next packet could begin, behind ``at``."""
        if self.synced:
            self._faults["lost sync"] += 1
        self.synced = False
        zeros = np.flatnonzero(data[at + 1 :] == DATA)
        end = at + 1 + int(zeros[0]) if len(zeros) else len(data)
        self._faults["bytes skipped while out of sync"] += end - at
        return end

    def _element(self, data: Bytes, at: int) -> tuple[Element, int]:
        """What begins at ``at``, and where it ends. More bytes may decide it, but never change a decision."""
        if data[at] == DATA:
            return self._checked(data, at) if self.layout.crc_bytes else self._followed(data, at)
        if self.synced and data[at] in (ACK, INSTREAM):
            return self._reply(data, at)
        return Element.GARBAGE, at

    def _followed(self, data: Bytes, at: int) -> tuple[Element, int]:
        """Packets from ``at`` that are proved by what follows them."""
        size, head = self.layout.size, self._head
        heads = max(0, (len(data) - at - head) // size + 1)
        if not self.synced:
            heads = min(heads, HUNT_SUCCESSORS + 1)
        rows = data[at + size * np.arange(heads)[:, None] + np.arange(head)]
        near, far = self.layout.plausible(np.diff(self.layout.stamps(rows)))
        near, far = near & (rows[1:, 0] == DATA), far & (rows[1:, 0] == DATA)
        proved = near.copy()
        if self.synced:
            proved[:-1] |= far[:-1] & near[1:]
        count = _leading(proved)
        if count >= (1 if self.synced else HUNT_SUCCESSORS):
            return Element.PACKETS, at + count * size
        # What the decision hangs on: the first head that has not been compared, or is no head.
        asked = (2 if far[:1].any() else 1) if self.synced else count + 1
        successor = at + asked * size
        if successor >= len(data):
            return Element.UNDECIDED, at
        if data[successor] == DATA:
            return Element.UNDECIDED if heads <= asked else Element.GARBAGE, at
        if self.synced and asked == 1 and data[successor] in (ACK, INSTREAM):
            return self._followed_by_reply(data, at, successor)
        return Element.GARBAGE, at

    def _followed_by_reply(self, data: Bytes, at: int, successor: int) -> tuple[Element, int]:
        while successor < len(data) and data[successor] in (ACK, INSTREAM):
            kind, successor = self._reply(data, successor)
            if kind is not Element.REPLY:
                return kind, at
        if successor + self._head > len(data):
            return Element.UNDECIDED, at
        rows = np.stack([data[at : at + self._head], data[successor : successor + self._head]])
        near, _ = self.layout.plausible(np.diff(self.layout.stamps(rows)))
        proved = rows[1, 0] == DATA and bool(near[0])
        return (Element.PACKETS, at + self.layout.size) if proved else (Element.GARBAGE, at)

    def _checked(self, data: Bytes, at: int) -> tuple[Element, int]:
        """Packets from ``at`` that are proved by their check sums."""
        size = self.layout.size
        whole = (len(data) - at) // size
        if not whole:
            return Element.UNDECIDED, at
        rows = data[at : at + whole * size].reshape(whole, size)
        good = (rows[:, 0] == DATA) & checked(rows, self.layout.crc_bytes)
        count = _leading(good)
        return (Element.PACKETS, at + count * size) if count else (Element.GARBAGE, at)

    def _reply(self, data: Bytes, at: int) -> tuple[Element, int]:
        """An acknowledgement, a reply, or both at ``at``."""
        begin = at + int(data[at] == ACK)
        if begin >= len(data):
            return Element.UNDECIDED, at
        if data[begin] != INSTREAM:
            return Element.REPLY, begin
        if begin + 1 >= len(data):
            return Element.UNDECIDED, at
        size = INSTREAM_BYTES.get(int(data[begin + 1]))
        if size is None:
            return Element.GARBAGE, at
        end = begin + size + self.layout.crc_bytes
        return (Element.REPLY, end) if end <= len(data) else (Element.UNDECIDED, at)


def split(splitters: Sequence[Splitter], frames: Sequence[Sequence[Frame]]) -> Split:
    """Take the next bytes of connections of one layout, of each at least one frame.

    Most connections are in step and bring nothing but packets; these are recognised all at once.
    """
    layout = splitters[0].layout
    begun = [splitter.begin(new) for splitter, new in zip(splitters, frames, strict=True)]
    lengths = np.array([len(data) for data, _ in begun], np.int64)
    begins = np.cumsum(lengths) - lengths
    data = np.frombuffer(b"".join([data for data, _ in begun]), np.uint8)
    counts = layout.steady(data, begins, lengths)
    used = counts * layout.size
    replies: list[list[Frame]] = [[] for _ in splitters]
    scanned: dict[int, Ticks] = {}
    for at, splitter in enumerate(splitters):
        if counts[at] < 0 or not splitter.synced:
            own, ends = begun[at]
            scanned[at], spans, used[at] = splitter.scan(np.frombuffer(own, np.uint8))
            counts[at] = len(scanned[at])
            replies[at] = [Frame(_arrival(ends, to), "reply", own[a:to]) for a, to in spans]
    for splitter, (own, ends), done in zip(splitters, begun, used.tolist(), strict=True):
        splitter.keep(own, ends, done)
    row_ends = np.cumsum(counts)
    starts = np.repeat(begins, counts) + layout.size * (np.arange(row_ends[-1]) - np.repeat(row_ends - counts, counts))
    for at, found in scanned.items():
        starts[row_ends[at] - counts[at] : row_ends[at]] = begins[at] + found
    frame_ends = np.array(
        [begin + end for (_, ends), begin in zip(begun, begins.tolist(), strict=True) for end, _ in ends]
    )
    arrivals = np.array([arrival for _, ends in begun for _, arrival in ends], np.int64)
    rows = data[starts[:, None] + np.arange(layout.size)]
    arrival_ns = arrivals[np.searchsorted(frame_ends, starts + layout.size - 1, side="right")]
    return Split(rows, arrival_ns, row_ends.tolist(), replies)


def _arrival(ends: list[tuple[int, int]], to: int) -> int:
    """Return the arrival of the frame that brought the byte before ``to``."""
    return next(arrival for end, arrival in ends if end >= to)


def _leading(proved: NDArray[np.bool_]) -> int:
    """How many are true before the first that is not."""
    return len(proved) if proved.all() else int(np.argmin(proved))


def checked(rows: Bytes, crc_bytes: int) -> NDArray[np.bool_]:
    """Which (n, size) packets end with the right check sum."""
    inner = rows.shape[1] - crc_bytes
    sums, good = crc16_rows(rows[:, :inner]), np.ones(len(rows), np.bool_)
    for i in range(crc_bytes):
        good &= rows[:, inner + i] == (sums >> (8 * i) & 0xFF)
    return good


def crc16_rows(rows: Bytes) -> Ticks:
    """Check sums of (n, bytes) rows at once; the same as `crc16` of each."""
    crc = np.full(len(rows), CRC_START, np.int64)
    columns = rows.astype(np.int64).T
    if len(columns) % 2:
        columns = np.concatenate([columns, np.zeros_like(columns[:1])])
    for column in columns:
        crc = (crc >> 8 | crc << 8) & 0xFFFF
        crc ^= column
        crc ^= (crc & 0xFF) >> 4
        crc ^= crc << 12 & 0xFFFF
        crc ^= (crc & 0xFF) << 5
    return crc


def _number(columns: Bytes, channel: Channel) -> Ticks:
    """Integers of (n, width) bytes."""
    order = range(channel.width)
    shifts = [8 * (channel.width - 1 - i if channel.big else i) for i in order]
    value = np.zeros(len(columns), np.int64)
    for i, shift in zip(order, shifts, strict=True):
        value |= columns[:, i].astype(np.int64) << shift
    if channel.signed:
        value -= (value >> (8 * channel.width - 1)) << 8 * channel.width
    return value
