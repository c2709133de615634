"""How fast a wheel or a crank turns, from counters that go round."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.gatt.rotation import JUMPED, STILL_S, Rotation, Turns

SECOND = 10**9


def rates(turns: list[tuple[float, int, float]], bits: int = 16, hz: float = 1024.0) -> list[float]:
    """Return the rates after notifications at so many seconds, with a counter and the moment of its last turn."""
    rotation = Rotation(bits, hz)
    return [
        rotation.rate_hz(round(at * SECOND), count % (1 << bits), round(moment * hz) % 65536)
        for at, count, moment in turns
    ]


@given(
    st.floats(0.3, 6.0), st.integers(0, 1 << 32), st.floats(0.0, 64.0), st.sampled_from([16, 32]),
    st.sampled_from([1024.0, 2048.0]),
)  # fmt: skip
def test_a_steady_rate_is_found_whatever_goes_round(
    hz: float, turned: int, began_s: float, bits: int, tick: float
) -> None:
    counted = []
    for at in range(1, 80):
        turns = int(hz * at)
        counted.append((float(at), turned + turns, began_s + turns / hz))
    found = [rate for rate in rates(counted, bits, tick)[8:] if not math.isnan(rate)]
    assert len(found) == 71
    assert all(abs(rate - hz) < 0.02 * hz or (hz < 1.0 and rate >= 0.5 * hz) for rate in found)


def test_the_first_turn_tells_no_rate_and_the_second_does() -> None:
    first, second = rates([(0.0, 10, 0.0), (1.0, 11, 1.0)])
    assert math.isnan(first)
    assert second == 1.0


def test_who_slows_down_is_never_faster_than_one_turn_since_the_last_and_stands_still_at_last() -> None:
    counted = [(0.0, 0, 0.0), (1.0, 2, 1.0), *((1.0 + k / 2, 2, 1.0) for k in range(1, 12))]
    found = rates(counted)
    assert found[1] == 2.0
    assert found[2:6] == [2.0, 1.0, pytest.approx(1 / 1.5), 0.5]
    assert found[-1] == 0.0
    assert STILL_S < 1.0 + 11 / 2 - 1.0


def test_after_a_rest_of_a_whole_round_of_the_clock_nothing_is_made_up() -> None:
    assert rates([(0.0, 5, 0.0), (1.0, 6, 1.0), (65.5, 6, 1.0), (66.0, 7, 66.0), (67.0, 8, 67.0)])[2:] == [
        0.0, pytest.approx(math.nan, nan_ok=True), 1.0,
    ]  # fmt: skip


def test_backwards_is_as_fast_as_forwards() -> None:
    assert rates([(0.0, 0, 0.0), (1.0, -2, 1.0)], 32)[-1] == 2.0


@pytest.mark.parametrize("after", [(1.0, 5000, 1.0), (1.0, 12, 0.0)])
def test_a_counter_that_jumped_tells_no_rate_and_is_counted(after: tuple[float, int, float]) -> None:
    faults: Counter[str] = Counter()
    turns = Turns(1024.0, faults)
    for at, count, moment in [(0.0, 10, 0.0), after]:
        values = {"crank_revs": count, "crank_time_1024": round(1024 * moment)}
        wheel, crank = turns.a_minute(round(at * SECOND), values)
    assert math.isnan(wheel)
    assert math.isnan(crank)
    assert faults == {JUMPED: 1}
