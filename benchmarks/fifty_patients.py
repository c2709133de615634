"""What the operators of timed tests make of fifty simulated patients, from healthy to severely impaired.

    python -m benchmarks.fifty_patients [--patients 50] [--hours .33] [--only tug,falls]

Sensors are noisy, drift, sit askew and lose one sample in a hundred. Each line is a figure beside the truth, the goal
it has, and whether it is met; the last line is all of it as JSON. What has no operator yet is said to have none.
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.six_minute_walks import SOURCES, distance_error, walked
from benchmarks.ward_hours import ward_hours
from dsp.posture.measured import SEGMENT_UP
from dsp.posture.person import Part, TwoSensors
from dsp.posture.posture import PostureDetector
from dsp.sway.trial import measure_quiet_stance
from simulators.clinic.falls import Falling
from simulators.clinic.patient import Patient, patients
from simulators.clinic.perform import Mounting, Performance, Signals, perform
from simulators.clinic.timed_tests import (
    Item,
    quiet_stance,
    sit_to_stand,
    ten_metre_walk,
    timed_up_and_go,
)
from simulators.clinic.transfers import Rising, Staying
from simulators.clinic.truth import Did, Truth
from simulators.clinic.walks import Walking
from tests.scoring import detector

RATE_HZ = 100.0
PACKET = 10
"""Samples that arrive together."""
NEAR_S = 1.0
"""A transfer was found where its middle is so near the true one."""
FALL_BEFORE_S, FALL_AFTER_S = 1.0, 5.0
"""A fall was found by a notice so long before its start to so long after its end."""
GRACE_S = 2.0
"""A posture may be named so late."""

POSTURES = ("lying", "sitting", "standing", "walking", "stairs")
ALIKE = {
    "lower_back": {"standing": "sitting", "stairs": "walking"},
    "left_thigh": {"lying": "sitting", "stairs": "walking"},
}
"""What is alike to one sensor there: a trunk is as upright sitting as standing, a thigh as level lying as sitting."""
TWO: dict[Part, str] = {"trunk": "lower_back", "thigh": "left_thigh"}
"""Two sensors that together see all of it."""

Event = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Attributes:
        name: Of what.
        value: As measured.
        goal: What it should be at the most, or at the least.
        least: The goal is the least that will do.
    """

    name: str
    value: float
    goal: float
    least: bool = False

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return bool(self.value >= self.goal if self.least else self.value <= self.goal)

    def __str__(self) -> str:
        """Return a line for the table."""
        than = "at least" if self.least else "at most"
        return f"{'met   ' if self.met else 'MISSED'} {self.name:44} {self.value:8.3f}   {than} {self.goal:g}"


def operator(name: str) -> Callable[..., Any] | None:
    """Return the product's streaming operator behind the interface of the scorers; None where there is none yet."""
    try:
        found = getattr(importlib.import_module(f"tests.scoring_{name}"), name, None)
    except ModuleNotFoundError:
        return None
    return found if callable(found) else None


def heard(make: Callable[..., Any], placement: str, who: Patient, signals: Signals) -> list[Event]:
    """Return what an operator says of a sensor whose axes it does not know, in packets as a radio brings them."""
    detector = make(
        placement.removeprefix("left_").removeprefix("right_"), RATE_HZ, frame="unknown", height_m=who.height_m
    )
    events: list[Event] = []
    for start in range(0, len(signals.index), PACKET):
        cut = slice(start, start + PACKET)
        newest = int(signals.index[cut][-1])
        got = detector.push(signals.index[cut], signals.acc[cut], signals.gyr[cut])
        events += [{**event, "newest": newest} for event in got]
    return [*events, *(detector.flush() if hasattr(detector, "flush") else ())]


def played(
    script: Sequence[Item], who: Patient, placement: str, *, mounting: Mounting = "any", **how: Any
) -> Performance:
    """Return a performance for one sensor."""
    return perform(script, who, rate_hz=RATE_HZ, placements=[placement], mounting=mounting, **how)


def spans(events: Sequence[Event], kind: str) -> list[tuple[float, float]]:
    """Return from when to when things of a kind were found, seconds."""
    return [(e["start"] / RATE_HZ, e["end"] / RATE_HZ) for e in events if e["kind"] == kind]


