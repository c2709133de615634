"""How somebody's arms swing in walking, minute by minute: from windows of both wrists, those in which they walk.

An arm that hardly swings in walking is a finding and no lack of one: it has no amplitude, and counts as none where both
arms are compared. Asymmetry is the symmetry angle of Zifchock et al. 2008 (doi 10.1016/j.gaitpost.2007.08.006).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Final, NamedTuple

from dsp.arms.swing import ALGORITHM, swing_asymmetry_pct
from dsp.arms.swing_windows import AMPLITUDE, LOST, PEAK_VELOCITY
from dsp.arms.use import Arm
from dsp.result import Quality, Result

ASYMMETRY: Final = "arm_swing_asymmetry"
OF_WINDOWS: Final = frozenset({AMPLITUDE, PEAK_VELOCITY})
"""What a wrist tells of each window."""
GOOD_SWINGS: Final = 10
"""Five strides: the median of fewer changes by a quarter from one walk to the next."""

NEITHER: Final = "neither arm swings"
NO_WINDOW: Final[dict[Arm, str]] = {
    "left": "nothing is known of the left wrist in this walk",
    "right": "nothing is known of the right wrist in this walk",
}
RESTS: Final[dict[Arm, str]] = {"left": "the left arm hardly swings", "right": "the right arm hardly swings"}


class _Window(NamedTuple):
    start_s: float
    end_s: float
    value: float | None
    n: int
    reason: str


class ArmSwing:
    """Takes the windows of the wrists that somebody wears, in any order; tells each minute how the arms swing.

    Args:
        arms: Those whose wrists have a sensor.
        doubt: What makes all of it degraded; empty for nothing.
    """

    def __init__(self, arms: Sequence[Arm], doubt: str = "") -> None:
        self._arms = tuple(arms)
        self._doubt = doubt
        self._windows: dict[tuple[Arm, str], list[_Window]] = {(arm, m): [] for arm in arms for m in sorted(OF_WINDOWS)}

    def add(self, arm: Arm, window: Result) -> None:
        """Take a window of one wrist, on the clock of all sensors; its metric is one of `OF_WINDOWS`."""
        made = _Window(window.start_s, window.end_s, window.value, window.n, window.reason)
        self._windows[arm, window.metric].append(made)

    def measure(self, end_s: float, walks: Callable[[float, float], bool]) -> Iterator[Result]:
        """Yield what the windows come to that ended by a time; nothing where nobody walked in any.

        Args:
            end_s: That time.
            walks: Whether somebody walks from one time to another, all of it.
        """
        walked: dict[tuple[Arm, str], list[_Window]] = {}
        for key, windows in self._windows.items():
            walked[key] = [one for one in windows if one.end_s <= end_s and walks(one.start_s, one.end_s)]
            self._windows[key] = [one for one in windows if one.end_s > end_s]
        for (arm, metric), windows in walked.items():
            if windows:
                yield self._of_arm(arm, metric, windows)
        if len(self._arms) == 2 and any(walked.values()):
            yield self._of_both({arm: walked[arm, AMPLITUDE] for arm in self._arms})

    def _of_arm(self, arm: Arm, metric: str, windows: Sequence[_Window]) -> Result:
        start_s, end_s, n, lost = _span(windows)
        values = [one.value for one in windows if one.value is not None]
        if not values:
            return Result(metric, None, arm, start_s, end_s, 0, ALGORITHM, lost, "invalid", windows[0].reason)
        quality, reason = _judged(self._doubt, _few(n), _gone(windows))
        return Result(metric, median(values), arm, start_s, end_s, n, ALGORITHM, lost, quality, reason)

    def _of_both(self, windows: dict[Arm, Sequence[_Window]]) -> Result:
        start_s, end_s, n, lost = _span([one for of in windows.values() for one in of])
        typical = {arm: _typical_deg(of) for arm, of in windows.items()}
        missing = [NO_WINDOW[arm] for arm, deg in typical.items() if deg is None]
        value = swing_asymmetry_pct(typical["left"] or 0.0, typical["right"] or 0.0)
        if missing or math.isnan(value):
            why = "; ".join(missing) or NEITHER
            return Result(ASYMMETRY, None, "both", start_s, end_s, n, ALGORITHM, lost, "invalid", why)
        rests = [RESTS[arm] for arm, deg in typical.items() if not deg]
        fewest = min(sum(one.n for one in windows[arm]) for arm, deg in typical.items() if deg)
        quality, reason = _judged(self._doubt, _few(fewest), *map(_gone, windows.values()), *rests)
        return Result(ASYMMETRY, value, "both", start_s, end_s, n, ALGORITHM, lost, quality, reason)


def _span(windows: Sequence[_Window]) -> tuple[float, float, int, int]:
    """Return begin and end, how many swings, and how many windows without a value."""
    return (
        min(one.start_s for one in windows), max(one.end_s for one in windows), sum(one.n for one in windows),
        sum(one.value is None for one in windows),
    )  # fmt: skip


def _typical_deg(windows: Sequence[_Window]) -> float | None:
    """Return the typical amplitude of an arm: 0 where it hardly swings in most windows, None where it is not known."""
    known = [one.value or 0.0 for one in windows if one.reason != LOST]
    return median(known) if known else None


def _few(swings: int) -> str:
    return f"only {swings} swings" if swings < GOOD_SWINGS else ""


def _gone(windows: Sequence[_Window]) -> str:
    """Return what is to be said of windows without a value, where they are as many as those with one."""
    without = sum(one.value is None for one in windows)
    return f"{without} of {len(windows)} windows without a swing" if 2 * without >= len(windows) else ""


def _judged(*doubts: str) -> tuple[Quality, str]:
    reasons = dict.fromkeys(filter(None, doubts))
    return ("degraded", "; ".join(reasons)) if reasons else ("ok", "")
