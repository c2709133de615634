from __future__ import annotations

import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.joints.joints import JOINTS, JointAngles, JointName, JointParams, SegmentName, calibration
from dsp.joints.segment_layout import FUNCTIONAL, HEADING, STATIC
from simulators.body.programme import Piece, Stand, exoskeleton, there_and_back
from simulators.sensing.imu import Imperfections
from tests.dsp.bodies import Floats, body, rotation, straight
from tests.dsp.legs import LEG, PAIRS, angles, leg, true_angles

SURE = STATIC | FUNCTIONAL | HEADING
STAND = Stand(duration_s=3)
WALKS: dict[str, tuple[Piece, ...]] = {
    "100": straight(100, 1.2, steps=24),
    "60": straight(60, 0.8, steps=18),
    "there and back": there_and_back(1.1, 8.0),
    "exoskeleton": (STAND, exoskeleton(steps=12), STAND),
}
WALKER = body(WALKS["100"], seed=1)
LEFT_LEG = leg(WALKER, None)


def about(axis: str, degrees: float) -> Floats:
    """Return the quaternion of a turn about x, y or z."""
    half = math.radians(degrees) / 2
    return np.array([math.cos(half), *(math.sin(half) * (axis == a) for a in "xyz")])


def times(a: Floats, b: Floats) -> Floats:
    """Return the product of two quaternions."""
    return np.array([a[0] * b[0] - a[1:] @ b[1:], *(a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:]))])


def held(joint: JointName, proximal: Floats, distal: Floats, **params: Any) -> float:
    """Return the angle between two segments that stand upright first and are then held still as told."""
    operator = JointAngles(JointParams(**params))
    sensors = [operator.attach(segment, 100.0) for segment in JOINTS[joint]]
    number = operator.join(joint, *sensors)
    n = 400
    upright = times(about("z", 40.0), about("x", 0.0))
    quaternion = np.concatenate([np.tile(upright, (200, 1)), np.tile(proximal, (200, 1))] * 2)
    quaternion[n + 200 :] = distal
    gyr = np.full((2 * n, 3), 0.0)
    gyr[[*range(200, n), *range(n + 200, 2 * n)]] = [0.0, 0.15, 0.0]  # no rest: the pose stays that of before
    index = np.r_[np.arange(n), np.arange(n)]
    batch = Batch(np.array(sensors), np.array([0, n, 2 * n]), index, np.zeros((2 * n, 3)), gyr)
    found = operator.process(batch, index / 100.0, quaternion)
    found = found[found["joint"] == number]
    assert np.abs(found["angle_deg"][:200] - params.get("neutral_deg", {}).get(joint, 0.0)).max() < 1e-9
    return float(found["angle_deg"][-1])


@pytest.mark.parametrize(
    ("joint", "proximal", "distal", "expected"),
    [
        ("knee", about("y", 0.0), about("y", 60.0), 60.0),  # the shank's top ahead of its foot: bent
        ("knee", about("y", -20.0), about("y", 0.0), 20.0),  # thigh raised, shank upright
        ("hip", about("y", 0.0), about("y", -30.0), 30.0),  # knee ahead of the hip
        ("hip", about("y", 0.0), about("y", 10.0), -10.0),  # behind it: extended
        ("ankle", about("y", 10.0), about("y", 0.0), 10.0),  # shank leaning forward over a flat foot
        ("ankle", about("y", 0.0), about("y", 20.0), -20.0),  # toes down
    ],
)
def test_signs_by_hand(joint: JointName, proximal: Floats, distal: Floats, expected: float) -> None:
    north = about("z", 40.0)  # both sensors of the same north, which they need not have
    assert held(joint, times(north, proximal), times(north, distal)) == pytest.approx(expected, abs=1e-6)


def test_neutral_angles_are_those_of_the_pose_of_who_stands() -> None:
    north = about("z", 40.0)
    bent = held("knee", north, times(north, about("y", 30.0)), neutral_deg={"knee": 8.0})
    assert bent == pytest.approx(38.0, abs=1e-6)


