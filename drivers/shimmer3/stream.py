"""Shimmer3 byte stream to packets: a serial port keeps no boundaries, and without check sums there is no sync word.

A data packet is 0x00, a time stamp, the channels. Zeros occur in the data too, so a packet counts only when the
element behind it is a packet whose stamp lies a whole number of sampling intervals later (or, with check sums on,
when its check sum is right). After a loss two such successors are asked for before anything is believed again.
A change that keeps the number of bytes cannot be seen without check sums.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from itertools import accumulate, chain

import numpy as np
from numpy.typing import NDArray

from drivers.errors import MalformedFrameError
from drivers.packet import Samples, Ticks
from drivers.shimmer3.channels import SHIMMER3, Channel, channel_table
from drivers.shimmer3.protocol import (
    ACK,
    CRC_START,
    DATA,
    INSTREAM,
    INSTREAM_BYTES,
    STATUS_REPLY,
    TICK_HZ,
    check_crc,
)

Bytes = NDArray[np.uint8]

STAMP_SLACK_TICKS = 2  # a stamp may be off the sampling grid by rounding
STAMP_SLACK = 0.01  # and, over a gap, by the fraction to which a divisor can approximate a rate
LONGEST_GAP_S = 10.0  # a longer pause is treated like a loss of sync, which costs one packet
NEAR_INTERVALS = 8  # a successor so near is proof; a farther one has to have a near successor itself
MOST_LAYOUTS = 256  # that are remembered: more than a ward has of devices that are set up differently
HUNT_SUCCESSORS = 2  # near successors in a row that end a hunt


@dataclass(frozen=True, slots=True)
class Layout:
    """Shape of the data packets of one connection.

    Attributes:
        channels: Channel numbers in packet order.
        divisor: Ticks from one sample to the next.
        stamp_bytes: 3, or 2 with old firmware.
        crc_bytes: Check sum bytes behind each packet: 0, 1 or 2.
        hardware: Hardware version of the device.
        status_bytes: Of its status in a reply: 1, or 2.
    """

    channels: tuple[int, ...]
    divisor: int = 640
    stamp_bytes: int = 3
    crc_bytes: int = 0
    hardware: int = SHIMMER3
    status_bytes: int = 1

    @property
    def size(self) -> int:
        """Bytes of one packet."""
        return _size(self)

    @property
    def places(self) -> Mapping[int, tuple[int, Channel]]:
        """Where each channel begins in a packet, and what it is."""
        return _places(self)

    def reply_bytes(self, kind: int) -> int | None:
        """Whole length of a reply between data packets; None for a kind there is not."""
        size = INSTREAM_BYTES.get(kind)
        return size + self.status_bytes - 1 if kind == STATUS_REPLY and size else size

    @property
    def longest_gap(self) -> int:
        """Ticks between two stamps beyond which they say nothing about each other."""
        longest = min(round(LONGEST_GAP_S * TICK_HZ), 1 << (8 * self.stamp_bytes - 1))
        return max(longest, self.divisor + STAMP_SLACK_TICKS)

    def stamps(self, rows: Bytes) -> Ticks:
        """Time stamps of (n, at least 1 + stamp_bytes) packet heads."""
        value = rows[:, 1].astype(np.int64)
        for i in range(1, self.stamp_bytes):
            value |= rows[:, 1 + i].astype(np.int64) << 8 * i
        return value

    def values(self, rows: Bytes) -> dict[int, Ticks]:
        """Raw values by channel number of (n, size) packets."""
        return {number: self.raw(rows, (number,))[:, 0] for number in self.channels}

    def raw(self, rows: Bytes, numbers: Sequence[int]) -> Ticks:
        """Raw values (n, numbers) of (n, size) packets: of channels of one width, byte order and sign."""
        begins, channel = [self.places[number][0] for number in numbers], self.places[numbers[0]][1]
        order = np.arange(channel.width)
        weights = 256 ** (order[::-1] if channel.big else order)
        value: Ticks = rows[:, np.add.outer(begins, order)].astype(np.int64) @ weights
        if channel.signed:
            value -= (value >> (8 * channel.width - 1)) << 8 * channel.width
        return value >> channel.shift

    def axes(self, rows: Bytes, sensors: Sequence[tuple[int, ...]]) -> Samples:
        """Raw values (n, sensors, 3) of (n, size) packets: of the channels of sensors' axes, of 16 bits each."""
        numbers = tuple(chain.from_iterable(sensors))
        packets = rows.view(_fields(self, numbers))[:, 0]
        found = np.empty((len(rows), 3 * len(sensors)))
        for i, (name, number) in enumerate(zip(packets.dtype.names or (), numbers, strict=True)):
            shift = self.places[number][1].shift
            found[:, i] = packets[name] >> shift if shift else packets[name]
        return found.reshape(len(rows), len(sensors), 3)

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


