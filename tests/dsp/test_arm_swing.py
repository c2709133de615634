"""Swing of the arms: each window of a wrist in any chunking, and what a person's minutes come to."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.arms.swing import ALGORITHM, measure_swing
from dsp.arms.swing_of_person import ASYMMETRY, NEITHER, NO_WINDOW, RESTS, ArmSwing
from dsp.arms.swing_windows import AMPLITUDE, HARDLY_SWINGS, LOST, PEAK_VELOCITY, SwingWindows
from dsp.arms.use import Arm
from dsp.catalogue import CATALOGUE
from dsp.found import Found
from dsp.result import Result
from dsp.whole_recordings import find_arm_swing

RATE_HZ = 50.0
WINDOW = 250
BOTH: tuple[Arm, Arm] = get_args(Arm)
Floats = NDArray[np.float64]


def swinging(seconds: float, degrees: float = 30.0, *, hz: float = 0.9) -> Floats:
    """Return the angular rate of a wrist that swings by so much, rad/s, with the noise of a sensor."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    rate = math.radians(degrees / 2) * 2 * np.pi * hz * np.cos(2 * np.pi * hz * t)
    noise = np.random.default_rng(7).normal(0, 0.01, (len(t), 3))
    turn: Floats = np.outer(rate, [0.36, -0.8, 0.48]) + noise
    return turn


def found(gyr: Floats, index: NDArray[np.int64] | None = None, *, chunk: int = 0) -> list[Found]:
    at, step, windows = (
        np.arange(len(gyr)) if index is None else index,
        chunk or max(1, len(gyr)),
        SwingWindows(RATE_HZ),
    )
    parts = [windows.process(at[i : i + step], gyr[i : i + step], gyr[i : i + step]) for i in range(0, len(gyr), step)]
    return [each for part in parts for each in part] + list(windows.finish())


def test_each_window_is_what_the_function_on_arrays_measures() -> None:
    gyr = swinging(15)
    of = [measure_swing(gyr[i : i + WINDOW], RATE_HZ) for i in range(0, len(gyr), WINDOW)]
    assert [f.value for f in found(gyr) if f.metric == AMPLITUDE] == [swing.amplitude_deg for swing in of]
    assert [f.value for f in found(gyr) if f.metric == PEAK_VELOCITY] == [swing.peak_velocity_dps for swing in of]
    assert [swing.amplitude_deg for swing in of] == pytest.approx([30.0] * 3, rel=0.05)
    table = find_arm_swing(gyr, RATE_HZ)
    assert table["amplitude_deg"].tolist() == [swing.amplitude_deg for swing in of]
    assert table["start_s"].tolist() == [0.0, 5.0, 10.0]
    assert table["swings"].tolist() == [swing.n for swing in of]


@settings(deadline=None, max_examples=15)
@given(st.integers(1, 400), st.integers(0, 900), st.integers(0, 700), st.floats(0.0, 0.4))
def test_any_chunking_gives_the_same(chunk: int, at: int, gap: int, lost: float) -> None:
    gyr = swinging(20)
    index = np.arange(len(gyr))
    index[at:] += gap
    gyr[np.random.default_rng(3).random(len(gyr)) < lost] = np.nan
    assert found(gyr, index, chunk=chunk) == found(gyr, index)


def test_a_window_of_which_too_much_was_lost_has_no_value_and_one_that_is_cut_off_is_none() -> None:
    gyr = swinging(23)  # the last window is cut off by the end
    gyr[300:400] = np.nan
    one, lost, *others = (f for f in found(gyr[100:], np.arange(100, len(gyr))) if f.metric == AMPLITUDE)
    assert (one.first, one.last, one.value, one.reason) == (WINDOW, 2 * WINDOW, None, LOST), "the first was cut off too"
    assert lost.value == pytest.approx(30, rel=0.05)
    assert [f.value is None for f in others] == [False]


def test_an_arm_that_hangs_says_so_and_a_sensor_without_gyroscope_too() -> None:
    assert {f.reason for f in found(swinging(10, 0.5))} == {HARDLY_SWINGS}
    assert {(f.value, f.reason) for f in found(np.full((1250, 3), np.nan))} == {(None, LOST)}
    assert np.isnan(find_arm_swing(swinging(10, 0.5), RATE_HZ)["amplitude_deg"]).all()


def test_a_slow_sensor_and_degrees_are_refused() -> None:
    with pytest.raises(ValueError, match="needs 20 samples a second"):
        SwingWindows(12.5)
    with pytest.raises(ValueError, match="deg/s"):
        find_arm_swing(np.full((1000, 3), 90.0), RATE_HZ)
    with pytest.raises(ValueError, match="must be"):
        find_arm_swing(np.zeros(10), RATE_HZ)


