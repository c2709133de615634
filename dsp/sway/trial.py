"""A trial of quiet standing with one motion sensor on the lower back: from samples as they come to the sway metrics.

The horizontal part of the acceleration stands for the sway of the body (Mancini et al. 2012, doi
10.1186/1743-0003-9-59): gravity is what the trial has on average, what is left is low-passed at 3.5 Hz, forward and
back in one, and all the metrics are of that. They are m/s² and its kin, and no millimetres of a force plate: the two
are not interchangeable.

A trial goes from the begin of the session, or what is marked as its start, to its end, or what is marked as its stop.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.found import Found
from dsp.marks import START, STOP
from dsp.result import Quality
from dsp.sway.sway import doubt_of_loss, measure_sway

LEAST_RATE_HZ: Final = 10.0
LEAST_S: Final = 10.0
"""A shorter trial holds too few sways to and fro: a slow one takes five seconds."""
LONGEST_S: Final = 300.0
"""Nobody stands quietly for longer; the session was not ended, and memory is."""
LOW_PASS_HZ: Final = 3.5
BAND_HZ: Final = (0.15, 3.5)
"""Of the spectrum: below lies what the mean takes off, above no body sways."""
INSIDE: Final = 0.95
"""Of the power, below `sway_f95`."""
LARGEST_TILT_DEG: Final = 30.0
"""Between gravity and the axis that is said to point up: beyond, nobody knows which axis points forward."""
MOVING: Final = 1.0
"""m/s², of the whole trial's spread: walking has 1.5 and more, the worst tandem stance .4."""
METRICS: Final = (
    "sway_path", "sway_mean_velocity", "sway_rms_ap", "sway_rms_ml", "sway_ellipse_area95", "sway_jerk", "sway_f95",
    "sway_centroid_freq",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class QuietStance:
    """The sway of one trial, by metric, and what is doubtful about it.

    Attributes:
        values: By metric id, in the catalogue's units.
        doubts: Why all of them are degraded.
        askew: Why those forward and to the side are.
        n: Samples.
        n_lost: Samples lost between them.
    """

    values: dict[str, float]
    doubts: tuple[str, ...]
    askew: str
    n: int
    n_lost: int


def measure_quiet_stance(index: ArrayLike, acc: ArrayLike, rate_hz: float) -> QuietStance | None:
    """Return the sway of one trial of quiet standing; None where too little was sampled.

    Args:
        index: (n,) whole numbers of the samples on the sensor's grid, ascending: a missing number is a lost sample.
        acc: (n, 3) specific force, m/s², along forward, left and up of a sensor on the lower back. Samples that are
            not finite count as lost.
        rate_hz: Samples a second.
    """
    at, force = np.asarray(index, np.int64), np.asarray(acc, float)
    whole = np.isfinite(force).all(axis=1)
    at, force = at[whole], force[whole]
    if len(at) < LEAST_S * rate_hz / 2 or at[-1] - at[0] + 1 < LEAST_S * rate_hz:
        return None
    grid = np.arange(at[0], at[-1] + 1)
    level, tilt_deg = _horizontal(np.column_stack([np.interp(grid, at, force[:, axis]) for axis in range(3)]))
    smooth = _low_passed(level, rate_hz)
    sway = measure_sway(grid, smooth, rate_hz)
    if sway is None:
        return None
    values = {
        "sway_path": sway.path,
        "sway_mean_velocity": sway.mean_velocity,
        "sway_rms_ap": sway.rms_ap,
        "sway_rms_ml": sway.rms_ml,
        "sway_ellipse_area95": sway.ellipse_area95,
        "sway_jerk": 0.5 * float((np.diff(smooth, axis=0) ** 2).sum()) * rate_hz,
    }
    values["sway_f95"], values["sway_centroid_freq"] = _frequencies(smooth, rate_hz)
    moving = math.hypot(sway.rms_ap, sway.rms_ml)
    doubts = (doubt_of_loss(at, rate_hz), f"not standing quietly: {moving:.1f} m/s2" if moving > MOVING else "")
    askew = f"the sensor is worn {tilt_deg:.0f}° askew" if tilt_deg > LARGEST_TILT_DEG else ""
    return QuietStance(values, tuple(filter(None, doubts)), askew, len(at), len(grid) - len(at))


class SwayTrial:
    """One trial after the other; the same in any chunking.

    Args:
        rate_hz: Samples a second.
        doubt: Why what is measured is not the whole trial; empty if it is.

    Raises:
        ValueError: the rate is too low for what is looked for.
    """

    algorithm = "sway-acceleration/1"

    def __init__(self, rate_hz: float, *, doubt: str = "") -> None:
        if rate_hz < LEAST_RATE_HZ:
            raise ValueError(f"sway needs {LEAST_RATE_HZ:.0f} samples a second, not {rate_hz:g}")
        self._rate_hz = rate_hz
        self._doubt = doubt
        self._index: list[NDArray[np.int64]] = []
        self._acc: list[NDArray[np.float64]] = []
        self._start = -math.inf
        self._stop = math.inf
        self._over = False

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Take samples; yield the metrics of a trial that they end."""
        del gyr
        if self._over:
            return
        self._index.append(np.asarray(index, np.int64))
        self._acc.append(np.asarray(acc, float).reshape(-1, 3))
        if math.isinf(self._start) and self._stop < self._index[0][0]:
            self._stop = math.inf  # of no trial: it had not begun
        first, last = max(float(self._index[0][0]), self._start), float(self._index[-1][-1])
        if last >= self._stop:
            yield from self._measure()
        elif last - first >= LONGEST_S * self._rate_hz:
            self._stop = first + LONGEST_S * self._rate_hz
            yield from self._measure(f"ended by itself after {LONGEST_S:.0f} s")

    def mark(self, text: str, at: float) -> None:
        """Begin the trial, or end it, at a sample; what else is marked says nothing to it."""
        if text == START:
            if self._over:
                self._over, self._index, self._acc = False, [], []
            self._start, self._stop = at, math.inf
        elif text == STOP and not self._over:
            self._stop = at

    def finish(self) -> Iterator[Found]:
        """End the trial with the session."""
        if not self._over:
            yield from self._measure()

    def _measure(self, *doubts: str) -> Iterator[Found]:
        self._over = True
        index = np.concatenate([np.zeros(0, np.int64), *self._index])
        acc = np.concatenate([np.zeros((0, 3)), *self._acc])
        self._index, self._acc = [], []
        within = (index >= self._start) & (index <= self._stop)
        index, acc = index[within], acc[within]
        if not len(index):
            if math.isfinite(self._start) and math.isfinite(self._stop):
                yield from self._none(self._start, max(self._start, self._stop), 0, "nothing was received of the trial")
            return
        first, last = float(index[0]), float(index[-1])
        stance = measure_quiet_stance(index, acc, self._rate_hz)
        if stance is None:
            yield from self._none(first, last, len(index), f"the trial is shorter than {LEAST_S:.0f} s")
            return
        for metric in METRICS:
            value = stance.values[metric]
            askew = stance.askew if metric in {"sway_rms_ap", "sway_rms_ml"} else ""
            reason = "; ".join(filter(None, (self._doubt, *doubts, *stance.doubts, askew)))
            quality: Quality = "degraded" if reason else "ok"
            if math.isnan(value):
                yield Found(metric, None, first, last, stance.n, quality="invalid", reason="nothing moved")
            else:
                yield Found(metric, value, first, last, stance.n, quality=quality, reason=reason)

    def _none(self, first: float, last: float, n: int, reason: str) -> Iterator[Found]:
        for metric in METRICS:
            yield Found(metric, None, first, last, n, quality="invalid", reason=reason)


def _horizontal(force: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Return (n, 2) forward and to the left without gravity, and how far up is from where it is said to be, degrees."""
    gravity = force.mean(axis=0)
    up = gravity / (np.linalg.norm(gravity) or 1.0)
    pointing = 0 if abs(up[0]) < math.cos(math.radians(LARGEST_TILT_DEG)) else 2
    forward = np.eye(3)[pointing] - up[pointing] * up
    forward /= np.linalg.norm(forward) or 1.0
    left = np.cross(up, forward)
    tilt_deg = math.degrees(math.acos(float(np.clip(up[2], -1.0, 1.0))))
    return (force - gravity) @ np.column_stack([forward, left]), tilt_deg


def _low_passed(level: NDArray[np.float64], rate_hz: float) -> NDArray[np.float64]:
    """Return a signal (n, 2) through a Butterworth filter of second order, there and back, mirrored at its ends."""
    n = len(level)
    mirrored = np.concatenate([2 * level[0] - level[1:][::-1], level, 2 * level[-1] - level[:-1][::-1]])
    hz = np.fft.rfftfreq(len(mirrored), 1 / rate_hz)
    gain = 1.0 / (1.0 + (hz / LOW_PASS_HZ) ** 4)
    smooth: NDArray[np.float64] = np.fft.irfft(np.fft.rfft(mirrored, axis=0) * gain[:, None], len(mirrored), axis=0)
    return smooth[n - 1 : 2 * n - 1]


def _frequencies(smooth: NDArray[np.float64], rate_hz: float) -> tuple[float, float]:
    """Return below which frequency 95 % of the power is, and the mean frequency, both directions together."""
    centred = smooth - smooth.mean(axis=0)
    window = np.hanning(len(centred))[:, None]
    power = (np.abs(np.fft.rfft(centred * window, axis=0)) ** 2).sum(axis=1)
    hz = np.fft.rfftfreq(len(centred), 1 / rate_hz)
    inside = (hz >= BAND_HZ[0]) & (hz <= BAND_HZ[1])
    power, hz = power[inside], hz[inside]
    total = float(power.sum())
    if total <= 0.0:
        return math.nan, math.nan
    below = int(np.searchsorted(np.cumsum(power), INSIDE * total))
    return float(hz[min(below, len(hz) - 1)]), float((hz * power).sum() / total)
