"""The steps of one leg by what an exoskeleton says of its gait: share of the stride, else stance and swing."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

STANCE, SWING = 1.0, 2.0
LATE, EARLY = 0.85, 0.15  # shares of the stride between which it begins anew: a device may be that much off its end
LIFTED = 0.6  # share of the stride from which on the foot is in the air
LONGEST_DOUBT_S = 0.5  # between the two samples around a contact; it is not known where in a longer gap it lay
LEAST_SWING_S: Final = 0.2  # nobody carries a foot forward in less: it was put down again
MOST_ASTRAY: Final = 0.3  # of a stride, that a device may be from where it is: it goes by the length of those before
LEAST_SWING, MOST_SWING = 0.1, 0.75  # of a stride; in less somebody stood meanwhile, in more somebody sat


class Step(NamedTuple):
    """A foot that comes down.

    Attributes:
        at_s: Gateway seconds.
        failed: Whether it came down without having been carried forward.
    """

    at_s: float
    failed: bool


class LegSteps:
    """Streaming: what is told of a leg in, its steps out; a step lies between the two samples that show it.

    Attributes:
        speaks: Whether anything was said of this leg until now.
    """

    def __init__(self) -> None:
        self.speaks = False
        self._phase = np.zeros((0, 2))  # the newest (time, share) that is known
        self._state = np.zeros((0, 2))
        self._lift_s = np.nan

    def process(self, time_s: Floats, phase: Floats, state: Floats) -> list[Step]:
        """Take rising times (n,), shares of the stride 0 to 1 and states, each NaN where not known; return the steps.

        Where a share is known among these, states are not asked.
        """
        if not np.isnan(phase).all():
            self.speaks = True
            return self._by_phase(_known(self._phase, time_s, phase))
        known = np.where((state == STANCE) | (state == SWING), state, np.nan)
        if np.isnan(known).all():
            return []
        self.speaks = True
        return self._by_state(_known(self._state, time_s, known))

    def _by_phase(self, rows: Floats) -> list[Step]:
        self._phase = rows[-1:]
        (before_s, after_s), (before, after) = _pairs(rows)
        fallen = (after <= EARLY) & (before > LIFTED) & (after_s - before_s <= LONGEST_DOUBT_S)
        found = []
        for k in np.flatnonzero(fallen).tolist():
            left, begun = 1.0 - before[k], after[k]
            share = left / (left + begun) if left + begun > 0.0 else 0.5
            found.append(Step(float(before_s[k] + share * (after_s[k] - before_s[k])), bool(before[k] < LATE)))
        return found

    def _by_state(self, rows: Floats) -> list[Step]:
        self._state = rows[-1:]
        (before_s, after_s), (before, after) = _pairs(rows)
        found = []
        for k in np.flatnonzero((before != after) & (after_s - before_s <= LONGEST_DOUBT_S)).tolist():
            at_s = float(before_s[k] + after_s[k]) / 2
            if after[k] == SWING:
                self._lift_s = at_s
            else:
                found.append(Step(at_s, at_s - self._lift_s < LEAST_SWING_S))
        return found


def _known(before: Floats, time_s: Floats, value: Floats) -> Floats:
    """Return (n, 2) times and values that are known, behind those from before."""
    rows = np.column_stack([time_s, value])
    return np.concatenate([before, rows[~np.isnan(value)]])


def _pairs(rows: Floats) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Return times, and values, of each row and the one behind it."""
    return (rows[:-1, 0], rows[1:, 0]), (rows[:-1, 1], rows[1:, 1])


def is_a_stride(share: Floats, phase: Floats, state: Floats) -> bool:
    """Whether what lies between two contacts is one stride, and not standing or two of them.

    Args:
        share: (n,) of the time between the contacts that has passed, 0 to 1.
        phase: (n,) what the device takes it for; NaN where not known.
        state: (n,) stance or swing; others where not known.
    """
    shared = ~np.isnan(phase)
    if shared.any():
        return bool(np.abs(phase[shared] - share[shared]).max() <= MOST_ASTRAY)
    swing = np.count_nonzero(state == SWING)
    known = swing + np.count_nonzero(state == STANCE)
    return bool(known > 0 and LEAST_SWING <= swing / known <= MOST_SWING)