def pairs(true: Sequence[Did], found: Sequence[tuple[float, float]]) -> Iterator[tuple[Did, tuple[float, float]]]:
    """Yield what is true with what was found near it."""
    for did in true:
        near = [f for f in found if abs(sum(f) / 2 - (did.start_s + did.end_s) / 2) <= NEAR_S]
        if near:
            yield did, min(near, key=lambda f, did=did: abs(sum(f) / 2 - (did.start_s + did.end_s) / 2))  # type: ignore[misc]


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def tug(people: Sequence[Patient], placement: str) -> Iterator[Figure]:
    """Measure the Timed Up and Go."""
    make = operator("transfers")
    if make is None:
        return
    total: list[float] = []
    phases: dict[str, list[float]] = {"rise": [], "turn": [], "turn and sit": []}
    for who in people:
        done = played(timed_up_and_go(left=who.seed % 2 == 0), who, placement)
        events, truth = heard(make, placement, who, done.signals[placement]), done.truth
        [true], found = truth.of("tug"), spans(events, "tug")
        if len(found) == 1:
            total.append(abs(found[0][1] - found[0][0] - true.duration_s))
        for did, (start, end) in pairs(truth.of("standing_up"), spans(events, "sit_to_stand")):
            phases["rise"].append(abs(end - start - did.duration_s))
        turns, sits = list(pairs(truth.of("turn"), spans(events, "turn"))), spans(events, "stand_to_sit")
        phases["turn"] += [abs(end - start - did.duration_s) for did, (start, end) in turns[:1]]
        if len(turns) == 2 and sits:
            phases["turn and sit"].append(abs(sits[-1][1] - turns[1][1][0] - (true.end_s - turns[1][0].start_s)))
    name = f"TUG, {placement.replace('_', ' ')}"
    yield Figure(f"{name}: with a result", len(total) / len(people), 1.0, least=True)
    yield Figure(f"{name}: total, mean error (s)", _mean(total), 0.15)
    yield Figure(f"{name}: total, within .15 s", _share(total, 0.15, len(people)), 0.9, least=True)
    for phase, errors in phases.items():
        yield Figure(f"{name}: {phase}, mean error (s)", _mean(errors), 0.3)


def _share(errors: Sequence[float], most: float, of: int) -> float:
    return sum(error <= most for error in errors) / of


def chair(people: Sequence[Patient], placement: str) -> Iterator[Figure]:
    """Measure five times sit-to-stand."""
    make = operator("transfers")
    if make is None:
        return
    exact, errors = 0, list[float]()
    for who in people:
        done = played(sit_to_stand(5), who, placement)
        events = heard(make, placement, who, done.signals[placement])
        rises = spans(events, "sit_to_stand")
        exact += len(rises) == len(done.truth.of("standing_up"))
        errors += [abs(b - a - did.duration_s) for did, (a, b) in pairs(done.truth.of("standing_up"), rises)]
    name = f"5 x sit-to-stand, {placement.replace('_', ' ')}"
    yield Figure(f"{name}: repetitions exact", exact / len(people), 1.0, least=True)
    yield Figure(f"{name}: rise, mean error (s)", _mean(errors), 0.15)


def walks(people: Sequence[Patient]) -> Iterator[Figure]:
    """Measure the speed over ten metres by the strides of both feet within the timed part."""
    errors = []
    for who in people:
        done = feet(ten_metre_walk(), who)
        [test] = done.truth.of("10mwt")
        begin, end = float(test.facts["timed_from_s"]), float(test.facts["timed_to_s"])
        rows = [row for each in strides(done, who) for row in each if begin <= row[0] - row[1] and row[0] <= end]
        seconds = sum(row[1] for row in rows)
        speed = sum(row[2] for row in rows) / seconds if rows else 0.0
        errors.append(abs(speed / float(test.facts["speed_mps"]) - 1))
    yield Figure("10 m walk, feet: speed, mean error (share)", _mean(errors), 0.02)
    yield Figure("10 m walk, feet: within 2 %", _share(errors, 0.02, len(people)), 0.9, least=True)


def six_minutes(people: Sequence[Patient]) -> Iterator[Figure]:
    """Measure the distance of the six-minute walk, through the whole gateway."""
    errors: dict[str, list[float]] = {}
    for who in people:
        done = walked(who)
        for source, places in SOURCES.items():
            for course, name in ((True, "laps of a known course"), (False, "its own lengths")):
                errors.setdefault(f"{source}, {name}", []).append(distance_error(done, places, course=course))
    for name, each in errors.items():
        yield Figure(f"6 min walk, {name}: mean error (share)", _mean(each), 0.03)


def feet(script: Sequence[Item], who: Patient) -> Performance:
    """Return a performance for sensors on both feet, strapped on askew."""
    return perform(script, who, rate_hz=RATE_HZ, placements=["left_foot", "right_foot"], start="standing")


