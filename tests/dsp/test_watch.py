"""Posture and falls of one sensor that is looked at once for both."""

from __future__ import annotations

import numpy as np
import pytest

from dsp.falls.fall import FallDetector
from dsp.posture.blocks import Blocks, turns_of
from dsp.posture.posture import PostureDetector, watch_of
from dsp.posture.watch import KEPT_BLOCKS, Look, Watch
from tests.dsp.falling import Floats, Motion, fall, sensed, steps

Index = np.ndarray[tuple[int], np.dtype[np.int64]]


def walk_and_fall(placement: str, rate_hz: float) -> tuple[Index, Floats]:
    """Return half a minute of walking, a fall and rest, of which some samples are lost and some are NaN."""
    rng = np.random.default_rng([7, round(10 * rate_hz)])
    walk = Motion(rate_hz)
    steps(walk, 30.0, rng)
    walked, _ = sensed(walk, placement, rng, strapped=np.eye(3))
    fell, _ = sensed(fall("forward", placement, rate_hz, rng)[0], placement, rng, strapped=np.eye(3))
    acc = np.vstack([walked, fell])
    acc[rng.random(len(acc)) < 0.02] = np.nan
    index = np.arange(len(acc))
    kept = (rng.random(len(acc)) > 0.05) & ~((index > 9 * rate_hz) & (index < 12.5 * rate_hz))
    return index[kept], acc[kept]


def found(index: Index, acc: Floats, rate_hz: float, placement: str, *, chunk: int, together: bool) -> list[object]:
    """Return what both find, each in its own order."""
    watch = watch_of(rate_hz, placement) if together else None
    posture = PostureDetector(rate_hz, placement, watch=watch)
    falls = FallDetector(rate_hz, placement, watch=watch)
    of_posture: list[object] = []
    of_falls: list[object] = []
    for at in range(0, len(acc), chunk):
        part = slice(at, at + chunk)
        of_posture += posture.process(index[part], acc[part], acc[part])
        of_falls += falls.process(index[part], acc[part], acc[part])
    return [*of_posture, *posture.finish(), *of_falls, *falls.finish()]


@pytest.mark.parametrize("placement", ["lower_back", "thigh", "wrist"])
@pytest.mark.parametrize("rate_hz", [25.0, 51.2, 100.0])
def test_two_that_look_together_find_what_each_finds_alone(placement: str, rate_hz: float) -> None:
    index, acc = walk_and_fall(placement, rate_hz)
    alone = found(index, acc, rate_hz, placement, chunk=len(acc), together=False)
    assert len(alone) > 2
    for chunk in (1, round(rate_hz), len(acc)):
        assert found(index, acc, rate_hz, placement, chunk=chunk, together=True) == alone


def test_a_look_stays_as_it_was() -> None:
    index, acc = np.arange(6000), np.repeat(np.arange(6000.0), 3).reshape(-1, 3)
    watcher = watch_of(100.0, "chest").watcher()
    for at, look in enumerate(list(watcher.process(index, acc)), 1):
        assert look.end == 10 * at
        assert look.acc[-1, 0] == 50 * at - 3  # the middle of five samples
        assert np.isfinite(look.size).sum() == min(10 * at, KEPT_BLOCKS)


@pytest.mark.parametrize("rate_hz", [20.0, 31.3, 51.2, 100.0, 204.8])
def test_blocks_hold_the_samples_of_their_time(rate_hz: float) -> None:
    rng = np.random.default_rng(1)
    index = np.flatnonzero(rng.random(round(20 * rate_hz)) > 0.1)
    acc = rng.normal(0.0, 3.0, (len(index), 3))
    size = np.linalg.norm(acc, axis=1)
    blocks = Blocks(rate_hz)
    for turn in turns_of([each for each in (blocks.complete(index, acc), blocks.finish()) if each]):
        for place in range(10):
            inside = np.floor(index * (20 / rate_hz)) == 10 * turn.number + place
            if not inside.any():
                assert np.isnan(turn.peak[place])
                continue
            np.testing.assert_allclose(turn.acc[place], acc[inside].mean(axis=0), atol=1e-12)
            assert turn.peak[place] == pytest.approx(size[inside].max())
            assert turn.peak_at[place] == index[inside][size[inside].argmax()]


def test_sensors_that_are_fed_together_show_what_each_shows_alone() -> None:
    places = [(rate_hz, placement) for rate_hz in (25.0, 51.2, 100.0) for placement in ("lower_back", "thigh", "wrist")]
    moves = [walk_and_fall(placement, rate_hz) for rate_hz, placement in places]
    watches = [watch_of(*each) for each in places]
    watchers = [watch.watcher() for watch in watches]
    for second in range(0, 60, 2):
        fed = []
        for (rate_hz, _), (index, acc), watch in zip(places, moves, watches, strict=True):
            part = slice(*np.searchsorted(index, (second * rate_hz, (second + 2) * rate_hz)))
            fed.append((watch, index[part], acc[part]))
        Watch.feed(fed)
    for each, watcher, (index, acc) in zip(places, watchers, moves, strict=True):
        alone = list(watch_of(*each).watcher().process(index, acc))
        assert len(alone) > 40
        assert [seen(look) for look in watcher.process(index, acc)] == [seen(look) for look in alone]


def seen(look: Look) -> tuple[object, ...]:
    """Return all that a look shows, to the bit."""
    return look.end, look.gap, look.n_known, look.force.tobytes(), look.walked.tobytes(), look.stir, look.acc.tobytes()
