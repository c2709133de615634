"""What one metric of the catalogue is, and the words that describe it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from dsp.result import Side

Kind = Literal["event", "stride", "window", "count", "test", "reported"]
Group = Literal[
    "events",
    "pace",
    "timing",
    "support",
    "space",
    "joints",
    "symmetry",
    "variability",
    "turns",
    "heart",
    "exoskeleton",
    "oxygen",
    "exercise",
    "vitals",
    "balance",
    "transfers",
    "tests",
    "freezing",
    "tremor",
    "posture",
    "falls",
    "arms",
    "exertion",
    "reported",
    "device",
]

LOINC: Final = "http://loinc.org"
SNOMED: Final = "http://snomed.info/sct"
MDC: Final = "urn:iso:std:iso:11073:10101"


@dataclass(frozen=True, slots=True)
class Code:
    """A concept of a terminology: ``system`` is its URI, ``code`` what it is called there."""

    system: str
    code: str


@dataclass(frozen=True, slots=True)
class Metric:
    """What one metric is.

    Attributes:
        id: Name in code, topics and stores; never changes its meaning.
        title: What people call it.
        unit: UCUM code.
        unit_text: The unit as people write it; empty for pure numbers.
        kind: ``event`` an instant, ``stride`` one per stride, ``window`` over a stretch of time, ``count`` how many,
            ``test`` one for a whole test, which is shown until the next, ``reported`` what
            somebody said who was asked.
        sides: What the side of a value may be.
        group: Where it is shown.
        digits: Decimals that are worth showing.
        description: Formula and source.
        codes: Verified codes of terminologies.
        low: Least plausible value; None when there is no limit.
        high: Greatest plausible value.
        exo_low: Takes the place of ``low`` in exoskeleton sessions, where it differs.
        exo_high: Takes the place of ``high`` there.
        review: What a notice says that a value of it raises, so that staff look at it: "A fall may have happened".
            Empty: none. Never of an alarm.
        adds_up: Whether what several stretches of time gave adds up, as hours do: a day is the sum of its quarters,
            and no mean of them. Counts always do: see ``is_summed``.
    """

    id: str
    title: str
    unit: str
    unit_text: str
    kind: Kind
    sides: tuple[Side, ...]
    group: Group
    digits: int
    description: str
    codes: tuple[Code, ...] = ()
    low: float | None = None
    high: float | None = None
    exo_low: float | None = None
    exo_high: float | None = None
    review: str = ""
    adds_up: bool = False

    @property
    def is_summed(self) -> bool:
        """Whether several values become one by their sum; else by their mean."""
        return self.adds_up or self.kind == "count"

    def limits(self, *, exoskeleton: bool = False) -> tuple[float | None, float | None]:
        """Return the least and the greatest plausible value."""
        if not exoskeleton:
            return self.low, self.high
        return (
            self.low if self.exo_low is None else self.exo_low,
            self.high if self.exo_high is None else self.exo_high,
        )

    def plausible(self, value: float, *, exoskeleton: bool = False) -> bool:
        """Return whether a value lies within the limits; NaN never does."""
        low, high = self.limits(exoskeleton=exoskeleton)
        return value == value and (low is None or value >= low) and (high is None or value <= high)  # noqa: PLR0124 - NaN