def window(at_s: float, degrees: float | None, *, n: int = 7, reason: str = HARDLY_SWINGS) -> Iterator[Result]:
    for metric in (AMPLITUDE, PEAK_VELOCITY):
        invalid = ("invalid", reason) if degrees is None else ("ok", "")
        yield Result(metric, degrees, "left", at_s, at_s + 5, 0 if degrees is None else n, ALGORITHM, 0, *invalid)  # type: ignore[arg-type]


def minute(
    left: list[float | None], right: list[float | None], *, arms: tuple[Arm, ...] = BOTH, reason: str = HARDLY_SWINGS,
    until_s: float = 60.0,
) -> dict[tuple[str, str], Result]:  # fmt: skip
    """Return what a minute of windows comes to, of somebody who walks in its first twenty seconds."""
    swing = ArmSwing(arms)
    for arm, values in zip(arms, (left, right), strict=False):
        for k, degrees in enumerate(values):
            for each in window(5.0 * k, degrees, reason=reason):
                swing.add(arm, each)
    return {(r.metric, r.side): r for r in swing.measure(until_s, lambda _, end_s: end_s <= 20)}


def test_a_minute_is_the_median_of_the_windows_in_which_somebody_walks() -> None:
    seen = minute([20, 30, 28, 26, 90], [40, 40, 40, 40, 90])
    assert {r.metric for r in seen.values()} == {AMPLITUDE, PEAK_VELOCITY, ASYMMETRY}
    left, both = seen[AMPLITUDE, "left"], seen[ASYMMETRY, "both"]
    assert (left.value, left.start_s, left.end_s, left.n, left.quality) == (27, 0, 20, 28, "ok")
    assert both.value == pytest.approx((math.degrees(math.atan2(27, 40)) - 45) / 90 * 100)
    assert (both.n, both.quality, both.algorithm) == (56, "ok", ALGORITHM)
    for result in seen.values():
        assert CATALOGUE[result.metric].plausible(result.value or 0.0)
        assert result.side in CATALOGUE[result.metric].sides


def test_a_short_walk_is_degraded_and_of_who_does_not_walk_nothing_comes() -> None:
    assert minute([30], [30])[AMPLITUDE, "left"].reason == "only 7 swings"
    swing = ArmSwing(BOTH)
    for each in window(0.0, 30.0):
        swing.add("left", each)
    assert list(swing.measure(60.0, lambda _start, _end: False)) == []
    assert list(swing.measure(60.0, lambda _start, _end: True)) == [], "each window is looked at once"


def test_an_arm_that_hardly_swings_has_no_amplitude_and_an_asymmetry_that_says_so() -> None:
    seen = minute([None] * 4, [40.0] * 4)
    assert (seen[AMPLITUDE, "left"].value, seen[AMPLITUDE, "left"].reason) == (None, HARDLY_SWINGS)
    both = seen[ASYMMETRY, "both"]
    assert (both.value, both.quality) == (-50.0, "degraded")
    assert RESTS["left"] in both.reason
    neither = minute([None] * 4, [None] * 4)[ASYMMETRY, "both"]
    assert (neither.value, neither.reason) == (None, NEITHER)


def test_a_wrist_of_which_nothing_is_known_is_not_compared() -> None:
    assert minute([30.0] * 4, [])[ASYMMETRY, "both"].reason == NO_WINDOW["right"]
    lost = minute([30.0] * 4, [None] * 4, reason=LOST)[ASYMMETRY, "both"]
    assert (lost.value, lost.reason) == (None, NO_WINDOW["right"])
    assert {metric for metric, _ in minute([30.0] * 4, [], arms=("left",))} == {AMPLITUDE, PEAK_VELOCITY}


def test_what_is_not_over_waits_for_the_next_minute() -> None:
    assert (AMPLITUDE, "left") not in minute([30.0] * 4, [30.0] * 4, until_s=4.0)
    assert minute([30.0] * 4, [30.0] * 4, until_s=11.0)[AMPLITUDE, "left"].end_s == 10


def test_the_doubt_of_a_session_is_that_of_its_swing() -> None:
    swing = ArmSwing(("left",), "interrupted")
    for k in range(2):
        for each in window(5.0 * k, 30.0):
            swing.add("left", each)
    assert {r.reason for r in swing.measure(60.0, lambda _start, _end: True)} == {"interrupted"}
