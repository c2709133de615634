"""Use of both arms as it is told live: from two wrists whose seconds come late, in any order, or not at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.activity.still import OFF_BODY
from dsp.arms.measured import HARDLY, WristCounts
from dsp.arms.pair import AHEAD_S, UNKNOWN, PairedWrists
from dsp.arms.person import (
    APART_S,
    BOTH_SIDES,
    CLOCKS,
    LATE_S,
    MINUTE_S,
    MISSING,
    NO_MOVE,
    NO_SIDE,
    NOBODY_MOVED,
    NOT_USED,
    NOTHING,
    WALKING_UNKNOWN,
    ArmUseOfPerson,
)
from dsp.arms.use import Arm, use_of_counts
from dsp.catalogue import CATALOGUE
from dsp.found import Found
from dsp.result import Result
from dsp.units import STANDARD_GRAVITY as G
from tests.dsp.test_arms import shaken

RATE_HZ = 25.0
Floats = NDArray[np.float64]
AXES = np.linalg.qr(np.array([[1.0, 1.0, 1.0], [0.0, 1.0, 2.0], [1.0, -1.0, 0.0]]))[0]
"""So that what shakes does so along all axes of the sensor."""
BOTH: tuple[Arm, Arm] = ("left", "right")


def counted(acc: Floats, index: NDArray[np.int64] | None = None, chunk: int = 10**6) -> list[Found]:
    """Return what an operator finds in samples that come in portions."""
    operator = WristCounts(RATE_HZ)
    at = np.arange(len(acc)) if index is None else index
    parts = (
        operator.process(at[i : i + chunk], acc[i : i + chunk], acc[i : i + chunk]) for i in range(0, len(at), chunk)
    )
    return [found for part in parts for found in part]


def still(minutes: float) -> Floats:
    return np.tile([0.0, 0.0, G], (round(minutes * 60 * RATE_HZ), 1))


def test_a_second_of_a_wrist_has_its_counts() -> None:
    found = counted(shaken(10.0, rate_hz=RATE_HZ))
    assert [(f.metric, f.first, f.last) for f in found[3:5]] == [
        ("activity_counts", 75.0, 100.0), ("activity_counts", 100.0, 125.0),
    ]  # fmt: skip
    assert [f.value is None for f in found] == [True] * 3 + [False] * 6
    assert {(f.quality, f.reason) for f in found[3:]} == {("ok", "")}


def test_a_wrist_that_lies_still_is_doubted_after_ten_minutes_and_off_the_body_after_an_hour() -> None:
    moving = shaken(120.0, rate_hz=RATE_HZ) @ AXES
    found = counted(np.concatenate([moving, still(62), moving]))
    by_minute = {round(f.last / RATE_HZ) // 60: f for f in found if f.last - f.first < 2 * RATE_HZ}
    assert (by_minute[11].value, by_minute[11].reason) == (0.0, "")
    assert (by_minute[13].value, by_minute[13].quality, by_minute[13].reason) == (0.0, "degraded", HARDLY)
    assert (by_minute[61].value, by_minute[61].reason) == (0.0, HARDLY)
    assert (by_minute[63].value, by_minute[63].reason) == (None, OFF_BODY)
    (whole,) = (f for f in found if f.last - f.first > 2 * RATE_HZ)
    assert (whole.first / RATE_HZ, whole.reason) == (120, OFF_BODY)
    assert by_minute[65].value == pytest.approx(by_minute[1].value)  # it moves again


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 4000), st.lists(st.tuples(st.integers(0, 17_000), st.integers(1, 3000)), max_size=3))
def test_any_chunking_of_a_wrist_gives_the_same(chunk: int, gaps: list[tuple[int, int]]) -> None:
    acc = np.concatenate([shaken(30.0, rate_hz=RATE_HZ), still(11), shaken(30.0, rate_hz=RATE_HZ)])
    index = np.arange(len(acc))
    for at, length in gaps:
        index[at:] += length
    assert repr(counted(acc, index, chunk)) == repr(counted(acc, index))


def lived(
    counts: dict[Arm, Sequence[float | None]], *, affected: str = "left", late_s: float = 0.0,
    walking: bool | None = False, sync_s: float | None = 0.001, until_s: float | None = None, shift_s: float = 0.0,
    reason: str = "", window_s: int = 3600,
) -> list[Result]:  # fmt: skip
    """Return what is told of seconds of both wrists; those of the right one come later and lie elsewhere."""
    person = ArmUseOfPerson(tuple(counts), affected, window_s=window_s)
    person.walk_from(-math.inf, walking)
    end = max(map(len, counts.values())) if until_s is None else until_s
    found: list[Result] = []
    for step in range(round(end + late_s) + 1):
        for arm, seconds in counts.items():
            at = step - round(late_s) if arm == "right" else step
            if 0 <= at < len(seconds):
                start_s = at + (shift_s if arm == "right" else 0.0)
                person.add(arm, start_s, start_s + 1, seconds[at], reason)
        found += person.advance(step, sync_s)
    return found + list(person.finish(sync_s))


def of(results: list[Result], metric: str, side: str = "") -> list[Result]:
    return [r for r in results if r.metric == metric and (not side or r.side == side)]


def test_the_use_of_both_arms_comes_each_minute() -> None:
    left, right = [3.0, 0.0, 1.0, 0.0] * 300, [6.0, 4.0, 0.0, 0.0] * 300
    results = lived({"left": left, "right": right})
    active = of(results, "arm_active_time")
    assert [(r.start_s, r.end_s) for r in active if r.side == "left"] == [(60 * k, 60 * k + 60) for k in range(20)]
    assert [{r.value for r in active if r.side == side} for side in BOTH] == [{15.0}, {30.0}]
    assert {r.value for r in of(results, "activity_counts", "left")} == {60.0}
    ratios = of(results, "use_ratio")
    assert {(r.value, r.side) for r in ratios} == {(0.5, "left")}
    assert [r.quality for r in ratios] == ["degraded"] * 13 + ["ok"] * 7  # ten minutes of movement
    assert of(results, "magnitude_ratio")[-1].value == pytest.approx(math.log(0.5))  # of ln(1/2), -7, 7
    assert of(results, "bilateral_magnitude")[-1].value == 4.0
    assert of(results, "use_hours", "right")[-1].value == pytest.approx(600 / 3600)
    assert of(lived({"left": left, "right": right}, affected="right"), "use_ratio")[-1].value == 2.0
    assert {r.metric for r in results} <= CATALOGUE.keys()
    assert all(CATALOGUE[r.metric].plausible(r.value) for r in results if r.value is not None)
    assert all(r.side in CATALOGUE[r.metric].sides for r in results)


def test_a_minute_comes_soon_after_its_end() -> None:
    person = ArmUseOfPerson(BOTH, "left")
    for second in range(70):
        person.add("left", second, second + 1, 3.0)
    assert not list(person.advance(MINUTE_S + LATE_S - 0.1, None))
    assert {r.end_s for r in person.advance(MINUTE_S + LATE_S, None)} == {60}


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(0, LATE_S - 3), st.floats(-0.2, 0.2))
def test_seconds_that_come_late_and_lie_elsewhere_give_the_same(seed: int, late_s: int, shift_s: float) -> None:
    rng = np.random.default_rng(seed)
    counts: dict[Arm, Sequence[float | None]] = {arm: rng.integers(0, 9, 200).astype(float).tolist() for arm in BOTH}
    alike = lived(counts, window_s=100)
    other = lived(counts, window_s=100, late_s=late_s, shift_s=shift_s)
    assert other == alike
    whole = np.array([counts[arm] for arm in BOTH])
    minute = of(alike, "use_ratio")[2]
    assert (minute.start_s, minute.end_s) == (80, 180)
    assert minute.value == use_of_counts(whole[0, 80:180], whole[1, 80:180], np.zeros(100)).use_ratio


def test_seconds_keep_their_numbers_while_a_clock_wavers_about_a_border() -> None:
    person = ArmUseOfPerson(("left",), "none")
    for second in range(60):
        start_s = second + (0.499 if second % 2 else 0.501)
        person.add("left", start_s, start_s + 1, 3.0)
    results = of(list(person.finish(None)), "arm_active_time")
    assert [(r.value, r.n_rejected) for r in results] == [(59.0, 0), (1.0, 0)]


def test_a_clock_that_drifts_away_is_followed() -> None:
    person = ArmUseOfPerson(("left",), "none")
    for second in range(600):
        person.add("left", second * 1.01, second * 1.01 + 1, 3.0)  # it says less than a second is one
    lost = [r.n_rejected for r in of(list(person.finish(None)), "arm_active_time")]
    assert (len(lost), sum(lost)) == (11, 6)


def test_walking_is_left_out_of_use_though_it_comes_late() -> None:
    person = ArmUseOfPerson(BOTH, "left")
    for second in range(60):
        for arm in BOTH:
            person.add(arm, second, second + 1, 9.0)
    person.walk_from(-math.inf, walking=False)
    person.walk_from(20.4, walking=True)
    person.walk_from(40.0, walking=False)
    person.walk(50.0, 52.0)
    results = list(person.finish(0.0))
    assert {r.value for r in of(results, "arm_active_time")} == {60 - 20 - 2}
    assert {r.value for r in of(results, "activity_counts")} == {540.0}
    assert {r.reason for r in of(results, "arm_active_time")} == {""}


def test_whether_the_body_walks_may_not_be_known() -> None:
    results = lived({"left": [3.0] * 700, "right": [3.0] * 700}, walking=None)
    assert {r.reason for r in of(results, "arm_active_time")} == {WALKING_UNKNOWN}
    assert of(results, "use_ratio")[-1].quality == "degraded"
    assert {r.quality for r in of(results, "activity_counts")} == {"ok"}


def test_a_wrist_that_falls_silent_gives_no_ratio_after_five_minutes() -> None:
    results = lived({"left": [3.0] * 1200, "right": [3.0] * 700})
    ratios = {r.end_s: r for r in of(results, "use_ratio")}
    assert (ratios[660].value, ratios[660].quality) == (1.0, "ok")
    assert (ratios[960].value, ratios[960].quality) == (1.0, "degraded")
    assert (ratios[1020].value, ratios[1020].reason) == (None, MISSING["right"])
    quiet = of(results, "arm_active_time", "right")[-1]
    assert (quiet.value, quiet.quality, quiet.reason) == (None, "invalid", NOTHING)
    assert {r.quality for r in of(results, "arm_active_time", "left")} == {"ok"}


def test_a_wrist_that_never_came_gives_no_ratio_either() -> None:
    results = lived({"left": [3.0] * 120, "right": []})
    assert {(r.value, r.reason) for r in of(results, "magnitude_ratio")} == {(None, MISSING["right"])}
    assert {(r.value, r.reason) for r in of(results, "use_hours", "right")} == {(None, NOTHING)}


def test_nothing_comes_while_both_are_silent() -> None:
    results = lived({"left": [3.0] * 60, "right": [3.0] * 60}, until_s=2000)
    assert {r.end_s for r in results} == {60}


def test_one_wrist_alone_is_compared_with_nothing() -> None:
    results = lived({"right": [3.0] * 120}, affected="right")
    assert {(r.metric, r.side) for r in results} == {
        (metric, "right") for metric in ("activity_counts", "arm_active_time", "use_hours")
    }


@pytest.mark.parametrize(("affected", "why"), [("none", NO_SIDE), ("both", BOTH_SIDES)])
def test_a_ratio_needs_an_affected_side(affected: str, why: str) -> None:
    results = lived({"left": [3.0] * 700, "right": [4.0] * 700}, affected=affected)
    for metric in ("use_ratio", "magnitude_ratio"):
        assert {(r.value, r.side, r.reason) for r in of(results, metric)} == {(None, "none", why)}
    assert of(results, "bilateral_magnitude")[-1].value == 7.0


def test_what_cannot_be_divided_has_no_value() -> None:
    results = lived({"left": [3.0] * 60, "right": [0.0] * 60})
    assert [(r.value, r.reason) for r in of(results, "use_ratio")] == [(None, NOT_USED)]
    assert [r.value for r in of(results, "magnitude_ratio")] == [7.0]
    still = lived({"left": [0.0] * 60, "right": [0.0] * 60})
    assert [(r.value, r.reason) for r in of(still, "magnitude_ratio")] == [(None, NOBODY_MOVED)]


def test_clocks_that_disagree_and_wrists_that_hardly_move_make_doubts() -> None:
    counts: dict[Arm, Sequence[float | None]] = {"left": [3.0] * 700, "right": [3.0] * 700}
    apart = of(lived(counts, sync_s=2 * APART_S), "use_ratio")[-1]
    assert (apart.quality, apart.reason, apart.sync_s) == ("degraded", CLOCKS, 2 * APART_S)
    doubtful = of(lived(counts, reason=HARDLY), "use_ratio")[-1]
    assert (doubtful.quality, doubtful.reason) == ("degraded", f"{NO_MOVE['left']}; {NO_MOVE['right']}")


def test_an_hour_off_the_wrist_is_taken_back() -> None:
    person = ArmUseOfPerson(BOTH, "left")
    person.walk_from(-math.inf, walking=False)
    for second in range(3600):
        person.add("left", second, second + 1, 0.0, HARDLY)
        person.add("right", second, second + 1, 5.0)
    list(person.advance(3600 + LATE_S, 0.0))
    person.add("left", 0.0, 3600.0, None, OFF_BODY)
    for second in range(3600, 3660):
        person.add("left", second, second + 1, None, OFF_BODY)
        person.add("right", second, second + 1, 5.0)
    results = list(person.finish(0.0))
    assert [(r.value, r.reason) for r in of(results, "use_hours", "left")] == [(None, OFF_BODY)]
    assert [(r.value, r.reason) for r in of(results, "use_ratio")] == [(None, MISSING["left"])]


def test_seconds_far_ahead_begin_anew_and_old_ones_are_left_out() -> None:
    pair = PairedWrists(window_s=100)
    pair.walk_from(-math.inf, 0)
    pair.add("left", 50, 3.0)
    pair.add("left", 1_000_000, 4.0)
    pair.add("right", 60, 5.0)
    kept = pair.between(1_000_000 - 100, 1_000_001)
    assert (len(kept), float(np.nansum(kept.counts["left"]))) == (101, 4.0)
    assert not np.isfinite(kept.counts["right"]).any()
    assert set(kept.walking.tolist()) == {0}
    assert len(pair.between(0, 100)) == 0
    for second in range(1_000_001, 1_000_000 + 3 * AHEAD_S):
        pair.add("left", second, 1.0)
        assert len(pair.between(second - 99, second + 1)) == 100
    assert UNKNOWN not in pair.between(1_000_000 + AHEAD_S, 1_000_000 + 2 * AHEAD_S).walking
