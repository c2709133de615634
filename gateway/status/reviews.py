"""What was measured of somebody lately that staff should look at: a fall it may have been, and the like.

Which metrics these are stands in the catalogue (`dsp.metric.Metric.review`). It becomes a notice among the others, with
a priority that is medium at most: a hint to look, never an alarm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from dsp.catalogue import CATALOGUE
from gateway.model.measurement import Measurement
from gateway.model.measurements import METRIC_ID, Measurements
from gateway.model.status import ReviewStatus, Status
from gateway.status.notices import Finding, Rule

REVIEW_S: Final = 900.0
"""So long it stands on the pages: a nurse who was with another patient still sees it. The history keeps it."""
MOST: Final = 32
"""At a time, the newest of each bed: more is a sensor in the wash, and it hides nobody else's fall."""
FOR_REVIEW: Final = Rule(
    "for-review", "medium", 0.0, 0.0, "something was measured of a patient that staff should look at, such as a fall",
    "See how the patient is. It is a hint from a sensor: it may be wrong, and others may be missed.",
)  # fmt: skip
REVIEWED: Final = {metric.id: metric.review for metric in CATALOGUE.values() if metric.review}


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
    """

    def __init__(self, reviewed: Mapping[str, str] = REVIEWED) -> None:
        self._reviewed = reviewed
        self._lately: list[_Noted] = []

    def add(self, measurements: Measurements, now_s: float) -> None:
        """Take what a step completed; ``now_s`` is on the clock of `shown`."""
        for at, row in enumerate(measurements.rows):
            if row[METRIC_ID] in self._reviewed and (one := measurements[at]).quality != "invalid":
                self._lately.append(_Noted(now_s, one.subject, self._review(one)))
                self._make_room()

    def shown(self, now_s: float, present: Mapping[str, str] | None = None) -> list[ReviewStatus]:
        """Return what still stands, the oldest first.

        Args:
            now_s: On the clock of `add`.
            present: Who is in each bed now: what was measured of somebody else there is said to be so, and is not
                put to the bed. None where nobody has changed.
        """
        self._lately = [each for each in self._lately if now_s - each.since_s < REVIEW_S]
        return [
            each.review
            if present is None or present.get(each.review["slot"]) == each.subject
            else _of_before(each.review)
            for each in self._lately
        ]

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


def _of_before(review: ReviewStatus) -> ReviewStatus:
    """Return what was measured of somebody who is not in the bed any more."""
    return {**review, "slot": "", "device": "", "text": f"{review['text']}: of who was in {review['slot']} before"}


def review_findings(status: Status) -> Iterator[Finding]:
    """Yield a finding for each thing in a status that stands to be looked at."""
    for review in status.get("reviews", ()):
        about = f"{review['metric']}-{review['at_us']}"
        yield Finding(FOR_REVIEW, review["text"], review["device"], review["slot"], about)
