"""What one bed or bay said last: the values, strides and curves of one wearer, and of nobody else."""

from __future__ import annotations

from bisect import insort
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dsp.catalogue import CATALOGUE
from gateway.model.entered import is_entered
from gateway.model.measurement import Measurement

STALE_S = 5.0
"""Older than this, a value is no longer what is happening now."""

STRIDES = 20  # per side: about as many as one can compare at a glance
SOURCES = 4  # values of one metric and side that different algorithms may hold at once
STRIDE_METRICS = ("stride_time", "stance_time", "swing_time", "step_time")
QUALITY_RANK = {"ok": 2, "degraded": 1, "invalid": 0}
RESULTS = frozenset({"test", "reported"})  # kinds of the catalogue
RESULTS_KEPT = 200  # of one patient: a day of tests with their parts
COUNTED = frozenset({"initial_contact", "u_turn_angle", "turn_angle", "sit_to_stand_time"})
"""What is counted through a session."""
WEAR = "wear_time"
MICRO = 1_000_000


class Wearer(NamedTuple):
    """Whose a number is; two that differ in any of these are never shown together."""

    subject: str
    session: str
    simulated: bool

    @property
    def is_somebody(self) -> bool:
        """Whether the bed is taken."""
        return bool(self.subject or self.session)


def wearer_of(measurement: Measurement) -> Wearer:
    """Return whose a measurement is."""
    return Wearer(measurement.subject, measurement.session, measurement.simulated)


@dataclass(slots=True)
class SlotState:
    """What one wearer's devices said last.

    Attributes:
        wearer: Who is in the slot; None before any word about it.
        known_us: UTC microseconds of the newest word about who is there: only a newer one changes it.
        patient_since_us: When another patient was seen to take the place; None where none was seen to.
        results: Results of tests of this patient, of any session, and what was reported, in the order of coming: the
            newest, and the last of each test.
        off_body: Sensors that nobody wore when that was last known, with the end of that quarter of an hour.
        cycles: The last curves of the slot, whose ever they are: they say it themselves.
        newest_us: End of the newest measurement.
        revision: Rises with everything that changes.
    """

    wearer: Wearer | None = None
    known_us: int = 0
    patient_since_us: int | None = None
    values: dict[tuple[str, str], OrderedDict[str, Measurement]] = field(default_factory=dict)
    strides: dict[tuple[str, str], list[Measurement]] = field(default_factory=dict)
    results: list[Measurement] = field(default_factory=list)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    off_body: dict[str, int] = field(default_factory=dict)
    cycles: dict[str, Any] = field(default_factory=dict)
    newest_us: int = 0
    revision: int = 0

    def give_to(self, wearer: Wearer, at_us: int) -> None:
        """Begin anew for another wearer: nothing that was said before is theirs."""
        before = self.wearer
        if before is not None and (before.subject, before.simulated) != (wearer.subject, wearer.simulated):
            self.patient_since_us = at_us
            self.results.clear()
        self.wearer, self.known_us, self.newest_us = wearer, at_us, 0
        self.values.clear()
        self.strides.clear()
        self.counts.clear()
        self.off_body.clear()
        self.revision += 1

    def apply(self, measurement: Measurement) -> None:
        """Keep the newest value of each metric, side and algorithm."""
        key = (measurement.metric, measurement.side)
        self.keep_test(measurement)
        if measurement.metric in COUNTED:
            self.counts[measurement.metric, measurement.algorithm] += 1
        sources = self.values.setdefault(key, OrderedDict())
        held = sources.get(measurement.algorithm)
        if held is None or measurement.end_us >= held.end_us:
            sources[measurement.algorithm] = measurement
            sources.move_to_end(measurement.algorithm)
            if len(sources) > SOURCES:
                sources.popitem(last=False)
        if measurement.metric in STRIDE_METRICS and measurement.side in {"left", "right"}:
            _keep_newest(self.strides.setdefault(key, []), measurement)
        if measurement.metric == WEAR:
            self._note_wear(measurement)
        self.newest_us = max(self.newest_us, measurement.end_us)
        self.known_us = max(self.known_us, measurement.end_us)
        self.revision += 1

    def keep_test(self, measurement: Measurement) -> bool:
        """Keep the result of a test of who is in the bed, of whatever session; return whether it is one.

        What somebody corrected stands beside what was found.
        """
        of = self.wearer
        if CATALOGUE[measurement.metric].kind not in RESULTS or of is None:
            return False
        if (of.subject, of.simulated) != (measurement.subject, measurement.simulated):
            return False
        if measurement not in self.results:
            self.results = [*self.results, measurement]
            if len(self.results) > RESULTS_KEPT:
                last = self.last_tests()
                self.results.remove(next((one for one in self.results if one not in last), self.results[0]))
            self.revision += 1
        return True

    def last_tests(self, is_aside: Callable[[Measurement], bool] = lambda _: False) -> list[Measurement]:
        """Return the last result of each test, by metric and side, but for those that are set aside."""
        last: dict[tuple[str, str, str], Measurement] = {}
        for one in self.results:
            key = (one.metric, one.side, one.algorithm if is_entered(one.algorithm) else "")
            if not is_aside(one) and (key not in last or one.end_us >= last[key].end_us):
                last[key] = one
        return [last[key] for key in sorted(last)]

    def _note_wear(self, measurement: Measurement) -> None:
        """Note until when nobody wore a sensor, which each tells of itself."""
        for device in measurement.devices:
            if measurement.value == 0:
                self.off_body[device] = max(measurement.end_us, self.off_body.get(device, 0))
            elif measurement.end_us > self.off_body.get(device, 0):
                self.off_body.pop(device, None)

    def count(self, metric: str) -> int:
        """Return how often a metric came in this session, by the algorithm that told it most often."""
        return max((n for (counted, _), n in self.counts.items() if counted == metric), default=0)

    def best(self, metric: str, side: str) -> Measurement | None:
        """Return the value to show: of those about as new as the newest, the best in quality, then feet before others.

        Feet and lower back may both give a cadence; the page must not flicker between the two.
        """
        sources = self.values.get((metric, side))
        if not sources:
            return None
        newest = max(m.end_us for m in sources.values())
        fresh = (m for m in sources.values() if m.end_us >= newest - STALE_S * MICRO)
        return max(fresh, key=_preference)


def _keep_newest(strides: list[Measurement], stride: Measurement) -> None:
    """Put a stride in its place in time: what the outbox held back comes late, and what it is unsure of comes twice."""
    if any(held.end_us == stride.end_us for held in strides):
        return
    insort(strides, stride, key=lambda held: held.end_us)
    del strides[:-STRIDES]


def _preference(measurement: Measurement) -> tuple[int, bool, int]:
    from_feet = any("foot" in placement for placement in measurement.placement)
    return QUALITY_RANK[measurement.quality], from_feet, measurement.end_us
