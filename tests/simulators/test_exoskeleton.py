"""The exoskeleton on the walking body: the same in any steps, helped in the right phase, still when standing."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.body.body import WalkingBody
from simulators.body.exoskeleton import ExoMotion, WornExoskeleton
from simulators.body.gait_cycle import TOE_OFF_PHASE
from simulators.body.programme import there_and_back
from simulators.sensing.clock import Clock


def taken(step_s: float, until_s: float = 12.0) -> list[ExoMotion]:
    source = WornExoskeleton(WalkingBody(5).figure(), joints=("hip", "knee", "ankle"))
    pieces: list[ExoMotion] = []
    for k in range(1, round(until_s / step_s) + 1):
        pieces += source.read_until(k * step_s) or []
    return pieces


def joined(pieces: list[ExoMotion], name: str) -> np.ndarray:
    return np.concatenate([getattr(piece, name) for piece in pieces])


def test_any_steps_give_the_same_samples() -> None:
    one, two = taken(0.02), taken(3.0)
    for name in ("time_s", "angle", "torque", "command", "interaction", "phase", "stance"):
        assert joined(one, name).tobytes() == joined(two, name).tobytes()


def test_what_it_does_fits_the_walk() -> None:
    pieces = taken(1.0, 20.0)
    angle, velocity, time_s = (joined(pieces, name) for name in ("angle", "velocity", "time_s"))
    phase, command, torque = (joined(pieces, name) for name in ("phase", "command", "torque"))
    walks = phase > 0
    slope = np.gradient(angle, time_s, axis=0)
    assert np.median(np.abs(slope - velocity)) < 5.0
    assert 45 < angle[:, :, 1].max() < 75, "a knee in swing"
    assert 5 < angle[:, :, 2].max() < 35, "an ankle before push-off"
    late_stance = walks & (phase > 0.4) & (phase < TOE_OFF_PHASE)
    assert command[:, :, 2][late_stance].mean() < -3.0, "helps the push-off"
    assert np.abs(command[~walks]).max() < 0.01, "and nobody who stands"
    assert np.corrcoef(command[:, 0, 2], torque[:, 0, 2])[0, 1] > 0.95


def test_it_ends_with_the_walk() -> None:
    body = WalkingBody(1, programme=there_and_back(), repeat=False)
    source = WornExoskeleton(body.figure(), joints=("ankle",))
    assert source.read_until(1.0)
    assert source.read_until(10_000.0)
    assert source.read_until(10_001.0) is None


def test_it_has_a_clock_of_its_own() -> None:
    source = WornExoskeleton(WalkingBody(2).figure(), joints=("ankle",), clock=Clock(offset_s=100.0, drift_ppm=50.0))
    pieces = source.read_until(5.0)
    assert pieces
    assert pieces[0].time_s[0] == pytest.approx(100.0, abs=0.02)