@pytest.mark.parametrize("joint", PAIRS)
@pytest.mark.parametrize("name", WALKS)
def test_clean_sensors_give_the_true_angle_within_a_degree(name: str, joint: JointName) -> None:
    walker = body(WALKS[name], seed=2)
    found = angles(leg(walker))[joint]
    error = found["angle_deg"] - true_angles(walker, joint, found["time_s"])
    sure = found["bits"] == SURE
    assert sure.mean() > 0.25
    assert np.sqrt(np.mean(error[sure] ** 2)) < 1.0


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", WALKS)
def test_real_sensors_give_it_within_three_degrees(name: str, seed: int) -> None:
    walker = body(WALKS[name], seed=seed)
    for joint, found in angles(leg(walker, Imperfections(), seed=seed)).items():
        truth = true_angles(walker, joint, found["time_s"])
        sure = found["bits"] == SURE
        assert sure.mean() > 0.2
        error = (found["angle_deg"] - truth)[sure]
        assert np.sqrt(np.mean(error**2)) < 3.0
        assert abs(np.ptp(found["angle_deg"][sure]) - np.ptp(truth[sure])) < 4.0


@pytest.mark.parametrize("seed", range(4))
def test_sensors_strapped_on_anyhow_give_the_same_angles(seed: int) -> None:
    mounted: dict[SegmentName, Floats] = {s: rotation(10 * seed + k) for k, s in enumerate(LEG) if s != "lower_back"}
    straight_on, askew = angles(LEFT_LEG), angles(leg(WALKER, None, mounted))
    for joint in PAIRS:
        sure = (askew[joint]["bits"] == SURE) & (straight_on[joint]["bits"] == SURE)
        assert sure.mean() > 0.25
        apart = askew[joint]["angle_deg"][sure] - straight_on[joint]["angle_deg"][sure]
        assert np.abs(apart).max() < 2.0


def test_a_tilted_lower_back_gives_the_same_hip() -> None:
    tilted = angles(leg(WALKER, None, {"lower_back": np.array([[0.8, 0, 0.6], [0, 1, 0], [-0.6, 0, 0.8]])}))["hip"]
    expected = angles(LEFT_LEG)["hip"]
    sure = (tilted["bits"] == SURE) & (expected["bits"] == SURE)
    assert np.abs(tilted["angle_deg"] - expected["angle_deg"])[sure].max() < 2.0


def test_it_says_when_it_is_not_sure() -> None:
    knee = angles(LEFT_LEG)["knee"]
    first = WALKER.truth().bouts[0].start_s
    before = knee[knee["time_s"] < first]["bits"]
    assert not np.any(before & (STATIC | FUNCTIONAL)), "nobody has walked yet"
    assert calibration(int(before[-1])).reason == "axis not known from walking yet"
    assert calibration(FUNCTIONAL).kind == "functional"
    assert calibration(STATIC | FUNCTIONAL).reason == "axes of the segments disagree"
    assert calibration(SURE) == calibration(int(knee["bits"][-1]))
    assert calibration(SURE).sure