@lru_cache(MOST_LAYOUTS)
def _places(layout: Layout) -> Mapping[int, tuple[int, Channel]]:
    table = channel_table(layout.hardware, layout.channels)
    kinds = [table[number] for number in layout.channels]
    begins = accumulate((kind.width for kind in kinds), initial=1 + layout.stamp_bytes)
    return dict(zip(layout.channels, zip(begins, kinds, strict=False), strict=True))


@lru_cache(MOST_LAYOUTS)
def _size(layout: Layout) -> int:
    table = channel_table(layout.hardware, layout.channels)
    return 1 + layout.stamp_bytes + sum(table[number].width for number in layout.channels) + layout.crc_bytes


@lru_cache(MOST_LAYOUTS)
def _fields(layout: Layout, channels: tuple[int, ...]) -> np.dtype[np.void]:
    """Return the structured type of a packet's bytes, with some of its channels, of 16 bits each."""
    places = [layout.places[number] for number in channels]
    return np.dtype(
        {
            "names": [channel.name for _, channel in places],
            "formats": [">i2" if channel.big else "<i2" for _, channel in places],
            "offsets": [begin for begin, _ in places],
            "itemsize": layout.size,
        }
    )


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
    values = {layout.places[number][1].name: int(value[0]) for number, value in layout.values(rows).items()}
    return int(layout.stamps(rows)[0]), values


class Element(Enum):
    """What can begin at a byte of the stream."""

    PACKETS = auto()
    REPLY = auto()
    GARBAGE = auto()
    UNDECIDED = auto()  # not before more bytes have come


class Splitter:
    """Finds packets and replies in the bytes of one connection; the same ones in any chunking.

    Attributes:
        layout: Shape of the packets.
        synced: Whether the next byte is known to begin a packet or a reply.
        rest: What is not decided yet, as it came; the first piece perhaps without its beginning.
        rest_ns: Arrival of each piece.
    """

    def __init__(self, layout: Layout, faults: Counter[str]) -> None:
        self.layout = layout
        self.synced = True  # a stream begins with a packet
        self._faults = faults
        self._head = 1 + layout.stamp_bytes
        self.rest: list[bytes] = []
        self.rest_ns: list[int] = []

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
        zeros = at + 1 + np.flatnonzero(data[at + 1 :] == DATA)
        if not self.layout.crc_bytes:
            zeros = self._followable(data, zeros)
        end = int(zeros[0]) if len(zeros) else len(data)
        self._faults["bytes skipped while out of sync"] += end - at
        return end

    def _followable(self, data: Bytes, begins: Ticks) -> Ticks:
        """Return where a packet may begin, as far as the head of the next one shows; `_followed` would find the same.

        A line that is held down sends nothing but zeros: each of them looked at by itself takes half a core.
        """
        size, head = self.layout.size, self._head
        shown = begins[begins + size + head <= len(data)]
        both = np.stack([shown, shown + size])[:, :, None] + np.arange(head)
        first, second = data[both]
        near, _ = self.layout.plausible(self.layout.stamps(second) - self.layout.stamps(first))
        return np.concatenate([shown[near & (second[:, 0] == DATA)], begins[len(shown) :]])

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
        size = self.layout.reply_bytes(int(data[begin + 1]))
        if size is None:
            return Element.GARBAGE, at
        end = begin + size + self.layout.crc_bytes
        return (Element.REPLY, end) if end <= len(data) else (Element.UNDECIDED, at)


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
