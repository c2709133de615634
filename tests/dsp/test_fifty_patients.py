"""Six of the fifty simulated patients in the timed tests; all of them with ``make patients``."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks import fifty_patients
from benchmarks.fifty_patients import Figure, agreement, chair, falls, sway, tug, walks
from simulators.clinic.patient import patients
from simulators.clinic.truth import Truth

SIX = patients(50)[::9]
NEEDS_TRANSFERS = pytest.mark.skipif(
    fifty_patients.operator("transfers") is None, reason="no operator of transfers yet"
)
NEEDS_FALLS = pytest.mark.skipif(fifty_patients.operator("falls") is None, reason="no operator of falls")


def missed(figures: Iterator[Figure]) -> list[str]:
    """Return the lines of the figures whose goals are missed; there must be some figures."""
    lines = [(figure.met, str(figure)) for figure in figures]
    assert lines
    return [line for met, line in lines if not met]


@NEEDS_TRANSFERS
def test_a_timed_up_and_go_is_timed_by_a_lower_back() -> None:
    assert missed(tug(SIX, "lower_back")) == []


@NEEDS_TRANSFERS
@pytest.mark.parametrize("placement", ["lower_back", "chest"])
def test_chair_stands_are_counted_and_timed(placement: str) -> None:
    assert missed(chair(SIX, placement)) == []


@NEEDS_TRANSFERS
def test_a_thigh_sees_the_rise_of_a_weak_patient_to_its_end() -> None:
    [counted, rise] = chair([patients(50)[40]], "left_thigh")
    assert counted.met
    assert rise.value < 0.3, "it ended in the middle of the rise"


def test_ten_metres_have_their_speed_from_the_strides_of_the_feet() -> None:
    assert missed(walks(SIX)) == []


def test_sway_is_that_of_the_true_movement() -> None:
    assert missed(sway(SIX)) == []


@NEEDS_FALLS
def test_falls_are_noticed() -> None:
    assert missed(falls(SIX[::2], "lower_back")) == []


def test_a_figure_says_whether_its_goal_is_met() -> None:
    assert Figure("error (s)", 0.1, 0.15).met
    assert not Figure("share", 0.9, 0.95, least=True).met
    assert str(Figure("error (s)", 0.2, 0.15)).startswith("MISSED error (s)")


def test_a_posture_counts_from_two_seconds_before_it_was_named() -> None:
    truth = Truth((), ((0.0, 10.0, "sitting"), (10.0, 20.0, "standing")), (), 20.0, np.empty(0), np.empty((0, 2)))
    events = [
        {"kind": "posture", "index": 0, "newest": 0, "posture": "sitting"},
        {"kind": "posture", "index": 1000, "newest": 1500, "posture": "standing"},
    ]
    exact, alike, count = agreement(events, truth, {"standing": "sitting"})
    assert (exact, alike, count) == (1700, 2000, 2000)
