"""Postures that last: what is over before anybody could have taken it is a moment of a movement, and is not told.

On the way from a bed to standing a trunk is upright before a thigh hangs; who rises and walks off hangs a thigh for a
moment before the first step. What comes after such a moment begins where the moment began.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, Generic, TypeVar

LEAST_S: Final = 0.5
"""The quickest that people sit down and stand up again and again is .6 s for either: 6.0 s for five times both is the
mean from 20 to 29 years of age (Bohannon et al. 2010, doi 10.3233/IES-2010-0389). What is over sooner is no posture."""
KEPT: Final = 64
"""States that were told: many more than a sensor may take back."""
SAME: Final = 1e-6
"""By so much of any unit a sum may be wrong."""

State = TypeVar("State", bound=tuple[object, ...])
Span = tuple[float, float, State]
"""A state from when to when."""


class Dwelling(Generic[State]):
    """What holds from when on, taken as it is found, and told once it is known to last.

    A state is a tuple whose first part is the posture; what follows (quality, reason) may change while that lasts.
    What is told takes the place of all that was told from its beginning on, and in the end nothing has lasted less
    than ``least``.

    Args:
        least: Shortest time that a state may last, in any unit.
        wait: How old a posture is before it is told; one that is known later is told at once, and so is all with 0.
    """

    def __init__(self, least: float, wait: float = 0.0) -> None:
        self._least, self._wait = least, wait
        self._found: list[tuple[float, State]] = []
        self._reported: list[tuple[float, State]] = []
        self._open = False

    def forget(self, at: float) -> None:
        """Take back all that begins at a time or later."""
        while self._found and self._found[-1][0] >= at:
            self._found.pop()
            self._open = True

    def find(self, at: float, state: State) -> None:
        """Take what holds from a time on, in place of all that was found from then on."""
        self.forget(at)
        if not self._found or self._found[-1][1] != state:
            self._found.append((at, state))
            self._open = True

    def report(self, now: float) -> Iterator[tuple[float, State]]:
        """Yield what is now known to last and was not told; ``now`` is up to when all is found that can be by now."""
        if not self._open:
            return
        known, self._open = self._lasting(now)
        same = 0
        while same < min(len(known), len(self._reported)) and known[same] == self._reported[same]:
            same += 1
        new = known[same:]
        if not new and (self._open or same == len(self._reported)):
            return  # what was told last may be over, but what takes its place is not known yet
        if 0 < same < len(self._reported) and not (new and new[0][0] <= self._reported[same][0]):
            new = [(self._reported[same][0], known[same - 1][1]), *new]  # what was told from there on is taken back
        self._reported = known
        self._trim()
        yield from new

    def _lasting(self, now: float) -> tuple[list[tuple[float, State]], bool]:
        """Return the states that last, and whether the newest is too young to be one of them yet."""
        ends = [*(at for at, _ in self._found[1:]), now]
        spans = [(at, end, state) for (at, state), end in zip(self._found, ends, strict=True)]
        known: list[tuple[float, State]] = []
        begins: float | None = None  # where a moment began that gives its time to what follows
        young = False
        for posture, run in groupby(spans, lambda span: span[2][0]):
            states = list(run)
            begins = states[0][0] if begins is None else begins
            if not known or known[-1][1][0] != posture:
                newest = states[-1] is spans[-1]
                if states[-1][1] - states[0][0] < (self._wait if newest else self._least) - SAME:
                    young = newest
                    continue
            young = self._add(known, states, begins)
            begins = None
        return known, young

    def _add(self, known: list[tuple[float, State]], states: Sequence[Span[State]], begins: float) -> bool:
        """Add the states of one posture that last; return whether its newest is too young to be one of them yet.

        One that does not last gives its time to the next of the posture, else to the one before.
        """
        goes_on = bool(known) and known[-1][1][0] == states[0][2][0]
        n, newest = len(known), states[-1][2]
        for _, end, state in states:
            if end - begins >= self._least - SAME:
                if not known or known[-1][1] != state:
                    known.append((begins, state))
                begins = end
        if len(known) == n and not goes_on:  # a young posture that is told at once
            known.append((begins, newest))
        return known[-1][1] != newest

    def _trim(self) -> None:
        if len(self._reported) > KEPT:
            self._reported = self._reported[-KEPT // 2 :]
            first = self._reported[0]
            self._found = [first, *(held for held in self._found if held[0] > first[0])]
