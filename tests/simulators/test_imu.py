"""What a sensor's imperfections do to its readings."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.motion.source import Floats, G
from simulators.sensing.imu import PERFECT, Imperfections, Imu

N = 20_000


def nothing(count: int = N) -> Floats:
    return np.zeros((count, 3))


def perfect_but(**faults: float) -> Imperfections:
    fields = {name: getattr(PERFECT, name) for name in Imperfections.__slots__}
    return Imperfections(**{**fields, **faults})


def test_a_perfect_sensor_reads_the_truth() -> None:
    truth = np.random.default_rng(0).normal(size=(50, 3))
    acc, gyr = Imu(PERFECT, 100).read(truth, 2 * truth)
    np.testing.assert_array_equal(acc, truth)
    np.testing.assert_array_equal(gyr, 2 * truth)


@pytest.mark.parametrize("rate_hz", [60.0, 200.0])
def test_noise_density_becomes_deviation_with_the_rate(rate_hz: float) -> None:
    acc, gyr = Imu(perfect_but(acc_noise=0.01, gyr_noise=0.002), rate_hz, 3).read(nothing(), nothing())
    assert acc.std() == pytest.approx(0.01 * np.sqrt(rate_hz / 2), rel=0.02)
    assert gyr.std() == pytest.approx(0.002 * np.sqrt(rate_hz / 2), rel=0.02)


def test_bias_differs_from_unit_to_unit_and_not_in_time() -> None:
    kind = perfect_but(gyr_bias=0.01)
    units = [Imu(kind, 100, seed).read(nothing(10), nothing(10))[1] for seed in range(300)]
    assert all(np.ptp(unit, axis=0).max() == 0 for unit in units)
    assert np.std([unit[0] for unit in units]) == pytest.approx(0.01, rel=0.1)


def test_misalignment_turns_and_keeps_lengths() -> None:
    truth = np.tile([3.0, -4.0, 12.0], (5, 1))
    imu = Imu(perfect_but(misalignment_deg=5.0), 100, 8)
    acc, gyr = imu.read(truth, truth)
    np.testing.assert_allclose(np.linalg.norm(acc, axis=1), 13)
    np.testing.assert_array_equal(acc, gyr)  # one case, one way askew
    np.testing.assert_array_equal(imu.turned(truth), acc)
    assert 0.01 < np.abs(acc - truth).max() < 4


def test_scale_stretches() -> None:
    acc, _ = Imu(perfect_but(scale=0.02), 100, 1).read(np.full((2, 3), 10.0), nothing(2))
    assert 0 < np.abs(acc / 10 - 1).max() < 0.1


def test_steps_and_ends_of_range() -> None:
    truth = np.array([[0.26, 99.0, -99.0]])
    acc, gyr = Imu(perfect_but(acc_step=0.1, acc_range=20.0, gyr_step=0.25, gyr_range=5.0), 100).read(truth, truth)
    np.testing.assert_allclose(acc, [[0.3, 20, -20]])
    np.testing.assert_allclose(gyr, [[0.25, 5, -5]])


def test_a_seed_is_a_unit() -> None:
    at_rest = np.tile([0.0, 0.0, G], (100, 1))
    first, again, other = (Imu(Imperfections(), 60, seed).read(at_rest, nothing(100))[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.abs(np.linalg.norm(first, axis=1) - G).max() < 2
