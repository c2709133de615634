"""Device ticks to gateway time: unwrapping, resets, and a running fit of the lower envelope of radio delay.

A sample cannot arrive before it was taken, and radio delay only ever adds: of all lines below the points
(device time, arrival), the highest one is the best guess of "no delay at all". It is found on the convex hull
of the smallest delay of each bucket of time (Zhang, Liu & Xia 2002, clock synchronisation for network
measurements; the same one-sided fit as Vilhar & Depolli 2017 for wireless ECG). The constant part of the delay
cannot be seen from here: a link's smallest latency stays in the offset.

State is one row of `CLOCK` a stream; the kernels take a row and one sample.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from dsp.kernel import kernel

NS: Final = 1_000_000_000
BUCKET_S: Final = 1.0  # one envelope point a second: several connection intervals, so one of them was short
WINDOW_BUCKETS: Final = 240  # 4 min: 1 ppm at 0.2 ms of envelope noise, and short enough to follow a warm crystal
SKEW_AFTER_S: Final = 15.0  # a slope from less than this says more about the radio than about the crystal
MAX_SKEW: Final = 300e-6  # ten times a bad crystal: beyond it the counter is not what the specification says
JUMP_S: Final = 2.0  # arrival may trail the device by this much (a stalled radio) before we call it a reset
FIRST_UNCERTAINTY_S: Final = 0.05  # one slow connection interval, until there is anything to measure

CREEP: Final = 0.02  # of a period: sensors without clock keep their nominal rate to a per cent or two
LATE_NS: Final = 100_000_000  # no sample of a second came sooner: samples were lost, and not held up
STALL_NS: Final = 2 * NS  # no radio holds samples up for so long: what comes then is new

REPEATED: Final = 0  # a tick that had been seen before, or was overtaken by a later one
RUNS: Final = 1
RESTARTED: Final = 2

CLOCK: Final = np.dtype(
    [
        ("tick_hz", "f8"),
        ("modulus", "i8"),  # the counter on the wire wraps here; 0 for a device without clock
        # The newest sample
        ("seen", "i8"),
        ("raw", "i8"),  # its tick on the wire
        ("unwrapped", "i8"),  # the same on a counter that neither wraps nor goes back
        ("arrival_ns", "i8"),
        # Gateway time = device time + offset + skew * (device time - reference), all in seconds
        ("fitted", "i8"),
        ("reference_s", "f8"),
        ("offset_s", "f8"),
        ("skew", "f8"),
        ("uncertainty_s", "f8"),
        # The envelope
        ("bucket", "i8"),  # the open one, and the smallest delay in it
        ("has_best", "i8"),
        ("best_s", "f8"),
        ("best_delay_s", "f8"),
        ("points", "i8"),  # of the closed ones
        ("point_s", "f8", (WINDOW_BUCKETS,)),
        ("point_delay_s", "f8", (WINDOW_BUCKETS,)),
        ("hull", "i8", (WINDOW_BUCKETS,)),
    ]
)


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


@kernel
def unwrap(c: Any, tick: int, arrival_ns: int) -> int:
    """Take the next sample's tick; return REPEATED, RUNS or RESTARTED and leave the tick in ``c.unwrapped``.

    Whole wraps that passed in silence are restored from the arrival clock. A counter that disagrees with arrival by
    more than `JUMP_S` is a reset: counting goes on from where arrival says.
    """
    if c.seen == 0:
        # An imaginary sample one tick earlier, so that the first real one is like any other.
        c.seen = 1
        c.raw = tick - 1
        c.unwrapped = tick - 1
        c.arrival_ns = arrival_ns
    tolerance = JUMP_S * c.tick_hz
    elapsed = (arrival_ns - c.arrival_ns) * (c.tick_hz / NS)
    forward = (tick - c.raw) % c.modulus
    backward = forward - c.modulus if forward else 0
    forward += max(0, int(np.rint((elapsed - forward) / c.modulus))) * c.modulus
    plausible = abs(forward - elapsed) < tolerance
    if (forward == 0 or not plausible) and backward > -tolerance and elapsed < tolerance:
        return REPEATED
    if not plausible:
        forward = max(1, int(np.rint(elapsed)))
    c.raw = tick
    c.unwrapped += forward
    c.arrival_ns = arrival_ns
    return RUNS if plausible else RESTARTED


@kernel
def paced(c: Any, period: float, arrival: int) -> None:
    """Take the next sample of a device that measures at a rate and stamps nothing; leave its time in ``c.unwrapped``.

    Samples were taken a period apart and arrive late, several at once. So each is placed a period behind the last,
    never later than it arrived, and a little late rather than early: that finds the smallest delay again, whichever way
    the device's rate is off. Where even the least delayed sample of a second lies behind, as many as fit were lost.

    Args:
        c: Row of `CLOCK`.
        period: From sample to sample, nanoseconds.
        arrival: Nanoseconds.
    """
    if c.seen == 0:
        c.seen = 1
        c.unwrapped = arrival
        c.arrival_ns = arrival  # since when the smallest delay is looked for
        c.best_delay_s = 0.0
        return
    placed = min(float(arrival), c.unwrapped + period * (1.0 + CREEP))
    late = arrival - placed
    c.best_delay_s = min(c.best_delay_s, late)
    if late >= STALL_NS:
        placed = float(arrival)
    elif arrival - c.arrival_ns >= NS:
        if c.best_delay_s > max(float(LATE_NS), 2.0 * period):
            placed += c.best_delay_s
        c.best_delay_s = arrival - placed  # so that it takes two seconds: one in which all is late begins with this one
        c.arrival_ns = arrival
    c.unwrapped = int(placed)


@kernel
def forget_map(c: Any) -> None:
    """Begin a new map: the device's clock is another one now."""
    c.fitted = 0
    c.bucket = 0
    c.has_best = 0
    c.points = 0


