"""One posture of a person from two sensors, each of which sees what the other cannot: a trunk and a thigh.

A thigh that hangs stands, walks or takes stairs, however the trunk leans; one that is level sits, and lies if the
trunk is level too. No seat is told from standing by a trunk, and no bed from a seat by a thigh: with one of the two
silent what is left is degraded, and says so.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from dsp.posture.dwell import LEAST_S, Dwelling
from dsp.posture.posture import LOST, MAYBE_STAIRS, NOT_WALKED, Name, Posture
from dsp.result import Quality

ALGORITHM: Final = "person-posture/2"
Part = Literal["trunk", "thigh"]
PARTS: Final[tuple[Part, ...]] = ("trunk", "thigh")
LEVEL: Final = frozenset({"sitting", "lying"})
REMEMBERED: Final = 64
"""Changes of each sensor: many more than fall into the seconds by which one sensor is later."""
WAIT_S: Final = LEAST_S + 0.5
"""How old a posture is when it is told: sensors look each half second, and one of the two may see a movement a look
later than the other."""

BENT: Final = "the trunk is level and the thigh hangs: bent over, or a leg beside the bed"
SILENT: Final[dict[Part, str]] = {"trunk": "the trunk's sensor is silent", "thigh": "the thigh's sensor is silent"}


class PersonPosture(NamedTuple):
    """A posture of the person, until the next one; it takes the place of what was told from its beginning on.

    Attributes:
        at_s: Its beginning, on the clock of both sensors.
        posture: What it is; None while it is not known.
        quality: ok, degraded or invalid.
        reason: Why not ok; empty otherwise.
        of: The sensors that gave it.
    """

    at_s: float
    posture: Name | None
    quality: Quality
    reason: str
    of: tuple[Part, ...]


class TwoSensors:
    """The posture of somebody who wears a sensor on the trunk and one on a thigh.

    What is told in the end does not depend on which sensor is heard first: the posture at a moment follows from what
    each of the two says of that moment. What does not last (`dsp.posture.dwell`) is not told.
    """

    def __init__(self) -> None:
        self._shown: dict[Part, list[tuple[float, Posture]]] = {part: [] for part in PARTS}
        self._silent_s: dict[Part, float] = {}
        self._dwelling: Dwelling[tuple[Name | None, Quality, str, tuple[Part, ...]]] = Dwelling(LEAST_S, WAIT_S)

    def add(self, part: Part, at_s: float, posture: Posture) -> None:
        """Take what one sensor says (`PostureDetector`), from a time on the common clock on."""
        shown = self._shown[part]
        while shown and shown[-1][0] >= at_s:
            shown.pop()
        shown.append((at_s, posture))
        del shown[:-REMEMBERED]
        self._renew(at_s)

    def fall_silent(self, part: Part, at_s: float) -> None:
        """Take that nothing more is heard of a sensor from a time on."""
        if part not in self._silent_s and self._shown[part]:
            self._silent_s[part] = at_s
            self._renew(at_s)

    def hear_again(self, part: Part) -> None:
        """Take that a sensor has sent again, and what it sent late counts."""
        at_s = self._silent_s.pop(part, None)
        if at_s is not None:
            self._renew(at_s)

    def report(self, now_s: float) -> Iterator[PersonPosture]:
        """Yield what is known to last and was not told yet; both sensors have been heard of up to ``now_s``.

        Nothing that is true for `LEAST_S` is told later than it is known, or than `WAIT_S` after it began.
        """
        for at_s, state in self._dwelling.report(now_s):
            yield PersonPosture(at_s, *state)

    def _renew(self, from_s: float) -> None:
        """Find anew what holds from a time on."""
        self._dwelling.forget(from_s)
        for at_s in self._changes(from_s):
            self._dwelling.find(at_s, self._seen(at_s))

    def _changes(self, from_s: float) -> list[float]:
        later = {at_s for shown in self._shown.values() for at_s, _ in shown if at_s > from_s}
        return sorted({from_s, *later, *(at_s for at_s in self._silent_s.values() if at_s > from_s)})

    def _seen(self, at_s: float) -> tuple[Name | None, Quality, str, tuple[Part, ...]]:
        trunk, thigh = (self._of(part, at_s) for part in PARTS)
        if trunk is not None and thigh is not None:
            return *together(trunk, thigh), PARTS
        alone: Part = "trunk" if trunk is not None else "thigh"
        one = trunk or thigh
        if one is None:
            return None, "invalid", LOST, ()
        missing: Part = "thigh" if alone == "trunk" else "trunk"
        silent = SILENT[missing] if missing in self._silent_s and at_s >= self._silent_s[missing] else ""
        reason = "; ".join(filter(None, (one.reason, silent if one.reason else "")))
        return one.posture, one.quality, reason, (alone,)

    def _of(self, part: Part, at_s: float) -> Posture | None:
        """Return what a sensor says of a time; None where it says nothing."""
        if at_s >= self._silent_s.get(part, float("inf")):
            return None
        shown = self._shown[part]
        place = bisect_right(shown, at_s, key=lambda one: one[0])
        posture = shown[place - 1][1] if place else None
        return posture if posture is not None and posture.posture is not None else None


def together(trunk: Posture, thigh: Posture) -> tuple[Name, Quality, str]:
    """Return what a trunk and a thigh show together; both postures are known."""
    guess = NOT_WALKED in (thigh.reason, trunk.reason)
    if trunk.reason == NOT_WALKED and "lying" not in (trunk.posture, thigh.posture):  # it adds nothing for sure
        assert thigh.posture is not None
        return thigh.posture, thigh.quality, thigh.reason
    name, reason = _hanging(trunk, thigh) if thigh.posture not in LEVEL else _level(trunk)
    reasons = "; ".join(filter(None, (reason, NOT_WALKED if guess else "")))
    return name, "degraded" if reasons else "ok", reasons


def _level(trunk: Posture) -> tuple[Name, str]:
    return ("lying" if trunk.posture == "lying" else "sitting"), ""


def _hanging(trunk: Posture, thigh: Posture) -> tuple[Name, str]:
    if trunk.posture == "stairs":
        return "stairs", MAYBE_STAIRS
    if "walking" in (trunk.posture, thigh.posture):
        return "walking", ""
    return "standing", BENT if trunk.posture == "lying" else ""
