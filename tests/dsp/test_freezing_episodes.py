"""Episodes of freezing and the share of time, and the variant of Moore beside the multitaper one."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.freezing.episodes import MERGE_S, FreezingEpisode, FreezingEpisodes, TimeFrozen, share_of_values, time_frozen
from dsp.freezing.freeze_index import EVERY_S, WINDOW_S, FreezeIndex, FreezeValue
from dsp.freezing.moore import FreezeIndexMoore
from dsp.whole_recordings import find_freezing_episodes
from tests.dsp.test_freeze_index import RATE_HZ, moving

Floats = NDArray[np.float64]


def leg(*parts: tuple[float, float]) -> Floats:
    """Return the acceleration of a leg that goes to and fro at so many hertz for so many seconds, part by part."""
    return np.vstack([moving(hz, seconds, seed=k) for k, (hz, seconds) in enumerate(parts)])


def find_freezing(acc: Floats, index: NDArray[np.int64] | None = None) -> tuple[list[FreezingEpisode], TimeFrozen]:
    """Return the episodes of a leg and their share of the time."""
    finding = FreezingEpisodes(RATE_HZ)
    values = list(FreezeIndex(RATE_HZ).process(np.arange(len(acc)) if index is None else index, acc))
    episodes = [e for v in values for e in finding.add(v)] + list(finding.flush())
    table = find_freezing_episodes(acc, RATE_HZ, index=index)
    assert table["start_s"].tolist() == [e.start / RATE_HZ for e in episodes]
    return episodes, share_of_values(values, episodes, RATE_HZ)


def test_an_episode_is_found_where_it_is() -> None:
    episodes, share = find_freezing(leg((1.0, 20.0), (6.0, 8.0), (1.0, 20.0)))
    assert len(episodes) == share.n_fog == 1
    assert episodes[0].start / RATE_HZ == pytest.approx(20.0, abs=1.2)
    assert episodes[0].end / RATE_HZ == pytest.approx(28.0, abs=1.2)
    assert share.pct_time_frozen == pytest.approx(100 * 8 / 44.5, abs=5)
    assert share.reason == ""


def test_two_episodes_are_two_and_a_short_pause_is_none() -> None:
    apart, _ = find_freezing(leg((1.0, 10.0), (6.0, 6.0), (1.0, 8.0), (6.0, 6.0), (1.0, 10.0)))
    joined, _ = find_freezing(leg((1.0, 10.0), (6.0, 6.0), (1.0, 1.0), (6.0, 6.0), (1.0, 10.0)))
    assert (len(apart), len(joined)) == (2, 1)


def test_walking_and_a_leg_at_rest_are_no_freezing() -> None:
    for acc in (leg((1.0, 60.0)), leg((1.0, 60.0)) * 0.02):
        episodes, share = find_freezing(acc)
        assert episodes == []
        assert share.pct_time_frozen == 0


def values_of(frozen: list[bool], power: float = 5.0) -> list[FreezeValue]:
    hop = EVERY_S * RATE_HZ
    first = round(WINDOW_S * RATE_HZ)
    return [FreezeValue(first + round(k * hop), 2.0 if is_ else -2.0, power) for k, is_ in enumerate(frozen)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.booleans(), max_size=60))
def test_episodes_hold_all_that_freezes_and_are_apart(frozen: list[bool]) -> None:
    finding = FreezingEpisodes(RATE_HZ)
    values = values_of(frozen)
    episodes = [e for v in values for e in finding.add(v)] + list(finding.flush())
    ends = [(e.start, e.end) for e in episodes]
    assert ends == sorted(ends)
    assert all(end - start >= RATE_HZ for start, end in ends)
    assert all(b[0] - a[1] > MERGE_S * RATE_HZ for a, b in pairwise(ends))
    middles = [v.last - WINDOW_S * RATE_HZ / 2 for v in values]
    inside = [any(start <= m <= end for start, end in ends) for m in middles]
    for k, is_ in enumerate(frozen):
        if is_ and k + 1 < len(frozen) and frozen[k + 1]:  # two in a row last a second
            assert inside[k]
    assert sum(inside) == 0 or any(frozen)


def test_what_hardly_moves_does_not_freeze() -> None:
    finding = FreezingEpisodes(RATE_HZ)
    values = [*values_of([True] * 20, power=0.1), FreezeValue(5000, math.nan, 0.01)]
    assert [e for v in values for e in finding.add(v)] + list(finding.flush()) == []


def test_an_episode_ends_where_samples_are_lost() -> None:
    acc = leg((1.0, 10.0), (6.0, 40.0), (1.0, 10.0))
    kept = np.r_[0 : round(20 * RATE_HZ), round(35 * RATE_HZ) : len(acc)]
    episodes, share = find_freezing(acc[kept], kept)
    assert len(episodes) == 2
    assert share.reason == "samples lost"


def test_the_share_is_of_the_time_that_is_measured() -> None:
    episode = FreezingEpisode(100.0, 200.0, 1.0)
    assert time_frozen([episode], 0, 1000, 1000).pct_time_frozen == 10
    assert time_frozen([episode], 150, 1150, 1000).pct_time_frozen == 5
    assert time_frozen([episode], 0, 1000, 500).pct_time_frozen == 20
    assert time_frozen([episode], 0, 1000, 500).reason == "samples lost"
    assert time_frozen([episode], 300, 400, 100).n_fog == 0
    assert math.isnan(time_frozen([], 0, 0, 0).pct_time_frozen)
    assert math.isnan(find_freezing(np.zeros((0, 3)))[1].pct_time_frozen)


@pytest.mark.parametrize("hz", [1.0, 6.0])
def test_variants_are_on_scales_of_their_own(hz: float) -> None:
    """Walking and trembling of a synthetic leg: Moore -14.3 and 10.95 there, the quotient 1e-4 and 24.9 (rounded)."""
    t = np.arange(round(20 * RATE_HZ)) / RATE_HZ
    other = 7.0 - hz
    quotient = {1.0: 7.84e-5, 6.0: 23.9}[hz]  # of power from 3 to 8 Hz, by power from .5 to 3 Hz
    share = math.sqrt(quotient if hz < 3 else 1 / quotient)
    up = np.sin(2 * np.pi * hz * t) + share * np.sin(2 * np.pi * other * t)
    acc = np.column_stack([np.zeros_like(t), np.zeros_like(t), 9.81 + up])
    moore = [v.value for v in FreezeIndexMoore(RATE_HZ).process(np.arange(len(t)), acc)]
    multitaper = [v.value for v in FreezeIndex(RATE_HZ).process(np.arange(len(t)), acc)]
    assert moore == pytest.approx([{1.0: -14.3, 6.0: 10.95}[hz]] * len(moore), abs=0.1)
    assert np.median(multitaper) == pytest.approx(math.log(quotient), abs=1.2)


def test_moore_follows_the_vertical_axis_however_the_sensor_is_strapped_on() -> None:
    acc = moving(2.0)[:, [0, 2, 1]] + moving(5.0)[:, [2, 0, 1]]
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    at = np.arange(len(acc))
    straight = [v.value for v in FreezeIndexMoore(RATE_HZ).process(at, acc)]
    assert [v.value for v in FreezeIndexMoore(RATE_HZ).process(at, acc @ turn)] == pytest.approx(straight)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 400), st.lists(st.tuples(st.integers(0, 900), st.integers(1, 700)), max_size=3))
def test_any_chunking_gives_the_same(chunk: int, gaps: list[tuple[int, int]]) -> None:
    acc, index = moving(1.5, 15.0), np.arange(round(15 * RATE_HZ))
    for at, length in gaps:
        index[at:] += length
    moore = FreezeIndexMoore(RATE_HZ)
    parts = [moore.process(index[i : i + chunk], acc[i : i + chunk]) for i in range(0, len(acc), chunk)]
    assert [v for part in parts for v in part] == list(FreezeIndexMoore(RATE_HZ).process(index, acc))


def test_a_rate_that_cannot_show_trembling_is_refused() -> None:
    with pytest.raises(ValueError, match="20 samples a second"):
        FreezeIndexMoore(15.0)
