"""A day and a week of activity, and whether a sensor was worn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.activity.bouts import COUNTS, OUTCOMES, WalkingBout, summarise_bouts, summarise_week
from dsp.activity.day import FEW_HOURS, Spell, spells, summarise_day
from dsp.activity.measured import ActivityMetrics
from dsp.activity.still import OFF_BODY
from dsp.activity.wear import ALGORITHM as WEAR_ALGORITHM
from dsp.activity.wear import NO_SAMPLES, Wear, WearTime
from dsp.catalogue import CATALOGUE
from dsp.found import Found
from dsp.posture.posture import LOST, Name, Posture
from tests.dsp.falling import Motion, sensed, steps

RATE_HZ = 2.0
QUARTER = 1800


def posture(at: float, name: Name | None) -> Posture:
    return Posture(at, name, "ok", "")


def test_what_is_dated_back_takes_the_place_of_what_was_believed() -> None:
    found = [posture(0, "sitting"), posture(100, "standing"), posture(95, "walking"), posture(150, "sitting")]
    assert spells(found, 200, 10.0) == [Spell(0, 9.5, "sitting"), Spell(9.5, 15, "walking"), Spell(15, 20, "sitting")]


def test_the_same_posture_again_is_one_spell() -> None:
    found = [posture(0, "sitting"), posture(50, "sitting"), posture(60, None), posture(60, "sitting")]
    assert spells(found, 100, 10.0) == [Spell(0, 10, "sitting")]


def test_a_day_adds_up() -> None:
    day = [
        Spell(-600, 3600, "lying"),
        Spell(3600, 3660, "standing"),
        Spell(3660, 5400, "walking"),
        Spell(5400, 5401, "sitting"),  # brushes a chair
        Spell(5401, 7200, "standing"),
        Spell(7200, 8000, "sitting"),
        Spell(8100, 8900, "sitting"),  # something was lost between
        Spell(8900, 20000, "stairs"),
    ]
    found = summarise_day(day, 0, 10800, steps=2500, wear_h=3.0)
    assert found.upright_h == pytest.approx((3599 + 1900) / 3600)
    assert found.sedentary_h == pytest.approx((3600 + 1 + 1600) / 3600)
    assert found.lying_h == 1.0
    assert found.unknown_h == pytest.approx(100 / 3600)
    assert found.sedentary_bouts_30 == 1
    assert found.transfers == 3
    assert (found.steps, found.quality, found.reason) == (2500, "degraded", FEW_HOURS)


def test_half_an_hour_of_sitting_and_lying_by_turns_is_one_stretch() -> None:
    day = [Spell(0, 1000, "sitting"), Spell(1000, 1900, "lying"), Spell(1900, 2000, "standing")]
    assert summarise_day(day, 0, 2000, wear_h=12).sedentary_bouts_30 == 1
    assert summarise_day(day, 200, 1900).sedentary_bouts_30 == 0


def test_bouts_become_the_outcomes_of_a_day() -> None:
    bouts = [
        WalkingBout(8, 12, 0, 90.0, 0.6, 0.8, 1.33),
        WalkingBout(20, 30, 1, 100.0, 0.8, 1.0, 1.2),
        WalkingBout(30, 50, 2, 104.0, 1.0, 1.1, 1.15),
        WalkingBout(90, 160, 3, 110.0, 1.2, 1.3, 1.09),
        WalkingBout(40, 60),
    ]
    found = summarise_bouts(bouts)
    counts = {name: found[name] for name, _, _ in COUNTS}
    assert counts == {
        "wb_all__count": 5, "wb_10_30__count": 2, "wb_10__count": 4, "wb_30__count": 2, "wb_60__count": 1,
    }  # fmt: skip
    assert found["total_walking_duration_min"] == pytest.approx(188 / 60)
    assert found["wb_all__n_raw_initial_contacts__sum"] == 312
    assert found["wb_all__n_turns__sum"] == 6
    assert found["wb_all__duration_s__avg"] == 30
    assert found["wb_all__cadence_spm__avg"] == 101
    assert found["wb_all__cadence_spm__var"] == pytest.approx(np.std([90, 100, 104, 110], ddof=1) / 101)
    assert found["wb_10_30__walking_speed_mps__avg"] == pytest.approx(0.9)
    assert found["wb_10__walking_speed_mps__p90"] == pytest.approx(np.percentile([0.8, 1.0, 1.2], 90))
    assert found["wb_30__stride_length_m__avg"] == 1.3
    assert math.isnan(found["wb_30__stride_length_m__var"])


def test_a_day_without_a_walk_has_counts_and_no_values() -> None:
    found = summarise_bouts([])
    assert found["wb_all__count"] == found["total_walking_duration_min"] == 0
    assert all(math.isnan(found[name]) for name, *_ in OUTCOMES)


def test_a_week_is_the_mean_of_the_days_with_wear() -> None:
    days = [
        (12.0, {"steps": 1000.0, "speed": math.nan}),
        (9.0, {"steps": 9000.0}),
        (10.0, {"steps": 2000.0, "speed": 0.5}),
    ]
    assert summarise_week(days) == {"n_days": 2, "steps": 1500, "speed": 0.5}
    assert summarise_week([]) == {"n_days": 0}


def judged(acc: np.ndarray, *, chunk: int = 0, index: np.ndarray | None = None) -> list[Wear]:
    wear, step = WearTime(RATE_HZ), chunk or max(1, len(acc))
    at = np.arange(len(acc)) if index is None else index
    parts = [wear.process(at[i : i + step], acc[i : i + step]) for i in range(0, len(acc), step)]
    return [w for part in parts for w in part] + list(wear.finish())


def lying_about(*quarters: float) -> np.ndarray:
    """Return the force on a sensor (n, 3) that moves with so much spread in each quarter of an hour, m/s²."""
    rng = np.random.default_rng(4)
    force: np.ndarray = np.concatenate([rng.normal(0, s, (QUARTER, 3)) for s in quarters])
    force[:, 2] += 9.81
    return force


def test_an_hour_without_movement_has_no_wearer() -> None:
    found = judged(lying_about(1, 1, 0.02, 0.02, 0.02, 0.02, 0.02, 1, 0.02, 0.02, 0.02, 1))
    assert [w.on_body for w in found] == [True, True, *[False] * 5, *[True] * 5]
    assert [(w.start, w.end) for w in found[:2]] == [(0, QUARTER), (QUARTER, 2 * QUARTER)]


def test_one_axis_that_moves_is_nobody() -> None:
    acc = lying_about(0.02, 0.02, 0.02, 0.02)
    acc[:, 0] += np.random.default_rng(1).normal(0, 1, len(acc))
    assert not any(w.on_body for w in judged(acc))
    acc[:, 1] += np.random.default_rng(2).normal(0, 1, len(acc))
    assert all(w.on_body for w in judged(acc))


def test_a_quarter_is_worth_what_was_measured_from_its_first_sample_to_its_last_without_gaps() -> None:
    acc = lying_about(1, 1, 1, 1, 1)
    index = np.arange(len(acc))
    there = (index >= 600) & (index < 5 * QUARTER - 400) & ((index < QUARTER + 300) | (index >= QUARTER + 1200))
    first, gapped, *whole, last = judged(acc[there], index=index[there])
    assert (first.start, first.end, first.time) == (600, QUARTER, QUARTER - 600)
    assert (gapped.start, gapped.end, gapped.time) == (QUARTER, 2 * QUARTER, QUARTER - 900)
    assert [one.time for one in whole] == [QUARTER, QUARTER]
    assert (last.start, last.end, last.time) == (4 * QUARTER, 5 * QUARTER - 400, QUARTER - 400)


def test_samples_that_are_nan_are_a_gap_too_and_of_nothing_else_nobody_knows() -> None:
    acc = lying_about(1, 1, 1, 1, 1)
    acc[QUARTER : 2 * QUARTER - 100] = np.nan
    acc[3 * QUARTER : 4 * QUARTER] = np.nan
    found = judged(acc)
    assert [w.on_body for w in found] == [True, True, True, None, True]
    assert [w.time for w in found] == [QUARTER, 100, QUARTER, 0, QUARTER]
    assert found[3].reason == NO_SAMPLES


@pytest.mark.parametrize("every", [2, 3])
@pytest.mark.parametrize(("spread", "on_body"), [(1.0, True), (0.02, False)])
def test_of_a_sensor_of_which_only_some_samples_arrive_all_of_the_time_was_measured(
    every: int, spread: float, *, on_body: bool
) -> None:
    """Half the rate of data is no half of the time: that is what gaps are for."""
    acc, index = lying_about(*[spread] * 5), np.arange(0, 5 * QUARTER, every)
    found = judged(acc[index], index=index)
    assert [w.on_body for w in found] == [on_body] * 5
    assert [w.time for w in found] == pytest.approx([QUARTER] * 5, abs=every)
    assert [w.n for w in found] == [QUARTER // every] * 5


def test_a_week_in_a_drawer_without_a_radio_costs_nothing() -> None:
    acc = lying_about(1, 1)
    index = np.r_[np.arange(QUARTER), 10**12 + np.arange(QUARTER)]
    assert next(w.on_body for w in judged(acc, index=index)) is True


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 3000), st.integers(0, 9000), st.integers(0, 5000))
def test_any_chunking_gives_the_same(chunk: int, at: int, length: int) -> None:
    acc = lying_about(1, 0.127, 0.1275, 0.1274, 0.1276, 1)
    index = np.arange(len(acc))
    index[at:] += length
    assert judged(acc, chunk=chunk, index=index) == judged(acc, index=index)


def sat_and_walked(minutes: tuple[float, ...]) -> np.ndarray:
    """Return the force on a thigh (n, 3), x forward and z up, that sits and walks by turns, at 25 a second."""
    rng = np.random.default_rng(3)
    motion = Motion(25.0)
    for i, length in enumerate(minutes):
        if i % 2:
            steps(motion, 60 * length, rng)
        else:
            motion.turn(1.2, np.array([0.0, -1.45, 0.0]), 0.3)
            motion.rest(60 * length)
            motion.turn(1.2, np.zeros(3), -0.3)
    return sensed(motion, "thigh", rng, strapped=np.eye(3))[0]


def metrics(acc: np.ndarray, *, chunk: int = 0, index: np.ndarray | None = None) -> list[Found]:
    activity, step = ActivityMetrics(25.0, "left_thigh"), chunk or max(1, len(acc))
    at, gyr = np.arange(len(acc)) if index is None else index, np.full_like(acc, np.nan)
    parts = [activity.process(at[i : i + step], acc[i : i + step], gyr[i : i + step]) for i in range(0, len(acc), step)]
    return [f for part in parts for f in part] + list(activity.finish())


def sums(found: list[Found]) -> dict[str, float]:
    out: dict[str, float] = {}
    for f in found:
        if f.value is not None and f.metric != "posture":
            out[f.metric] = out.get(f.metric, 0.0) + f.value
    return out


def test_quarters_of_an_hour_add_up_to_what_was() -> None:
    acc = sat_and_walked((1, 2, 35, 3, 10))
    found = metrics(acc)
    total = sums(found)
    assert total["upright_time"] == pytest.approx(5 / 60, abs=0.003)
    assert total["sedentary_time"] == pytest.approx(46 / 60, abs=0.003)
    assert total["sedentary_bouts_30"] == 1
    assert total["transfer_count"] == 4
    assert total["wear_time"] == pytest.approx(len(acc) / 25 / 3600, abs=1e-9)
    (long,) = [f for f in found if f.metric == "sedentary_bouts_30"]
    assert (long.last - long.first) / 25 / 60 == pytest.approx(35, abs=0.1)
    names = [f.value for f in found if f.metric == "posture"]
    assert {0.0, 4.0}.isdisjoint(names)
    assert all(f.metric in CATALOGUE for f in found)


def test_metrics_of_activity_are_the_same_in_any_chunking_and_across_a_gap() -> None:
    acc = sat_and_walked((1, 1, 33, 1))
    index = np.arange(len(acc))
    index[30000:] += 40000
    whole = metrics(acc, index=index)
    for chunk in (25, 7777):
        assert metrics(acc, chunk=chunk, index=index) == whole
    unknown = [f for f in whole if f.metric == "posture" and f.value is None]
    assert [(f.first, f.reason) for f in unknown] == [(30000.0, LOST)]
    assert sums(whole)["upright_time"] + sums(whole)["sedentary_time"] == pytest.approx(len(acc) / 25 / 3600, abs=0.001)
    assert sums(whole)["wear_time"] == pytest.approx(len(acc) / 25 / 3600, abs=1e-9), "the gap is no part of it"
    assert {f.algorithm for f in whole if f.metric == "wear_time"} == {WEAR_ALGORITHM}
    assert sums(whole).get("sedentary_bouts_30", 0) == 0


def put_down(force: np.ndarray, minutes: float, *, spread: float = 0.02) -> np.ndarray:
    """Return a sensor that is put down as level as the thigh of who sits, with so much noise, m/s²."""
    rng = np.random.default_rng(11)
    rest = rng.normal(0, spread, (round(minutes * 1500), 3)) + np.array([9.81, 0.0, 0.0])
    return np.concatenate([force, rest])


def test_a_sensor_on_the_table_gives_no_hours_of_a_person_and_says_why() -> None:
    walked = sat_and_walked((2, 10, 3, 15))[: 2 * 22500]
    found = metrics(put_down(walked, 120))
    total = sums(found)
    assert total["wear_time"] == pytest.approx(0.5)
    assert total["upright_time"] == pytest.approx(25 / 60, abs=0.01)
    assert total["sedentary_time"] == pytest.approx(5 / 60, abs=0.01), "and none of the two hours on the table"
    assert total.get("sedentary_bouts_30", 0) == 0, "nobody sat there"
    for metric in ("upright_time", "sedentary_time", "transfer_count"):
        of = [f for f in found if f.metric == metric]
        assert [f.value is None for f in of] == [False] * 2 + [True] * 8
        assert {(f.quality, f.reason) for f in of[2:]} == {("invalid", OFF_BODY)}
        assert [round(f.first / 25 / 900, 2) for f in of] == list(range(10)), "each quarter is told of, in time"


@pytest.mark.parametrize("spread", [0.14, 0.3])
def test_who_lies_still_and_breathes_has_hours(spread: float) -> None:
    found = metrics(put_down(sat_and_walked((2, 10, 3))[:22500], 120, spread=spread))
    assert sums(found)["wear_time"] == pytest.approx(2.25)
    assert sums(found)["sedentary_time"] == pytest.approx((5 + 120) / 60, abs=0.01)
    assert sums(found)["sedentary_bouts_30"] == 1


def test_hours_of_who_moves_are_known_at_the_end_of_each_quarter_and_of_who_does_not_once_they_are_known() -> None:
    acc = put_down(sat_and_walked((2, 13, 2, 13))[: 2 * 22500], 60)
    activity, late_by = ActivityMetrics(25.0, "left_thigh"), dict[int, float]()
    for at in range(0, len(acc), 25):
        part = slice(at, at + 25)
        for f in activity.process(np.arange(len(acc))[part], acc[part], np.full((25, 3), np.nan)):
            if f.metric == "sedentary_time":
                late_by[round(f.first / 25 / 900)] = at / 25 - f.last / 25
    assert {number: late_s < 5 for number, late_s in late_by.items()} == {0: True, 1: True}
    assert [f.reason for f in activity.finish() if f.metric == "sedentary_time"] == [OFF_BODY] * 4


@settings(deadline=None, max_examples=8)
@given(
    st.lists(st.sampled_from([0.02, 0.1, 0.127, 0.13, 0.3, 1.5]), min_size=2, max_size=9),
    st.integers(1, 20000), st.integers(0, 9000), st.integers(0, 70000),
)  # fmt: skip
def test_hours_are_those_of_quarters_on_a_body_in_any_chunking(
    spreads: list[float], chunk: int, at: int, length: int
) -> None:
    """Whatever is told before all of its hour is known is what the whole hour says."""
    acc = np.concatenate([put_down(np.zeros((0, 3)), 15, spread=spread)[:, [2, 1, 0]] for spread in spreads])[::5]
    index = np.arange(len(acc)) * 5
    index[at:] += length
    whole = metrics(acc, index=index)
    assert metrics(acc, chunk=chunk, index=index) == whole
    on_body = {f.first: f.value for f in whole if f.metric == "wear_time"}
    hours = [f for f in whole if f.metric == "sedentary_time"]
    assert [f.first for f in hours] == sorted(f.first for f in hours)
    for f in hours:
        quarter = [value for first, value in on_body.items() if f.last - 22500 <= first < f.last]
        assert f.value is None or any(quarter), "no hours but of what was worn"
