"""Freezing as metrics: episodes as they end, their number and share at the session's end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.found import Found
from dsp.freezing.measured import FreezingMetrics
from tests.dsp.test_freeze_index import RATE_HZ
from tests.dsp.test_freezing_episodes import Floats, leg


def results_of(acc: Floats, index: np.ndarray | None = None, chunk: int = 64, *, episodes: bool = True) -> list[Found]:
    metrics = FreezingMetrics(RATE_HZ, episodes=episodes)
    at = np.arange(len(acc)) if index is None else index
    starts = range(0, len(acc), chunk)
    parts = [metrics.process(at[i : i + chunk], acc[i : i + chunk], acc[i : i + chunk]) for i in starts]
    return [*(found for part in parts for found in part), *metrics.finish()]


def of(found: list[Found], metric: str) -> list[float]:
    return [f.value for f in found if f.metric == metric and f.value is not None]


def test_episodes_of_a_session() -> None:
    found = results_of(leg((1.0, 20.0), (6.0, 8.0), (1.0, 20.0), (6.0, 6.0), (1.0, 10.0)))
    assert of(found, "freezing_episode") == pytest.approx([8, 6], abs=2)
    assert of(found, "n_fog") == [2]
    assert of(found, "pct_time_frozen") == pytest.approx([100 * 14 / 62], abs=5)
    first = next(f for f in found if f.metric == "freezing_episode")
    assert (first.first / RATE_HZ, first.last / RATE_HZ) == pytest.approx((20, 28), abs=1.6)


def test_a_session_of_walking_has_no_episode() -> None:
    found = results_of(leg((1.0, 30.0)))
    assert (of(found, "n_fog"), of(found, "pct_time_frozen")) == ([0], [0])


def test_a_leg_at_rest_or_a_back_says_nothing_of_freezing() -> None:
    of_freezing = {"n_fog", "pct_time_frozen", "freezing_episode"}
    assert not of_freezing & {f.metric for f in results_of(leg((1.0, 30.0)) * 0.02)}
    assert not of_freezing & {f.metric for f in results_of(leg((6.0, 30.0)), episodes=False)}


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 900), st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 900)), max_size=3))
def test_any_chunking_gives_the_same(chunk: int, gaps: list[tuple[int, int]]) -> None:
    acc = leg((1.0, 8.0), (6.0, 8.0), (1.0, 8.0))
    index = np.arange(len(acc))
    for at, length in gaps:
        index[at:] += length
    assert repr(results_of(acc, index, chunk)) == repr(results_of(acc, index, len(acc)))
