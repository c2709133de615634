"""One stream's samples on a regular grid of the device's clock, and that grid on gateway time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drivers.packet import Packet, StreamSpec
from gateway.clock import FIRST_UNCERTAINTY_S, NS, ClockMap, Unwrapper

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ANCHOR_EVERY = 16  # samples between remembered (index, device time) pairs: crystals do not wander within a second
ANCHORS_KEPT = 1 << 15  # over an hour at 100 Hz, longer than any walking bout that an operator looks back on
RESET_GAP_S = 2.0  # index jump after a clock reset: more than any operator bridges


@dataclass(frozen=True, slots=True)
class Placed:
    """Samples of one packet on the grid.

    Attributes:
        index: (n,) sample counter; a missing number is a lost sample.
        samples: (n, channels).
        lost: Samples missing before or between these.
        gap_s: Longest absence before or between these, seconds; 0 when nothing is missing.
        reset: True if the device's clock started again.
        before: Index of the sample before these; one before the first of all when there was none.
    """

    index: Ints
    samples: Floats
    lost: int
    gap_s: float
    reset: bool
    before: int


class Timeline:
    """Ticks → sample index → gateway seconds for one stream of one device.

    Streams without a device clock are placed by arrival, one index a sample, and say so in their uncertainty.
    """

    def __init__(self, spec: StreamSpec, origin_ns: int) -> None:
        self._origin_ns = origin_ns
        self._tick_hz = spec.tick_hz or float(NS)
        self._unwrapper = Unwrapper(self._tick_hz, spec.tick_bits) if spec.tick_hz else None
        self._map = ClockMap()
        self.set_rate(spec.rate_hz)
        self.repeated = 0
        self.newest_s = -np.inf  # gateway time of the newest sample
        self._last: tuple[int, int] | None = None  # index, unwrapped ticks
        self._before = -1  # index of the sample before the packet in hand
        self._anchor_index = np.empty(ANCHORS_KEPT, np.int64)
        self._anchor_s = np.empty(ANCHORS_KEPT)
        self._anchors = 0
        self._newest_is_spare = False  # the newest anchor only marks the end; the next sample takes its place

    def set_rate(self, rate_hz: float | None) -> None:
        """Take the nominal rate, as specified or as the device announced it."""
        self._period = self._tick_hz / rate_hz if rate_hz else None

    @property
    def uncertainty_s(self) -> float:
        """1 sigma of this stream's gateway times against the other devices'."""
        return self._map.fit.uncertainty_s if self._map.fit else FIRST_UNCERTAINTY_S

    @property
    def has_clock(self) -> bool:
        """Whether the device stamps its samples."""
        return self._unwrapper is not None

    @property
    def map(self) -> ClockMap:
        """The running fit."""
        return self._map

    def push(self, packet: Packet) -> Placed:
        """Place the samples of one packet of at least one sample."""
        ticks, samples, arrival_ns, reset_at = self._unwrap(packet)
        reset = reset_at is not None
        if not len(ticks):
            return Placed(ticks, samples, 0, 0.0, reset, self._before)
        if reset:
            self._map = ClockMap()
        index = self._grid(ticks, reset_at)
        device_s = ticks / self._tick_hz
        if self._unwrapper:
            self._map.push(device_s, (arrival_ns - self._origin_ns) / NS)
        else:
            self._map.push(device_s, device_s - self._origin_ns / NS)
        self._remember(index, device_s)
        self.newest_s = float(self._map.to_gateway(device_s[-1:])[0])
        return Placed(index, samples, *self._missing(index), reset, self._before)

    def at(self, index: Floats) -> Floats:
        """Return gateway seconds of fractional sample indices (any shape)."""
        known = slice(0, self._anchors)
        device_s = np.interp(index, self._anchor_index[known], self._anchor_s[known])
        return self._map.to_gateway(device_s)

    def _unwrap(self, packet: Packet) -> tuple[Ints, Floats, Ints, int | None]:
        if self._unwrapper is None:
            return packet.arrival_ns, packet.samples, packet.arrival_ns, None
        out = self._unwrapper.push(packet.ticks, packet.arrival_ns)
        if out.keep.all():
            return out.ticks, packet.samples, packet.arrival_ns, out.reset_at
        self.repeated += int((~out.keep).sum())
        return out.ticks, packet.samples[out.keep], packet.arrival_ns[out.keep], out.reset_at

    def _grid(self, ticks: Ints, reset_at: int | None) -> Ints:
        if self._last is None:
            self._last = (-1, int(ticks[0]) - round(self._period or 1))
        last_index, last_tick = self._last
        self._before = last_index
        if self._period is None:
            steps = np.ones(len(ticks), np.int64)
        else:
            # Step by step, so that a rate a little off the nominal one never adds up to a slipped sample.
            steps = np.maximum(1, np.rint(np.diff(ticks, prepend=last_tick) / self._period).astype(np.int64))
        if reset_at is not None and self._period:
            steps[reset_at] += round(RESET_GAP_S * self._tick_hz / self._period)
        index = last_index + np.cumsum(steps)
        self._last = (int(index[-1]), int(ticks[-1]))
        return index

    def _missing(self, index: Ints) -> tuple[int, float]:
        if self._period is None:
            return 0, 0.0
        missing = np.diff(index, prepend=self._before) - 1
        return int(missing.sum()), float(missing.max() * self._period / self._tick_hz)

    def _remember(self, index: Ints, device_s: Floats) -> None:
        """Keep the first sample of each block and both edges of each gap; the newest sample always stands last."""
        if self._newest_is_spare and index[0] == self._anchor_index[self._anchors - 1] + 1:
            self._anchors -= 1
        block = np.diff(index // ANCHOR_EVERY, prepend=self._before // ANCHOR_EVERY) != 0
        gap = np.diff(index, prepend=self._before) != 1
        pick = block | gap if self._period else np.ones(len(index), bool)
        pick[:-1] |= gap[1:]
        self._newest_is_spare = not pick[-1]
        pick[-1] = True
        chosen = np.flatnonzero(pick)
        if self._anchors + len(chosen) > ANCHORS_KEPT:
            keep = ANCHORS_KEPT // 2
            for array in (self._anchor_index, self._anchor_s):
                array[:keep] = array[self._anchors - keep : self._anchors]
            self._anchors = keep
        to = slice(self._anchors, self._anchors + len(chosen))
        self._anchor_index[to], self._anchor_s[to] = index[chosen], device_s[chosen]
        self._anchors += len(chosen)
