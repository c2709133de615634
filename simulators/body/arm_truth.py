"""How both arms of a body are truly used: what its hands do, second by second."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import numpy as np

ALL = 7.0
"""Of the ratio's logarithm: what stands for a second in which one arm does all."""
LEAST_PART = 0.5
"""Of a second: an arm that moves for longer is used in it."""


class Movement(NamedTuple):
    """One movement of the hands, there and back.

    Attributes:
        start_s: Its beginning, true seconds.
        end_s: Its end.
        range_deg: How far the left and the right shoulder goes; 0 for an arm that takes no part.
    """

    start_s: float
    end_s: float
    range_deg: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ArmTruth:
    """The use of both arms over some time.

    Attributes:
        used_s: Seconds in which the left and the right arm does something: the greater part of each.
        use_ratio: Those of the affected arm by those of the other one; of the left by the right where neither is.
        magnitude_ratio: Median over the seconds in which either does something of ln(how far the affected arm moves /
            how far the other one), from -7 to 7.
    """

    used_s: tuple[int, int]
    use_ratio: float
    magnitude_ratio: float

    @classmethod
    def of(
        cls, movements: Iterable[Movement], affected: Literal["", "left", "right"], start_s: float, end_s: float
    ) -> Self:
        """Return the truth of the whole seconds between two instants."""
        first, last = math.ceil(start_s), math.floor(end_s)
        parts, ranges = np.zeros((2, last - first)), np.zeros((2, last - first))
        seconds = np.arange(first, last)
        for movement in movements:
            if movement.start_s >= last:
                break
            shared = np.minimum(movement.end_s, seconds + 1) - np.maximum(movement.start_s, seconds)
            shared = np.maximum(shared, 0.0)
            for arm, range_deg in enumerate(movement.range_deg):
                if range_deg > 0:
                    parts[arm] += shared
                    ranges[arm] += shared * range_deg
        used = parts >= LEAST_PART
        at = 1 if affected == "right" else 0
        either = used.any(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.clip(np.log(ranges[at] * used[at]) - np.log(ranges[1 - at] * used[1 - at]), -ALL, ALL)
        left, right = used.sum(axis=1).tolist()
        both = (left, right)
        return cls(
            both, both[at] / both[1 - at] if both[1 - at] else math.nan,
            float(np.median(ratio[either])) if either.any() else math.nan,
        )  # fmt: skip