def test_sitting_before_the_walk_is_no_neutral_pose() -> None:
    """A rest with the thigh level, then the walk without a stand: the pose is found in the stand after it."""
    straight_on = angles(LEFT_LEG)["knee"]
    start = int(WALKER.truth().bouts[0].start_s * 100) - 10
    seated = dict(LEFT_LEG.quaternion)
    seated["thigh"] = seated["thigh"].copy()
    sat = times(seated["thigh"][0], about("y", -85.0))
    seated["thigh"][:start] = sat
    found = angles(type(LEFT_LEG)(LEFT_LEG.sensors, seated))["knee"]
    assert found["angle_deg"][start // 2] == pytest.approx(0.0, abs=3.0), "taken for the pose at first"
    sure = (found["bits"] == SURE) & (straight_on["bits"] == SURE)
    assert not np.any((found["bits"] & STATIC)[: start + 150])
    assert np.abs(found["angle_deg"] - straight_on["angle_deg"])[sure].mean() < 3.0


@given(
    cuts=st.lists(st.floats(0.0, 20.0), max_size=30),
    lost=st.lists(st.tuples(st.integers(0, 1900), st.integers(1, 60)), max_size=5),
    delay=st.integers(0, 3),
)
@settings(deadline=None, max_examples=25)
def test_any_portions_give_the_same_angles(cuts: list[float], lost: list[tuple[int, int]], delay: int) -> None:
    gone = np.concatenate([np.arange(a, a + n) for a, n in lost] or [np.zeros(0, int)])
    rows = {s: w.index for s, w in LEFT_LEG.sensors.items()}
    segment = list(LEG)[delay]
    rows[segment] = np.setdiff1d(rows[segment], gone)
    whole, pieces = angles(LEFT_LEG, rows), angles(LEFT_LEG, rows, cuts)
    for joint in PAIRS:
        assert whole[joint].tobytes() == pieces[joint].tobytes()


def test_sensors_that_arrive_at_different_times_meet() -> None:
    """One sensor's samples come half a second after the other's, and at another rate."""
    walker = body(WALKS["60"], seed=4)
    slow, quick = leg(walker, rate_hz=60.0), leg(walker)
    operator = JointAngles()
    thigh, shank = operator.attach("thigh", 100.0), operator.attach("shank", 60.0)
    operator.join("knee", thigh, shank)
    found: list[NDArray[np.void]] = []
    until = quick.sensors["thigh"].time_s[-1] + 1.0
    for end in np.arange(0.1, until, 0.1):
        for sensor, name, source, late in ((thigh, "thigh", quick, 0.0), (shank, "shank", slow, 0.5)):
            segment: SegmentName = "thigh" if name == "thigh" else "shank"
            t = source.sensors[segment].time_s
            rows = np.flatnonzero((t > end - late - 0.1) & (t <= end - late))
            batch = Batch.single(rows, source.sensors[segment].acc[rows], source.sensors[segment].gyr[rows], sensor)
            found.append(operator.process(batch, t[rows], source.quaternion[segment][rows]))
    knee = np.concatenate(found)
    error = knee["angle_deg"] - true_angles(walker, "knee", knee["time_s"])
    assert len(knee) > 0.95 * len(quick.sensors["thigh"].time_s)
    assert np.sqrt(np.mean(error[knee["bits"] == SURE] ** 2)) < 1.0


def test_a_gap_leaves_a_gap_and_heals() -> None:
    rows = {s: w.index for s, w in LEFT_LEG.sensors.items()}
    rows["shank"] = np.r_[0:1000, 1060 : len(rows["shank"])]
    whole, broken = angles(LEFT_LEG), angles(LEFT_LEG, rows)
    for joint in ("knee", "ankle"):
        t = broken[joint]["time_s"]
        assert not np.any((t > 10.01) & (t < 10.58))
        kept = whole[joint][np.isin(whole[joint]["time_s"], t)]
        later = t > 12.0
        assert np.abs(broken[joint]["angle_deg"] - kept["angle_deg"])[later].max() < 1.0
        assert np.all(broken[joint]["bits"][later & (t < 14.0)] == SURE)
    assert whole["hip"].tobytes() == broken["hip"].tobytes(), "no other joint notices"


def test_nan_is_a_lost_sample() -> None:
    broken = dict(LEFT_LEG.quaternion)
    broken["shank"] = broken["shank"].copy()
    broken["shank"][500:540] = np.nan
    rows = {s: w.index for s, w in LEFT_LEG.sensors.items()}
    lost = {**rows, "shank": np.setdiff1d(rows["shank"], np.arange(500, 540))}
    expected, found = angles(LEFT_LEG, lost), angles(type(LEFT_LEG)(LEFT_LEG.sensors, broken))
    for joint in PAIRS:
        assert expected[joint].tobytes() == found[joint].tobytes()


@given(
    gyr=hnp.arrays(np.float64, (200, 3), elements=st.floats(allow_nan=True, allow_infinity=True, width=64)),
    turned=hnp.arrays(np.float64, (200, 4), elements=st.floats(-1.0, 1.0)),
    steps=hnp.arrays(np.int64, (200,), elements=st.integers(-5, 40)),
)
@settings(deadline=None, max_examples=40)
def test_any_input_is_survived(gyr: Floats, turned: Floats, steps: NDArray[np.int64]) -> None:
    operator = JointAngles()
    sensors = np.array([operator.attach("thigh", 100.0), operator.attach("shank", 100.0)])
    operator.join("knee", 0, 1)
    index = np.cumsum(steps)
    norm = np.linalg.norm(turned, axis=1, keepdims=True)
    quaternion = np.divide(turned, norm, out=np.zeros_like(turned), where=norm > 0)
    batch = Batch(sensors, np.array([0, 100, 200]), index, gyr, gyr)
    found = operator.process(batch, index / 100.0, quaternion)
    assert np.isfinite(found["angle_deg"]).all()
    assert np.abs(found["angle_deg"]).max(initial=0.0) <= 180.0


def test_sensors_come_and_go_with_their_joints() -> None:
    operator = JointAngles()
    sensors = [operator.attach("thigh", 100.0) for _ in range(20)]
    knee = operator.join("knee", sensors[0], sensors[1])
    assert operator.calibration(knee).kind == "nominal"
    operator.detach(1)
    with pytest.raises(KeyError, match="joint 0 is not joined"):
        operator.calibration(knee)
    with pytest.raises(KeyError, match="sensor 1 is not attached"):
        operator.join("knee", 0, 1)
    assert operator.attach("shank", 100.0) == 1
    assert operator.join("knee", 0, 1) == knee
    with pytest.raises(ValueError, match="rate_hz must be positive"):
        operator.attach("shank", 0.0)


def test_compiled_and_plain_python_agree(tmp_path: Any) -> None:
    script = (
        "import sys, numpy as np\n"
        "from dsp.batch import Batch\n"
        "from dsp.joints.joints import JointAngles\n"
        "recorded = np.load(sys.argv[1])\n"
        "joints = JointAngles()\n"
        "joints.join('knee', joints.attach('thigh', 100.0), joints.attach('shank', 100.0))\n"
        "batch = Batch(*(recorded[name] for name in ('sensor', 'start', 'index', 'acc', 'gyr')))\n"
        "np.save(sys.argv[2], joints.process(batch, recorded['time_s'], recorded['quaternion']))\n"
    )
    n = 1000
    both: tuple[SegmentName, SegmentName] = ("thigh", "shank")
    parts = [LEFT_LEG.sensors[s] for s in both]
    np.savez(
        tmp_path / "in.npz",
        sensor=[0, 1],
        start=[0, n, 2 * n],
        index=np.r_[:n, :n],
        acc=np.concatenate([w.acc[:n] for w in parts]),
        gyr=np.concatenate([w.gyr[:n] for w in parts]),
        time_s=np.concatenate([w.time_s[:n] for w in parts]),
        quaternion=np.concatenate([LEFT_LEG.quaternion[s][:n] for s in both]),
    )
    found = []
    for plain in "0", "1":
        path = tmp_path / f"{plain}.npy"
        environment = {**os.environ, "NUMBA_DISABLE_JIT": plain}
        command = [sys.executable, "-c", script, str(tmp_path / "in.npz"), str(path)]
        subprocess.run(command, check=True, env=environment)
        found.append(np.load(path))
    compiled, plain_python = found
    assert len(compiled) > 0.95 * n
    assert compiled["bits"].tolist() == plain_python["bits"].tolist()
    np.testing.assert_allclose(compiled["angle_deg"], plain_python["angle_deg"], rtol=0, atol=1e-9)
