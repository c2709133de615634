"""What was measured of somebody lately that staff should look at: a fall it may have been, and the like.

Which metrics these are stands in the catalogue (`dsp.metric.Metric.review`). It becomes a notice among the others, with
a priority that is medium at most: a hint to look, never an alarm. Nothing is raised of anybody unless staff chose so,
nothing from data that is not good, and of one person no more than a few an hour; what is held back is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dsp.catalogue import CATALOGUE
from gateway.model.measurement import Measurement
from gateway.model.measurements import METRIC_ID, Measurements
from gateway.model.status import ReviewStatus, Status
from gateway.status.kept_notices import KeptReview
from gateway.status.notices import Finding, Rule, finding
from gateway.texts.languages import english

REVIEW_S: Final = 900.0
"""So long it stands on the pages at least: a nurse who was with another patient still sees it. The history keeps it."""
LATCH_S: Final = 43_200.0
"""So long it stands while nobody has acknowledged it: a shift, so that whoever comes next hears of it."""
MOST: Final = 32
"""At a time, the newest of each bed: more is a sensor in the wash, and it hides nobody else's fall."""
PER_HOUR: Final = 6
"""Of one person: a sensor that hangs loose must not teach a ward to look away."""
HOUR_S: Final = 3600.0
FOR_REVIEW: Final = Rule(
    "for-review", "medium", 0.0, 0.0,
    "something was measured of a patient that staff should look at, such as a fall; only of whom it was chosen for",
)  # fmt: skip
REVIEW_BUDGET: Final = Rule(
    "review-budget", "low", 0.0, 0.0, f"more than {PER_HOUR} notices for review of one person within an hour",
)  # fmt: skip
REVIEWED: Final = {metric.id: metric.review for metric in CATALOGUE.values() if metric.review}
Wanted = Callable[[str, str], bool]


def always(subject: str, metric: str) -> bool:
    """Want everything of everybody."""
    del subject, metric
    return True


@dataclass(frozen=True, slots=True)
class _Noted:
    """What stands to be looked at, since when, and of whom: nobody else in that bed is to be taken for them."""

    since_s: float
    subject: str
    review: ReviewStatus


