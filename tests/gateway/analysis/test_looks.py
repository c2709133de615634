"""A person of whom nothing is new is hardly looked at, and what is measured is the same as with a look at each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from dsp.gait.gait import Walk
from gateway.analysis.modalities import MODALITIES
from gateway.analysis.modality import Modality
from gateway.analysis.movement import MovementOperators
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.intake.frames import Numbered
from gateway.model.measurements import Fields
from simulators.body.body import Placement
from tests.gateway.analysis.test_pipeline import ORIGIN, SECONDS
from tests.gateway.analysis.test_pipeline_legs import COLD_S, SESSIONS, frames, site, steps

pytestmark = pytest.mark.timeout(COLD_S)

PLACED: tuple[Placement, ...] = ("left_foot", "right_foot", "lower_back")
SILENCES_S = {0: [(9.0, 13.0), (14.0, 14.4), (24.0, 27.0)], 1: [(25.0, 60.0)], 2: [(11.0, 16.0)]}


class LooksAtAll(MovementOperators):
    """Movement that looks at everybody at each step."""

    def step(self) -> None:
        super().step()
        self.news = frozenset(range(len(PLACED)))


LOOKED_AT: tuple[Modality, ...] = tuple(
    replace(each, operators=lambda: LooksAtAll) if each.name == "movement" else each for each in MODALITIES
)


def heard(sent: Sequence[Numbered]) -> list[Numbered]:
    """Return the frames without those of devices that are out of reach for a while, walking or not."""
    return [
        (number, frame)
        for number, frame in sent
        if not any(
            start <= (frame.arrival_ns - ORIGIN.monotonic_ns) / NS < end for start, end in SILENCES_S.get(number, [])
        )
    ]


def measured(modalities: Sequence[Modality], sent: Sequence[Numbered]) -> list[Sequence[Fields]]:
    """Return the rows of each step."""
    pipeline = Pipeline(site(PLACED), ORIGIN, SESSIONS, modalities)
    return [pipeline.step(step).rows for _, step in steps(sent)] + [pipeline.finish().rows]


def test_what_is_measured_is_the_same_as_with_a_look_at_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = heard(frames(PLACED))
    looks = 0
    plain = Walk.process

    def counted(walk: Walk, *args: object, **options: object) -> object:
        nonlocal looks
        looks += 1
        return plain(walk, *args, **options)  # type: ignore[arg-type]

    every = measured(LOOKED_AT, sent)
    monkeypatch.setattr(Walk, "process", counted)
    assert measured(MODALITIES, sent) == every
    assert sum(map(len, every)) > 400
    assert looks < 0.5 * SECONDS * 20, "a walk is called where something comes of it"
