"""A session of a timed test of transfers as metrics: each rise as it is done, the test when it is over.

What people mark goes before what was found: ``start`` and ``stop`` are where a test begins and ends, and nothing is
looked for outside.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dsp.found import Found
from dsp.marks import START, STOP
from dsp.transfers.chair_stands import summarise_chair_stands
from dsp.transfers.found import ALGORITHM, ESTIMATED, Transfer, Tug
from dsp.transfers.found import Found as Event
from dsp.transfers.transfers import Placement, Transfers

REMEMBERED_S: Final = 15.0
"""A mark may lie so far behind: people press late, and what they press travels."""
MOST_TRANSFERS: Final = 400
"""Of one test: twice what the quickest do in a minute, and much more."""
PHASES: Final = ("sit_to_stand", "walk_out", "turn_180", "walk_back", "turn_to_sit")
TUG_METRICS: Final = ("tug_total", *(f"tug_{phase}" for phase in PHASES))
CHAIR_METRICS: Final = {"5xsts": "sts5_time", "30scst": "sts30_reps", "1msts": "sts60_reps"}
DURATIONS_S: Final = {"30scst": 30.0, "1msts": 60.0}
WHOLE_S: Final = 2.0
"""A test that ended so much before its time was stopped."""
TRANSFER_METRICS: Final = (
    "sit_to_stand_time", "stand_to_sit_time", "sit_to_stand_velocity", "sit_to_stand_power", "sit_to_stand_lean",
    "sit_to_stand_smoothness",
)  # fmt: skip
NOTHING: Final = "no rise, turn and sitting down were found"
MARKS_ALONE: Final = "by its marks alone: its parts were not found"


class TransferTest:
    """One test after the other of a session; the same in any chunking.

    Args:
        rate_hz: Samples a second.
        placement: Where the sensor is worn.
        word: Of the protocol: ``tug``, ``5xsts``, ``30scst``, ``1msts`` or ``sts``.
        height_m: Of who wears it; NaN where it is not known.
        mass_kg: Likewise.
        doubt: Why what is measured is not the whole test; empty if it is.

    Raises:
        ValueError: the rate is too low for what is looked for, or nothing is found at such a place.
    """

    algorithm = ALGORITHM

    def __init__(
        self,
        rate_hz: float,
        placement: Placement,
        word: str,
        *,
        height_m: float = math.nan,
        mass_kg: float = math.nan,
        doubt: str = "",
    ) -> None:
        self._rate_hz, self._placement, self._word, self._doubt = rate_hz, placement, word, doubt
        self._height_m, self._mass_kg = height_m, mass_kg
        self._estimated = ESTIMATED.get(placement, "")
        self._start: float | None = None
        self._stop: float | None = None
        self._index = np.zeros(0, np.int64)
        self._rows = np.zeros((0, 6))
        self._waiting: list[Found] = []
        self._begin()

    def _begin(self) -> None:
        """Begin with what is looked for from here on."""
        height, mass = (value if math.isfinite(value) else None for value in (self._height_m, self._mass_kg))
        self._operator = Transfers(
            self._rate_hz, placement=self._placement, tug=self._word == "tug", start=self._start, height_m=height,
            mass_kg=mass,
        )  # fmt: skip
        self._transfers: list[Transfer] = []
        self._test: Tug | None = None
        self._over = False

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Take samples; yield what they bring to light."""
        at = np.asarray(index, np.int64)
        rows = np.column_stack([np.asarray(x, float).reshape(-1, 3) for x in (acc, gyr)])
        self._remember(at, rows)
        yield from self._taken()
        yield from self._look(at, rows)

    def mark(self, text: str, at: float) -> None:
        """Begin the test, or end it, at a sample; what else is marked says nothing to it."""
        if text == START:
            if self._start is not None and self._transfers:  # the test before, of which nobody marked the end
                self._waiting += self._close()
            self._start, self._stop = at, None
            self._begin()
            self._waiting += self._look(self._index, self._rows)
        elif text == STOP and not self._over and (self._start is not None or self._transfers):
            self._stop = at
            if self._test is not None:
                self._over = True
                self._waiting += self._tug(self._test)
            elif len(self._index) and self._index[-1] >= at:
                self._waiting += self._close()

    def finish(self) -> Iterator[Found]:
        """End the test with the session."""
        yield from self._taken()
        yield from self._close()

    def _taken(self) -> Iterator[Found]:
        waiting, self._waiting = self._waiting, []
        return iter(waiting)

    def _remember(self, index: NDArray[np.int64], rows: NDArray[np.float64]) -> None:
        if len(index):
            index, rows = np.concatenate([self._index, index]), np.concatenate([self._rows, rows])
            kept = index > index[-1] - REMEMBERED_S * self._rate_hz
            self._index, self._rows = index[kept], rows[kept]

    def _look(self, index: NDArray[np.int64], rows: NDArray[np.float64]) -> Iterator[Found]:
        if self._over:
            return
        within = index <= (math.inf if self._stop is None else self._stop)
        found = self._operator.process(index[within], rows[within, :3], rows[within, 3:])
        yield from self._measured(found)
        if not within.all():
            yield from self._close()

    def _close(self) -> Iterator[Found]:
        """End the test: tell what was still open, and what there is of it as a whole."""
        if self._over:
            return
        self._over = True
        yield from self._measured(self._operator.finish())
        if self._word == "tug":
            if self._test is None:
                yield from self._marked()
        elif self._word in CHAIR_METRICS:
            yield from self._chair_stands(CHAIR_METRICS[self._word])

    def _measured(self, found: Iterable[Event]) -> Iterator[Found]:
        for one in found:
            if isinstance(one, Transfer):
                self._transfers = [*self._transfers[-MOST_TRANSFERS:], one]
                yield from self._transfer(one)
            elif isinstance(one, Tug):
                self._test = one
                yield from self._tug(one)

    def _transfer(self, one: Transfer) -> Iterator[Found]:
        if one.kind == "stand_to_sit":
            yield self._value("stand_to_sit_time", one.duration_s, (one.start, one.end), self._edges(one.reason))
            return
        values = (one.duration_s, one.peak_velocity, one.peak_power, one.lean_deg, one.smoothness)
        for metric, value in zip((TRANSFER_METRICS[0], *TRANSFER_METRICS[2:]), values, strict=True):
            if math.isfinite(value):
                reason = self._edges(one.reason) if metric == "sit_to_stand_time" else one.reason
                yield self._value(metric, value, (one.start, one.end), reason)

    def _tug(self, test: Tug) -> Iterator[Found]:
        if test.quality == "invalid":
            yield from self._none(test.start, test.start, test.reason)
            return
        estimated = self._edges(test.reason)
        marked = self._start is not None and self._stop is not None
        if self._start is not None or self._stop is not None:
            test = test.corrected(self._rate_hz, start=self._start, end=self._stop)
        yield self._value("tug_total", test.total_s, (test.start, test.end), test.reason if marked else estimated)
        for phase in PHASES:
            reason = estimated if phase in ("sit_to_stand", "walk_out", "turn_to_sit") else test.reason
            yield self._value(f"tug_{phase}", getattr(test, f"{phase}_s"), (test.start, test.end), reason)

    def _edges(self, reason: str) -> str:
        """Return why a time from the first lean to the last rest is in doubt: that a limb does not show them, too."""
        return "; ".join(filter(None, (reason, self._estimated)))

    def _marked(self) -> Iterator[Found]:
        """Tell of a test whose parts were not found what its marks say, or nothing."""
        last = float(self._index[-1]) if len(self._index) else 0.0
        if self._start is None or self._stop is None or self._stop <= self._start:
            yield from self._none(last, last, NOTHING)
            return
        total_s = (self._stop - self._start) / self._rate_hz
        yield self._value("tug_total", total_s, (self._start, self._stop), MARKS_ALONE)

    def _none(self, first: float, last: float, reason: str) -> Iterator[Found]:
        for metric in TUG_METRICS:
            yield Found(metric, None, first, last, 0, quality="invalid", reason=reason)

    def _chair_stands(self, metric: str) -> Iterator[Found]:
        duration_s = DURATIONS_S.get(self._word, math.inf)
        stands = summarise_chair_stands(self._transfers, self._rate_hz, start=self._start, duration_s=duration_s)
        rises = [one for one in self._transfers if one.kind == "sit_to_stand"]
        last = float(self._index[-1]) if len(self._index) else 0.0
        last = last if self._stop is None else min(last, self._stop)
        first = self._start if self._start is not None else rises[0].start if rises else last
        value = stands.fifth_seat_s if metric == "sts5_time" else float(stands.repetitions)
        reason = stands.reason
        lasted_s = (last - first) / self._rate_hz
        if lasted_s < DURATIONS_S.get(self._word, 0.0) - WHOLE_S:
            reason = "; ".join(filter(None, (f"ended after {lasted_s:.0f} s", reason)))
        if metric == "sts5_time" and math.isfinite(value):
            last = first + value * self._rate_hz  # over with the fifth seat, however late somebody ends the session
        elif metric == "sts5_time":
            reason = f"{stands.repetitions} repetitions were found, and not five"
        yield self._value(metric, value, (first, last), reason, n=stands.repetitions)

    def _value(self, metric: str, value: float, span: tuple[float, float], reason: str, *, n: int = 1) -> Found:
        first, last = span
        if not math.isfinite(value):
            return Found(metric, None, first, last, n, quality="invalid", reason=reason or NOTHING)
        reason = "; ".join(filter(None, (self._doubt, reason)))
        return Found(metric, value, first, max(first, last), n, quality="degraded" if reason else "ok", reason=reason)