class Reviews:
    """What stands to be looked at.

    Args:
        reviewed: What is said of each metric, by id.
        wanted: Whether a metric of a subject is raised at all.
        per_hour: Most of one person within an hour; None is any number.

    Attributes:
        held_back: What was measured and not raised, by reason.
    """

    def __init__(
        self, reviewed: Mapping[str, str] = REVIEWED, *, wanted: Wanted = always, per_hour: int | None = None
    ) -> None:
        self.held_back: Counter[str] = Counter()
        self._reviewed = reviewed
        self._wanted = wanted
        self._per_hour = per_hour
        self._lately: list[_Noted] = []
        self._raised: dict[str, list[float]] = {}  # by subject: when, within the last hour
        self._beyond: dict[tuple[str, str], tuple[float, int]] = {}  # by bed and subject: when last, how many

    def add(self, measurements: Measurements, now_s: float) -> None:
        """Take what a step completed; ``now_s`` is on the clock of `shown`."""
        for at, row in enumerate(measurements.rows):
            if row[METRIC_ID] in self._reviewed:
                self._add(measurements[at], now_s)

    def _add(self, one: Measurement, now_s: float) -> None:
        if not self._wanted(one.subject, one.metric):
            self.held_back["not chosen"] += 1
        elif one.quality != "ok":
            self.held_back["poor data"] += 1
        elif self._is_spent(one, now_s):
            self.held_back["budget"] += 1
            self._beyond[one.slot, one.subject] = now_s, self._beyond.get((one.slot, one.subject), (0.0, 0))[1] + 1
        else:
            self._lately.append(_Noted(now_s, one.subject, self._review(one)))
            self._make_room()

    def shown(
        self, now_s: float, present: Mapping[str, str] | None = None, seen: AbstractSet[str] = frozenset()
    ) -> list[ReviewStatus]:
        """Return what still stands, the oldest first.

        Args:
            now_s: On the clock of `add`.
            present: Who is in each bed now: what was measured of somebody else there is said to be so, and is not
                put to the bed. None where nobody has changed.
            seen: Ids of the notices that somebody has acknowledged: these stand `REVIEW_S`, others `LATCH_S`.
        """
        self._lately = [
            each
            for each in self._lately
            if now_s - each.since_s < (REVIEW_S if finding_of(each.review).id in seen else LATCH_S)
        ]
        found = []
        for each in self._lately:
            if present is None or present.get(each.review["slot"]) == each.subject:
                found.append(each.review)
            elif finding_of(each.review).id not in seen:  # what was seen while they were there is done with
                found.append(_of_before(each.review))
        return found

    def over_budget(self, now_s: float, present: Mapping[str, str]) -> list[tuple[str, int]]:
        """Return the beds of whom more was measured than is raised within the hour, and how much more."""
        self._beyond = {key: (at, n) for key, (at, n) in self._beyond.items() if now_s - at < HOUR_S}
        return [(slot, n) for (slot, subject), (_, n) in self._beyond.items() if present.get(slot) == subject]

    def kept(self, now_s: float, now_us: int) -> list[KeptReview]:
        """Return what has to outlive a restart."""
        return [
            KeptReview(**each.review, subject=each.subject, noted_us=now_us - round((now_s - each.since_s) * 1e6))
            for each in self._lately
        ]

    def take_back(self, kept: Sequence[KeptReview], now_s: float, now_us: int) -> None:
        """Take what stood before a restart."""
        for one in kept[-MOST:]:
            age_s = max(0.0, (now_us - one.noted_us) / 1e6)
            review = ReviewStatus(metric=one.metric, slot=one.slot, device=one.device, at_us=one.at_us, text=one.text)
            self._lately.append(_Noted(now_s - age_s, one.subject, review))

    def _is_spent(self, one: Measurement, now_s: float) -> bool:
        """Whether the hour has no more for this person; else it has one less."""
        if self._per_hour is None:
            return False
        self._raised = {of: at for of, all_at in self._raised.items() if (at := _within(all_at, now_s))}
        of_them = self._raised.setdefault(one.subject, [])
        if len(of_them) >= self._per_hour:
            return True
        of_them.append(now_s)
        return False

    def _make_room(self) -> None:
        """Leave out the oldest of the bed with the most, where there are too many."""
        if len(self._lately) > MOST:
            slots = [each.review["slot"] for each in self._lately]
            most = max(Counter(slots).items(), key=lambda counted: counted[1])[0]
            del self._lately[slots.index(most)]

    def _review(self, of: Measurement) -> ReviewStatus:
        metric = CATALOGUE[of.metric]
        when = datetime.fromtimestamp(of.end_us / 1e6, UTC).strftime("%H:%M:%S")
        value = "" if of.value is None else f"{of.value:.{metric.digits}f} {metric.unit_text}".strip()
        told = ", ".join(filter(None, (value, of.reason)))
        return {
            "metric": of.metric, "slot": of.slot, "device": of.devices[0] if of.devices else "", "at_us": of.end_us,
            "text": f"{self._reviewed[of.metric]} at {when} UTC" + (f" ({told})" if told else ""),
        }  # fmt: skip


def _within(times: Sequence[float], now_s: float) -> list[float]:
    return [at for at in times if now_s - at < HOUR_S]


def _of_before(review: ReviewStatus) -> ReviewStatus:
    """Return what was measured of somebody who is not in the bed any more."""
    return {**review, "slot": "", "device": "", "text": f"{review['text']}: of who was in {review['slot']} before"}


def finding_of(review: ReviewStatus) -> Finding:
    """Return the finding of something that stands to be looked at."""
    about = f"{review['metric']}-{review['at_us']}"
    key = f"{FOR_REVIEW.key}_{review['metric']}"
    told = bool(review["slot"]) and f"notice_says.{key}" in english().entries
    values = {"time": datetime.fromtimestamp(review["at_us"] / 1e6, UTC).strftime("%H:%M:%S")} if told else {}
    return Finding(
        FOR_REVIEW, review["text"], review["device"], review["slot"], about, key=key if told else "", values=values
    )


def review_findings(status: Status) -> Iterator[Finding]:
    """Yield a finding for each thing in a status that stands to be looked at, and for each person beyond the budget."""
    for review in status.get("reviews", ()):
        yield finding_of(review)
    for slot, more in status.get("over_budget", ()):
        yield finding(REVIEW_BUDGET, slot=slot, about=slot, n=more, bed=slot)
