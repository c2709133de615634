"""Tests of the clinic as scripts: what is done in them, in which order, and what is true of them as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from simulators.clinic.balance import Balancing, Eyes, Stance, Surface
from simulators.clinic.patient import Patient
from simulators.clinic.stage import Activity, Stage
from simulators.clinic.transfers import Rising, SittingDown, Staying
from simulators.clinic.truth import Did
from simulators.clinic.walks import Turning, Walking
from simulators.motion.source import Floats

REST_BEFORE_S = 3.0
TUG_TURN_M = 0.35
"""Short of the mark somebody begins to turn, of the chair to turn and sit."""
STAND_BETWEEN_S, SIT_BETWEEN_S = 0.35, 0.40
"""Of able patients between two repetitions of sit-to-stand; hesitation comes on top."""
RAMP_STEPS = 2
RAMP_SHARE = (0.55, 0.8)
"""Of the speed in the first steps of a walk, and backwards in the last ones."""
TIRES, STOPS_FROM, STOP_S, STOP_EACH_M = 0.12, 0.65, 14.0, 90.0
"""Share of speed that the most impaired lose in six minutes; severity from which they stop, how long and how often."""
PATH_HZ = 100.0


@dataclass(frozen=True)
class Test:
    """A test: activities of which some are measured together.

    Attributes:
        name: What it is called in the truth, such as "tug".
        script: Activities, or a function of the patient that returns them.
        before_m: Of a walk over a distance: where, from the first foot's place, its timed part begins.
        distance_m: And how long that is.
        duration_s: Of a walk over a time.
        facts: Words that belong to it.
    """

    name: str
    script: Sequence[Activity]
    before_m: float | None = None
    distance_m: float | None = None
    duration_s: float | None = None
    facts: dict[str, float | str] = field(default_factory=dict)


class ForPatient:
    """A test that depends on who does it.

    Args:
        make: Returns the test.
    """

    def __init__(self, make: Callable[[Patient], Test]) -> None:
        self.make = make


Item = Activity | Test | ForPatient


class Marked:
    """A test that is being done: it collects what is done within it."""

    def __init__(self, test: Test) -> None:
        self.test = test
        self.items: list[Placed] = []

    def note(self, stage: Stage) -> None:
        """Put the test down, once it is over."""
        test, did = self.test, [did for item in self.items for did in item.done]
        if test.name == "" or not did:
            return
        start, end = min(d.start_s for d in did), max(d.end_s for d in did)
        if test.duration_s is not None:
            self._timed(stage, start)
        elif test.distance_m is not None:
            self._measured(stage, start, end)
        else:
            stage.note(test.name, start, end, **test.facts, repetitions=sum(d.what == "standing_up" for d in did))

    def _timed(self, stage: Stage, start: float) -> None:
        assert self.test.duration_s is not None
        end = start + self.test.duration_s
        _, path = _path(stage, start, end)
        stage.note(self.test.name, start, end, **self.test.facts, distance_m=float(path[-1]))

    def _measured(self, stage: Stage, start: float, end: float) -> None:
        assert self.test.distance_m is not None
        before, distance = self.test.before_m or 0.0, self.test.distance_m
        times, path = _path(stage, start, end)
        begins = float(np.interp(before, path, times)) if before else start
        ends = float(np.interp(before + distance, path, times))
        facts = {
            "distance_m": distance,
            "timed_from_s": begins,
            "timed_to_s": ends,
            "speed_mps": distance / (ends - begins),
        }
        stage.note(self.test.name, start, end, **self.test.facts, **facts)


def _path(stage: Stage, start: float, end: float) -> tuple[Floats, Floats]:
    """Return times (n,) and the way of the body along the floor (n,), metres."""
    times = np.arange(start, end + 1 / PATH_HZ, 1 / PATH_HZ)
    rate = stage.figure.way(times).rate
    speed = np.hypot(rate[:, 0], rate[:, 1])
    return times, np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2) / PATH_HZ])


@dataclass
class Placed:
    """An activity in its place in a script.

    Attributes:
        activity: What.
        ends: Tests that are over with it.
        done: What was done in it.
    """

    activity: Activity
    ends: list[Marked] = field(default_factory=list)
    done: list[Did] = field(default_factory=list)


def activities(script: Sequence[Item], patient: Patient) -> list[Placed]:
    """Return the activities of a script, with the tests that end with each."""
    found: list[Placed] = []
    for item in script:
        if isinstance(item, Activity):
            found.append(Placed(item))
            continue
        test = item.make(patient) if isinstance(item, ForPatient) else item
        marked = Marked(test)
        marked.items = [Placed(activity) for activity in test.script]
        marked.items[-1].ends.append(marked)
        found += marked.items
    return found


def timed_up_and_go(distance_m: float = 3.0, *, left: bool = True) -> list[Item]:
    """Return a Timed Up and Go: rise, walk, turn, walk back, turn, sit down; sitting before and after."""
    side = 1.0 if left else -1.0

    def make(patient: Patient) -> Test:
        pauses = [Staying(patient.pause_s)] if patient.severity >= 0.5 else []
        script = [
            Rising(walks_on=True), *pauses, Walking(distance_m=distance_m - TUG_TURN_M), Turning(180 * side),
            Walking(distance_m=distance_m - 2 * TUG_TURN_M), Turning(180 * side), *pauses,
            SittingDown(from_turn=not pauses),
        ]  # fmt: skip
        return Test("tug", script, facts={"distance_m": distance_m})

    return [Staying(REST_BEFORE_S), ForPatient(make), Staying(REST_BEFORE_S)]


def sit_to_stand(repetitions: int | None = 5, *, duration_s: float | None = None) -> list[Item]:
    """Return a sit-to-stand test: so many repetitions, or as many as a patient does in so long; sitting around it."""

    def make(patient: Patient) -> Test:
        between = (STAND_BETWEEN_S + 0.3 * patient.pause_s, SIT_BETWEEN_S + 0.5 * patient.pause_s)
        each = patient.rise_s + patient.sit_s + sum(between)
        count = repetitions if duration_s is None else max(1, int(duration_s / each))
        assert count is not None
        script: list[Activity] = []
        for k in range(count):
            script += [Rising(attempts=None if k == 0 else 0), Staying(between[0])]
            script += [SittingDown(), Staying(between[1], fidgets=False)]
        name = f"sts{repetitions}" if duration_s is None else f"sts{duration_s:.0f}s"
        return Test(name, script[:-1])

    return [Staying(REST_BEFORE_S), ForPatient(make), Staying(REST_BEFORE_S)]


def ten_metre_walk(
    distance_m: float = 10.0, *, fast: bool = False, before_m: float = 2.0, after_m: float = 2.0
) -> list[Item]:
    """Return a walk over a distance whose middle is timed; standing before and after. A static start: before_m 0."""

    def make(patient: Patient) -> Test:
        speed = patient.fast_mps if fast else patient.speed_mps
        ramp = [Walking(steps=1, speed_mps=speed, share=share) for share in RAMP_SHARE]
        length = before_m + distance_m + after_m - 0.6
        script = [*ramp, Walking(distance_m=length, speed_mps=speed), *reversed(ramp)]
        name = f"{distance_m:.0f}mwt"
        return Test(name, script, before_m, distance_m, facts={"pace": "fast" if fast else "comfortable"})

    return [Staying(REST_BEFORE_S), ForPatient(make), Staying(REST_BEFORE_S)]


def six_minute_walk(minutes: float = 6.0, course_m: float = 20.0) -> list[Item]:
    """Return a walk over a time, to and fro on a course, with the stops that weak patients make."""

    def make(patient: Patient) -> Test:
        left_s, since_stop, turn = 60.0 * minutes, 0.0, 1.0
        script: list[Activity] = []
        while left_s > 0:
            share = 1 - TIRES * patient.severity * (1 - left_s / (60 * minutes))
            script += [Walking(distance_m=course_m, share=share), Turning(180 * turn)]
            left_s -= course_m / (patient.speed_mps * share) + 180 / patient.turn_step_deg * 60 / patient.turn_spm
            since_stop += course_m
            if patient.severity > STOPS_FROM and since_stop >= STOP_EACH_M:
                script.append(Staying(STOP_S))
                since_stop, left_s = 0.0, left_s - STOP_S - 1.1
            turn = -turn
        name = f"{minutes:.0f}mwt"
        script += [Walking(distance_m=course_m / 2)]  # a guess of the time that fell short leaves something to walk
        return Test(name, script, duration_s=60 * minutes, facts={"course_m": course_m})

    return [Staying(REST_BEFORE_S), ForPatient(make), Staying(REST_BEFORE_S)]


def quiet_stance(
    duration_s: float = 30.0, *, eyes: Eyes = "open", surface: Surface = "firm", stance: Stance = "apart"
) -> list[Item]:
    """Return a trial of quiet stance."""
    return [Balancing(duration_s, eyes, surface, stance)]