def strides(done: Performance, who: Patient) -> Iterator[list[tuple[float, float, float]]]:
    """Yield the strides of each foot: end, time, seconds, and length, metres."""
    for placement, signals in done.signals.items():
        events = heard(detector, placement, who, signals)
        yield [(e["index"] / RATE_HZ, e["time_s"], e["length_m"]) for e in events if e["kind"] == "stride"]


def sway(people: Sequence[Patient], _placement: str = "lower_back") -> Iterator[Figure]:
    """Measure quiet stance."""
    errors: dict[str, list[float]] = {}
    for who in people:
        done = played(quiet_stance(), who, "lower_back", mounting="askew", start="standing")
        [trial], signals = done.truth.of("stance"), done.signals["lower_back"]
        within = (signals.index >= trial.start_s * RATE_HZ) & (signals.index < trial.end_s * RATE_HZ)
        found = measure_quiet_stance(signals.index[within], signals.acc[within], RATE_HZ)
        exact = measure_quiet_stance(*_exactly(done, trial), RATE_HZ)
        assert found is not None
        assert exact is not None
        for name, true in (("rms_ap", "rms_ap"), ("rms_ml", "rms_ml"), ("ellipse_area95", "area95")):
            value = float(trial.facts[f"acc_{true}"])
            errors.setdefault(name, []).append(abs(found.values[f"sway_{name}"] / value - 1))
        # A path has the low-pass of the metric in its definition: beside the same metric of the true movement.
        errors.setdefault("path", []).append(abs(found.values["sway_path"] / exact.values["sway_path"] - 1))
    for name, each in errors.items():
        yield Figure(f"sway, {name}: mean error (share)", _mean(each), 0.05)


def _exactly(done: Performance, trial: Did) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return numbers and specific force of all samples of a trial as they truly were."""
    index = np.arange(round(trial.start_s * RATE_HZ), round(trial.end_s * RATE_HZ))
    return index, done.pose("lower_back", index / RATE_HZ).acc


def falls(people: Sequence[Patient], placement: str) -> Iterator[Figure]:
    """Measure falls of all kinds from standing and sitting; slow slides apart, since nothing hits the floor."""
    make = operator("falls")
    if make is None:
        return
    found, count, slides = 0, 0, [0, 0]
    for who in people:
        for direction in ("forward", "backward", "left", "right"):
            start = "standing" if (who.seed + len(direction)) % 3 else "sitting"
            up = [Rising(), Walking(distance_m=2.0)] if start == "standing" else []
            script = [Staying(4), *up, Falling(direction, start, 20)]  # type: ignore[arg-type]
            done = played(script, who, placement)
            found += _fallen(make, placement, who, done)
            count += 1
        done = played([Staying(4), Rising(), Staying(2), Falling("backward", "slide", 20)], who, placement)
        slides[0] += _fallen(make, placement, who, done)
        slides[1] += 1
    name = f"falls, {placement.replace('_', ' ')}"
    yield Figure(f"{name}: found", found / count, 0.95, least=True)
    yield Figure(f"{name}: slow slides found", slides[0] / slides[1], 0.0, least=True)


def _fallen(make: Callable[..., Any], placement: str, who: Patient, done: Performance) -> bool:
    [fall] = done.truth.of("fall")
    times = [e["index"] / RATE_HZ for e in heard(make, placement, who, done.signals[placement]) if e["kind"] == "fall"]
    return any(fall.start_s - FALL_BEFORE_S <= at <= fall.end_s + FALL_AFTER_S for at in times)


def ward(people: Sequence[Patient], placement: str, hours: float) -> Iterator[Figure]:
    """Measure postures, and false notices of falls, in hours of ward movement of each patient."""
    fall, posture = operator("falls"), operator("posture")
    notices, seconds, judged = 0, 0.0, np.zeros(3)
    for who in people if fall or posture else ():
        for number, part in enumerate(ward_hours(who, hours)):
            done = played(part, who, placement, start="standing", seed=number)
            signals, seconds = done.signals[placement], seconds + done.truth.end_s
            if fall is not None:
                notices += sum(event["kind"] == "fall" for event in heard(fall, placement, who, signals))
            if posture is not None:
                said = [event for event in heard(posture, placement, who, signals) if event["kind"] == "posture"]
                judged += agreement(said, done.truth, ALIKE[placement])
    name = placement.replace("_", " ")
    if fall is not None:
        yield Figure(f"falls, {name}: false notices in 100 h", notices / seconds * 360_000, 1.0)
    if posture is not None:
        yield Figure(f"posture, {name}: share of time right", judged[0] / judged[2], 0.98, least=True)
        yield Figure(f"posture, {name}: right as far as it sees", judged[1] / judged[2], 0.98, least=True)


def ward_of_two(people: Sequence[Patient], hours: float) -> Iterator[Figure]:
    """Measure the posture of who wears a sensor on the lower back and one on a thigh, in the same hours.

    Straps sit askew, and axes are believed to be as the ward's configuration says: who walks at a quarter of a metre a
    second never shows which way the trunk is upright.
    """
    judged = np.zeros(3)
    each: list[float] = []
    for who in people:
        own = np.zeros(3)
        for number, part in enumerate(ward_hours(who, hours)):
            done = perform(
                part, who, rate_hz=RATE_HZ, placements=TWO.values(), mounting="askew", start="standing", seed=number
            )
            own += agreement(list(heard_together(done)), done.truth, {})
        judged += own
        each.append(own[0] / own[2])
    yield Figure("posture, lower back and thigh: share of time right", judged[0] / judged[2], 0.98, least=True)
    yield Figure("posture, lower back and thigh: the worst patient", min(each), 0.95, least=True)


def heard_together(done: Performance) -> Iterator[Event]:
    """Yield the person's postures as two sensors tell them, in packets of one and then the other."""
    both = TwoSensors()
    detectors = {
        part: PostureDetector(RATE_HZ, placement.removeprefix("left_"), along=SEGMENT_UP)
        for part, placement in TWO.items()
    }
    for first in range(0, int(done.truth.end_s * RATE_HZ) + 1, PACKET):
        for part, placement in TWO.items():
            signals = done.signals[placement]
            within = slice(*np.searchsorted(signals.index, [first, first + PACKET]))
            for said in detectors[part].process(signals.index[within], signals.acc[within], signals.gyr[within]):
                both.add(part, said.at / RATE_HZ, said)
        newest = float(first + PACKET)
        for one in both.report(newest / RATE_HZ):
            yield {"index": one.at_s * RATE_HZ, "newest": newest, "posture": one.posture or ""}


