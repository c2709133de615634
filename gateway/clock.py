"""Device ticks to gateway time: unwrapping, resets, and a running fit of the lower envelope of radio delay.

A sample cannot arrive before it was taken, and radio delay only ever adds: of all lines below the points
(device time, arrival), the highest one is the best guess of "no delay at all". It is found on the convex hull
of the smallest delay of each bucket of time (Zhang, Liu & Xia 2002, clock synchronisation for network
measurements; the same one-sided fit as Vilhar & Depolli 2017 for wireless ECG). The constant part of the delay
cannot be seen from here: a link's smallest latency stays in the offset.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NS = 1_000_000_000
BUCKET_S = 1.0  # one envelope point a second: several connection intervals, so one of them was short
WINDOW_BUCKETS = 240  # 4 min: long enough for 1 ppm at 0.2 ms of envelope noise, short enough to follow a warm one
SKEW_AFTER_S = 15.0  # a slope from less than this says more about the radio than about the crystal
MAX_SKEW = 300e-6  # ten times a bad crystal: beyond it the counter is not what the specification says
JUMP_S = 2.0  # arrival may trail the device by this much (a stalled radio) before we call it a reset
FIRST_UNCERTAINTY_S = 0.05  # one slow connection interval, until there is anything to measure


@dataclass(slots=True)
class Unwrapped:
    """Samples on a counter that neither wraps nor goes back.

    Attributes:
        keep: (n,) False for samples whose tick had been seen before (repeated or out of order).
        ticks: (kept,) unwrapped ticks.
        reset_at: Position among ``ticks`` of the first sample after the device's clock restarted; None if it ran on.
    """

    keep: NDArray[np.bool_]
    ticks: Ints
    reset_at: int | None


class Unwrapper:
    """Counter on the wire to a counter that only grows.

    Whole wraps that passed in silence are restored from the arrival clock. A counter that disagrees with arrival by
    more than `JUMP_S` is a reset: counting goes on from where arrival says, and the caller is told.
    """

    def __init__(self, tick_hz: float, tick_bits: int) -> None:
        self.tick_hz = tick_hz
        self._modulus = 1 << tick_bits
        self._tolerance = JUMP_S * tick_hz
        self._raw: int | None = None  # newest tick on the wire, and where and when it was
        self._unwrapped = 0
        self._arrival_ns = 0

    def push(self, ticks: Ints, arrival_ns: Ints) -> Unwrapped:
        """Unwrap one packet of at least one sample; samples must come in order of arrival."""
        if self._raw is None:
            # An imaginary sample one tick earlier, so that the first real one is like any other.
            self._raw = self._unwrapped = int(ticks[0]) - 1
            self._arrival_ns = int(arrival_ns[0])
        delta = np.diff(ticks, prepend=self._raw) % self._modulus
        elapsed = np.diff(arrival_ns, prepend=self._arrival_ns) * (self.tick_hz / NS)
        if np.all((delta > 0) & (np.abs(delta - elapsed) < self._tolerance)):
            unwrapped = self._unwrapped + np.cumsum(delta)
            self._raw, self._unwrapped, self._arrival_ns = int(ticks[-1]), int(unwrapped[-1]), int(arrival_ns[-1])
            return Unwrapped(np.ones(len(ticks), bool), unwrapped, None)
        return self._push_with_care(ticks, arrival_ns)

    def _push_with_care(self, ticks: Ints, arrival_ns: Ints) -> Unwrapped:
        kept: list[int] = []
        keep = np.zeros(len(ticks), bool)
        reset_at = None
        for i, (tick, arrival) in enumerate(zip(ticks.tolist(), arrival_ns.tolist(), strict=True)):
            assert self._raw is not None
            elapsed = (arrival - self._arrival_ns) * (self.tick_hz / NS)
            forward = (tick - self._raw) % self._modulus
            forward += max(0, round((elapsed - forward) / self._modulus)) * self._modulus
            backward = (tick - self._raw) % -self._modulus
            plausible = abs(forward - elapsed) < self._tolerance
            if (forward == 0 or not plausible) and -self._tolerance < backward <= 0 and elapsed < self._tolerance:
                continue  # repeated, or overtaken by a later sample
            if not plausible:
                reset_at = len(kept)
                forward = max(1, round(elapsed))
            self._raw, self._unwrapped, self._arrival_ns = tick, self._unwrapped + forward, arrival
            keep[i] = True
            kept.append(self._unwrapped)
        return Unwrapped(keep, np.array(kept, np.int64), reset_at)


def _lower_hull(points: Floats) -> Floats:
    """Return the lower convex hull of points (n, 2) sorted by their first column (Andrew's monotone chain)."""
    hull: list[tuple[float, float]] = []
    for x, y in points.tolist():
        while len(hull) > 1 and (hull[-1][0] - hull[-2][0]) * (y - hull[-2][1]) <= (
            (hull[-1][1] - hull[-2][1]) * (x - hull[-2][0])
        ):
            hull.pop()
        hull.append((x, y))
    return np.array(hull)


@dataclass(frozen=True, slots=True)
class Fit:
    """Gateway time = device time + offset + skew * (device time - reference), all in seconds.

    Attributes:
        reference_s: Device time about which the line is written.
        offset_s: Gateway time minus device time there.
        skew: Relative rate error of the device (1e-6 is 1 ppm), positive when the device's clock is slow.
        uncertainty_s: How far the envelope points of the window lie above the line (1 sigma).
    """

    reference_s: float
    offset_s: float
    skew: float
    uncertainty_s: float


class ClockMap:
    """Running map from device seconds to gateway seconds.

    The line is refitted when a bucket closes, so that it moves at most once a second of device time, whatever the
    packets look like.
    """

    def __init__(self) -> None:
        self.fit: Fit | None = None
        self._buckets: deque[tuple[float, float]] = deque(maxlen=WINDOW_BUCKETS)
        self._bucket = 0
        self._best: tuple[float, float] | None = None

    def push(self, device_s: Floats, arrival_s: Floats) -> None:
        """Take points in order of device time."""
        delay = arrival_s - device_s
        buckets = np.floor(device_s / BUCKET_S).astype(np.int64)
        edges = np.flatnonzero(np.diff(buckets, prepend=self._bucket))
        for part in np.split(np.arange(len(device_s)), edges):
            if not len(part):
                continue
            if int(buckets[part[0]]) != self._bucket:
                self._close(int(buckets[part[0]]))
            least = part[np.argmin(delay[part])]
            if self._best is None or delay[least] < self._best[1]:
                self._best = (float(device_s[least]), float(delay[least]))
                self._lower_at_once()

    def to_gateway(self, device_s: Floats) -> Floats:
        """Map device seconds (any shape) to gateway seconds; raises ValueError before the first sample."""
        if self.fit is None:
            raise ValueError("no sample has arrived yet")
        return device_s + self.fit.offset_s + self.fit.skew * (device_s - self.fit.reference_s)

    def _close(self, bucket: int) -> None:
        self._bucket = bucket
        if self._best is not None:
            self._buckets.append(self._best)
            self._best = None
            self._refit()

    def _lower_at_once(self) -> None:
        """Before the first bucket closes, and whenever a point undercuts the line, the line must give way."""
        assert self._best is not None
        device_s, delay = self._best
        if self.fit is None:
            self.fit = Fit(device_s, delay, 0.0, FIRST_UNCERTAINTY_S)
        line = self.fit.offset_s + self.fit.skew * (device_s - self.fit.reference_s)
        if delay < line:
            self.fit = Fit(device_s, delay, self.fit.skew, self.fit.uncertainty_s)

    def _refit(self) -> None:
        points = np.array(self._buckets)
        middle = float(points[:, 0].mean())
        skew = 0.0
        if points[-1, 0] - points[0, 0] >= SKEW_AFTER_S:
            hull = _lower_hull(points)
            edge = int(np.clip(np.searchsorted(hull[:, 0], middle), 1, len(hull) - 1))
            (x0, y0), (x1, y1) = hull[edge - 1], hull[edge]
            skew = float(np.clip((y1 - y0) / (x1 - x0), -MAX_SKEW, MAX_SKEW))
        above = points[:, 1] - skew * (points[:, 0] - middle)
        offset = float(above.min())
        spread = float(np.median(above - offset)) if len(points) > 1 else FIRST_UNCERTAINTY_S
        self.fit = Fit(middle, offset, skew, max(spread, FIRST_UNCERTAINTY_S / len(points)))
