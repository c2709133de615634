"""The synthetic body obeys mechanics, and what it is said to have done is what its sensors feel."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from types import FunctionType, ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.body.body import PLACEMENTS, Placement, Pose, WalkingBody
from simulators.body.curve import Curve
from simulators.body.programme import (
    Foot,
    Piece,
    Stand,
    Turn,
    Walk,
    exoskeleton,
    shuffling,
)
from simulators.motion.source import Floats, G, Motion, MotionSource
from simulators.sensing.clock import Clock
from simulators.sensing.imu import PERFECT, from_vector
from simulators.sensing.loss import Channel

WALK: tuple[Piece, ...] = (
    Stand(duration_s=1),
    Walk(speed_mps=1.2, distance_m=8),
    Turn(angle_deg=120),
    Walk(speed_mps=1.0, steps=8),
    Stand(duration_s=2),
)
RATE_HZ = 1000.0
FEET: tuple[Foot, Foot] = ("left", "right")


def body(seed: int = 0) -> WalkingBody:
    return WalkingBody(seed, programme=WALK)


@cache
def pose(placement: Placement) -> tuple[Floats, Pose]:
    figure = body().figure()
    figure.plan(np.inf)
    times = np.arange(0, figure.end_s, 1 / RATE_HZ)
    return times, figure.pose(placement, times)


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_integrating_what_the_sensor_feels_leads_along_the_true_path(placement: Placement) -> None:
    times, true = pose(placement)
    matrix, velocity, place = true.attitude.matrix[0], true.place.rate[0], true.place.value[0]
    step = 1 / RATE_HZ
    turn = (true.attitude.rate[:-1] + true.attitude.rate[1:]) / 2 * step
    turn += np.cross(true.attitude.rate[:-1], true.attitude.rate[1:]) * step**2 / 12  # the axis turns too (Magnus)
    force, gravity = true.acc, np.array([0, 0, -G])
    for k in range(len(times) - 1):
        after = matrix @ from_vector(turn[k])
        felt = (matrix @ force[k] + after @ force[k + 1]) / 2 + gravity
        place = place + velocity * step + felt * step**2 / 2
        velocity, matrix = velocity + felt * step, after
    np.testing.assert_allclose(matrix, true.attitude.matrix[-1], atol=2e-4)
    np.testing.assert_allclose(velocity, true.place.rate[-1], atol=0.02)
    assert np.linalg.norm(place - true.place.value[-1]) < 0.15  # after 13 m and 20 s
    assert np.linalg.norm(true.place.value[-1] - true.place.value[0]) > 4


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_position_velocity_and_acceleration_agree(placement: Placement) -> None:
    _, true = pose(placement)
    for lower, upper in pairwise(true.place):
        slope = (lower[2:] - lower[:-2]) * RATE_HZ / 2
        wrong = np.abs(slope - upper[1:-1])
        assert np.median(wrong) < 1e-3
        assert np.percentile(wrong, 99) < 0.02 * (1 + np.abs(upper).max())


@pytest.mark.parametrize("foot", FEET)
def test_the_foot_really_stands_while_it_is_flat(foot: Foot) -> None:
    times, true = pose("left_foot" if foot == "left" else "right_foot")
    truth = body().truth()
    for contact, toe_off in zip(truth.initial[foot], truth.final[foot][1:], strict=False):
        flat = (times > contact + 0.18) & (times < contact + 0.18 + 0.10)
        assert toe_off > contact + 0.3
        assert not true.place.rate[flat].any()
        assert not true.attitude.rate[flat].any()
        np.testing.assert_allclose(true.acc[flat], np.tile([0, 0, G], (flat.sum(), 1)), atol=1e-9)


@pytest.mark.parametrize("foot", FEET)
def test_contacts_are_where_the_foot_meets_and_leaves_the_floor(foot: Foot) -> None:
    times, true = pose("left_foot" if foot == "left" else "right_foot")
    truth, felt = body().truth(), np.linalg.norm(true.acc, axis=1)
    for lift, land in zip(truth.final[foot], truth.initial[foot], strict=True):
        middle, around = np.searchsorted(times, (lift + land) / 2), np.abs(times - land) < 0.06
        assert true.attitude.rate[middle, 1] < -0.5  # the toe comes up in swing
        before = (times > lift - 0.15) & (times < lift)
        assert true.attitude.rate[before, 1].max() > 1  # the heel rose before
        assert felt[around].max() > 1.5 * G  # and the floor was felt


def test_joints_move_as_far_as_the_textbook_says() -> None:
    walker = WalkingBody(1, programme=[Walk(cadence_spm=110, stride_m=1.4, steps=30)])
    steady = walker.truth().steady()
    times = np.arange(steady[0].start_s, steady[-1].end_s, 0.01)
    pitch = {}
    for placement in ("left_thigh", "left_shank", "left_foot"):
        matrix = walker.figure().pose(placement, times).attitude.matrix
        pitch[placement] = np.degrees(np.arctan2(-matrix[:, 2, 0], matrix[:, 0, 0]))
    knee = pitch["left_shank"] - pitch["left_thigh"]
    assert np.ptp(pitch["left_thigh"]) == pytest.approx(40, abs=5)
    assert np.ptp(knee) == pytest.approx(60, abs=6)
    assert knee.min() > -5
    assert 50 < pitch["left_foot"].max() < 75
    assert -32 < pitch["left_foot"].min() < -15


def test_the_lower_back_bounces_with_the_steps_and_leans_with_the_strides() -> None:
    walker = WalkingBody(1, programme=[Walk(cadence_spm=108, stride_m=1.36, steps=60)])
    steady = walker.truth().steady()
    times = np.arange(steady[0].start_s, steady[-1].end_s, 0.01)
    acc = walker.figure().pose("lower_back", times).acc
    spectrum = np.abs(np.fft.rfft(acc - acc.mean(axis=0), axis=0))
    hz = np.fft.rfftfreq(len(times), 0.01)
    loudest = hz[spectrum[: np.searchsorted(hz, 2.5)].argmax(axis=0)]
    np.testing.assert_allclose(loudest, [1.8, 0.9, 1.8], atol=0.06)
    assert 2 < np.ptp(acc[:, 2]) / 2 < 6  # m/s^2, as in adults at this speed


def test_the_yaw_rate_of_the_back_adds_up_to_the_turn() -> None:
    times, true = pose("lower_back")
    (turn,) = body().truth().turns
    assert turn.angle_deg == pytest.approx(120)
    around = (times > turn.start_s - 1) & (times < turn.end_s + 1)
    vertical = true.attitude.to_world(true.attitude.rate)[:, 2]
    assert np.degrees(vertical[around].sum() / RATE_HZ) == pytest.approx(120, abs=8)
    during = (times > turn.start_s) & (times < turn.end_s)
    assert np.degrees(vertical[during].mean()) > 20


SLOWEST = exoskeleton(steps=2, cadence_spm=5)
PIECES = st.one_of(
    st.builds(lambda s: Stand(duration_s=s), st.floats(0, 3)),
    st.builds(
        lambda v, n, a: Walk(speed_mps=v, steps=n, asymmetry=a),
        st.floats(0.2, 2.2),
        st.integers(1, 9),
        st.floats(0.4, 2.5),
    ),
    st.builds(lambda a: Turn(angle_deg=a), st.floats(-360, 360).filter(lambda a: abs(a) > 1)),
    st.just(shuffling(duration_s=4)),
    st.just(SLOWEST),
)


@settings(max_examples=25, deadline=None)  # seven sensors of a walk of any length
@given(st.lists(PIECES, min_size=1, max_size=5), st.integers(0, 99), st.floats(1.4, 2.0))
def test_any_programme_can_be_walked(programme: list[Piece], seed: int, height_m: float) -> None:
    walker = WalkingBody(seed, programme=programme, height_m=height_m)
    for placement in PLACEMENTS:
        motion = walker.sensor(placement, rate_hz=50, imperfections=PERFECT).read_until(np.inf)
        if motion is not None:
            assert np.isfinite(motion.acc).all()
            assert np.linalg.norm(motion.acc, axis=1).max(initial=0) < 60 * G
            assert np.abs(motion.gyr).max(initial=0) < 60
    truth = walker.truth()
    for foot in FEET:
        assert np.all(truth.initial[foot] > truth.final[foot])
        assert np.all(truth.initial[foot][:-1] < truth.final[foot][1:])


def samples(walker: WalkingBody, steps: list[float], **options: float) -> Motion:
    sensor = walker.sensor(
        "left_foot",
        rate_hz=options.get("rate_hz", 60),
        seed=int(options.get("seed", 1)),
        clock=Clock(2, offset_s=9, drift_ppm=30, wander_ppm=4),
        channel=Channel(0.05),
    )
    parts = [part for until in np.cumsum(steps) if (part := sensor.read_until(float(until))) is not None]
    return Motion(*(np.concatenate([getattr(p, name) for p in parts]) for name in Motion.__slots__))


def same(a: Motion, b: Motion) -> bool:
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in Motion.__slots__)


@settings(max_examples=20, deadline=None)  # walks of up to a hundred seconds
@given(st.lists(st.floats(0, 5), min_size=1, max_size=20))
def test_the_same_samples_in_any_steps(steps: list[float]) -> None:
    end = float(np.cumsum(steps)[-1])
    assert same(samples(WalkingBody(3), steps), samples(WalkingBody(3), [end]))


def test_a_seed_is_a_walk_and_another_seed_another_walk() -> None:
    assert same(samples(WalkingBody(3), [20]), samples(WalkingBody(3), [20]))
    assert not same(samples(WalkingBody(3), [20]), samples(WalkingBody(4), [20]))
    assert not same(samples(WalkingBody(3), [20]), samples(WalkingBody(3), [20], seed=2))


def test_sensors_of_one_body_feel_the_same_walk() -> None:
    contacts = [stride.end_s for stride in WalkingBody(6).truth(30).steady() if stride.foot == "left"]
    assert len(contacts) > 10
    for rate_hz in (60.0, 200.0):
        motion = WalkingBody(6).sensor("left_foot", rate_hz=rate_hz, imperfections=PERFECT).read_until(30)
        assert motion is not None
        swinging = motion.gyr[:, 1] < -2
        ends = motion.time_s[:-1][swinging[:-1] & ~swinging[1:]]
        assert all(np.abs(ends - contact).min() < 0.12 for contact in contacts)


def test_samples_carry_the_device_clock_and_the_body_the_true_one() -> None:
    sensor = WalkingBody(0).sensor("lower_back", rate_hz=100, clock=Clock(offset_s=500, drift_ppm=1000))
    motion = sensor.read_until(100)
    assert motion is not None
    assert motion.time_s[0] == 500
    assert motion.time_s[-1] == pytest.approx(600.1, abs=0.02)


def test_it_ends_with_its_programme() -> None:
    sensor = WalkingBody(0, programme=[Walk(speed_mps=1, steps=3)]).sensor("left_shank", rate_hz=60)
    motion = sensor.read_until(np.inf)
    assert motion is not None
    assert 2 < motion.time_s[-1] < 5
    assert sensor.read_until(np.inf) is None


def test_the_magnetometer_feels_one_field_all_the_way() -> None:
    motion = body().sensor("right_foot", rate_hz=60, imperfections=PERFECT).read_until(np.inf)
    assert motion is not None
    np.testing.assert_allclose(np.linalg.norm(motion.mag, axis=1), np.hypot(0.42, 0.91))
    assert np.ptp(motion.mag[:, 0]) > 0.5


def test_an_endless_walk_keeps_only_what_it_needs() -> None:
    sensor = WalkingBody(2).sensor("left_foot", rate_hz=20)
    for until in range(0, 1200, 60):
        assert sensor.read_until(float(until)) is not None
    curves = list(curves_of(sensor))
    assert len(curves) >= 2
    assert max(map(len, curves)) < 400  # a minute is asked for at a time


def curves_of(thing: object) -> Iterator[Curve]:
    """Yield the curves that an object holds, however deep."""
    seen, open_ = set[int](), [thing]
    while open_:
        held = open_.pop()
        if id(held) in seen or isinstance(held, type | ModuleType | FunctionType):
            continue
        seen.add(id(held))
        if isinstance(held, Curve):
            yield held
        else:
            open_ += gc.get_referents(held)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: WalkingBody(height_m=17), "0.5 and 2.5 m"),
        (lambda: WalkingBody(programme=[]), "at least one piece"),
        (lambda: WalkingBody(programme=[Stand(duration_s=1)], repeat=True), "never take a step"),
        (lambda: WalkingBody().truth(), "say until when"),
        (lambda: WalkingBody().sensor("nose", rate_hz=60), "no placement 'nose'"),
        (lambda: WalkingBody().sensor("left_foot", rate_hz=0), "rate_hz must be positive"),
    ],
)
def test_what_cannot_be_is_refused(make: object, says: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=says):
        make()


def test_samples_that_nobody_takes_change_none_that_come_later() -> None:
    """They are not worked out: a ward of seventy that waits to be connected would take all of a processor."""
    walker = WalkingBody(7, programme=[Walk(cadence_spm=110, stride_m=1.4, steps=30)])

    def sensor() -> MotionSource:
        return walker.sensor("left_shank", rate_hz=60.0, channel=Channel(loss=0.1), seed=3)

    taken, skipping = sensor(), sensor()
    before, rest = taken.read_until(5.0), taken.read_until(9.0)
    assert before is not None
    assert rest is not None
    passed = [skipping.skip(until) for until in (0.5, 4.0, 4.99)]
    assert None not in passed
    later = skipping.read_until(9.0)
    assert later is not None
    n = len(later.time_s)
    assert sum(filter(None, passed)) + n == len(before.time_s) + len(rest.time_s)
    for name in ("time_s", "acc", "gyr", "mag", "sent"):
        whole = np.concatenate([getattr(before, name), getattr(rest, name)])
        np.testing.assert_array_equal(getattr(later, name), whole[-n:])
