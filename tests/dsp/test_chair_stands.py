"""Tests of chair stands: repetitions, durations, speed and power."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dsp.transfers.chair_stands import APART, ChairStands, summarise_chair_stands
from dsp.transfers.transfers import Placement, Transfers
from dsp.whole_recordings import count_chair_stands
from tests.dsp.chair_body import RATE_HZ, THIGH_M, ChairBody

HEIGHT_M, MASS_KG = THIGH_M / 0.245, 70.0


def count(body: ChairBody, placement: Placement, *, duration_s: float = math.inf) -> ChairStands:
    numbers, acc, gyr = body.sensed(placement, lost=0.01)
    return count_chair_stands(
        acc, gyr, RATE_HZ, placement=placement, duration_s=duration_s, height_m=HEIGHT_M, mass_kg=MASS_KG, index=numbers
    )


@pytest.mark.parametrize("placement", ["thigh", "lower_back", "chest"])
@pytest.mark.parametrize(
    ("n", "rise_s", "sit_s", "pause_s"),
    [(5, 1.1, 1.1, 0.2), (5, 0.8, 0.8, 0.0), (5, 2.5, 2.0, 0.5), (12, 0.9, 0.9, 0.1)],
)
def test_repetitions_are_exact(placement: Placement, n: int, rise_s: float, sit_s: float, pause_s: float) -> None:
    assert count(ChairBody(seed=2).chair_stands(n, rise_s, sit_s, pause_s), placement).repetitions == n


@pytest.mark.parametrize("placement", ["lower_back", "chest"])
@pytest.mark.parametrize(("rise_s", "sit_s"), [(1.0, 1.1), (2.5, 2.0)])
def test_durations_and_the_time_of_five_are_those_of_the_body(
    placement: Placement, rise_s: float, sit_s: float
) -> None:
    body = ChairBody(seed=3).chair_stands(5, rise_s, sit_s, 0.3)
    stands = count(body, placement)
    assert stands.rise_s == pytest.approx(rise_s, abs=0.15)
    assert stands.sit_s == pytest.approx(sit_s, abs=0.15)
    assert stands.fifth_stand_s == pytest.approx((body.truth[-2].end - body.truth[0].start) / RATE_HZ, abs=0.2)
    assert stands.fifth_seat_s == pytest.approx((body.truth[-1].end - body.truth[0].start) / RATE_HZ, abs=0.2)
    assert stands.lean_deg == pytest.approx(38, abs=6)
    assert (stands.quality, stands.reason) == ("ok", "")


def test_the_last_time_counts_if_more_than_half_was_done_at_the_bell() -> None:
    body = ChairBody(seed=4).chair_stands(8, 1.2, 1.2, 0.3)
    sixth = body.truth[10]
    begin = body.truth[0].start
    for share, expected in ((0.2, 5), (0.8, 6)):
        bell_s = (sixth.start + share * (sixth.end - sixth.start) - begin) / RATE_HZ
        assert count(body, "chest", duration_s=bell_s).repetitions == expected


@pytest.mark.parametrize("placement", ["thigh", "lower_back"])
def test_speed_and_power_are_those_of_the_hips(placement: Placement) -> None:
    rise_s = 1.2
    stands = count(ChairBody(seed=5).chair_stands(5, rise_s, 1.2, 0.5), placement)
    share = np.linspace(0, 1, 1000)
    turned = np.clip((share - 0.3) / 0.7, 0, 1)
    height = THIGH_M * np.sin(np.pi / 2 * turned**3 * (10 - 15 * turned + 6 * turned**2))
    speed = np.gradient(height, rise_s / 999)
    power = MASS_KG * (9.81 + np.gradient(speed, rise_s / 999)) * speed
    assert stands.peak_velocity == pytest.approx(speed.max(), rel=0.15)
    assert stands.peak_power == pytest.approx(power.max(), rel=0.2)


def test_without_mass_and_height_there_is_no_speed_of_a_thigh_and_no_power() -> None:
    numbers, acc, gyr = ChairBody(seed=6).chair_stands(5).sensed("thigh")
    stands = count_chair_stands(acc, gyr, RATE_HZ, placement="thigh", index=numbers)
    assert stands.repetitions == 5
    assert math.isnan(stands.peak_velocity)
    assert math.isnan(stands.peak_power)
    assert math.isnan(stands.lean_deg)


def test_time_begins_at_a_known_start() -> None:
    body = ChairBody(seed=7).chair_stands(5)
    numbers, acc, gyr = body.sensed("chest")
    operator = Transfers(RATE_HZ, placement="chest", tug=False)
    found = [*operator.process(numbers, acc, gyr), *operator.finish()]
    stands = summarise_chair_stands(found, RATE_HZ, start=100.0)
    assert stands.fifth_stand_s == pytest.approx((body.truth[-2].end - 100) / RATE_HZ, abs=0.15)


def test_nobody_who_rises_gives_nothing() -> None:
    stands = summarise_chair_stands([], RATE_HZ)
    assert stands.repetitions == 0
    assert math.isnan(stands.fifth_stand_s)
    assert math.isnan(stands.rise_s)


def test_jerky_rises_are_less_smooth() -> None:
    smooth, jerky = ChairBody(seed=8).chair_stands(5, 2.0, 1.5, 0.3), ChairBody(seed=8).chair_stands(5, 2.0, 1.5, 0.3)
    t = np.arange(jerky.at) / RATE_HZ
    shaken = np.concatenate(jerky.lean) + np.radians(2) * np.sin(2 * np.pi * 3 * t)
    jerky.lean = [shaken]
    assert count(jerky, "chest").smoothness < count(smooth, "chest").smoothness - 0.3


def test_a_rise_long_before_the_others_leaves_a_doubt_whether_it_is_one_of_the_five() -> None:
    """As that of a timed up and go before, in the same session."""
    body = ChairBody(seed=9).chair_stands(1, 1.0, 1.0, 12.0).chair_stands(5, 1.0, 1.0, 0.3)
    stands = count(body, "chest")
    assert stands.repetitions == 6
    assert (stands.quality, stands.reason) == ("degraded", APART)
    assert APART not in count(body, "chest", duration_s=60.0).reason, "how many there were is in no doubt by it"
