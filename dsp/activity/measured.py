"""Posture and activity of one sensor as metrics: each change at once, and the sums of every quarter of an hour.

A sensor that was taken off lies as level as a thigh that sits: a quarter that was not worn (`dsp.activity.wear`) has no
sums, and says so. A quarter in which somebody moves is told when it is over; one in which nothing moves, and what comes
after it, once it is known whether that was a person who lay still: three quarters later at the most.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from dsp.activity.day import ALGORITHM as DAY_ALGORITHM
from dsp.activity.day import BRIEF_S, HOUR_S, LONG_S, SEDENTARY, UPRIGHT, Spell, spells
from dsp.activity.still import OFF_BODY
from dsp.activity.wear import ALGORITHM as WEAR_ALGORITHM
from dsp.activity.wear import QUARTER_S, Wear, WearTime
from dsp.found import Found
from dsp.posture.measured import SEGMENT_UP, as_found
from dsp.posture.posture import ALGORITHM, Posture, PostureDetector
from dsp.posture.watch import Watch

SUMS: Final = ("upright_time", "sedentary_time", "transfer_count")
LATE_S: Final = 3.0
"""A posture is dated back by two seconds at most, and found half a second late."""


class ActivityMetrics:
    """The activity of one wearer; the same in any chunking.

    Args:
        rate_hz: Samples a second.
        placement: As of `PostureDetector`; ``watch`` too.

    Raises:
        ValueError: the rate is too low, or nothing is known of the placement.
    """

    algorithm = ALGORITHM

    def __init__(self, rate_hz: float, placement: str, watch: Watch | None = None) -> None:
        self._detector = PostureDetector(rate_hz, placement, along=SEGMENT_UP, watch=watch)
        self._wear = WearTime(rate_hz)
        self._rate_hz = rate_hz
        self._quarter_s: float | None = None
        self._postures: list[Posture] = []
        self._newest = -1
        self._closed_s = -math.inf
        self._waiting: deque[tuple[int, list[Spell]]] = deque()
        self._on_body: dict[int, bool | None] = {}  # by number of the quarter, as far as it was told
        self._down_s: tuple[float, float] | None = None
        self._was_down: bool | None = None

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Yield what samples show; arguments as of `PostureDetector.process`."""
        at = np.asarray(index, np.int64)
        force, turning = np.asarray(acc, float), np.asarray(gyr, float)
        while len(at):
            if self._quarter_s is None:
                self._quarter_s = float(at[0]) / self._rate_hz // QUARTER_S * QUARTER_S
            due = math.ceil((self._quarter_s + QUARTER_S + LATE_S) * self._rate_hz)
            n = int(np.searchsorted(at, due))
            if n:
                self._newest = int(at[n - 1])
                yield from self._posture(self._detector.process(at[:n], force[:n], turning[:n]))
                yield from self._wear_found(self._wear.process(at[:n], force[:n]))
            at, force, turning = at[n:], force[n:], turning[n:]
            if len(at):
                yield from self._close(self._quarter_s + QUARTER_S)
                later_s = (float(at[0]) / self._rate_hz - LATE_S) // QUARTER_S * QUARTER_S
                self._quarter_s = max(self._quarter_s + QUARTER_S, later_s)

    def finish(self) -> Iterator[Found]:
        """Yield the sums of the open quarter, and a long sitting that has not ended."""
        yield from self._posture(self._detector.finish())
        yield from self._wear_found(self._wear.finish())
        end_s = (self._newest + 1) / self._rate_hz
        if self._quarter_s is not None:
            for edge_s in sorted({min(self._quarter_s + QUARTER_S, end_s), end_s}):
                yield from self._close(edge_s)
        yield from self._known(over=True)
        yield from self._rises()

    def _posture(self, found: Iterable[Posture]) -> Iterator[Found]:
        for posture in found:
            self._postures.append(posture)
            yield as_found(posture)

    def _close(self, end_s: float) -> Iterator[Found]:
        """Take the spells up to the end of a quarter, and keep what comes after; yield the sums that are known now."""
        known = spells(self._postures, self._newest + 1, self._rate_hz)
        cut = (s._replace(start_s=max(s.start_s, self._closed_s), end_s=min(s.end_s, end_s)) for s in known)
        quarter = [spell for spell in cut if spell.start_s < spell.end_s]
        self._closed_s = end_s
        self._postures = self._after(known, end_s)
        if quarter:
            self._waiting.append((math.ceil(end_s / QUARTER_S) - 1, quarter))
        yield from self._known()

    def _known(self, *, over: bool = False) -> Iterator[Found]:
        """Yield the sums of those quarters of which it is known whether they were worn; of all where it is over."""
        while self._waiting:
            number, quarter = self._waiting[0]
            on_body = self._on_body[number] if number in self._on_body else self._wear.is_on_body(number)
            if on_body is None and number not in self._on_body and not over:
                return
            self._waiting.popleft()
            self._on_body = {later: known for later, known in self._on_body.items() if later >= number}
            yield from self._sums(quarter) if on_body is not False else self._off_body(quarter)

    def _sums(self, quarter: list[Spell]) -> Iterator[Found]:
        for metric, group in (("upright_time", UPRIGHT), ("sedentary_time", SEDENTARY)):
            hours = sum(s.end_s - s.start_s for s in quarter if s.posture in group) / HOUR_S
            yield self._sum(metric, hours, quarter)
        n_transfers = 0
        for spell in quarter:
            is_down = None if spell.posture is None else spell.posture in SEDENTARY
            if is_down is False and spell.end_s - spell.start_s < BRIEF_S:
                continue
            if is_down is not True:
                yield from self._rises()
            n_transfers += is_down is not None and self._was_down is not None and is_down != self._was_down
            self._was_down = is_down
            if is_down:
                self._down_s = (self._down_s or (spell.start_s, 0.0))[0], spell.end_s
        yield self._sum("transfer_count", float(n_transfers), quarter)

    def _off_body(self, quarter: list[Spell]) -> Iterator[Found]:
        """Yield that there are no sums, and a long sitting that ended before."""
        yield from self._rises()
        self._was_down = None
        for metric in SUMS:
            yield self._sum(metric, None, quarter)

    def _after(self, known: list[Spell], end_s: float) -> list[Posture]:
        """Return what holds from the end of a quarter on."""
        return [
            Posture(max(spell.start_s, end_s) * self._rate_hz, spell.posture, "ok", "")
            for spell in known
            if spell.end_s > end_s or spell is known[-1]
        ]

    def _rises(self) -> Iterator[Found]:
        """Yield a long sitting that has ended."""
        if self._down_s is not None and self._down_s[1] - self._down_s[0] >= LONG_S:
            first, last = (second * self._rate_hz for second in self._down_s)
            yield Found("sedentary_bouts_30", 1.0, first, last, 1, algorithm=DAY_ALGORITHM)
        self._down_s = None

    def _sum(self, metric: str, value: float | None, quarter: list[Spell]) -> Found:
        first, last = quarter[0].start_s * self._rate_hz, quarter[-1].end_s * self._rate_hz
        if value is None:
            return Found(metric, None, first, last, 0, quality="invalid", reason=OFF_BODY, algorithm=DAY_ALGORITHM)
        return Found(metric, value, first, last, max(1, round(last - first)), algorithm=DAY_ALGORITHM)

    def _wear_found(self, found: Iterable[Wear]) -> Iterator[Found]:
        """Yield how long each quarter was worn, and keep whether it was."""
        for wear in found:
            self._on_body[wear.start // round(QUARTER_S * self._rate_hz)] = wear.on_body
            yield _as_found(wear, self._rate_hz)


def _as_found(wear: Wear, rate_hz: float) -> Found:
    if wear.on_body is None:
        return Found("wear_time", None, wear.start, wear.end, 0, quality="invalid", reason=wear.reason,
                     algorithm=WEAR_ALGORITHM)  # fmt: skip
    hours = wear.on_body * wear.time / rate_hz / HOUR_S
    return Found("wear_time", hours, wear.start, wear.end, wear.n, algorithm=WEAR_ALGORITHM)