@kernel
def see(c: Any, device_s: float, arrival_s: float) -> None:
    """Take one point, in order of device time.

    The line is refitted when a bucket closes, so that it moves at most once a second of device time, whatever the
    packets look like; a point that undercuts it lowers it at once.
    """
    delay_s = arrival_s - device_s
    bucket = int(np.floor(device_s / BUCKET_S))
    if bucket != c.bucket:
        c.bucket = bucket
        if c.has_best:
            _close(c)
            _fit(c)
    if c.has_best and delay_s >= c.best_delay_s:
        return
    c.has_best = 1
    c.best_s = device_s
    c.best_delay_s = delay_s
    if not c.fitted:
        c.fitted = 1
        c.reference_s = device_s
        c.offset_s = delay_s
        c.skew = 0.0
        c.uncertainty_s = FIRST_UNCERTAINTY_S
    elif delay_s < c.offset_s + c.skew * (device_s - c.reference_s):
        c.reference_s = device_s
        c.offset_s = delay_s


@kernel
def to_gateway(device_s: float, reference_s: float, offset_s: float, skew: float) -> float:
    """Return gateway seconds of device seconds."""
    return device_s + offset_s + skew * (device_s - reference_s)


@kernel
def _close(c: Any) -> None:
    """Keep the best point of the open bucket; the oldest goes when the window is full."""
    if c.points == WINDOW_BUCKETS:
        for i in range(WINDOW_BUCKETS - 1):
            c.point_s[i] = c.point_s[i + 1]
            c.point_delay_s[i] = c.point_delay_s[i + 1]
        c.points -= 1
    c.point_s[c.points] = c.best_s
    c.point_delay_s[c.points] = c.best_delay_s
    c.points += 1
    c.has_best = 0


@kernel
def _fit(c: Any) -> None:
    n = c.points
    middle = 0.0
    for i in range(n):
        middle += c.point_s[i]
    middle /= n
    skew = 0.0
    if c.point_s[n - 1] - c.point_s[0] >= SKEW_AFTER_S:
        skew = min(max(_slope_below(c, middle), -MAX_SKEW), MAX_SKEW)
    above = np.empty(n)  # once a second and stream: not worth a buffer in each row
    for i in range(n):
        above[i] = c.point_delay_s[i] - skew * (c.point_s[i] - middle)
    offset = above.min()
    for i in range(n):  # one by one: of an array expression numba makes a function with another name each time
        above[i] -= offset
    spread = np.median(above) if n > 1 else FIRST_UNCERTAINTY_S
    c.reference_s = middle
    c.offset_s = offset
    c.skew = skew
    c.uncertainty_s = max(spread, FIRST_UNCERTAINTY_S / n)


@kernel
def _slope_below(c: Any, middle: float) -> float:
    """Return the slope of the lower convex hull (Andrew's monotone chain) at ``middle``."""
    hull, x, y = c.hull, c.point_s, c.point_delay_s
    top = 0
    for i in range(c.points):
        while top > 1:
            a, b = hull[top - 2], hull[top - 1]
            if (x[b] - x[a]) * (y[i] - y[a]) > (y[b] - y[a]) * (x[i] - x[a]):
                break
            top -= 1
        hull[top] = i
        top += 1
    edge = 1
    while edge < top - 1 and x[hull[edge]] < middle:
        edge += 1
    a, b = hull[edge - 1], hull[edge]
    return (y[b] - y[a]) / (x[b] - x[a])  # type: ignore[no-any-return]
