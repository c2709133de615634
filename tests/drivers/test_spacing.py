from __future__ import annotations

import numpy as np
import pytest

from drivers.gatt.spacing import AGREE, AGREE_TWICE, Spacing, between, ticks_of


def test_a_rate_a_little_off_is_followed_and_stays_what_it_is_called() -> None:
    spacing = Spacing(104.0, 1e6)
    assert all(spacing.adjoins(round(8e6 / 100), 8) for _ in range(200))
    assert spacing.period == pytest.approx(1e4, rel=1e-3)
    assert spacing.rate_hz == 104.0


def test_a_rate_that_is_another_is_believed_once_it_is_seen_often_enough() -> None:
    spacing = Spacing(135.0, 1e9)
    seen = [spacing.adjoins(round(36e9 / 55), 36) for _ in range(AGREE + 2)]
    assert seen == [False] * (AGREE - 1) + [True] * 3
    assert spacing.rate_hz == 55.0


def test_losses_now_and_then_change_nothing() -> None:
    spacing = Spacing(50.0, 1e9)
    random = np.random.default_rng(1)
    for lost in random.choice([0, 0, 0, 1, 2, 5], 500):
        assert spacing.adjoins(int((1 + lost) * 36 * 2e7), 36) == (lost == 0)
    assert (spacing.period, spacing.rate_hz) == (2e7, 50.0)


def test_half_the_rate_looks_like_losses_and_is_believed_in_the_end() -> None:
    spacing = Spacing(52.0, 1e9)
    seen = [spacing.adjoins(round(20e9 / 26), 20) for _ in range(AGREE_TWICE)]
    assert seen == [False] * (AGREE_TWICE - 1) + [True]
    assert spacing.rate_hz == 26.0


@pytest.mark.parametrize("ticks", [0, -5, 10**18, 1])
def test_stamps_that_show_no_rate_are_none(ticks: int) -> None:
    spacing = Spacing(50.0, 1e9)
    assert [spacing.adjoins(ticks, 9) for _ in range(2 * AGREE)] == [False] * (2 * AGREE)
    assert not spacing.adjoins(10, 0)
    assert spacing.rate_hz == 50.0


def test_samples_about_a_stamp() -> None:
    spacing = Spacing(100.0, 1e9)
    assert ticks_of([spacing.up_to(50_000_000, 3)]).tolist() == [30_000_000, 40_000_000, 50_000_000]
    assert ticks_of([spacing.since(50_000_000, 3)]).tolist() == [50_000_000, 60_000_000, 70_000_000]
    assert ticks_of([between(7, 10, 3), between(20, 24, 2)]).tolist() == [8, 9, 10, 22, 24]
    late = 26 * 365 * 86_400 * 10**9
    assert (ticks_of([between(late, late + 30, 3)]) - late).tolist() == [10, 20, 30], (
        "to the nanosecond, 26 years after 2000"
    )
