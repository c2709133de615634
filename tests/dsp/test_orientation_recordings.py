from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.orientation_loss import Trial, error_deg, estimate, fault_errors, loss_errors, trials
from tests.shared import shared_path

pytestmark = pytest.mark.recordings

SHORT = ("14_", "30_", "36_")  # calm, beside a magnet, with a magnet on it: the shortest of their kind


def broad() -> Path:
    return shared_path("data", "broad")


@pytest.fixture(scope="module")
def few() -> list[Trial]:
    return [t for t in trials(broad()) if t.name.startswith(SHORT)]


@pytest.mark.parametrize("mode", ["9d", "6d"])
def test_errors_are_those_of_the_best_peer(few: list[Trial], mode: str) -> None:
    peer = json.loads((broad() / "baseline_vqf.json").read_text())[mode]
    for t in few:
        error = error_deg(estimate(t, mode), t.reference, t.moving, free_heading=mode == "6d")
        assert error == pytest.approx(peer[t.name]["total"], abs=1e-4)


@pytest.mark.parametrize(("mode", "step"), [("9d", 1), ("6d", 1), ("9d", 3), ("6d", 3)])
def test_lost_packets_cost_little(few: list[Trial], mode: str, step: int) -> None:
    pairs = [loss_errors(t.every(step), mode, range(i, 2000 + i, 1000)) for i, t in enumerate(few)]
    whole, lossy = np.mean(pairs, axis=0)
    assert lossy <= 1.6 * whole


@pytest.mark.parametrize("kind", ["nan", "frozen", "frozen axis"])
@pytest.mark.parametrize(("mode", "channel"), [("9d", "acc"), ("9d", "mag"), ("6d", "acc"), ("6d", "gyr")])
def test_faults_are_healed_within_five_seconds(few: list[Trial], mode: str, channel: str, kind: str) -> None:
    pairs = [fault_errors(t, mode, channel, kind, 1.0) for t in few]
    before, after = np.mean(pairs, axis=0)
    assert after <= 1.1 * before
