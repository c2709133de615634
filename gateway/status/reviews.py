"""What was measured of somebody lately that staff should look at: a fall it may have been, and the like.

Which metrics these are stands in the catalogue (`dsp.metric.Metric.review`). It becomes a notice among the others, with
a priority that is medium at most: a hint to look, never an alarm.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
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
"""At a time, the newest: more is a sensor in the wash, and not a ward of falls."""
FOR_REVIEW: Final = Rule(
    "for-review", "medium", 0.0, 0.0, "something was measured of a patient that staff should look at, such as a fall",
    "See how the patient is. It is a hint from a sensor: it may be wrong, and others may be missed.",
)  # fmt: skip
REVIEWED: Final = {metric.id: metric.review for metric in CATALOGUE.values() if metric.review}


class Reviews:
    """What stands to be looked at.

    Args:
        reviewed: What is said of each metric, by id.
    """

    def __init__(self, reviewed: Mapping[str, str] = REVIEWED) -> None:
        self._reviewed = reviewed
        self._lately: deque[tuple[float, ReviewStatus]] = deque(maxlen=MOST)

    def add(self, measurements: Measurements, now_s: float) -> None:
        """Take what a step completed; ``now_s`` is on the clock of `shown`."""
        for at, row in enumerate(measurements.rows):
            if row[METRIC_ID] in self._reviewed and measurements[at].quality != "invalid":
                self._lately.append((now_s, self._review(measurements[at])))

    def shown(self, now_s: float) -> list[ReviewStatus]:
        """Return what still stands, the oldest first."""
        while self._lately and now_s - self._lately[0][0] >= REVIEW_S:
            self._lately.popleft()
        return [review for _, review in self._lately]

    def _review(self, of: Measurement) -> ReviewStatus:
        metric = CATALOGUE[of.metric]
        when = datetime.fromtimestamp(of.end_us / 1e6, UTC).strftime("%H:%M:%S")
        value = "" if of.value is None else f"{of.value:.{metric.digits}f} {metric.unit_text}".strip()
        told = ", ".join(filter(None, (value, of.reason)))
        return {
            "metric": of.metric, "slot": of.slot, "device": of.devices[0] if of.devices else "", "at_us": of.end_us,
            "text": f"{self._reviewed[of.metric]} at {when} UTC" + (f" ({told})" if told else ""),
        }  # fmt: skip


def review_findings(status: Status) -> Iterator[Finding]:
    """Yield a finding for each thing in a status that stands to be looked at."""
    for review in status.get("reviews", ()):
        about = f"{review['metric']}-{review['at_us']}"
        yield Finding(FOR_REVIEW, review["text"], review["device"], review["slot"], about)
