"""The simulated heart keeps to the rate and variability that it was given."""

from __future__ import annotations

from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.body.body import WalkingBody
from simulators.body.heart import Heart, rmssd_ms


@pytest.mark.parametrize("bpm", [48.0, 66.0, 90.0])
@pytest.mark.parametrize("rmssd", [12.0, 40.0])
def test_rate_and_variability_at_rest(bpm: float, rmssd: float) -> None:
    beats = Heart(2, rest_bpm=bpm, rmssd_ms=rmssd).read_until(1800)
    assert beats is not None
    assert len(beats.rr_s) / beats.time_s[-1] * 60 == pytest.approx(bpm, rel=0.01)
    assert rmssd_ms(beats.rr_s) == pytest.approx(rmssd, rel=0.12)


def test_intervals_are_the_times_between_beats() -> None:
    beats = Heart(5).read_until(300)
    assert beats is not None
    np.testing.assert_allclose(np.diff(beats.time_s), beats.rr_s[1:], atol=1e-9)


def test_effort_raises_the_rate_and_lowers_the_variability() -> None:
    heart = Heart(1, rest_bpm=60, effort_bpm=100, effort=[(300.0, 900.0)])
    rest, onset, effort, rest_again = (heart.read_until(t) for t in (300, 310, 900, 1500))
    assert rest is not None
    assert onset is not None
    assert effort is not None
    assert rest_again is not None
    settled = effort.rr_s[-300:]
    assert 60 / onset.rr_s.mean() < 80  # it takes its time
    assert 60 / settled.mean() == pytest.approx(100, rel=0.02)
    assert rmssd_ms(settled) < 0.6 * rmssd_ms(rest.rr_s)
    assert 60 / rest_again.rr_s[-200:].mean() == pytest.approx(60, rel=0.02)


@settings(deadline=None)
@given(st.integers(0, 50), st.lists(st.floats(0, 40), max_size=15))
def test_the_same_beats_however_they_are_asked_for(seed: int, steps: list[float]) -> None:
    whole, heart, times = Heart(seed).read_until(sum(steps)), Heart(seed), [np.empty(0)]
    for until in np.cumsum(steps):
        part = heart.read_until(float(until))
        assert part is not None
        times.append(part.time_s)
    assert whole is not None
    last = float(np.cumsum(steps)[-1]) if steps else 0.0
    np.testing.assert_array_equal(np.concatenate(times), whole.time_s[whole.time_s <= last])


def test_ectopic_beats_come_early_and_are_made_up_for() -> None:
    beats = Heart(3, ectopics_per_hour=60, rmssd_ms=10).read_until(3600)
    assert beats is not None
    early = np.flatnonzero(beats.rr_s < 0.75)
    assert 35 <= len(early) <= 90
    assert np.all(beats.rr_s[early[:-1] + 1] > 1.0)


def test_it_ends_where_it_was_asked_to() -> None:
    heart = Heart(end_s=10)
    beats = heart.read_until(100)
    assert beats is not None
    assert beats.time_s[-1] <= 10
    assert heart.read_until(200) is None


def test_it_beats_faster_when_its_body_walks() -> None:
    body = WalkingBody(1)
    beats = Heart(1, rest_bpm=60, effort_bpm=100, effort=body.walks()).read_until(600)
    assert beats is not None
    assert 60 / beats.rr_s[-200:].mean() > 75


def test_endless_effort_is_taken_as_it_comes() -> None:
    heart = Heart(effort=((float(k), k + 0.5) for k in count()))
    assert heart.read_until(60) is not None


@pytest.mark.parametrize("wrong", [{"rest_bpm": 10}, {"effort_bpm": 500}, {"rmssd_ms": -1}, {"ectopics_per_hour": -1}])
def test_dead_hearts_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"heart rates|negative"):
        Heart(**wrong)  # type: ignore[arg-type] # every key takes a float
