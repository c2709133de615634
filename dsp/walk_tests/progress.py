"""How far somebody has come by when: from contacts and strides that other operators found, on the gateway's clock.

What moves ahead is the middle between the feet: each foot's displacement counts half. The first step of a walk and
the one that closes the feet are half as long as the others; where nobody measured lengths, they are taken to be alike.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable
from itertools import pairwise
from typing import Final, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dsp.result import Result

Source = Literal["feet", "lower back"]

FEET: Final = ("walk/", "foot-contacts/", "shank-contacts/", "foot-stride/")
"""How the names of the algorithms begin that measure feet."""
LOWER_BACK: Final = "lower-back/"
TURNS: Final = ("turn_angle", "u_turn_angle")
MOST: Final = 6000
"""Contacts, strides and so on that are kept: an hour of walking."""
PAUSE_S: Final = 2.124
"""The longest step of Mobilise-D: a longer one holds a stop ..."""
PAUSE_STEPS: Final = 2.5
"""... unless this person's steps are so slow that it is not so many of them."""
U_TURN_DEG: Final = 120.0
U_TURN_OF_FOOT_DEG: Final = 90.0
"""Of a U-turn that is begun from standing a foot's first step is not measured."""
TURNING_DEG: Final = 20.0
"""A stride that turns more comes no further on a course: it is part of a turn (as in `dsp.gait`)."""
ONE_TURN_S: Final = 2.5
"""Turning strides of a foot with no more between them are of one turn: one of them may be lost."""
LEAST_CONTACTS: Final = 4

Floats = NDArray[np.float64]


class Span(NamedTuple):
    """A stretch of time, gateway seconds, and a value over it."""

    start_s: float
    end_s: float
    value: float


class Contact(NamedTuple):
    """When a foot met the floor, which (left, right or neither), and whether that is sure."""

    time_s: float
    side: str
    sure: bool = True


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
        return float(
            np.interp(far_m, np.concatenate([[0.0], self.far_m]), np.concatenate([[self.start_s], self.time_s]))
        )


