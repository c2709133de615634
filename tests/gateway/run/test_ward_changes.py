"""A ward that changes once a second, at random: nothing is lost, nobody gets another's numbers, a replay agrees."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.ward_changes import Simulation
from drivers.packet import Frame
from gateway.analysis import pipeline
from gateway.intake.frames import WARD_CHANNEL, Numbered, part_frames


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_lost_and_nobody_gets_another_s_numbers(tmp_path: Path, seed: int) -> None:
    found = Simulation(tmp_path, beds=6, changes_a_minute=120, seed=seed).run(1.0)
    assert (found.lost, found.wrong, found.same) == (0, 0, True)
    assert found.changes.total() > 60
    assert {"admit", "discharge", "move", "assign", "take-off"} <= set(found.changes)


def test_a_pipeline_that_misses_a_change_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [0]

    def missing_one(frames: Sequence[Numbered]) -> tuple[list[Frame], Sequence[Numbered]]:
        notes, rest = part_frames(frames)
        kept = []
        for note in notes:
            seen[0] += note.channel == WARD_CHANNEL
            if seen[0] != 5:
                kept.append(note)
        return kept, rest

    monkeypatch.setattr(pipeline, "part_frames", missing_one)
    found = Simulation(tmp_path, beds=6, changes_a_minute=120, seed=1).run(1.0)
    assert found.lost + found.wrong > 0
