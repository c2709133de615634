"""An operator that fails does so alone, and says so: the others, the step and the change of the ward go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import pytest

from config.settings import Device, Settings
from dsp.found import Found
from dsp.result import Quality, Result
from dsp.transfers.measured import TransferTest
from gateway.analysis.derived import FAILED as DERIVED_FAILED
from gateway.analysis.derived import Derived, DerivedOfPerson, DerivedOperator
from gateway.analysis.modalities import MODALITIES
from gateway.analysis.motion import Motion, Worn
from gateway.analysis.motion_bank import FAILED, MOST_DEFECTS, TURN_S, MotionBank
from gateway.analysis.movement import MovementOperators
from gateway.analysis.pipeline import Pipeline
from gateway.analysis.sensor_bank import Refuse
from gateway.analysis.ward_operators import DeviceResult
from gateway.intake.frames import STEP_NS, Numbered, ward_frame
from gateway.model.measurement import Measurement
from gateway.model.ward import Bed, Ward, encode_ward, ward_of
from tests.gateway.analysis.test_motions import BACK, ORIGIN, RATE_HZ, at, dot, of, second, sent, swaying

CHEST = BACK.model_copy(update={"protocol": "free_walk", "mass_kg": 71.0, "device": [dot(1, "chest")]})
OTHER = CHEST.model_copy(update={"id": "bed-2", "subject": "p-2", "mass_kg": None, "device": [dot(2, "chest")]})

SECONDS = 20.0


class Counting:
    """An operator that tells the number of each portion's samples; of the heavy person it fails where it is told to."""

    algorithm = "counting/1"

    def __init__(self, worn: Worn, fails: str = "", metric: str = "cadence") -> None:
        self._interrupted, self._metric = worn.interrupted, metric
        self._fails = fails if worn.mass_kg == CHEST.mass_kg else ""
        if self._fails == "make":
            raise OverflowError

    def process(self, index: np.ndarray, acc: np.ndarray, gyr: np.ndarray) -> Iterator[Found]:
        del acc, gyr
        quality: Quality = "degraded" if self._interrupted else "ok"
        yield Found(self._metric, 60.0, float(index[0]), float(index[-1]), len(index), quality=quality)
        if self._fails == "always" or (self._fails == "once" and index[-1] > 10 * RATE_HZ and not self._interrupted):
            raise IndexError

    def mark(self, text: str, at: float) -> None:
        del at
        if self._fails == "mark":
            raise KeyError(text)

    def finish(self) -> Iterator[Found]:
        if self._fails == "finish":
            raise RuntimeError
        yield from ()


def lived(fails: str, changes: Mapping[float, Ward] | None = None) -> list[Measurement]:
    """Run 20 s of two people, with an operator of the first that fails, and another beside it."""
    rows = [
        Motion("failing", (("chest",),), ("cadence",), partial(Counting, fails=fails)),
        Motion("beside", (("chest",),), ("turn_angle",), partial(Counting, metric="turn_angle")),
    ]

    class Movement(MovementOperators):
        def __init__(self, refuse: Refuse | None = None) -> None:
            super().__init__(refuse)
            self.motions = MotionBank(refuse, rows)

    modalities = [replace(each, operators=lambda: Movement) if each.name == "movement" else each for each in MODALITIES]
    config = Settings(simulated=True, slot=[CHEST, OTHER])
    pipeline = Pipeline(config, ORIGIN, {"bed-1": "a", "bed-2": "b"}, modalities)
    frames: list[Numbered] = [*sent(0, swaying(SECONDS)), *sent(1, swaying(SECONDS), seed=1)]
    frames += [ward_frame(at(s), encode_ward(ward)) for s, ward in (changes or {}).items()]
    frames.sort(key=lambda numbered: numbered[1].arrival_ns)
    out: list[Measurement] = []
    end_ns = ORIGIN.monotonic_ns
    while end_ns < at(SECONDS + 1.0):
        end_ns += STEP_NS
        out += pipeline.step([each for each in frames if end_ns - STEP_NS <= each[1].arrival_ns < end_ns])
    return out + list(pipeline.finish())


def failures(found: list[Measurement]) -> list[Measurement]:
    return [m for m in found if m.reason == FAILED]


def told(found: list[Measurement], metric: str, session: str) -> int:
    return len([m for m in of(found, metric) if m.session == session and m.value is not None])


def test_one_that_fails_says_so_and_begins_anew_in_doubt_and_nobody_else_notices(
    caplog: pytest.LogCaptureFixture,
) -> None:
    found = lived("once")
    (failed,) = failures(found)
    assert (failed.metric, failed.value, failed.quality, failed.subject) == ("cadence", None, "invalid", "p-1")
    assert "failing of dot-1 failed" in caplog.text
    assert told(found, "cadence", "a") == told(found, "turn_angle", "a") >= SECONDS / TURN_S
    assert told(found, "cadence", "b") == told(found, "turn_angle", "b") >= SECONDS / TURN_S
    anew = {m.quality for m in of(found, "cadence") if m.session == "a" and second(m.start_us) > 12.0}
    assert anew == {"degraded"}


