"""Regular and early beats of recordings that cardiologists, or the exercise itself, have labelled."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.shared import shared_path

pytestmark = pytest.mark.recordings

ACTIVITIES = {"sitting", "maths", "walking", "hand_bike", "jogging"}


@pytest.fixture(scope="module")
def scores() -> dict[str, dict[str, object]]:
    """Return what the shared scorer says of the product's operators."""
    command = [sys.executable, str(shared_path("score", "rr.py")), "tests.scoring:beats"]
    command += ["--data", str(shared_path("data", "clinical"))]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    found: dict[str, dict[str, object]] = json.loads(printed.splitlines()[-1])
    return found


def test_early_beats_are_found_and_little_else(scores: dict[str, dict[str, object]]) -> None:
    of = scores["mitbih"]
    assert float(str(of["sensitivity"])) >= 0.98
    assert float(str(of["precision"])) >= 0.95
    assert str(of["unfounded"]).startswith("0 of ")


def test_exercise_is_no_arrhythmia(scores: dict[str, dict[str, object]]) -> None:
    of = json.loads(json.dumps(scores["gudb"]))
    assert set(of) == ACTIVITIES
    for activity in ACTIVITIES:
        assert of[activity]["rejected_for_nothing"] <= 0.002, activity
        assert abs(of[activity]["rmssd_ms"]["bias"]) <= 1.0, activity
