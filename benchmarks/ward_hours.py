"""Hours of a ward as scripts: lying, sitting, walks, stairs, chairs that are met hard, stumbles; no falls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from simulators.clinic.balance import Reaching
from simulators.clinic.patient import Patient
from simulators.clinic.timed_tests import Item
from simulators.clinic.transfers import LyingDown, Rising, RollingOver, SittingDown, SittingUp, Staying
from simulators.clinic.walks import Climbing, Freezing, Stumbling, Turning, Walking

PART_S = 1200.0
"""Of one script: twenty minutes."""
HARD_MPS = 1.0
"""How fast somebody lets himself drop into a chair."""


def ward_hours(who: Patient, hours: float) -> Iterator[list[Item]]:
    """Yield scripts, each from standing to lying and about `PART_S` long, until that many hours are full.

    Each begins with a walk, as somebody does who has just been given a sensor: by it an operator learns how it is worn.
    """
    random = np.random.default_rng([who.seed, 0x3A4D])
    for _ in range(max(1, round(hours * 3600 / PART_S))):
        yield _part(who, random)


def _part(who: Patient, random: np.random.Generator) -> list[Item]:
    script: list[Item] = [Staying(3), Walking(distance_m=4), Turning(180), SittingDown(), Staying(20), LyingDown()]
    left_s = PART_S - 60
    while left_s > 0:
        rests_s, sits_s = float(random.uniform(60, 240)), float(random.uniform(40, 200))
        sides: tuple[Literal["left", "right", "back"], ...] = ("left", "right")
        script += [
            Staying(rests_s),
            RollingOver(sides[int(random.integers(2))]),
            Staying(rests_s / 2),
            RollingOver("back"),
        ]
        script += [SittingUp(), Staying(sits_s), *_up_and_about(who, random), Staying(sits_s / 2), LyingDown()]
        left_s -= 1.5 * rests_s + 1.5 * sits_s + 60
    return [*script, Staying(20)]


def _up_and_about(who: Patient, random: np.random.Generator) -> Iterator[Item]:
    """Yield a way from sitting to sitting."""
    yield Rising()
    yield Staying(float(random.uniform(2, 15)))
    for _ in range(int(random.integers(1, 4))):
        yield Walking(distance_m=float(random.uniform(2, 10)) * min(1.0, who.speed_mps + 0.2))
        yield Turning(float(random.choice([-180, -90, 90, 180])))
    kind = int(random.integers(6))
    if kind == 0 and who.severity < 0.7:
        yield from (Staying(1), Climbing(8), Staying(2), Climbing(8, up=False))
    elif kind == 1:
        yield Stumbling()
    elif kind == 2 and who.freezes:
        yield from (Walking(steps=4), Freezing(float(random.uniform(2, 8))), Walking(steps=4))
    elif kind == 3:
        yield Staying(float(random.uniform(10, 40)))
    elif kind == 4:
        yield from (Staying(1), Reaching("right", 4))
    yield Walking(distance_m=2.0)
    yield Turning(180)
    yield SittingDown(drop_mps=HARD_MPS if random.random() < 0.2 else None)
