"""What machines and sensors of exercise count, and what is measured now and then, as devices report them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.exercise import ExerciseMetrics
from dsp.reported import KEPT
from dsp.result import Result
from dsp.vitals import measured, pressure_doubt

NAMES = ("speed", "cadence", "power", "distance", "energy")


def exercised(at: list[float], **columns: list[float]) -> list[Result]:
    given_ = {name: columns.get(name, [math.nan] * len(at)) for name in NAMES}
    return ExerciseMetrics().add(at, **given_)


def test_what_a_device_leaves_out_is_no_result() -> None:
    out = exercised([0.0], speed=[1.25], power=[0.0])
    assert [(r.metric, r.value, r.quality) for r in out] == [
        ("exercise_speed", 1.25, "ok"), ("exercise_power", 0.0, "ok"),
    ]  # fmt: skip


def test_rates_come_each_second_and_totals_each_ten() -> None:
    at = [k / 4 for k in range(120)]
    out = exercised(at, speed=[1.0] * 120, distance=at)
    assert 29 <= sum(r.metric == "exercise_speed" for r in out) <= 31
    assert 3 <= sum(r.metric == "exercise_distance" for r in out) <= 4


def test_what_cannot_be_is_none() -> None:
    (out,) = exercised([0.0], power=[32767.0])
    assert (out.value, out.quality, out.reason) == (None, "invalid", "implausible")


@given(st.lists(st.integers(0, 40), max_size=4).map(sorted))
def test_any_chunking_gives_the_same(cuts: list[int]) -> None:
    at = [0.7 * k for k in range(40)]
    rows = {name: [float(k % 9) for k in range(40)] for name in NAMES}
    whole, pieces, out = ExerciseMetrics(), ExerciseMetrics(), []
    for a, b in zip([0, *cuts], [*cuts, 40], strict=True):
        out += pieces.add(at[a:b], **{name: column[a:b] for name, column in rows.items()})
    assert out == whole.add(at, **rows)


def test_a_measurement_that_was_kept_is_nobody_s_value_of_now() -> None:
    (old,) = measured(5.0, {"body_weight": 80.0}, age_s=3600.0)
    assert (old.value, old.quality, old.reason) == (None, "invalid", KEPT)
    (now,) = measured(5.0, {"body_weight": 80.0}, age_s=30.0)
    assert (now.value, now.quality, now.start_s, now.end_s) == (80.0, "ok", 5.0, 5.0)
    (unknown,) = measured(5.0, {"body_weight": 80.0}, age_s=math.nan)
    assert unknown.value == 80.0


def test_a_measurement_that_failed_says_so_once() -> None:
    out = list(measured(5.0, {"bp_systolic": math.nan, "bp_diastolic": math.nan}, age_s=0.0))
    assert [(r.metric, r.value, r.reason) for r in out] == [("bp_systolic", None, "device reports no value")]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (math.nan, ""), (0.0, ""),
        (39.0, "moved while it was measured; cuff too loose; irregular pulse; arm in a wrong position"),
        (8.0, "pulse rate outside the device's range"), (16.0, "pulse rate outside the device's range"), (24.0, ""),
    ],
)  # fmt: skip
def test_what_a_monitor_says_against_its_own_measurement(status: float, words: str) -> None:
    assert pressure_doubt(status) == words
