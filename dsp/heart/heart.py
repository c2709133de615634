"""Heart rate and its variability of one subject, from what a chest strap or watch sends.

Heart rate is the device's own. Variability comes from the intervals between beats (RR): RMSSD over a trailing minute
and SDNN over five (Task Force of the ESC and NASPE 1996), with beats that break the rhythm left out
(`dsp.heart.beats`, which judges each when two more have come: a window ends at the last that was judged). Notifications
carry several intervals and arrive when the radio likes, so beat times are rebuilt by adding up intervals; arrival
only anchors the sum, by its lower envelope, because radio delay is one-sided.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from dsp.arrays import floats, require_one_length
from dsp.catalogue import CATALOGUE
from dsp.heart.beats import REGULAR, BeatJudge
from dsp.reported import DELIVERED_TWICE
from dsp.result import Result

RATE_ALGORITHM = "heart-rate/1"
HRV_ALGORITHM = "hrv/2"

NO_CONTACT = "no skin contact"
NO_RATE = "device reports no heart rate"
IMPLAUSIBLE = "implausible"
TOO_FEW = "too few regular beats"

RATE_EVERY_S = 1.0  # nobody reads a heart rate more often
RATE_JITTER_S = 0.5  # a device that sends each second may arrive this early without being skipped
HRV_EVERY_S = 5.0  # a minute's RMSSD hardly moves faster
RMSSD_WINDOW_S = 60.0
SDNN_WINDOW_S = 300.0
RR_RANGE_S = (0.24, 2.4)  # 25 to 250 beats a minute
MAX_BEATS = int(SDNN_WINDOW_S / RR_RANGE_S[0])  # no heart fills the window with more
MIN_BEATS = 20  # fewer differences or intervals make no variability
FULL_SHARE = 0.9  # a window with less of its time covered by normal intervals is degraded
REJECTED_SHARE = 0.2  # so is one with more irregular beats than this
LOST_S = 2.0  # intervals that lag behind arrival by more than notifications bunch up (1 s and a beat): some were lost
EXCESS_S = 2.0  # intervals that add up to more time than passed: the longest delay that a whole half may have had
CLOCK_DRIFT = 1e-4  # a strap's clock may run this much slower than ours


class _Heard(NamedTuple):
    """An interval of a chain that is not judged yet, as `_Beat`."""

    time_s: float
    rr_s: float
    arrival_s: float


@dataclass(frozen=True, slots=True)
class _Beat:
    time_s: float  # when the interval ended, gateway seconds
    rr_s: float
    arrival_s: float  # of its notification
    normal: bool
    follows: bool  # the interval before it was normal too and adjoins: their difference counts


class HeartMetrics:
    """Streaming heart metrics of one subject; the same samples in any chunking give the same results.

    Times are seconds on the gateway clock, in ascending order. ``contact`` is True where the sensor touches the body
    (or cannot tell).
    """

    def __init__(self) -> None:
        self._rate_due_s = -math.inf
        self._hrv_due_s = math.nan
        self._beats: deque[_Beat] = deque(maxlen=MAX_BEATS)
        self._judge = BeatJudge()
        self._open: deque[_Heard] = deque()  # not judged yet
        self._sum_s = 0.0  # of the intervals since the chain began
        self._anchor_s = math.nan  # least arrival minus sum: NaN when no chain is running
        self._last_normal = False
        self._repeated: deque[tuple[float, int]] = deque(maxlen=MAX_BEATS)

    def add_rates(self, t_s: ArrayLike, bpm: ArrayLike, contact: ArrayLike) -> list[Result]:
        """Take heart rates (n,) in beats a minute that arrived at ``t_s`` (n,); return at most one a second."""
        out: list[Result] = []
        require_one_length(t_s=t_s, bpm=bpm, contact=contact)
        rows = zip(floats(t_s), floats(bpm), np.asarray(contact, bool).tolist(), strict=True)
        for at, rate, touches in rows:
            if not math.isfinite(at) or at < self._rate_due_s:
                continue
            self._rate_due_s = max(self._rate_due_s + RATE_EVERY_S, at + RATE_JITTER_S)
            reason = _rate_fault(rate, touches=touches)
            out.append(
                Result(
                    "heart_rate",
                    None if reason else rate,
                    "none",
                    at,
                    at,
                    1,
                    RATE_ALGORITHM,
                    quality="invalid" if reason else "ok",
                    reason=reason,
                )
            )
        return out

    def add_intervals(self, t_s: ArrayLike, rr_s: ArrayLike, contact: ArrayLike, *, repeated: int = 0) -> list[Result]:
        """Take intervals between beats (n,) in seconds with their notifications' arrival ``t_s`` (n,).

        Args:
            t_s: Arrival, seconds.
            rr_s: Intervals, seconds.
            contact: Whether the sensor touches the body.
            repeated: Notifications that were delivered twice and left out before these.
        """
        out: list[Result] = []
        require_one_length(t_s=t_s, rr_s=rr_s, contact=contact)
        if repeated and len(np.atleast_1d(t_s)):
            self._repeated.append((floats(t_s)[0], repeated))
        rows = zip(floats(t_s), floats(rr_s), np.asarray(contact, bool).tolist(), strict=True)
        for at, rr, touches in rows:
            if not math.isfinite(at):
                continue
            self._add_interval(at, rr, touches=touches)
            if math.isnan(self._hrv_due_s):
                self._hrv_due_s = at + HRV_EVERY_S
            if at >= self._hrv_due_s:
                self._hrv_due_s = at + HRV_EVERY_S
                out += self._variability(at, touches=touches)
        return out

    def _add_interval(self, at: float, rr: float, *, touches: bool) -> None:
        if not touches or not is_interval(rr):
            self._end_chain()
            self._anchor_s = math.nan
            self._keep(_Beat(at, rr, at, normal=False, follows=False))
            return
        lag = at - (self._sum_s + rr) - self._anchor_s
        if not lag <= LOST_S:  # also when there is no anchor
            self._end_chain()
            self._sum_s, self._anchor_s = 0.0, math.inf
        self._sum_s += rr
        self._anchor_s = min(self._anchor_s + CLOCK_DRIFT * rr, at - self._sum_s)
        self._open.append(_Heard(self._sum_s + self._anchor_s, rr, at))
        self._keep_judged(self._judge.add(rr))

    def _end_chain(self) -> None:
        self._keep_judged(self._judge.end())
        self._last_normal = False

    def _keep_judged(self, verdicts: Iterable[int]) -> None:
        for verdict in verdicts:
            normal = verdict == REGULAR
            self._keep(_Beat(*self._open.popleft(), normal=normal, follows=normal and self._last_normal))
            self._last_normal = normal

    def _keep(self, beat: _Beat) -> None:
        self._beats.append(beat)
        while self._beats[0].time_s < beat.time_s - SDNN_WINDOW_S:
            self._beats.popleft()

    def _variability(self, at: float, *, touches: bool) -> list[Result]:
        if not touches:
            return [
                Result(metric, None, "none", at, at, 0, HRV_ALGORITHM, quality="invalid", reason=NO_CONTACT)
                for metric in ("hrv_rmssd", "hrv_sdnn")
            ]
        if not self._beats:
            return []
        end = self._beats[-1].time_s
        minute = [beat for beat in self._beats if beat.time_s > end - RMSSD_WINDOW_S]
        while self._repeated and self._repeated[0][0] < at - SDNN_WINDOW_S:
            self._repeated.popleft()
        lately, ever = (sum(n for t, n in self._repeated if t > at - s) for s in (RMSSD_WINDOW_S, SDNN_WINDOW_S))
        return [
            _window("hrv_rmssd", minute, RMSSD_WINDOW_S, lately),
            _window("hrv_sdnn", list(self._beats), SDNN_WINDOW_S, ever),
        ]


def is_interval(rr_s: float) -> bool:
    """Whether a heart can take so long from beat to beat, seconds."""
    low, high = RR_RANGE_S
    return low <= rr_s <= high


def rmssd(rr_s: ArrayLike, follows: ArrayLike) -> float:
    """Return the root mean square of successive differences of intervals (n,), where ``follows`` (n,) says they adjoin.

    ``follows[i]`` is True where interval ``i`` and the one before it count; ``follows[0]`` is ignored. In the unit of
    ``rr_s``; NaN without any difference.
    """
    require_one_length(rr_s=rr_s, follows=follows)
    steps = np.diff(np.asarray(rr_s, float))[np.asarray(follows, bool)[1:]]
    return float(np.sqrt(np.mean(steps**2))) if len(steps) else math.nan


def sdnn(nn_s: ArrayLike) -> float:
    """Return the standard deviation (n - 1) of intervals between normal beats; NaN for fewer than two."""
    values = np.asarray(nn_s, float)
    return float(np.std(values, ddof=1)) if len(values) > 1 else math.nan


def excess_s(arrival_s: ArrayLike, rr_s: ArrayLike) -> float:
    """Return by how much intervals add up to more than the time in which they arrived, seconds; 0 if they do not.

    Radio delay is one-sided, and notifications that it held up come together: so it is the least delayed ones of the
    first and of the second half that are compared. Intervals that are none count as no time.

    Args:
        arrival_s: (n,) arrival of each interval's notification, in order.
        rr_s: (n,) intervals, seconds.
    """
    require_one_length(arrival_s=arrival_s, rr_s=rr_s)
    at, rr = np.asarray(arrival_s, float), np.asarray(rr_s, float)
    if not len(at):
        return 0.0
    low, high = RR_RANGE_S
    lag = at - np.cumsum(np.where((rr >= low) & (rr <= high), rr, 0.0))
    late = at > 0.5 * (at[0] + at[-1])
    return max(0.0, float(lag[~late].min() - lag[late].min())) if late.any() else 0.0


def _window(metric: str, beats: list[_Beat], length_s: float, repeated: int) -> Result:
    """Return the variability of the beats of one window, in which so many notifications were left out as repeated."""
    rr = np.array([beat.rr_s for beat in beats])
    normal = np.array([beat.normal for beat in beats])
    follows = np.array([beat.follows for beat in beats])
    rejected = int(np.sum(~normal))
    if metric == "hrv_rmssd":
        n, value = int(np.sum(follows[1:])), 1000.0 * rmssd(rr, follows)
    else:
        n, value = int(np.sum(normal)), 1000.0 * sdnn(rr[normal])
    covered = float(rr[normal].sum())
    fault = TOO_FEW if n < MIN_BEATS else "" if CATALOGUE[metric].plausible(value) else IMPLAUSIBLE
    doubts = []
    if covered < FULL_SHARE * length_s:
        doubts.append(f"{covered:.0f} of {length_s:.0f} s")
    excess = excess_s([beat.arrival_s for beat in beats], rr)
    if excess > EXCESS_S:
        doubts.append(f"intervals add up to {excess:.0f} s more than the time in which they arrived")
    if repeated:
        doubts.append(f"{repeated} messages were {DELIVERED_TWICE}")
    if rejected > REJECTED_SHARE * len(beats):
        doubts.append(f"{rejected} of {len(beats)} beats irregular")
    return Result(
        metric,
        None if fault else value,
        "none",
        beats[0].time_s,
        beats[-1].time_s,
        n,
        HRV_ALGORITHM,
        n_rejected=rejected,
        quality="invalid" if fault else "degraded" if doubts else "ok",
        reason=fault or "; ".join(doubts),
    )


def _rate_fault(rate: float, *, touches: bool) -> str:
    """Return why a heart rate is none; empty when it is one."""
    if not touches:
        return NO_CONTACT
    if not math.isfinite(rate) or rate == 0.0:
        return NO_RATE
    return "" if CATALOGUE["heart_rate"].plausible(rate) else IMPLAUSIBLE
