from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.catalogue import CATALOGUE
from dsp.lower_back.lower_back import LowerBack, LowerBackWalk
from dsp.lower_back.walk import TimedEvent, timed_events
from dsp.result import Result
from tests.dsp.walker import Stream, walker

Floats = NDArray[np.float64]


def seconds(index: Floats) -> Floats:
    return 10.0 + index / 100.0


def timed(events: NDArray[np.void]) -> list[TimedEvent]:
    return timed_events(events, seconds(events["start"]), seconds(events["index"]))


def results(stream: Stream, chunk: int, **body: float) -> list[Result]:
    back, walk = LowerBack(), LowerBackWalk()
    sensor = back.attach(100.0, **body)
    found: list[Result] = []
    for a in range(0, len(stream.index), chunk):
        part = stream[a : a + chunk]
        events = back.process(Batch.single(part.index, part.acc, part.gyr, sensor))
        found += walk.process(timed(events), 10.0 + float(part.index[-1]) / 100.0)
    found += walk.process(timed(back.flush(sensor)), 10.0 + float(stream.index[-1]) / 100.0)
    return found + walk.finish()


def test_a_walk_that_is_asked_only_when_it_is_due_gives_the_same() -> None:
    stream = walker(steps=24, seed=2)
    back, asked, spared = LowerBack(), LowerBackWalk(), LowerBackWalk()
    sensor = back.attach(100.0, height_m=1.75)
    spared_calls = 0
    for a in range(0, len(stream.index), 5):
        part = stream[a : a + 5]
        events = back.process(Batch.single(part.index, part.acc, part.gyr, sensor))
        now_s = 10.0 + float(part.index[-1]) / 100.0
        once = asked.process(timed(events), now_s)
        if len(events) or now_s >= spared.due_s:
            assert spared.process(timed(events), now_s) == once
        else:
            assert once == []
            spared_calls += 1
    assert spared.finish() == asked.finish()
    assert spared_calls > 0.9 * len(stream.index) / 5


def named(found: list[Result], metric: str) -> list[Result]:
    return [result for result in found if result.metric == metric]


def test_a_walk_says_its_steps_pace_and_rhythm() -> None:
    stream = walker(cadence_spm=110.0, steps=40)
    found = results(stream, 10, height_m=1.75)
    contacts = named(found, "initial_contact")
    assert len(contacts) == 40
    assert [r.side for r in contacts[:4]] == ["left", "right", "left", "right"]
    assert contacts[5].start_s == pytest.approx(10.0 + stream.contacts[5] / 100.0, abs=0.03)
    assert {r.value for r in contacts} == {1.0}
    (bout,) = named(found, "walking_bout")
    assert bout.value == pytest.approx(39 * 60.0 / 110.0, abs=0.1)
    assert named(found, "walking_time") == [bout._replace(metric="walking_time")]
    assert named(found, "n_steps")[0].value == 40.0
    assert named(found, "cadence")[-1].value == pytest.approx(110.0, abs=0.5)
    assert named(found, "cadence")[-1].n == 40
    speed, length = named(found, "walking_speed")[-1], named(found, "stride_length")[-1]
    assert speed.value is not None
    assert length.value is not None
    assert speed.value == pytest.approx(length.value / 2.0 * 110.0 / 60.0, rel=0.03)
    for metric in ("step_regularity", "stride_regularity"):
        (rhythm, *_) = named(found, metric)
        assert rhythm.value == pytest.approx(1.0, abs=0.05)
        assert (rhythm.n, rhythm.quality) == (12, "ok")


def test_live_cadence_comes_at_most_once_a_second_and_is_degraded_at_first() -> None:
    live = [r for r in named(results(walker(steps=40), 10), "cadence") if r.n <= 8]
    assert np.diff([r.end_s for r in live]).min() >= 1.0
    assert len(live) == pytest.approx(40 * 60 / 110, abs=4)
    assert live[0].quality == "degraded"
    assert live[0].reason == "only 3 steps"
    assert live[-1].quality == "ok"


def test_without_body_measures_nothing_is_reported_of_length_and_speed() -> None:
    kinds = Counter(r.metric for r in results(walker(), 10))
    assert "walking_speed" not in kinds
    assert "stride_length" not in kinds
    assert kinds["cadence"] > 5


def test_a_gap_begins_a_new_window() -> None:
    stream = walker(steps=40)
    found = results(stream[(stream.index < 1100) | (stream.index > 1200)], 10)
    for cadence in (r for r in named(found, "cadence") if r.n <= 8):
        assert cadence.end_s < 21.0 or cadence.start_s > 22.0
        assert cadence.value == pytest.approx(110.0, rel=0.03)
    assert len(named(found, "walking_bout")) == 2


@pytest.mark.parametrize("chunk", [1, 7, 5000])
def test_any_chunking_gives_the_same_results(chunk: int) -> None:
    stream = walker(steps=30, seed=3)
    assert results(stream, chunk, height_m=1.7) == results(stream, 10, height_m=1.7)


def test_every_result_is_in_the_catalogue_with_a_side_that_it_allows() -> None:
    stream = walker(steps=40)
    stream.gyr[1200:1400, 2] -= 1.0
    found = results(stream, 10, height_m=1.75)
    assert {"turn_angle", "turn_duration", "harmonic_ratio_v"} <= {r.metric for r in found}
    for result in found:
        metric = CATALOGUE[result.metric]
        assert result.side in metric.sides
        assert result.start_s <= result.end_s
        assert (result.value is None) == (result.quality == "invalid")
        assert result.value is None or metric.plausible(result.value)
    assert named(found, "turn_angle")[0].side == "right"
