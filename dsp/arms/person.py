"""How somebody uses both arms, minute by minute: from the counts of two wrists, and whether the legs walk.

A second in which somebody walks tells of the legs: it is left out of every use. What is not known is no rest: a wrist
that is silent, or that nobody wears, gives no value, and the reason.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from dsp.arms.counts import ALGORITHM as COUNTS_ALGORITHM
from dsp.arms.measured import HARDLY
from dsp.arms.pair import UNKNOWN, WINDOW_S, Flags, PairedWrists, Seconds
from dsp.arms.swing_of_person import ArmSwing
from dsp.arms.use import ACTIVE, ALGORITHM, LOST_SHARE, Arm, ArmUse, use_of_counts
from dsp.result import Quality, Result

MINUTE_S: Final = 60
LATE_S: Final = 15
"""A minute is told so long after its end: a posture is known some seconds after it began, and a radio may lag."""
RECENT_S: Final = 300
"""A wrist of which nothing is known for so long is not compared with the other one any more."""
APART_S: Final = 0.5
"""With clocks as uncertain as that against each other, a second of one arm may be the next one of the other."""
ADRIFT: Final = 0.75
"""A sensor's seconds keep their numbers while they lie within so much of them: they would change to and fro else."""
OTHER: Final[dict[Arm, Arm]] = {"left": "right", "right": "left"}
RATIOS: Final = ("use_ratio", "magnitude_ratio")

NOTHING: Final = "nothing came of this wrist"
NO_SIDE: Final = "no affected side is set: there is no ratio of the affected arm by the other one"
BOTH_SIDES: Final = "both sides are affected: there is no ratio of the affected arm by the other one"
NOT_USED: Final = "the other arm was not used: no ratio by it"
NOBODY_MOVED: Final = "neither arm moved"
CLOCKS: Final = "the clocks of the two wrists may be half a second apart or more"
WALKING_UNKNOWN: Final = "whether the body walked is not known"
MISSING: Final[dict[Arm, str]] = {
    "left": "nothing is known of the left wrist for five minutes",
    "right": "nothing is known of the right wrist for five minutes",
}
NO_MOVE: Final[dict[Arm, str]] = {
    "left": "the left wrist hardly moved for ten minutes and more: at rest, or not worn",
    "right": "the right wrist hardly moved for ten minutes and more: at rest, or not worn",
}


