"""What operators of a sensor have in common: made once for it, and fed before them with those of other sensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from config.settings import Settings
from dsp.found import Found
from gateway.analysis.modalities import MODALITIES
from gateway.analysis.motion import Motion, Worn
from gateway.analysis.motion_bank import MotionBank
from gateway.analysis.movement import MovementOperators
from gateway.analysis.pipeline import Pipeline
from gateway.analysis.sensor_bank import Refuse
from gateway.intake.frames import STEP_NS
from tests.gateway.analysis.test_failing_operators import CHEST, OTHER
from tests.gateway.analysis.test_motions import ORIGIN, at, sent, swaying

SECONDS = 10.0
Fed = Sequence[tuple["Newest", np.ndarray, np.ndarray]]


class Newest:
    """A part that knows the newest sample that it was fed; it keeps which were made, and how many are fed together."""

    made: list[Newest]
    together: list[int]

    def __init__(self) -> None:
        self.index = -1
        self.made.append(self)

    @staticmethod
    def feed(fed: Fed) -> None:
        Newest.together.append(len(fed))
        for part, index, _ in fed:
            part.index = int(index[-1])


class Telling:
    """An operator that tells whether its part was fed before it."""

    algorithm = "telling/1"

    def __init__(self, worn: Worn) -> None:
        self._newest = worn.shared("newest", Newest)

    def process(self, index: np.ndarray, acc: np.ndarray, gyr: np.ndarray) -> Iterator[Found]:
        del acc, gyr
        fed = float(self._newest.index == index[-1])
        yield Found("cadence", 60.0 + fed, float(index[0]), float(index[-1]), 1)


def test_a_part_is_made_once_for_a_sensor_and_fed_before_its_operators() -> None:
    Newest.made, Newest.together = [], []
    rows = [Motion(name, (("chest",),), ("cadence",), Telling) for name in ("one", "other")]

    class Movement(MovementOperators):
        def __init__(self, refuse: Refuse | None = None) -> None:
            super().__init__(refuse)
            self.motions = MotionBank(refuse, rows)

    modalities = [replace(each, operators=lambda: Movement) if each.name == "movement" else each for each in MODALITIES]
    pipeline = Pipeline(Settings(simulated=True, slot=[CHEST, OTHER]), ORIGIN, {"bed-1": "a", "bed-2": "b"}, modalities)
    frames = [*sent(0, swaying(SECONDS)), *sent(1, swaying(SECONDS), seed=1)]
    frames.sort(key=lambda numbered: numbered[1].arrival_ns)
    values: list[float | None] = []
    end_ns = ORIGIN.monotonic_ns
    while end_ns < at(SECONDS + 1.0):
        end_ns += STEP_NS
        step = [each for each in frames if end_ns - STEP_NS <= each[1].arrival_ns < end_ns]
        values += [m.value for m in pipeline.step(step) if m.algorithm == Telling.algorithm]
    assert len(Newest.made) == 2
    assert len(values) >= 4 * SECONDS / 2 - 4
    assert set(values) == {61.0}
    assert len(values) == 2 * sum(Newest.together)  # two operators look at what one part was fed
