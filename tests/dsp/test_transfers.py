"""Rising, sitting down, turning and the Timed Up and Go, from one sensor worn any way round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.transfers.found import Found, Transfer, Tug, Turn
from dsp.transfers.transfers import PLACEMENTS, Placement, Transfers
from tests.dsp.chair_body import RATE_HZ, ChairBody, Floats, Signal

TRUNK: tuple[Placement, ...] = ("lower_back", "chest")
SIGHTED: tuple[Placement, ...] = ("thigh", *TRUNK)
QUARTER_TURNS = [
    np.array(rows, float)
    for rows in (
        [[0, 1, 0], [-1, 0, 0], [0, 0, 1]],
        [[0, 0, -1], [0, 1, 0], [1, 0, 0]],
        [[-1, 0, 0], [0, -1, 0], [0, 0, 1]],
        [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
    )
]


def find(signal: Signal, placement: Placement = "thigh", *, chunk: int = 10, **known: Any) -> list[Found]:
    operator = Transfers(RATE_HZ, placement=placement, **known)
    found: list[Found] = []
    for begin in range(0, len(signal.numbers), chunk):
        found += operator.process(*(part[begin : begin + chunk] for part in signal))
    return [*found, *operator.finish()]


def transfers(found: Sequence[Found], kind: str) -> list[Transfer]:
    return [one for one in found if isinstance(one, Transfer) and one.kind == kind]


def turns(found: Sequence[Found]) -> list[Turn]:
    return [one for one in found if isinstance(one, Turn)]


def tugs(found: Sequence[Found]) -> list[Tug]:
    return [one for one in found if isinstance(one, Tug)]


def any_way_round(seed: int) -> Floats:
    turned: Floats = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    return turned * float(np.linalg.det(turned))


@pytest.mark.parametrize("placement", TRUNK)
@pytest.mark.parametrize("pace", [0.8, 1.0, 1.6, 2.5])
def test_a_trunk_tells_the_test_and_its_phases(placement: Placement, pace: float) -> None:
    body = ChairBody(seed=3).tug(pace)
    rise, out, back, sit = body.truth
    (test,) = tugs(find(body.sensed(placement, turned=any_way_round(1), lost=0.01), placement))
    assert test.total_s == pytest.approx((sit.end - rise.start) / RATE_HZ, abs=0.25)
    assert test.sit_to_stand_s == pytest.approx((rise.end - rise.start) / RATE_HZ, abs=0.3)
    assert test.walk_out_s == pytest.approx((out.start - rise.end) / RATE_HZ, abs=0.25 + 0.2 * pace)
    assert test.turn_180_s == pytest.approx((out.end - out.start) / RATE_HZ, abs=0.35 * pace)
    assert test.walk_back_s == pytest.approx((back.start - out.end) / RATE_HZ, abs=0.35 * pace)
    assert test.turn_to_sit_s == pytest.approx((sit.end - back.start) / RATE_HZ, abs=0.35 * pace)
    assert (test.quality, test.reason) == ("ok", "")


@pytest.mark.parametrize("placement", SIGHTED)
def test_turns_have_a_side_and_an_angle(placement: Placement) -> None:
    for side, back in ((1, 1), (-1, -1), (1, -1)):
        body = ChairBody(seed=4).tug(1.2, side=side, back=back)
        angles = [turn.angle_deg for turn in turns(find(body.sensed(placement, turned=any_way_round(2)), placement))]
        assert angles == pytest.approx([180 * side, 180 * side * back], abs=12)


@pytest.mark.parametrize("placement", SIGHTED)
@pytest.mark.parametrize("turned", QUARTER_TURNS)
def test_axes_exchanged_and_reversed_give_the_same(placement: Placement, turned: Floats) -> None:
    body = ChairBody(seed=5).tug()
    signal = body.sensed(placement)
    expected = find(signal, placement)
    found = find(Signal(signal.numbers, signal.acc @ turned, signal.gyr @ turned), placement)
    assert [type(one) for one in found] == [type(one) for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert (one.start, one.end) == pytest.approx((other.start, other.end), abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(PLACEMENTS),
    st.integers(1, 400),
    st.lists(st.tuples(st.integers(0, 1200), st.integers(1, 2500)), max_size=3),
)
def test_any_chunking_gives_the_same(placement: Placement, chunk: int, gaps: list[tuple[int, int]]) -> None:
    numbers, acc, gyr = ChairBody(seed=6).tug().sensed("chest", lost=0.02)
    numbers = numbers.copy()
    for at, length in gaps:
        numbers[at:] += length
    signal = Signal(numbers, acc, gyr)
    assert repr(find(signal, placement, chunk=chunk)) == repr(find(signal, placement, chunk=len(numbers)))


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(PLACEMENTS), st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 1e3, 1e200, np.nan, np.inf]))
def test_whatever_a_sensor_says_nothing_breaks(placement: Placement, seed: int, worst: float) -> None:
    random = np.random.default_rng(seed)
    numbers = np.cumsum(random.choice([1, 1, 1, 2, 40, 1500], 700))
    acc, gyr = (random.normal(0, size, (700, 3)) * random.choice([0, 1, 1, worst], (700, 1)) for size in (10, 2))
    for one in find(Signal(numbers, acc, gyr), placement, chunk=33):
        assert one.start <= one.end or one.quality == "invalid"


def test_nothing_at_all_gives_nothing() -> None:
    operator = Transfers(RATE_HZ)
    assert list(operator.process([], np.zeros((0, 3)), np.zeros((0, 3)))) == []
    nothing = np.full((200, 3), np.nan)
    assert list(operator.process(np.arange(200), nothing, nothing)) == []
    assert list(operator.finish()) == []


@pytest.mark.parametrize("placement", SIGHTED)
def test_a_tenth_of_the_samples_lost_changes_little(placement: Placement) -> None:
    body = ChairBody(seed=7).tug()
    (whole,), (lossy,) = (tugs(find(body.sensed(placement, lost=lost), placement)) for lost in (0.0, 0.1))
    assert lossy.total_s == pytest.approx(whole.total_s, abs=0.15)


def test_a_gap_within_the_test_degrades_it_and_the_total_holds() -> None:
    body = ChairBody(seed=8).tug()
    signal = body.sensed("lower_back")
    kept = (signal.numbers < body.truth[1].start + 20) | (signal.numbers > body.truth[1].start + 70)
    (test,) = tugs(find(signal.where(kept), "lower_back"))
    assert test.quality == "degraded"
    assert "lost" in test.reason
    assert test.total_s == pytest.approx((body.truth[-1].end - body.truth[0].start) / RATE_HZ, abs=0.3)


@pytest.mark.parametrize("placement", SIGHTED)
def test_a_long_gap_ends_the_test_without_a_value_and_says_why(placement: Placement) -> None:
    body = ChairBody(seed=9).tug()
    signal = body.sensed(placement)
    numbers = signal.numbers + np.where(signal.numbers > body.truth[1].start - 50, 1500, 0)
    (test,) = tugs(find(Signal(numbers, signal.acc, signal.gyr), placement))
    assert (test.quality, test.reason) == ("invalid", "15 s without samples")
    assert math.isnan(test.total_s)


@pytest.mark.parametrize("placement", SIGHTED)
def test_each_thing_is_found_soon_after_its_end(placement: Placement) -> None:
    signal = ChairBody(seed=10).tug().sensed(placement)
    operator = Transfers(RATE_HZ, placement=placement)
    delays = []
    for at in range(len(signal.numbers)):
        found = operator.process(*(part[at : at + 1] for part in signal))
        delays += [(signal.numbers[at] - one.end) / RATE_HZ for one in found if not isinstance(one, Tug)]
    assert len(delays) == 4
    assert max(delays) < 0.7


def test_only_what_lies_between_a_known_start_and_end_is_looked_at() -> None:
    first, second = ChairBody(seed=11).tug(), ChairBody(seed=12).tug(1.2)
    one, two = first.sensed("chest"), second.sensed("chest")
    both = Signal(np.r_[one.numbers, two.numbers + first.at], np.r_[one.acc, two.acc], np.r_[one.gyr, two.gyr])
    assert len(tugs(find(both, "chest"))) == 2
    (test,) = tugs(find(both, "chest", start=first.at, end=first.at + second.at))
    assert test.start >= first.at
    assert test.total_s == pytest.approx((second.truth[-1].end - second.truth[0].start) / RATE_HZ, abs=0.25)
    (only,) = tugs(find(both, "chest", end=first.at))
    assert only.end <= first.at


def test_a_known_end_closes_the_test_before_the_stream_ends() -> None:
    body = ChairBody(seed=13).tug()
    signal = body.sensed("thigh")
    operator = Transfers(RATE_HZ, end=body.truth[-1].end)
    assert len(tugs(list(operator.process(*signal)))) == 1
    assert list(operator.finish()) == []


def test_a_physio_corrects_start_and_end() -> None:
    (test,) = tugs(find(ChairBody(seed=14).tug().sensed("chest"), "chest"))
    better = test.corrected(RATE_HZ, start=test.start - 50, end=test.end + 25)
    assert better.total_s == pytest.approx(test.total_s + 0.75)
    assert better.sit_to_stand_s == pytest.approx(test.sit_to_stand_s + 0.5)
    assert better.turn_to_sit_s == pytest.approx(test.turn_to_sit_s + 0.25)
    assert better.turn_180_s == test.turn_180_s
    with pytest.raises(ValueError, match="ends after its start"):
        test.corrected(RATE_HZ, end=test.start)


def test_a_stream_that_ends_in_sitting_down_is_a_test_and_says_so() -> None:
    body = ChairBody(seed=15).tug()
    signal = body.sensed("thigh")
    kept = signal.numbers < body.truth[-1].start + 20
    (test,) = tugs(find(signal.where(kept)))
    assert test.reason == "ends while sitting down"
    assert test.quality == "degraded"


def test_who_leans_and_comes_back_has_not_risen() -> None:
    body = ChairBody(seed=16).rest(2)
    s = np.linspace(0, 1, 150)
    for _ in range(3):
        body.lean.append(np.radians(35) * np.sin(np.pi * s) ** 2)
        for series in (body.thigh, body.heading, body.speed, body.bounce):
            series.append(np.zeros(150))
        body.rest(1)
    for placement in TRUNK:
        assert find(body.sensed(placement), placement) == []


def test_who_walks_about_neither_rises_nor_sits() -> None:
    body = ChairBody(seed=17, upright=True).rest(2).walk(8).walk(1.2, 180).walk(8).rest(2)
    for placement in SIGHTED:
        found = find(body.sensed(placement), placement)
        assert [type(one) for one in found] == [Turn]


@pytest.mark.parametrize("rate_hz", [19.0, 0.0, math.nan, math.inf])
def test_a_rate_that_cannot_do_is_refused(rate_hz: float) -> None:
    with pytest.raises(ValueError, match="at least 20 samples a second"):
        Transfers(rate_hz)


def test_a_placement_and_an_index_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="thigh, wrist, lower_back, chest, not on nose"):
        Transfers(RATE_HZ, placement="nose")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="ascend"):
        list(Transfers(RATE_HZ).process([1, 1], np.zeros((2, 3)), np.zeros((2, 3))))


@pytest.mark.parametrize("rate_hz", [25.0, 52.0, 128.0, 400.0])
def test_other_rates_give_the_same(rate_hz: float) -> None:
    body = ChairBody(seed=18).tug()
    signal = body.sensed("chest")
    at = np.arange(0, (len(signal.numbers) - 1) / RATE_HZ, 1 / rate_hz)
    acc, gyr = (
        np.column_stack([np.interp(at, signal.numbers / RATE_HZ, x[:, k]) for k in range(3)]) for x in signal[1:]
    )
    operator = Transfers(rate_hz, placement="chest")
    (test,) = tugs([*operator.process(np.arange(len(at)), acc, gyr), *operator.finish()])
    assert test.total_s == pytest.approx((body.truth[-1].end - body.truth[0].start) / RATE_HZ, abs=0.25)