class ArmUseOfPerson:
    """Takes the counts of the wrists that somebody wears, in any order; tells each minute how both arms are used.

    Args:
        arms: Those whose wrists have a sensor.
        affected: Side that the illness affects more: ``left``, ``right``, ``both`` or ``none``.
        doubt: What makes all of it degraded; empty for nothing.
        unseen: Why it is never known whether somebody walks; empty where that is told.
        window_s: Seconds of a ratio.

    Attributes:
        swing: Takes the windows of the wrists' swing.
    """

    def __init__(
        self, arms: Sequence[Arm], affected: str, *, doubt: str = "", unseen: str = "", window_s: int = WINDOW_S
    ) -> None:
        self._arms = tuple(arms)
        self._affected: Arm | None = "left" if affected == "left" else "right" if affected == "right" else None
        self._no_side = BOTH_SIDES if affected == "both" else NO_SIDE
        self._doubt, self._unseen = doubt, unseen
        self._window_s = window_s
        self._kept = PairedWrists(window_s)
        self.swing = ArmSwing(self._arms, doubt)
        self._numbers: dict[Arm, tuple[float, int]] = {}
        self._why: dict[Arm, str] = {}
        self._begun: int | None = None
        self._minute = 0
        self._newest = 0

    def add(self, arm: Arm, start_s: float, end_s: float, counts: float | None, reason: str = "") -> None:
        """Take what is known of a second of one wrist, on the clock of all sensors, or that it was not worn for longer.

        Args:
            arm: Which.
            start_s: Its beginning.
            end_s: Its end.
            counts: Activity counts; None where there are none.
            reason: Why not, or why they are doubtful.
        """
        if end_s - start_s > 1 + ADRIFT:
            self._kept.erase(arm, math.floor(start_s), math.ceil(end_s))
            self._why[arm] = reason
            return
        second = self._number(arm, (start_s + end_s) / 2)
        if self._begun is None:
            self._begun, self._minute, self._newest = second, second // MINUTE_S * MINUTE_S, second
        self._newest = max(self._newest, second)
        if counts is None:
            self._why[arm] = reason
        self._kept.add(arm, second, math.nan if counts is None else counts, still=reason == HARDLY)

    def walk(self, start_s: float, end_s: float) -> None:
        """Take it that somebody walks from then to then: the seconds of which that is the greater part."""
        self._kept.walk(round(start_s), round(end_s))

    def walk_from(self, start_s: float, walking: bool | None) -> None:
        """Take it that from then on somebody walks, or does not; None where that is not known."""
        self._kept.walk_from(start_s, UNKNOWN if walking is None else int(walking))

    def advance(self, now_s: float, sync_s: float | None) -> Iterator[Result]:
        """Yield what the minutes come to that are over for long enough.

        Args:
            now_s: The present.
            sync_s: Uncertainty between the clocks of the two wrists, seconds; None if unknown, or there is one alone.
        """
        while self._begun is not None and now_s >= self._minute + MINUTE_S + LATE_S:
            yield from self._measure(self._minute, self._minute + MINUTE_S, sync_s)
            self._minute += MINUTE_S

    def finish(self, sync_s: float | None) -> Iterator[Result]:
        """Yield what the minutes come to that are not over, as far as they have come: nothing more does."""
        while self._begun is not None and self._minute <= self._newest:
            yield from self._measure(self._minute, min(self._minute + MINUTE_S, self._newest + 1), sync_s)
            self._minute += MINUTE_S

    def _number(self, arm: Arm, middle_s: float) -> int:
        """Return the number of a second: the one after the last, as long as that is about where it lies."""
        before_s, number = self._numbers.get(arm, (-math.inf, 0))
        number = number + round(middle_s - before_s) if math.isfinite(before_s) else math.floor(middle_s)
        if abs(middle_s - 0.5 - number) > ADRIFT:
            number = math.floor(middle_s)
        self._numbers[arm] = middle_s, number
        return number

    def _measure(self, start: int, end: int, sync_s: float | None) -> Iterator[Result]:
        assert self._begun is not None
        minute = self._kept.between(max(start, self._begun), end)
        known = {arm: np.isfinite(minute.counts[arm]) for arm in self._arms}
        if self._newest < start:
            return  # neither sends anything: that is told as a gap, and once
        window = self._kept.between(max(self._begun, end - self._window_s), end)
        for arm in self._arms:
            yield from self._of_arm(arm, minute, known[arm], window)
        if len(self._arms) == 2:
            yield from self._of_both(window, sync_s)
        yield from self.swing.measure(end, self._walks)

    def _walks(self, start_s: float, end_s: float) -> bool:
        """Return whether somebody is known to walk in all of the seconds of which that is the greater part."""
        walking = self._kept.between(round(start_s), round(end_s)).walking
        return len(walking) == round(end_s) - round(start_s) and bool((walking == 1).all())

    def _of_arm(self, arm: Arm, minute: Seconds, known: Flags, window: Seconds) -> Iterator[Result]:
        n, start, end = int(known.sum()), minute.start, minute.start + len(minute)
        lost = len(minute) - n
        if not n:
            why = self._reason(arm, start)
            for metric, algorithm in (("activity_counts", COUNTS_ALGORITHM), ("arm_active_time", ALGORITHM)):
                yield Result(metric, None, arm, start, end, 0, algorithm, lost, "invalid", why)
        else:
            gone = f"{lost} of {len(minute)} s without counts" if lost > LOST_SHARE * len(minute) else ""
            still = HARDLY if minute.still[arm].sum() > LOST_SHARE * len(minute) else ""
            total = float(minute.counts[arm][known].sum())
            quality, reason = _judged(self._doubt, gone, still)
            yield Result("activity_counts", total, arm, start, end, n, COUNTS_ALGORITHM, lost, quality, reason)
            quality, reason = _judged(self._doubt, gone, still, self._walking_doubt(minute))
            active = float(_active(minute, arm).sum())
            yield Result("arm_active_time", active, arm, start, end, n, ALGORITHM, lost, quality, reason)
        n = int(np.isfinite(window.counts[arm]).sum())
        lost = len(window) - n
        gone = f"{lost} of {len(window)} s without counts" if lost > LOST_SHARE * len(window) else ""
        still = NO_MOVE[arm] if window.still[arm].sum() > LOST_SHARE * len(window) else ""
        hours = float(_active(window, arm).sum()) / 3600 if n else None
        quality, reason = _judged(self._doubt, gone, still, self._walking_doubt(window)) if n else ("invalid", "")
        reason = reason if n else self._reason(arm, start)
        yield Result(
            "use_hours", hours, arm, window.start, window.start + len(window), n, ALGORITHM, lost, quality, reason
        )

    def _of_both(self, window: Seconds, sync_s: float | None) -> Iterator[Result]:
        affected = self._affected or "left"
        use = use_of_counts(window.counts[affected], window.counts[OTHER[affected]], window.walking == 1)
        missing = [MISSING[arm] for arm in self._arms if not np.isfinite(window.counts[arm][-RECENT_S:]).any()]
        still = [NO_MOVE[arm] for arm in self._arms if window.still[arm].sum() > LOST_SHARE * len(window)]
        clocks = CLOCKS if sync_s is not None and sync_s > APART_S else ""
        quality, reason = _judged(self._doubt, use.reason, *still, self._walking_doubt(window), clocks)
        for metric, value, none in _values(use):
            side = "both" if metric not in RATIOS else self._affected or "none"
            why = [self._no_side] if side == "none" else missing or ([none] if math.isnan(value) else [])
            yield Result(
                metric, None if why else value, side, window.start, window.start + len(window), use.n, ALGORITHM,
                use.n_lost, "invalid" if why else quality, "; ".join(why) or reason, sync_s,
            )  # fmt: skip

    def _reason(self, arm: Arm, start: int) -> str:
        """Return why nothing is known of a wrist in a minute that began at a second."""
        _, newest = self._numbers.get(arm, (0.0, -math.inf))
        return NOTHING if newest < start else self._why.get(arm, NOTHING)

    def _walking_doubt(self, seconds: Seconds) -> str:
        unknown = int((seconds.walking == UNKNOWN).sum())
        return self._unseen or (WALKING_UNKNOWN if unknown > LOST_SHARE * len(seconds) else "")


def _values(use: ArmUse) -> Iterator[tuple[str, float, str]]:
    """Yield each metric of both arms, its value, and why there is none where it is NaN."""
    yield "use_ratio", use.use_ratio, NOT_USED
    yield "magnitude_ratio", use.magnitude_ratio, NOBODY_MOVED
    yield "bilateral_magnitude", use.bilateral_magnitude, NOBODY_MOVED


def _active(seconds: Seconds, arm: Arm) -> Flags:
    """Return in which seconds an arm is used, walking left out."""
    active: Flags = np.isfinite(seconds.counts[arm]) & (seconds.walking != 1)
    active &= np.nan_to_num(seconds.counts[arm]) >= ACTIVE
    return active


def _judged(*doubts: str) -> tuple[Quality, str]:
    reasons = dict.fromkeys(filter(None, doubts))
    return ("degraded", "; ".join(reasons)) if reasons else ("ok", "")
