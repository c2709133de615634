"""Which intervals between beats are judged to be of a regular heart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.heart.beats import EARLY_BEAT, LATER, MISSED_BEAT, REGULAR, BeatJudge


def judged(rr_s: list[float]) -> list[int]:
    """Return the verdict on each interval of one chain."""
    judge = BeatJudge()
    return [verdict for rr in rr_s for verdict in judge.add(rr)] + judge.end()


@pytest.mark.parametrize(
    ("rhythm", "rr_s", "early"),
    [
        ("an early beat and its pause", [1, 1, 1, 0.65, 1.35, 1, 1, 1], [3, 4]),
        ("an early beat of the atrium, without a pause", [1, 1, 1, 0.75, 1, 1, 1, 1], [3, 4]),
        ("between two regular beats", [1, 1, 1, 0.5, 0.5, 1, 1, 1], [3, 4, 5]),
        ("two in a row", [1, 1, 1, 0.6, 0.6, 1.3, 1, 1], [3, 4, 5]),
        ("every second beat", [1, 1, 0.6, 1.4, 0.6, 1.4, 0.6, 1.4, 1, 1], [2, 3, 4, 5, 6, 7]),
    ],
)
def test_early_beats_exclude_the_interval_before_and_after(rhythm: str, rr_s: list[float], early: list[int]) -> None:
    found = [n for n, verdict in enumerate(judged(rr_s)) if verdict == EARLY_BEAT]
    assert found == early, rhythm


def test_a_missed_beat_is_no_pause_of_the_heart() -> None:
    assert judged([1, 1, 1, 1, 2, 1, 1, 1]) == [REGULAR] * 4 + [MISSED_BEAT] + [REGULAR] * 3


@pytest.mark.parametrize(("depth", "beats"), [(0.1, 4), (0.2, 6), (0.35, 10), (0.4, 14)])
def test_breathing_is_not_refused(depth: float, beats: int) -> None:
    """A young person's heart swings by a fifth with a quick breath, and by more than a third with a slow one."""
    for phase in np.linspace(0, 2 * np.pi, 12):
        rr_s = (1 + depth * np.sin(2 * np.pi * np.arange(120) / beats + phase)).tolist()
        assert set(judged(rr_s)) == {REGULAR}


def test_getting_up_is_followed_without_a_beat_refused() -> None:
    rr_s = [1.0] * 10 + list(np.linspace(1.0, 0.6, 8)) + [0.6] * 10
    assert set(judged(rr_s)) == {REGULAR}


@given(st.lists(st.floats(0.24, 2.4), max_size=60), st.lists(st.integers(0, 60), max_size=4))
def test_each_interval_is_judged_once_in_order_and_two_later_at_most(rr_s: list[float], breaks: list[int]) -> None:
    judge, verdicts, waiting = BeatJudge(), 0, 0
    for n, rr in enumerate(rr_s):
        if n in breaks:
            found = judge.end()
            assert len(found) == waiting
            verdicts, waiting = verdicts + len(found), 0
        found = judge.add(rr)
        waiting += 1 - len(found)
        verdicts += len(found)
        assert 0 <= waiting <= LATER
    assert verdicts + len(judge.end()) == len(rr_s)


@given(st.lists(st.floats(0.4, 1.6), min_size=4, max_size=60), st.floats(0.7, 1.4))
def test_a_slower_heart_of_the_same_rhythm_is_judged_alike(rr_s: list[float], factor: float) -> None:
    exact = [round(rr * 1024) for rr in rr_s]  # whole numbers: a factor of two is no rounding
    assert judged([2.0 * rr for rr in exact]) == judged([float(rr) for rr in exact])
    assert len(judged([factor * rr for rr in rr_s])) == len(rr_s)