class Progress:
    """Contacts, strides and turns of one person, gathered in any order."""

    def __init__(self) -> None:
        self._contacts: dict[Source, deque[Contact]] = {"feet": deque(maxlen=MOST), "lower back": deque(maxlen=MOST)}
        self._lifts: deque[float] = deque(maxlen=MOST)
        self._strides: dict[str, deque[Span]] = {side: deque(maxlen=MOST) for side in ("left", "right")}
        self._turning: dict[str, deque[Span]] = {side: deque(maxlen=MOST) for side in ("left", "right")}
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
                contact = Contact(span.start_s, result.side, result.quality == "ok")
                self._contacts["feet" if feet else "lower back"].append(contact)
                self.newest_s = max(self.newest_s, span.end_s)
            elif result.metric == "final_contact" and feet:
                self._lifts.append(span.start_s)
            elif result.metric == "stride_length" and feet and result.side in self._strides:
                self._strides[result.side].append(span)
            elif (
                result.metric == "stride_turn"
                and feet
                and abs(span.value) >= TURNING_DEG
                and result.side in self._turning
            ):
                self._turning[result.side].append(span)
            elif result.metric == "stride_length" and result.algorithm.startswith(LOWER_BACK):
                self._back_strides.append(span)
            elif result.metric in TURNS and abs(result.value) >= U_TURN_DEG:
                self._turns.append(span)

    def turns(self, start_s: float, end_s: float) -> list[Span]:
        """Return the U-turns between two instants, one that several sensors saw once."""
        out: list[Span] = []
        for turn in sorted([*self._turns, *self._turns_of_feet()]):
            inside = start_s < (turn.start_s + turn.end_s) / 2 < end_s
            if inside and (not out or turn.start_s >= out[-1].end_s):
                out.append(turn)
        return out

    def _turns_of_feet(self) -> list[Span]:
        """Return the U-turns that successive strides of one foot make."""
        out: list[Span] = []
        for strides in self._turning.values():
            whole: list[Span] = []
            for stride in sorted(strides):
                further = whole and stride.value * whole[-1].value > 0 and stride.start_s - whole[-1].end_s < ONE_TURN_S
                if further:
                    whole[-1] = Span(whole[-1].start_s, stride.end_s, whole[-1].value + stride.value)
                else:
                    whole.append(stride)
            out += [turn for turn in whole if abs(turn.value) >= U_TURN_OF_FOOT_DEG]
        return out

    def source(self, start_s: float, end_s: float) -> Source:
        """Return whose contacts are to be believed: the feet's where both feet have some."""
        sides = {contact.side for contact in self._between("feet", start_s, end_s)}
        return "feet" if len(sides) > 1 else "lower back"

    def contact_times(self, start_s: float, end_s: float, source: Source | None = None) -> list[float]:
        """Return when feet met the floor between two instants; by default as `source` says."""
        found = self._between(source or self.source(start_s, end_s), start_s, end_s)
        return [contact.time_s for contact in found]

    def walks(
        self, start_s: float = -np.inf, end_s: float = np.inf, source: Source | None = None, *, to_and_fro: bool = True
    ) -> list[tuple[float, float]]:
        """Return (first, last contact) of walks between two instants: stops part them, and U-turns if to and fro."""
        times = self.contact_times(start_s, end_s, source)
        if len(times) < LEAST_CONTACTS:
            return []
        pause_s = max(PAUSE_S, PAUSE_STEPS * float(np.median(np.diff(times))))
        turns = [(turn.start_s + turn.end_s) / 2 for turn in self.turns(start_s, end_s)] if to_and_fro else []
        groups = [[times[0]]]
        for before, time in pairwise(times):
            if time - before > pause_s or bisect_left(turns, before) != bisect_left(turns, time):
                groups.append([])
            groups[-1].append(time)
        return [(group[0], group[-1]) for group in groups if len(group) >= LEAST_CONTACTS]

    def steps(self, start_s: float, end_s: float, source: Source | None = None) -> Stepped:
        """Return the contacts between two instants, and how far each came.

        What the lower back takes for a first contact and is not sure of is the weight that shifts before it. Steps of a
        U-turn come no further, as far as it can know.
        """
        of = source or self.source(start_s, end_s)
        contacts = self._between(of, start_s, end_s)
        if of == "lower back" and contacts and not contacts[0].sure:
            contacts = contacts[1:]
        times = np.array([contact.time_s for contact in contacts])
        moved = self._moved(contacts) if of == "feet" else np.full(len(contacts), np.nan)
        known = np.isfinite(moved)
        measured = int(known.sum()) >= LEAST_CONTACTS
        usual = float(np.median(moved[known])) if measured else self._usual_back(start_s, end_s)
        measured = measured or bool(np.isfinite(usual))
        usual = usual if np.isfinite(usual) else 2.0
        moved = np.where(known, moved, usual)
        for turn in self.turns(start_s, end_s) if of == "lower back" else []:
            moved[(times > turn.start_s) & (times <= turn.end_s)] = 0.0
        for end in (0, -1):
            moved[end] = moved[end] if known[end] else 0.5 * usual
        return Stepped(times, np.cumsum(moved) / 2.0, measured, of, self._lift(times))

    def _between(self, source: Source, start_s: float, end_s: float) -> list[Contact]:
        return sorted(c for c in self._contacts[source] if start_s <= c.time_s <= end_s)

    def _moved(self, contacts: list[Contact]) -> Floats:
        """Return how far the foot of each contact came with it, metres; NaN where not known, 0 where it turned."""
        moved = np.full(len(contacts), np.nan)
        for side, known in self._strides.items():
            strides, turning = sorted(known), {stride.end_s for stride in self._turning[side]}
            starts = [stride.start_s for stride in strides]
            for place, contact in enumerate(contacts):
                at = bisect_right(starts, contact.time_s) - 1
                if contact.side == side and at >= 0 and contact.time_s <= strides[at].end_s:
                    moved[place] = 0.0 if strides[at].end_s in turning else strides[at].value
        return moved

    def _usual_back(self, start_s: float, end_s: float) -> float:
        """Return the usual stride by the lower back's measure, metres; NaN where there is none."""
        strides = [s.value for s in self._back_strides if s.end_s >= start_s and s.start_s <= end_s]
        return float(np.median(strides)) if strides else np.nan

    def _lift(self, times: Floats) -> float:
        """Return when the first foot left the floor: that is found, or a step before its contact."""
        step_s = float(np.median(np.diff(times))) if len(times) > 1 else 0.5
        before = [lift for lift in self._lifts if times[0] - PAUSE_S < lift < times[0]]
        return max(before) if before else float(times[0]) - step_s
