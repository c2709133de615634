"""What follows from results of one person, whatever device they came from: nothing here sees a sample.

A row of `DERIVED` says which metrics an operator is told of, and what comes out. Rows are asked in their order, so one
may take what those before it gave.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from config.protocol import read_protocol
from config.settings import Device, Placement
from dsp.catalogue import CATALOGUE
from dsp.result import Result
from gateway.analysis.motion import INTERRUPTED
from gateway.analysis.ward_operators import DeviceResult
from gateway.model.ward import Bed

AFTER_S: Final = 70.0
"""So long after the end of a session its operators see the results of the same person still: recovery is a minute."""
BEST_PLACES: Final[Mapping[str, tuple[Placement, ...]]] = {"heart_rate": ("chest",), "spo2": ("finger", "ear_lobe")}
"""Where a metric is measured best: while a device there gives it, what others give of it is left out."""
FAILED: Final = "the program failed here: what it knew of this session is lost"
ALGORITHM: Final = "none/0"  # of what failed

log = logging.getLogger(__name__)


class DerivedOperator(Protocol):
    """Takes results of one person in one session."""

    def process(self, results: Sequence[Result]) -> Iterable[Result]:
        """Return what follows from some more results; those of one device come in order, those of two need not."""
        ...

    def mark(self, text: str, at_s: float) -> Iterable[Result]:
        """Take what was marked in the session at a gateway time, in lower case (`dsp.marks`)."""
        ...

    def end(self, at_s: float) -> Iterable[Result]:
        """Return what is known now that the session is over; results of the same person still come for `AFTER_S`."""
        ...

    def finish(self) -> Iterable[Result]:
        """Return what was still open: nothing more comes."""
        ...


@dataclass(frozen=True, slots=True)
class Derived:
    """A row of the table.

    Attributes:
        name: In code.
        of: Ids of the metrics that it is told of.
        metrics: Ids of all that comes out.
        make: Imports and makes the operator for a bed and a session; None where it has nothing to do there.
        protocols: The words of the sessions that it runs in; empty: always.
    """

    name: str
    of: frozenset[str]
    metrics: tuple[str, ...]
    make: Callable[[Bed], DerivedOperator | None]
    protocols: frozenset[str] = frozenset()

    def fits(self, bed: Bed) -> bool:
        """Whether it runs in the session of a bed."""
        return not self.protocols or read_protocol(bed.slot.protocol).word in self.protocols


def _effort(bed: Bed) -> DerivedOperator:
    from dsp.exertion.effort import Effort

    return Effort(INTERRUPTED if bed.interrupted else "")


def _rest(bed: Bed) -> DerivedOperator:
    from dsp.exertion.resting import RestingRate

    return RestingRate(at_rest=read_protocol(bed.slot.protocol).word == "rest")


def _pacing(bed: Bed) -> DerivedOperator | None:
    from dsp.exertion.pacing import Pacing

    ceiling = read_protocol(bed.slot.protocol).number("ceiling", bed.slot.heart_ceiling or 0.0)
    return Pacing(ceiling) if ceiling > 0.0 else None


def _timed_walk(bed: Bed) -> DerivedOperator:
    from gateway.analysis.walk_tests import timed_walk

    return timed_walk(bed)


def _stairs(bed: Bed) -> DerivedOperator:
    from dsp.walk_tests.stairs import StairClimb

    stairs = read_protocol(bed.slot.protocol).number("steps")
    return StairClimb(stairs, doubt=INTERRUPTED if bed.interrupted else "")


DERIVED: Final[tuple[Derived, ...]] = (
    Derived(
        "walk tests",
        of=frozenset(
            {"initial_contact", "final_contact", "stride_length", "stride_turn", "turn_angle", "u_turn_angle"}
        ),
        metrics=(
            "tmwt10_speed", "tmwt10_time", "tmwt4_speed", "tmwt4_time", "mwt6_distance", "mwt2_distance",
            "walk_test_distance_laps", "walk_test_distance_feet", "walk_test_distance_lower_back", "walk_test_lengths",
            "walk_test_stops", "walk_test_stop_time",
        ),
        make=_timed_walk,
        protocols=frozenset({"10mwt", "4mwt", "6mwt", "2mwt"}),
    ),
    Derived(
        "stairs",
        of=frozenset({"initial_contact", "final_contact"}),
        metrics=("stairs_time", "stairs_steps", "stairs_rate"),
        make=_stairs,
        protocols=frozenset({"stairs"}),
    ),
    Derived(
        "effort",
        of=frozenset({"heart_rate", "spo2", "mwt6_distance"}),
        metrics=(
            "hr_peak", "hr_recovery_60", "spo2_nadir", "desaturation", "spo2_recovery_60",
            "distance_saturation_product",
        ),
        make=_effort,
        protocols=frozenset({
            "treadmill", "stairs", "exoskeleton", "2mwt", "6mwt", "10mwt", "4mwt", "tug", "5xsts", "30scst", "1msts",
            "sts",
        }),
    ),
    Derived(
        "rest",
        of=frozenset({"heart_rate", "initial_contact", "cadence", "exercise_cadence"}),
        metrics=("hr_rest",),
        make=_rest,
        protocols=frozenset({"free_walk", "rest"}),
    ),
    Derived(
        "pacing",
        of=frozenset({"heart_rate"}),
        metrics=("time_above_ceiling", "ceiling_exceeded"),
        make=_pacing,
    ),
)  # fmt: skip


class DerivedOfPerson:
    """All that follows from the results of one person.

    Args:
        bed: Who it is, in which session.
        devices: What they wear, by number.
        rows: The table.
    """

    def __init__(self, bed: Bed, devices: Mapping[int, Device], rows: Sequence[Derived] = DERIVED) -> None:
        made = [(row, _made(row, bed)) for row in rows if row.fits(bed)]
        self._operators = [(row, operator) for row, operator in made if operator is not None]
        self._of = frozenset(metric for row, _ in self._operators for metric in row.of)
        self._places = {number: device.placement for number, device in devices.items()}
        self._best: set[str] = set()  # metrics that a device at their best place gives
        self._used: dict[str, set[int]] = {}  # by row, the devices that its results came from
        self._end_s = 0.0  # of the session

    def follow(self, results: list[DeviceResult]) -> None:
        """Add to results what follows from them."""
        if not self._of.isdisjoint([result.metric for result, _ in results]):
            for row, operator in tuple(self._operators):
                if fed := self._fed(row, results):
                    results += self._asked(row, partial(operator.process, fed), fed[-1].end_s)

    def mark(self, text: str, now_s: float) -> list[DeviceResult]:
        """Take what was marked in the session; return what follows from that."""
        text = text.strip().lower()
        return [
            result
            for row, operator in tuple(self._operators)
            for result in self._asked(row, partial(operator.mark, text, now_s), now_s)
        ]

    def end(self, results: list[DeviceResult], at_s: float) -> None:
        """Add to the last results of a session what follows from them, and from its end."""
        self.follow(results)
        self._end_s = at_s
        for row, operator in tuple(self._operators):
            results += self._asked(row, partial(operator.end, at_s), at_s)

    def finish(self) -> list[DeviceResult]:
        """Return what was still open."""
        return [
            result
            for row, operator in tuple(self._operators)
            for result in self._asked(row, operator.finish, self._end_s)
        ]

    @property
    def waits(self) -> bool:
        """Whether anything may still follow after the session."""
        return bool(self._used)

    def _fed(self, row: Derived, results: Sequence[DeviceResult]) -> list[Result]:
        """Return the results that a row is told of, each metric from its best place alone."""
        found: list[Result] = []
        for result, numbers in results:
            if result.metric not in row.of or not self._best_place(result.metric, numbers):
                continue
            self._used.setdefault(row.name, set()).update(n for n in numbers if n in self._places)
            found.append(result)
        return found

    def _best_place(self, metric: str, numbers: Sequence[int]) -> bool:
        places = BEST_PLACES.get(metric)
        if places is None:
            return True
        if any(self._places.get(number) in places for number in numbers):
            self._best.add(metric)
            return True
        return metric not in self._best

    def _asked(self, row: Derived, ask: Callable[[], Iterable[Result]], at_s: float) -> list[DeviceResult]:
        """Return what an operator finds, with the devices of all that it may rest on; one that fails fails alone."""
        found: list[Result] = []
        try:
            found.extend(ask())
        except Exception:
            log.exception("%s failed", row.name)
            self._operators = [each for each in self._operators if each[0] is not row]
            for metric in row.metrics:
                side = CATALOGUE[metric].sides[0]
                found.append(Result(metric, None, side, at_s, at_s, 0, ALGORITHM, 0, "invalid", FAILED))
        if not found:  # nearly always
            return []
        devices = tuple(sorted(self._used.get(row.name, ())))
        return [(result, devices) for result in found]


def _made(row: Derived, bed: Bed) -> DerivedOperator | None:
    """Return the operator of a row; None also where it cannot be made."""
    try:
        return row.make(bed)
    except Exception:
        log.exception("%s cannot be made", row.name)
        return None
