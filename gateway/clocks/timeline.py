"""Samples of many streams on regular grids of their devices' clocks, and those grids on gateway time.

All packets of a step are placed by one kernel call; a stream's state is a row in plain arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drivers.packet import Packet, StreamSpec
from dsp.kernel import as_written, kernel
from gateway.clocks.device_clock import (
    CLOCK,
    FIRST_UNCERTAINTY_S,
    NS,
    REPEATED,
    RESTARTED,
    RUNS,
    Fit,
    forget_map,
    paced,
    see,
    to_gateway,
    unwrap,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ANCHOR_EVERY: Final = 64  # samples between remembered (index, device time) pairs: crystals do not wander in a second
ANCHOR_GAP: Final = 16  # lost samples in a row whose edges are remembered: a rate off by 1 % slips less over fewer
ANCHORS_KEPT: Final = 1 << 13  # 87 min at 100 Hz, then the newer half: longer than any bout that is looked back on
RESET_GAP_S: Final = 2.0  # index jump after a clock reset: more than any operator bridges
DROPPED: Final = -1  # index of a sample that had been there before
FIRST_ROOM: Final = 8  # streams

GRID: Final = np.dtype(
    [
        ("period", "f8"),  # ticks from sample to sample; 0 for streams that come when they come
        ("begun", "i8"),  # 0: the next sample is the first of a wearer, and none was awaited before it
        ("index", "i8"),  # of the newest sample, and its unwrapped tick
        ("tick", "i8"),
        ("device_s", "f8"),
        ("newest_s", "f8"),  # gateway time of the newest sample, as mapped when it came
        ("anchors", "i8"),
        ("samples", "i8"),  # counts since the start
        ("lost", "i8"),
        ("repeated", "i8"),
        ("resets", "i8"),
    ]
)
COUNTED = ("samples", "lost", "repeated", "resets")


@kernel
def place(  # noqa: PLR0917 - numba takes positional arguments
    stream: Ints, start: Ints, ticks: Ints, arrival_ns: Ints, origin_ns: int, clocks: Any, grids: Any, anchors: Floats,
    lines: Floats, index: Ints, before: Ints, missing: Ints, reset: Ints,
) -> bool:  # fmt: skip
    """Place packets; return whether any sample was DROPPED.

    Args:
        stream: (k,) row of each packet's stream.
        start: (k + 1,) its samples.
        ticks: (m,) on the wire; arrival for devices without clock.
        arrival_ns: (m,) monotonic clock.
        origin_ns: Second 0 of gateway time on that clock.
        clocks: Rows of `CLOCK`.
        grids: Rows of `GRID`.
        anchors: (streams, 2, ANCHORS_KEPT + 1) sample indices and device seconds.
        lines: (streams, 5) out: what `seconds` needs of each stream.
        index: (m,) out: sample counter; a missing number is a lost sample.
        before: (k,) out: index of the sample before the packet, or of the one that was not awaited.
        missing: (k,) out: most samples lost in a row before or within the packet.
        reset: (k,) out: 1 if the device's clock started again.
    """
    dropped = False
    for j in range(len(stream)):
        c, g, remembered = clocks[stream[j]], grids[stream[j]], anchors[stream[j]]
        before[j] = g.index
        for i in range(start[j], start[j + 1]):
            code = _read_tick(c, g.period, ticks[i], arrival_ns[i], origin_ns)
            if code == REPEATED:
                index[i] = DROPPED
                g.repeated += 1
                dropped = True
                continue
            device_s = c.unwrapped / c.tick_hz
            missing[j] = max(missing[j], _advance(c, g, remembered, device_s, code, before[j : j + 1]))
            reset[j] |= code == RESTARTED
            if c.modulus:
                see(c, device_s, (arrival_ns[i] - origin_ns) / NS)
            index[i] = g.index
        _keep_newest(c, g, remembered, lines[stream[j]])
    return dropped


@kernel
def _read_tick(c: Any, period: float, tick: int, arrival_ns: int, origin_ns: int) -> int:
    """Count a clock on to the tick of a sample; return how it went on.

    A device without clock has its arrival; where it measures at a rate, its arrivals without what the radio held up.
    """
    if c.modulus:
        return int(unwrap(c, tick, arrival_ns))
    if period > 0.0:
        paced(c, period, arrival_ns - origin_ns)
    else:
        c.unwrapped = arrival_ns - origin_ns
    return RUNS


@kernel
def _keep_newest(c: Any, g: Any, remembered: Floats, line: Floats) -> None:
    """Remember where the newest sample of a stream lies, behind its anchors, and what `seconds` needs of the clock."""
    g.newest_s = to_gateway(g.device_s, c.reference_s, c.offset_s, c.skew)
    remembered[0, g.anchors] = g.index
    remembered[1, g.anchors] = g.device_s
    line[0], line[1], line[2] = c.reference_s, c.offset_s, c.skew
    line[3] = g.period / c.tick_hz
    line[4] = g.anchors


@kernel
def _advance(  # noqa: PLR0917 - numba takes positional arguments
    c: Any, g: Any, remembered: Floats, device_s: float, code: int, before: Ints
) -> int:
    """Count up to the newest sample; return how many were lost before it. Of one not awaited, say what is before it."""
    tick = c.unwrapped
    anew, steps, apart = g.begun == 0, 1, 0
    if g.index >= 0 and g.period > 0.0:
        # From sample to sample, so that a rate a little off the nominal one never adds up to a slipped sample.
        steps = max(1, int(np.rint((tick - g.tick) / g.period)))
    if code == RESTARTED:
        g.resets += 1
        forget_map(c)
        if g.period > 0.0:
            apart = int(np.rint(RESET_GAP_S * c.tick_hz / g.period))  # numbers that no sample ever had: none is lost
            steps += apart
    index = g.index + steps
    if anew:
        g.begun, apart, before[0] = 1, steps - 1, index - 1
    if steps > ANCHOR_GAP:
        _remember(g, remembered, g.index, g.device_s)
    if steps > ANCHOR_GAP or index // ANCHOR_EVERY != g.index // ANCHOR_EVERY or g.period <= 0.0:
        _remember(g, remembered, index, device_s)
    g.index = index
    g.tick = tick
    g.device_s = device_s
    g.samples += 1
    if c.modulus:  # of a device without clock, arrivals tell of a gap, and not how many samples were taken in it
        g.lost += steps - 1 - apart
    return 0 if anew else steps - 1


@kernel
def _remember(g: Any, remembered: Floats, index: int, device_s: float) -> None:
    if g.anchors and remembered[0, g.anchors - 1] >= index:
        return
    if g.anchors == ANCHORS_KEPT:
        half = ANCHORS_KEPT // 2
        remembered[:, :half] = remembered[:, half:ANCHORS_KEPT]
        g.anchors = half
    remembered[0, g.anchors] = index
    remembered[1, g.anchors] = device_s
    g.anchors += 1


@kernel
def _second(at: float, known: Floats, line: Floats) -> float:
    """Map a fractional sample index of a stream to gateway seconds; -inf is before everything.

    Args:
        at: What to map.
        known: (2, n) anchors of the stream, the newest sample behind them.
        line: (5,) reference, offset and skew of its clock, seconds a sample, number of anchors.
    """
    if at == -np.inf:
        return at
    last = int(line[4])
    if last and known[0, last - 1] >= known[0, last]:
        last -= 1
    right = np.searchsorted(known[0, : last + 1], at)
    if right == 0:  # older than all that is remembered: at the nominal rate
        device_s = known[1, 0] + (at - known[0, 0]) * line[3]
    elif right > last:
        device_s = known[1, last]
    else:
        share = (at - known[0, right - 1]) / (known[0, right] - known[0, right - 1])
        device_s = known[1, right - 1] + share * (known[1, right] - known[1, right - 1])
    return to_gateway(device_s, line[0], line[1], line[2])


@kernel
def seconds(index: Floats, known: Floats, line: Floats, out: Floats) -> None:
    """Map fractional sample indices (n,) of one stream to gateway seconds (n,); see `_second`.

    Plain arrays only: this is called for single events, and numba takes ten times as long to recognise a record.
    """
    for i in range(len(index)):
        out[i] = _second(index[i], known, line)


@kernel
def seconds_each(stream: Ints, index: Floats, anchors: Floats, lines: Floats, out: Floats) -> None:
    """Map fractional sample indices (n,) of many streams to gateway seconds (n,).

    Args:
        stream: (n,) row of each index's stream.
        index: (n,) what to map.
        anchors: Of all streams, as for `place`.
        lines: The same.
        out: (n,) out.
    """
    for i in range(len(index)):
        out[i] = _second(index[i], anchors[stream[i]], lines[stream[i]])


@dataclass(frozen=True, slots=True)
class Placed:
    """Where the samples of some packets lie.

    Attributes:
        start: (k + 1,) first sample of each packet in ``index``.
        index: (m,) sample counter on each stream's grid; a missing number is a lost sample, DROPPED a repeated one.
        before: (k,) index of the sample before the packet; -1 before the first of all.
        missing: (k,) most samples lost in a row before or within it.
        reset: (k,) 1 if the device's clock started again within it.
        dropped: Whether any index is DROPPED.
    """

    start: Ints
    index: Ints
    before: Ints
    missing: Ints
    reset: Ints
    dropped: bool


class Timelines:
    """Ticks → sample index → gateway seconds, for all streams of a gateway.

    Args:
        origin_ns: Second 0 on the monotonic clock.

    Attributes:
        compiled: Whether the kernels run compiled. As written they give the same numbers, bit for bit, in a hundred
            times the time: enough for heart rates while the rest is being compiled.
    """

    def __init__(self, origin_ns: int) -> None:
        self._origin_ns = origin_ns
        self._used = 0
        # Record arrays, so that the kernels also run uncompiled. The anchors' memory is taken only as they are written.
        self.clocks: Any = np.zeros(FIRST_ROOM, CLOCK).view(np.recarray)
        self.grids: Any = np.zeros(FIRST_ROOM, GRID).view(np.recarray)
        self.anchors: Floats = np.empty((FIRST_ROOM, 2, ANCHORS_KEPT + 1))
        self.lines: Floats = np.zeros((FIRST_ROOM, 5))
        self.compiled = True
        self._look()

    def add(self, spec: StreamSpec) -> Timeline:
        """Return the timeline of a new stream.

        Streams without a device clock are placed by arrival, one index a sample, and say so in their uncertainty; those
        that are measured at a rate on a grid that follows their arrivals (`gateway.clocks.device_clock.paced`).
        """
        if self._used == len(self.clocks):
            self._grow()
        number = self._used
        self._used += 1
        clock, grid = self.clocks[number], self.grids[number]
        clock["tick_hz"] = spec.tick_hz or float(NS)
        clock["modulus"] = 1 << spec.tick_bits if spec.tick_hz else 0
        clock["uncertainty_s"] = FIRST_UNCERTAINTY_S
        grid["index"] = -1
        grid["newest_s"] = -np.inf
        timeline = Timeline(self, number)
        timeline.set_rate(spec.rate_hz)
        return timeline

    def place_packets(self, timelines: Sequence[Timeline], packets: Sequence[Packet]) -> Placed:
        """Place packets, of the timelines given, in order of arrival."""
        start = np.zeros(len(packets) + 1, np.int64)
        np.cumsum([len(packet.arrival_ns) for packet in packets], out=start[1:])
        arrival_ns = np.concatenate([packet.arrival_ns for packet in packets])
        ticks = np.concatenate([packet.ticks if len(packet.ticks) else packet.arrival_ns for packet in packets])
        return self.place(np.array([timeline.number for timeline in timelines], np.int64), start, arrival_ns, ticks)

    def place(self, streams: Ints, start: Ints, arrival_ns: Ints, ticks: Ints) -> Placed:
        """Place the samples of packets, back to back, those of each stream in order of arrival.

        Args:
            streams: (k,) number of each packet's timeline.
            start: (k + 1,) where the samples of each begin.
            arrival_ns: (m,) monotonic clock.
            ticks: (m,) on the wire; anything where a device has no clock.
        """
        k = len(streams)
        index, before, missing, reset = np.empty(start[-1], np.int64), *np.zeros((3, k), np.int64)
        dropped = (place if self.compiled else as_written(place))(
            streams, start, ticks, arrival_ns, self._origin_ns, self.clocks, self.grids,
            self.anchors, self.lines, index, before, missing, reset,
        )  # fmt: skip
        return Placed(start, index, before, missing, reset, dropped)

    def at(self, streams: Ints, index: Floats) -> Floats:
        """Return gateway seconds of fractional sample indices (n,) of the streams with these numbers (n,)."""
        out = np.empty(len(index))
        (seconds_each if self.compiled else as_written(seconds_each))(
            streams, np.ascontiguousarray(index, np.float64), self.anchors, self.lines, out
        )
        return out

    def _grow(self) -> None:
        used, room = self._used, 2 * self._used
        kept = int(self.grids["anchors"].max()) + 1
        anchors = np.empty((room, 2, ANCHORS_KEPT + 1))
        anchors[:used, :, :kept] = self.anchors[:, :, :kept]
        self.anchors = anchors
        self.lines = np.pad(self.lines, ((0, room - used), (0, 0)))
        self.clocks = np.concatenate([self.clocks, np.zeros(room - used, CLOCK)]).view(np.recarray)
        self.grids = np.concatenate([self.grids, np.zeros(room - used, GRID)]).view(np.recarray)
        self._look()

    def _look(self) -> None:
        """Views of what is asked for each step or status: a record array takes its time to look a field up."""
        self.newest_s: Floats = self.grids.view(np.ndarray)["newest_s"]
        self.clock_rows = self.clocks.view(np.ndarray)
        self.uncertainty_s: Floats = self.clock_rows["uncertainty_s"]
        self.counts: dict[str, Ints] = {name: self.grids.view(np.ndarray)[name] for name in COUNTED}


class Timeline:
    """One stream of `Timelines`.

    Attributes:
        all: All streams of the gateway.
        number: Of this one among them.
        has_clock: Whether the device stamps its samples.
    """

    def __init__(self, all_streams: Timelines, number: int) -> None:
        self.all = all_streams
        self.number = number
        self.has_clock = bool(all_streams.clocks["modulus"][number])

    def set_rate(self, rate_hz: float | None) -> None:
        """Take the nominal rate, as specified or as the device announced it."""
        tick_hz = float(self.all.clocks["tick_hz"][self.number])
        self.all.grids["period"][self.number] = tick_hz / rate_hz if rate_hz else 0.0

    def begin_anew(self) -> None:
        """Take that no sample was awaited before the next one: what is missing is not lost."""
        self.all.grids["begun"][self.number] = 0

    @property
    def newest_s(self) -> float:
        """Gateway time of the newest sample; -inf before the first."""
        return self.all.newest_s.item(self.number)

    @property
    def uncertainty_s(self) -> float:
        """1 sigma of this stream's gateway times against the other devices'."""
        return self.all.uncertainty_s.item(self.number)

    @property
    def fit(self) -> Fit | None:
        """The running fit of the device's clock; None before the first sample and for devices without a clock."""
        c = self.all.clock_rows[self.number]
        if not c["fitted"]:
            return None
        return Fit(*(float(c[name]) for name in ("reference_s", "offset_s", "skew", "uncertainty_s")))

    def count(self, what: str) -> int:
        """Return how many samples there were since the start: ``samples``, ``lost``, ``repeated`` or ``resets``."""
        return self.all.counts[what].item(self.number)

    def at(self, index: Floats) -> Floats:
        """Return gateway seconds of fractional sample indices (n,)."""
        out = np.empty(len(index))
        every, number = self.all, self.number
        (seconds if every.compiled else as_written(seconds))(
            np.ascontiguousarray(index, np.float64), every.anchors[number], every.lines[number], out
        )
        return out
