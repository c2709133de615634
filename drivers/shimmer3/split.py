"""The bytes of many Shimmer3 connections to packets at once; what is not plainly in step goes to its splitter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from drivers.packet import Frame, Frames, Ticks
from drivers.shimmer3.stream import Bytes, Splitter


@dataclass(frozen=True, slots=True)
class Split:
    """What is found in the bytes of some connections of one layout.

    Attributes:
        rows: (n, size) bytes of whole packets, connection after connection.
        arrival_ns: (n,) arrival of the frame that completed each.
        counts: (k,) how many rows each connection has.
        replies: (k,) in-stream replies of each, their acknowledgement (0xFF) included, with the arrival of the frame
            that completed each.
    """

    rows: Bytes
    arrival_ns: Ticks
    counts: Ticks
    replies: list[list[Frame]]


@dataclass(frozen=True, slots=True)
class _Undecided:
    """All bytes of some connections that are not decided yet, back to back, and the pieces that they came in.

    Attributes:
        pieces: Pieces, connection after connection.
        arrival_ns: Arrival of each piece.
        piece_ends: (k,) where the pieces of each connection end.
        begins: (k,) where the bytes of each connection begin.
        lengths: (k,) how many they are.
        ends: Where each piece ends in the bytes.
    """

    pieces: list[bytes]
    arrival_ns: list[int]
    piece_ends: list[int]
    begins: Ticks
    lengths: Ticks
    ends: Ticks

    @classmethod
    def of(cls, splitters: Sequence[Splitter], frames: Frames) -> _Undecided:
        """Return what connections had kept, and behind that what came now."""
        pieces: list[bytes] = []
        arrival_ns: list[int] = []
        piece_ends: list[int] = []
        sent_ns = frames.arrival_ns.tolist()
        for splitter, (first, last) in zip(splitters, pairwise(frames.start.tolist()), strict=True):
            pieces += splitter.rest
            pieces += frames.data[first:last]
            arrival_ns += splitter.rest_ns
            arrival_ns += sent_ns[first:last]
            piece_ends.append(len(pieces))
        ends = np.cumsum([0, *map(len, pieces)])
        own_ends = ends[piece_ends]
        begins = np.concatenate([[0], own_ends[:-1]])
        return cls(pieces, arrival_ns, piece_ends, begins, own_ends - begins, ends[1:])

    def keep(self, splitters: Sequence[Splitter], used: Ticks) -> None:
        """Have connections keep what lies behind the first ``used`` (k,) bytes of each."""
        done = self.begins + used
        first_left = self.pieces_of(done)
        cuts = done - np.concatenate([[0], self.ends])[first_left]
        own = zip(splitters, first_left.tolist(), self.piece_ends, cuts.tolist(), strict=True)
        for splitter, first, last, cut in own:
            splitter.rest, splitter.rest_ns = self.pieces[first:last], self.arrival_ns[first:last]
            if cut and splitter.rest:
                splitter.rest[0] = splitter.rest[0][cut:]

    def pieces_of(self, at: Ticks) -> Ticks:
        """Return which piece each byte is in."""
        return np.searchsorted(self.ends, at, side="right")


def split(splitters: Sequence[Splitter], frames: Frames) -> Split:
    """Take the next bytes of connections of one layout, of each at least one frame.

    Most connections are in step and bring nothing but packets; these are recognised all at once.
    """
    layout = splitters[0].layout
    new = _Undecided.of(splitters, frames)
    data = np.frombuffer(b"".join(new.pieces), np.uint8)
    counts = layout.steady(data, new.begins, new.lengths)
    used = counts * layout.size
    replies: list[list[Frame]] = [[] for _ in splitters]
    scanned: dict[int, Ticks] = {}
    for at, (splitter, count) in enumerate(zip(splitters, counts.tolist(), strict=True)):
        if count < 0 or not splitter.synced:
            begin = new.begins[at]
            own = data[begin : begin + new.lengths[at]]
            scanned[at], spans, used[at] = splitter.scan(own)
            counts[at] = len(scanned[at])
            for first, to in spans:
                piece = int(new.pieces_of(begin + to - 1))
                replies[at].append(Frame(new.arrival_ns[piece], "reply", own[first:to].tobytes()))
    new.keep(splitters, used)
    row_ends = np.cumsum(counts)
    begins = new.begins
    starts = np.repeat(begins, counts) + layout.size * (np.arange(row_ends[-1]) - np.repeat(row_ends - counts, counts))
    for at, found in scanned.items():
        starts[row_ends[at] - counts[at] : row_ends[at]] = begins[at] + found
    rows = data[starts[:, None] + np.arange(layout.size)]
    arrival_ns = np.array(new.arrival_ns, np.int64)[new.pieces_of(starts + layout.size - 1)]
    return Split(rows, arrival_ns, counts, replies)