def agreement(events: Sequence[Event], truth: Truth, alike: Mapping[str, str]) -> NDArray[np.float64]:
    """Return for how many samples the posture named within `GRACE_S` is the true one, or one alike, and of how many."""
    named = np.full(int(truth.end_s * RATE_HZ) + 1, "", dtype="U10")
    for event in events:
        newest = float(event["newest"]) if "newest" in event else float(event["index"])
        named[max(0, int(event["index"]), int(newest - GRACE_S * RATE_HZ)) :] = event["posture"]
    found = np.zeros(3)
    for start, end, posture in truth.postures:
        part = named[int(start * RATE_HZ) : int(end * RATE_HZ)]
        same = [name for name in POSTURES if alike.get(name, name) == alike.get(posture, posture)]
        found += np.array([np.sum(part == posture), np.sum(np.isin(part, same)), len(part)], float)
    return found


def measure(people: Sequence[Patient], hours: float, only: Sequence[str] = ()) -> Iterator[Figure]:
    """Yield all figures, those of operators that there are."""
    plans: dict[str, list[Callable[[], Iterator[Figure]]]] = {
        "tug": [lambda p=p: tug(people, p) for p in ("lower_back", "left_thigh", "right_wrist")],  # type: ignore[misc]
        "chair": [lambda p=p: chair(people, p) for p in ("lower_back", "chest", "left_thigh")],  # type: ignore[misc]
        "walks": [lambda: walks(people)],
        "six": [lambda: six_minutes(people)],
        "sway": [lambda: sway(people)],
        "falls": [lambda p=p: falls(people, p) for p in ("lower_back", "chest")],  # type: ignore[misc]
        "ward": [lambda p=p: ward(people, p, hours) for p in ("lower_back", "left_thigh")],  # type: ignore[misc]
        "posture": [lambda: ward_of_two(people, hours)],
    }
    for name, runs in plans.items():
        for run in runs if not only or name in only else ():
            yield from run()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=50)
    parser.add_argument("--hours", type=float, default=1 / 3, help="of ward movement of each patient")
    parser.add_argument(
        "--only", default="", help="of tug, chair, walks, six, sway, falls, ward, posture; separated by commas"
    )
    given = parser.parse_args()
    figures = []
    for figure in measure(patients(given.patients), given.hours, [o for o in given.only.split(",") if o]):
        print(figure, flush=True)
        figures.append(figure)
    print(
        json.dumps({figure.name: {"value": figure.value, "goal": figure.goal, "met": figure.met} for figure in figures})
    )


if __name__ == "__main__":
    main()
