"""A day from its postures: upright and sedentary time, long sitting, transfers, steps and wear."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, NamedTuple

from dsp.activity.bouts import VALID_WEAR_H
from dsp.posture.posture import Name, Posture
from dsp.result import Quality

ALGORITHM: Final = "activity/2"
SEDENTARY: Final = frozenset({"sitting", "lying"})
UPRIGHT: Final = frozenset({"standing", "walking", "stairs"})
LONG_S: Final = 1800.0
"""Half an hour without getting up."""
BRIEF_S: Final = 2.0
"""A posture that lasts less interrupts no sitting and is no transfer: somebody shifts in the chair."""
HOUR_S: Final = 3600.0

FEW_HOURS: Final = "worn for less than ten hours"


class Spell(NamedTuple):
    """A posture and how long it lasted, seconds; None where it is not known."""

    start_s: float
    end_s: float
    posture: Name | None


@dataclass(frozen=True, slots=True)
class DayActivity:
    """One day.

    Attributes:
        upright_h: Hours standing, walking and on stairs.
        sedentary_h: Hours sitting and lying.
        lying_h: Hours lying, as far as it is told from sitting.
        unknown_h: Hours within the day of which no posture is known.
        sedentary_bouts_30: Stretches of half an hour and more without getting up.
        transfers: Sitting or lying to upright, and back: each counts.
        steps: Initial contacts; None where nothing counted them.
        wear_h: Hours of wear; None where that was not measured.
        quality: degraded where the sensor was worn for less than ten hours.
        reason: Why degraded; empty otherwise.
    """

    upright_h: float
    sedentary_h: float
    lying_h: float
    unknown_h: float
    sedentary_bouts_30: int
    transfers: int
    steps: int | None
    wear_h: float | None
    quality: Quality
    reason: str


def spells(postures: Iterable[Posture], end: float, rate_hz: float) -> list[Spell]:
    """Return what was, once all is known: a posture that is dated back takes the place of what was believed.

    Args:
        postures: In the order in which they were found.
        end: Number of the sample after the last.
        rate_hz: Samples a second; spells count their seconds from sample 0.
    """
    kept: list[tuple[float, Name | None]] = []
    for posture in postures:
        while kept and kept[-1][0] >= posture.at:
            kept.pop()
        if not kept or kept[-1][1] != posture.posture:
            kept.append((posture.at, posture.posture))
    ends = [*(at for at, _ in kept[1:]), end][: len(kept)]
    return [Spell(at / rate_hz, to / rate_hz, name) for (at, name), to in zip(kept, ends, strict=True) if to > at]


def summarise_day(
    of: Sequence[Spell], start_s: float, end_s: float, steps: int | None = None, wear_h: float | None = None
) -> DayActivity:
    """Return one day.

    Args:
        of: Spells in order of time, of any length of time; what is outside the day is cut off.
        start_s: Beginning of the day, on the clock of the spells.
        end_s: Its end.
        steps: How many steps were counted in it.
        wear_h: For how many hours the sensor was worn.
    """
    day = [Spell(max(s.start_s, start_s), min(s.end_s, end_s), s.posture) for s in of]
    day = [s for s in day if s.end_s > s.start_s]
    hours = {name: sum(s.end_s - s.start_s for s in day if s.posture in group) / HOUR_S
             for name, group in (("upright", UPRIGHT), ("sedentary", SEDENTARY), ("lying", {"lying"}))}  # fmt: skip
    stretches = _stretches(day)
    long = sum(is_down and seconds >= LONG_S for is_down, seconds in stretches if is_down is not None)
    changes = sum(
        one is not None and other is not None and one != other for (one, _), (other, _) in pairwise(stretches)
    )
    few = wear_h is not None and wear_h < VALID_WEAR_H
    return DayActivity(
        hours["upright"], hours["sedentary"], hours["lying"],
        (end_s - start_s) / HOUR_S - hours["upright"] - hours["sedentary"], long, changes, steps, wear_h,
        "degraded" if few else "ok", FEW_HOURS if few else "",
    )  # fmt: skip


def _stretches(day: Sequence[Spell]) -> list[tuple[bool | None, float]]:
    """Return whether somebody was down (sat or lay), upright or not known, and for how long, what is brief left out."""
    found: list[tuple[bool | None, float]] = []
    for spell in _groups(day):
        is_down, seconds = spell
        if found and (seconds < BRIEF_S or found[-1][0] == is_down):
            found[-1] = (found[-1][0], found[-1][1] + seconds)
        else:
            found.append((is_down, seconds))
    return found


def _groups(day: Sequence[Spell]) -> list[tuple[bool | None, float]]:
    """Return spells joined where the next is of the same kind and follows at once."""
    found: list[tuple[bool | None, float]] = []
    last_s = None
    for spell in day:
        is_down = None if spell.posture is None else spell.posture in SEDENTARY
        if last_s is not None and spell.start_s > last_s:
            found.append((None, spell.start_s - last_s))
        if found and found[-1][0] == is_down:
            found[-1] = (is_down, found[-1][1] + spell.end_s - spell.start_s)
        else:
            found.append((is_down, spell.end_s - spell.start_s))
        last_s = spell.end_s
    return found
