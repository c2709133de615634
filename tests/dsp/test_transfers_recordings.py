"""Transfers of real people against labels from video, which lie beside the checkout."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.shared import shared_path


def score(sensor: str) -> dict[str, Any]:
    command = [sys.executable, str(shared_path("score", "transfers.py")), "tests.scoring:transfers"]
    command += ["--data", str(shared_path("data", "clinical")), "--sensor", sensor]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


@pytest.mark.recordings
def test_a_phone_in_a_pocket_times_the_test_of_healthy_people() -> None:
    pocket = score("pocket")
    assert pocket["tug_total_s"]["with_result"] >= 0.99
    assert pocket["tug_total_s"]["mae"] <= 0.24
    assert pocket["tug_total_s"]["within_0.5_s"] >= 0.91
    assert min(pocket["sit_to_stand"]["f1"], pocket["stand_to_sit"]["f1"], pocket["turn"]["f1"]) >= 0.99
    assert pocket["turn"]["start_s"]["mae"] <= 0.11
    assert pocket["turn"]["end_s"]["mae"] <= 0.15
    assert pocket["turn"]["right_direction"] >= 0.99
    assert pocket["delay"]["p95_ms"] <= 600


@pytest.mark.recordings
def test_a_watch_does_too() -> None:
    wrist = score("wrist")
    assert wrist["tug_total_s"]["with_result"] >= 0.99
    assert wrist["tug_total_s"]["mae"] <= 0.18
    assert min(wrist["sit_to_stand"]["f1"], wrist["stand_to_sit"]["f1"], wrist["turn"]["f1"]) >= 0.98
    assert wrist["delay"]["p95_ms"] <= 600
