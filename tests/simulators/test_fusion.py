"""The orientation that simulated sensors report."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.sensing.fusion import GRAVITY, Fusion, product, rotated

angle = st.floats(-1.4, 1.4)


def turn(axis: int, by: float) -> tuple[float, float, float, float]:
    parts = [0.0, 0.0, 0.0]
    parts[axis] = math.sin(by / 2)
    return (math.cos(by / 2), *parts)  # type: ignore[return-value]


@given(angle, angle)
def test_at_rest_the_tilt_is_there_at_once_and_nothing_moves(roll: float, pitch: float) -> None:
    true = product(turn(1, pitch), turn(0, roll))
    inverse = (true[0], -true[1], -true[2], -true[3])
    acc = rotated(inverse, (0.0, 0.0, GRAVITY))
    fusion = Fusion()
    for k in range(3):
        fusion.update(k / 60, acc, (0.0, 0.0, 0.0))
    np.testing.assert_allclose(rotated(fusion.quaternion, acc), (0, 0, GRAVITY), atol=1e-6)
    np.testing.assert_allclose(fusion.free_acceleration(acc), 0, atol=1e-6)


def test_a_turn_about_the_vertical_is_followed() -> None:
    fusion = Fusion()
    for k in range(121):
        fusion.update(k / 60, (0.0, 0.0, GRAVITY), (0.0, 0.0, math.pi / 4))
    np.testing.assert_allclose(rotated(fusion.quaternion, (1.0, 0.0, 0.0)), (0.0, 1.0, 0.0), atol=1e-9)


@given(st.lists(st.tuples(*[st.floats(-40, 40)] * 6), min_size=1, max_size=30))
def test_it_stays_a_rotation_whatever_it_is_shaken_with(samples: list[tuple[float, ...]]) -> None:
    fusion = Fusion()
    for k, sample in enumerate(samples):
        fusion.update(k / 60, sample[:3], sample[3:])
    assert math.hypot(*fusion.quaternion) == pytest.approx(1.0, abs=1e-9)
