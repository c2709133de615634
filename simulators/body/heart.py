"""A heart: beats whose rate follows effort and whose intervals vary as healthy ones do.

The interval is ``60 / rate`` plus three things that make heart-rate variability (Task Force of ESC and NASPE,
Circulation 1996): breathing (about 0.25 Hz), the slower waves of blood pressure (about 0.1 Hz), and what is left,
beat by beat. Under effort the rate approaches its new level exponentially, up faster than down, and variability
shrinks with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from simulators.motion.source import Beats, BeatSource, Floats

BREATHING_HZ, PRESSURE_HZ = 0.25, 0.1
BREATHING_SHARE, PRESSURE_SHARE = 0.7, 0.5
"""Of the given RMSSD; what is left to make up its square falls to the beat-by-beat part."""
RISE_S, FALL_S = 25.0, 45.0
"""Time constants of heart rate at the beginning and end of light effort."""
LIVELINESS_UNDER_EFFORT = 0.4
"""Variability at walking pace as a part of that at rest."""
SHORTEST_RR_S, LONGEST_RR_S = 0.27, 2.0
"""220 and 30 beats a minute: no random draw goes further."""
EARLY, PAUSE = 0.65, 1.3
"""An ectopic beat ends an interval this much shorter; the pause after it makes up for it."""
RMSSD_TO_SECONDS = 1e-3

Effort = Iterable[tuple[float, float]]
"""Intervals of true time (start, end) with effort, in order."""


class Heart(BeatSource):
    """Beats with known truth: rate and variability at rest and in effort are given, not found.

    Args:
        seed: Which heart.
        rest_bpm: Rate at rest, beats a minute.
        effort_bpm: Rate that long effort would reach, beats a minute.
        effort: When the body works: intervals (start, end) in true seconds, in order; may go on for ever.
        rmssd_ms: Root mean square of successive differences at rest, milliseconds.
        ectopics_per_hour: Premature beats, each followed by a pause.
        end_s: True time after which the heart is no longer looked at; infinite by default.

    Raises:
        ValueError: When a figure is not one of a living heart.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        rest_bpm: float = 66.0,
        effort_bpm: float = 98.0,
        effort: Effort = (),
        rmssd_ms: float = 32.0,
        ectopics_per_hour: float = 0.0,
        end_s: float = np.inf,
    ) -> None:
        if not (30 <= rest_bpm <= 220 and 30 <= effort_bpm <= 220):
            raise ValueError(f"heart rates must lie between 30 and 220 a minute, got {rest_bpm} and {effort_bpm}")
        if rmssd_ms < 0 or ectopics_per_hour < 0:
            raise ValueError("rmssd_ms and ectopics_per_hour cannot be negative")
        self.rest_bpm, self.effort_bpm = rest_bpm, effort_bpm
        self._rmssd_s = rmssd_ms * RMSSD_TO_SECONDS
        self._ectopics_per_s = ectopics_per_hour / 3600
        self._random = np.random.default_rng([seed, 0xBEA7])
        self._phase = self._random.uniform(0, 2 * np.pi, 2)
        self._effort = _Effort(effort)
        self._end_s = end_s
        self._beats = self._beat()
        self._next = next(self._beats)

    def read_until(self, until_s: float) -> Beats | None:
        """Return the beats not yet taken up to true time ``until_s``; None at the end."""
        taken: list[tuple[float, float]] = []
        while self._next[0] <= min(until_s, self._end_s):
            taken.append(self._next)
            self._next = next(self._beats)
        if not taken and self._next[0] > self._end_s:
            return None
        times, intervals = np.array(taken).reshape(-1, 2).T
        return Beats(times, intervals)

    def _beat(self) -> Iterator[tuple[float, float]]:
        """Yield (true time, interval) of every beat."""
        now, bpm, pause = 0.0, self.rest_bpm, 1.0
        while True:
            goal = self.effort_bpm if self._effort.at(now) else self.rest_bpm
            lively = np.interp(abs(bpm - self.rest_bpm), [0, 30], [1, LIVELINESS_UNDER_EFFORT])
            rr = 60 / bpm + float(lively) * self._variation(now, 60 / bpm)
            early = self._random.random() < self._ectopics_per_s * rr and pause == 1.0
            rr *= EARLY if early else pause
            pause = PAUSE if early else 1.0
            rr = min(max(rr, SHORTEST_RR_S), LONGEST_RR_S)
            now += rr
            bpm += (goal - bpm) * -np.expm1(-rr / (RISE_S if goal > bpm else FALL_S))
            yield now, rr

    def _variation(self, now: float, rr: float) -> float:
        """Return what is added to the interval that begins now, seconds: RMSSD as given, in a mean of zero."""
        waves, left = 0.0, 1.0
        for hz, share, phase in zip(
            (BREATHING_HZ, PRESSURE_HZ), (BREATHING_SHARE, PRESSURE_SHARE), self._phase, strict=True
        ):
            # A sine of amplitude a, met every rr seconds, has successive differences of RMS sqrt(2) a |sin(pi hz rr)|.
            amplitude = share / (np.sqrt(2) * max(abs(np.sin(np.pi * hz * rr)), 0.1))
            waves += amplitude * np.sin(2 * np.pi * hz * now + phase)
            left -= share**2
        own = np.sqrt(left / 2) * self._random.standard_normal()  # white: its differences have twice its variance
        return self._rmssd_s * float(waves + own)


class _Effort:
    """Asks a possibly endless list of intervals, in order of time."""

    def __init__(self, intervals: Effort) -> None:
        self._coming = iter(intervals)
        self._now = next(self._coming, None)

    def at(self, true_s: float) -> bool:
        while self._now is not None and self._now[1] <= true_s:
            self._now = next(self._coming, None)
        return self._now is not None and self._now[0] <= true_s


def rmssd_ms(rr_s: Floats) -> float:
    """Return the root mean square of successive differences of intervals (n,) in seconds, milliseconds."""
    return float(np.sqrt(np.mean(np.diff(rr_s) ** 2))) / RMSSD_TO_SECONDS