@pytest.mark.parametrize(("fails", "times"), [("always", MOST_DEFECTS), ("make", 0)])
def test_one_that_always_fails_is_given_up(fails: str, times: int) -> None:
    found = lived(fails)
    assert len(failures(found)) == times
    assert told(found, "turn_angle", "a") >= SECONDS / TURN_S
    assert told(found, "cadence", "b") >= SECONDS / TURN_S


@pytest.mark.parametrize("where", ["mark", "finish"])
def test_one_that_fails_at_a_mark_or_at_the_end_lets_the_ward_change(where: str) -> None:
    first = ward_of(Settings(simulated=True, slot=[CHEST, OTHER]), {"bed-1": "a", "bed-2": "b"})
    marked = (replace(first[0], marks=("start",)), first[1])
    new = (Bed(CHEST.model_copy(update={"subject": "p-9"}), "a-2"), first[1])
    found = lived(where, {5.0: marked, 10.0: new})
    assert failures(found)
    of_new = [m for m in of(found, "cadence") if m.session == "a-2"]
    assert {m.subject for m in of_new} == {"p-9"}
    assert len(of_new) >= 8 / TURN_S


@pytest.mark.parametrize("placement", ["lower_back", "chest"])
def test_a_radio_that_hardly_delivers_fails_no_test_of_transfers(placement: Literal["lower_back", "chest"]) -> None:
    """One sample each three seconds: a lean may lie wholly before a gap."""
    rng = np.random.default_rng(1)
    n = 2400
    t = np.arange(n) / RATE_HZ
    acc = np.column_stack([2 * np.sin(2 * np.pi * t), np.zeros(n), 9.81 + 2 * np.sin(4 * np.pi * t)])
    acc += rng.normal(0, 0.5, (n, 3))
    gyr = rng.normal(0, 0.3, (n, 3))
    gyr[:, 0] += 2 * np.sin(2 * np.pi * t)
    test = TransferTest(RATE_HZ, placement, "tug")
    index = np.arange(n) * round(3 * RATE_HZ)
    for first in range(0, n, 60):
        list(test.process(index[first : first + 60], acc[first : first + 60], gyr[first : first + 60]))
    assert all(found.value is None for found in test.finish())


class Failing:
    """An operator of results that fails where it is told to."""

    def __init__(self, fails: str) -> None:
        self._fails = fails

    def _do(self, what: str) -> Iterator[Result]:
        yield Result("hr_peak", 120.0, "none", 0.0, 1.0, 1, "failing/1")
        if self._fails == what:
            raise LookupError(what)

    def process(self, results: Sequence[Result]) -> Iterator[Result]:
        del results
        return self._do("process")

    def mark(self, text: str, at_s: float) -> Iterator[Result]:
        del text, at_s
        return self._do("mark")

    def end(self, at_s: float) -> Iterator[Result]:
        del at_s
        return self._do("end")

    def finish(self) -> Iterator[Result]:
        return self._do("finish")


@pytest.mark.parametrize("fails", ["process", "mark", "end", "finish"])
def test_what_follows_from_results_fails_alone_and_says_so(fails: str) -> None:
    strap = Device(id="strap", driver="heart_rate", placement="chest", address="00:00:00:00:00:02")
    heart = frozenset({"heart_rate"})

    def broken(bed: Bed) -> DerivedOperator:
        raise OverflowError(bed.session)

    rows = [
        Derived("unmade", heart, ("spo2_nadir",), broken),
        Derived("failing", heart, ("hr_recovery_60",), lambda _: Failing(fails)),
        Derived("beside", heart, ("hr_peak",), lambda _: Failing("nowhere")),
    ]
    person = DerivedOfPerson(Bed(CHEST, "a"), {0: strap}, rows)
    found: list[DeviceResult] = [(Result("heart_rate", 80.0, "none", 5.0, 5.0, 1, "x/1"), (0,))]
    person.follow(found)
    found += person.mark("start", 6.0)
    at_end: list[DeviceResult] = []
    person.end(at_end, 7.0)
    found += [*at_end, *person.finish()]
    lost = [
        (result.metric, result.value, result.quality, by) for result, by in found if result.reason == DERIVED_FAILED
    ]
    assert lost == [("hr_recovery_60", None, "invalid", (0,))]
    whole = 4 + ["process", "mark", "end", "finish"].index(fails) + 1
    assert len([result for result, _ in found if result.metric == "hr_peak"]) == whole
