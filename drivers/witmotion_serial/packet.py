"""The packets of a WitMotion sensor on a serial port: ``55 kind data8 sum``, eleven bytes.

Each quantity has a packet of its own, and the packets of one instant follow one another, by rising kind: those are put
together as a cycle. There is neither counter nor stamp, unless the sensor is set to tell the time (kind 50), which is
of its own calendar and not used here.

Facts: the vendor's manuals, ElettraSciComp/witmotion_IMU_QT (doc/protocol.md).
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from drivers.errors import MalformedFrameError
from drivers.packet import Frames, Ticks
from drivers.witmotion.units import (
    CELSIUS_A_COUNT,
    DEGREES_RANGE,
    DEGREES_S_RANGE,
    FULL,
    G_RANGE,
    MICROTESLA_A_COUNT,
    VOLTS_A_COUNT,
)

MARK: Final = 0x55
BYTES: Final = 11
TIME, ACC, GYR, ANGLE, FIELD, QUATERNION, ANSWER = 0x50, 0x51, 0x52, 0x53, 0x54, 0x59, 0x5F
KINDS: Final = range(TIME, ANSWER + 1)
CENTURY: Final = 2000
AT_ONCE: Final = 64  # packets looked at in one go: so much at most is looked at twice where bytes are missing

NO_PACKET = "bytes that belong to no packet"

Bytes = NDArray[np.uint8]


def parse_packet(data: bytes) -> dict[str, Any]:
    """Return what one packet says, in the units of its maker (g, deg/s, deg); raises MalformedFrameError."""
    if len(data) != BYTES or data[0] != MARK or data[1] not in KINDS:
        raise MalformedFrameError("no packet")
    if sum(data[:10]) & 0xFF != data[10]:
        raise MalformedFrameError("check sum")
    kind = data[1]
    return {"type": kind} | (_MEANINGS[kind](data) if kind in _MEANINGS else {"values": list(_words(data))})


def _words(data: bytes) -> tuple[int, ...]:
    return struct.unpack_from("<4h", data, 2)


def _time(data: bytes) -> dict[str, Any]:
    year, *rest = struct.unpack_from("<6BH", data, 2)
    return {"time": [CENTURY + year, *rest]}


def _acc(data: bytes) -> dict[str, Any]:
    words = _words(data)
    return {"acc_g": _scaled(words, G_RANGE), "temperature_c": words[3] * CELSIUS_A_COUNT}


def _gyr(data: bytes) -> dict[str, Any]:
    words = _words(data)
    return {"gyro_dps": _scaled(words, DEGREES_S_RANGE), "voltage_v": words[3] * VOLTS_A_COUNT}


def _angle(data: bytes) -> dict[str, Any]:
    words = _words(data)
    angles = _scaled(words, DEGREES_RANGE)
    named = dict(zip(("roll_deg", "pitch_deg", "yaw_deg"), angles, strict=True))
    return named | {"angle_deg": angles, "version": words[3] & 0xFFFF}


def _field(data: bytes) -> dict[str, Any]:
    raw = list(_words(data)[:3])
    return {"mag_raw": raw, "mag_ut": [value * MICROTESLA_A_COUNT for value in raw]}


def _quaternion(data: bytes) -> dict[str, Any]:
    return {"quat_wxyz": [word / FULL for word in _words(data)]}


_MEANINGS: Final[Mapping[int, Callable[[bytes], dict[str, Any]]]] = {
    TIME: _time, ACC: _acc, GYR: _gyr, ANGLE: _angle, FIELD: _field, QUATERNION: _quaternion
}  # fmt: skip


def _scaled(words: tuple[int, ...], scale: float) -> list[float]:
    return [word * scale / FULL for word in words[:3]]


class Found(NamedTuple):
    """Packets that bytes hold.

    Attributes:
        rows: (n, 11) their bytes.
        arrival_ns: (n,) of the read that completed each.
        broken: (n,) whether bytes before it belonged to no packet.
    """

    rows: Bytes
    arrival_ns: Ticks
    broken: NDArray[np.bool_]


NONE: Final = Found(np.empty((0, BYTES), np.uint8), np.empty(0, np.int64), np.empty(0, np.bool_))


class Packets:
    """Cuts the bytes of one connection into packets; the same ones in any chunking.

    Args:
        faults: Where bytes that belong to no packet are counted.
    """

    def __init__(self, faults: Counter[str]) -> None:
        self._faults = faults
        self._rest = b""
        self._broken = False

    @property
    def rest(self) -> bytes:
        """What is undecided yet."""
        return self._rest

    @property
    def in_step(self) -> bool:
        """Whether nothing was skipped behind the newest packet."""
        return not self._broken

    def keep(self, rest: bytes) -> None:
        """Leave so much undecided."""
        self._rest = rest

    def take(self, pieces: Sequence[bytes], arrival_ns: Sequence[int]) -> Found:
        """Return the packets that these reads complete."""
        kept = len(self._rest)
        data = self._rest + b"".join(pieces)
        starts, broken, at = self._starts(data)
        self._rest = data[at:]
        if not starts:
            return NONE
        first = np.array(starts, np.int64)
        rows = np.frombuffer(data, np.uint8)[first[:, None] + np.arange(BYTES)]
        ends = kept + np.cumsum([len(piece) for piece in pieces])
        arrived = np.array(arrival_ns, np.int64)[np.searchsorted(ends, first + BYTES)]
        return Found(rows, arrived, np.array(broken, np.bool_))

    def _starts(self, data: bytes) -> tuple[list[int], list[bool], int]:
        """Return where packets begin, whether each stands behind skipped bytes, and where the undecided rest begins."""
        starts: list[int] = []
        broken: list[bool] = []
        at, last = 0, len(data) - BYTES
        while at <= last:
            count = _run(data, at)
            if count:
                starts.extend(range(at, at + count * BYTES, BYTES))
                broken.extend([self._broken] + [False] * (count - 1))
                self._broken = False
                at += count * BYTES
                continue
            at = self._skip(data, at, at + 1)
        if at < len(data) and data[at] != MARK:  # decided already, whatever comes behind it
            at = self._skip(data, at, at)
        return starts, broken, at

    def _skip(self, data: bytes, at: int, search_from: int) -> int:
        """Count the bytes up to the next mark as belonging to no packet; return where it is."""
        found = data.find(MARK, search_from)
        behind = len(data) if found < 0 else found
        self._faults[NO_PACKET] += behind - at
        self._broken = True
        return behind


def _run(data: bytes, at: int) -> int:
    """Return how many whole packets follow one another from a place on; `AT_ONCE` at most."""
    if data[at] != MARK or data[at + 1] not in KINDS or sum(data[at : at + 10]) & 0xFF != data[at + 10]:
        return 0
    count = min((len(data) - at) // BYTES, AT_ONCE)
    if count == 1:
        return 1
    good = _whole(np.frombuffer(data, np.uint8, count * BYTES, at).reshape(count, BYTES))
    return count if good.all() else int(good.argmin())


def take(each: Sequence[Packets], frames: Frames) -> list[Found]:
    """Return the packets that the reads of several connections complete; most of them bring nothing but packets."""
    start = frames.start.tolist()
    own = [b"".join([packets.rest, *frames.data[a:b]]) for packets, a, b in zip(each, start, start[1:], strict=False)]
    counts = np.array([len(data) // BYTES for data in own])
    rows = np.frombuffer(b"".join([data[: count * BYTES] for data, count in zip(own, counts, strict=True)]), np.uint8)
    rows = rows.reshape(-1, BYTES)
    device = np.repeat(np.arange(len(own)), counts)
    bad = np.bincount(device[~_whole(rows)], minlength=len(own)).tolist()
    arrived = _arrivals(each, frames, counts)
    ends = np.cumsum(counts).tolist()
    found = []
    for at, (packets, data, count, end) in enumerate(zip(each, own, counts.tolist(), ends, strict=True)):
        rest = data[count * BYTES :]
        if bad[at] or not packets.in_step or (rest and rest[0] != MARK):
            reads = slice(start[at], start[at + 1])
            found.append(packets.take(frames.data[reads], frames.arrival_ns[reads].tolist()))
            continue
        packets.keep(rest)
        found.append(Found(rows[end - count : end], arrived[end - count : end], np.zeros(count, np.bool_)))
    return found


def _whole(rows: Bytes) -> NDArray[np.bool_]:
    """Return (n,) whether each of eleven bytes are a packet."""
    sums = rows[:, :10].sum(axis=1, dtype=np.uint8)  # wraps as the sensor's does
    kinds = rows[:, 1]
    good = (rows[:, 0] == MARK) & (kinds >= KINDS.start) & (kinds < KINDS.stop) & (sums == rows[:, 10])
    return np.asarray(good, np.bool_)


def _arrivals(each: Sequence[Packets], frames: Frames, counts: Ticks) -> Ticks:
    """Return when each packet of connections that bring nothing else was complete."""
    kept = np.array([len(packets.rest) for packets in each])
    reads = np.diff(frames.start)
    ends = np.cumsum([len(data) for data in frames.data]) + np.cumsum(kept).repeat(reads)
    begins = np.cumsum(np.concatenate([[0], kept + _sums(frames)]))[:-1]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    at = np.searchsorted(ends, np.repeat(begins, counts) + (within + 1) * BYTES)
    return np.asarray(frames.arrival_ns[at], np.int64)


def _sums(frames: Frames) -> Ticks:
    """Return how many bytes each connection brought."""
    total = np.concatenate([[0], np.cumsum([len(data) for data in frames.data])])
    return np.asarray(np.diff(total[frames.start]), np.int64)
