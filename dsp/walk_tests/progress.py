"""How far somebody has come by when: from contacts and strides that other operators found, on the gateway's clock.

What moves ahead is the middle between the feet: each foot's displacement counts half. The first step of a walk and the
one that closes the feet are half as long as the others; where nobody measured lengths, the others are taken to be alike.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsp.result import Result

Source = Literal["feet", "lower back", "marks"]

FEET: Final = ("walk/", "foot-stride/")
"""How the names of the algorithms begin that measure feet."""
LOWER_BACK: Final = "lower-back/"
MOST: Final = 6000
"""Contacts, strides and so on that are kept: an hour of walking."""
PAUSE_S: Final = 2.124
"""The longest step of Mobilise-D: a longer one holds a stop ..."""
PAUSE_STEPS: Final = 2.5
"""... unless this person's steps are so slow that it is not so many of them."""
U_TURN_DEG: Final = 120.0
LEAST_CONTACTS: Final = 4

Floats = NDArray[np.float64]


class Span(NamedTuple):
    """A stretch of time, gateway seconds, and a value over it."""

    start_s: float
    end_s: float
    value: float


class Stepped(NamedTuple):
    """The contacts of a stretch of walking.

    Attributes:
        time_s: (n,) when, gateway seconds.
        far_m: (n,) how far the middle between the feet had come by then; 1 a step where lengths are not known.
        measured: Whether lengths were measured, and by what.
        source: Where the contacts are from.
        start_s: When the first foot left the floor, as far as that is known.
    """

    time_s: Floats
    far_m: Floats
    measured: bool
    source: Source
    start_s: float

    def when(self, far_m: float) -> float:
        """Return when somebody was so far; at the ends the time of the first and last contact."""
        return float(np.interp(far_m, np.concatenate([[0.0], self.far_m]), np.concatenate([[self.start_s], self.time_s])))


class Progress:
    """Contacts, strides and turns of one person, gathered in any order."""

    def __init__(self) -> None:
        self._contacts: dict[Source, deque[Span]] = {"feet": deque(maxlen=MOST), "lower back": deque(maxlen=MOST)}
        self._lifts: deque[float] = deque(maxlen=MOST)
        self._strides: deque[tuple[str, Span]] = deque(maxlen=MOST)
        self._back_strides: deque[Span] = deque(maxlen=MOST)
        self._turns: deque[Span] = deque(maxlen=MOST)
        self.newest_s = -np.inf

    def add(self, results: Iterable[Result]) -> None:
        """Take results of any metric; what says nothing of walking is passed over."""
        for result in results:
            if result.value is None:
                continue
            span = Span(result.start_s, result.end_s, result.value)
            feet = result.algorithm.startswith(FEET)
            if result.metric == "initial_contact":
                side = {"left": -1.0, "right": 1.0}.get(result.side, 0.0)
                self._contacts["feet" if feet else "lower back"].append(Span(span.start_s, span.end_s, side))
                self.newest_s = max(self.newest_s, span.end_s)
            elif result.metric == "final_contact" and feet:
                self._lifts.append(span.start_s)
            elif result.metric == "stride_length" and feet:
                self._strides.append((result.side, span))
            elif result.metric == "stride_length" and result.algorithm.startswith(LOWER_BACK):
                self._back_strides.append(span)
            elif result.metric == "turn_angle" and result.value >= U_TURN_DEG:
                self._turns.append(span)

    def turns(self, start_s: float, end_s: float) -> list[Span]:
        """Return the U-turns between two instants, one that several sensors saw once."""
        out: list[Span] = []
        for turn in sorted(self._turns):
            inside = start_s < (turn.start_s + turn.end_s) / 2 < end_s
            if inside and (not out or turn.start_s >= out[-1].end_s):
                out.append(turn)
        return out

    def source(self, start_s: float, end_s: float) -> Source:
        """Return whose contacts are to be believed: the feet's where both feet have some."""
        sides = {contact.value for contact in self._contacts["feet"] if start_s <= contact.start_s <= end_s}
        return "feet" if len(sides) > 1 else "lower back"

    def contact_times(self, start_s: float, end_s: float) -> list[float]:
        """Return when feet met the floor between two instants."""
        contacts = self._contacts[self.source(start_s, end_s)]
        return sorted(contact.start_s for contact in contacts if start_s <= contact.start_s <= end_s)

    def walks(self, start_s: float = -np.inf, end_s: float = np.inf) -> list[tuple[float, float]]:
        """Return (first, last contact) of the walks between two instants: stops and U-turns part them."""
        times = self.contact_times(start_s, end_s)
        if len(times) < LEAST_CONTACTS:
            return []
        pause_s = max(PAUSE_S, PAUSE_STEPS * float(np.median(np.diff(times))))
        turns = [(turn.start_s + turn.end_s) / 2 for turn in self.turns(start_s, end_s)]
        groups = [[times[0]]]
        for before, time in pairwise(times):
            if time - before > pause_s or bisect_left(turns, before) != bisect_left(turns, time):
                groups.append([])
            groups[-1].append(time)
        return [(group[0], group[-1]) for group in groups if len(group) >= LEAST_CONTACTS]

    def steps(self, start_s: float, end_s: float) -> Stepped:
        """Return the contacts between two instants, and how far each came."""
        source = self.source(start_s, end_s)
        contacts = sorted(c for c in self._contacts[source] if start_s <= c.start_s <= end_s)
        times = np.array([contact.start_s for contact in contacts])
        moved = np.array([self._moved(contact) for contact in contacts]) if source == "feet" else times * np.nan
        known = np.isfinite(moved)
        measured = bool(known.sum() >= LEAST_CONTACTS)
        usual = float(np.median(moved[known])) if measured else self._usual_back(start_s, end_s)
        measured = measured or np.isfinite(usual)
        usual = usual if np.isfinite(usual) else 2.0
        moved = np.where(known, moved, usual)
        for end in (0, -1):
            moved[end] = moved[end] if known[end] else 0.5 * usual
        return Stepped(times, np.cumsum(moved) / 2.0, measured, source, self._lift(times))

    def _moved(self, contact: Span) -> float:
        """Return how far the foot of a contact came with it, metres; NaN where that is not known."""
        side = "left" if contact.value < 0 else "right"
        for of, stride in reversed(self._strides):
            if of == side and stride.start_s <= contact.start_s <= stride.end_s:
                return stride.value
        return np.nan

    def _usual_back(self, start_s: float, end_s: float) -> float:
        """Return the usual stride by the lower back's measure, metres; NaN where there is none."""
        strides = [s.value for s in self._back_strides if s.end_s >= start_s and s.start_s <= end_s]
        return float(np.median(strides)) if strides else np.nan

    def _lift(self, times: Floats) -> float:
        """Return when the first foot left the floor: that is found, or a step before its contact."""
        step_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.5
        before = [lift for lift in self._lifts if times[0] - PAUSE_S < lift < times[0]]
        return max(before) if before else float(times[0]) - step_s
