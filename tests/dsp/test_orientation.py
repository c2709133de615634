from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.orientation.orientation import (
    ACC_MISSING,
    AT_REST,
    BRIDGED,
    FROZEN,
    GYR_MISSING,
    MAG_DISTURBED,
    MAG_MISSING,
    OLD,
    RECOVERING,
    Orientation,
    Orientations,
    orient,
)
from tests.dsp.orientation_reference import Reference, angle_deg, as_matrix

Array = NDArray[np.float64]
Recording = tuple[Array, Array, Array]
ROOT = Path(__file__).resolve().parents[2]
RATE = 100.0
NORTH_AND_DOWN = np.array([0.0, 20.0, -45.0])  # microtesla


def recording(n: int, seed: int = 0, *, rest: int = 0, noise: float = 1.0) -> tuple[Recording, Array]:
    """Return acc, gyr, mag of a sensor that swings about all axes after ``rest`` samples, and its true matrices."""
    rng = np.random.default_rng(seed)
    t = np.arange(n)[:, None] / RATE
    rate = 1.5 * np.sin(t * [1.1, 1.7, 2.3] + rng.uniform(0, 6, 3)) * (np.arange(n)[:, None] >= rest)
    truth, m = np.empty((n, 3, 3)), as_matrix(np.array([1.0, 0.1, -0.2, 0.3]) / np.linalg.norm([1.0, 0.1, -0.2, 0.3]))
    for i in range(n):
        angle = np.linalg.norm(rate[i]) / RATE
        axis = rate[i] / max(np.linalg.norm(rate[i]), 1e-12)
        m = m @ as_matrix(np.concatenate([[np.cos(angle / 2)], np.sin(angle / 2) * axis]))
        truth[i] = m
    acc = truth.transpose(0, 2, 1) @ [0.0, 0.0, 9.81] + noise * 0.05 * rng.standard_normal((n, 3))
    mag = truth.transpose(0, 2, 1) @ NORTH_AND_DOWN + noise * 0.2 * rng.standard_normal((n, 3))
    gyr = rate + [0.004, -0.006, 0.002] + noise * 0.003 * rng.standard_normal((n, 3))
    return (acc, gyr, mag), truth


def errors_deg(q: Array, truth: Array) -> Array:
    return np.array([angle_deg(as_matrix(a), b) for a, b in zip(q, truth, strict=True)])


def stream(
    data: Recording, index: NDArray[np.int64] | None = None, *, mag: bool = True, chunk: int = 0
) -> Orientations:
    """Push a recording in chunks; return all that is said, uncertainties of the last chunk."""
    acc, gyr, field = data
    index = np.arange(len(acc)) if index is None else index
    filter_ = Orientation()
    sensor = filter_.attach(RATE, mag=mag)
    step = chunk or len(acc)
    parts = [
        filter_.process(
            Batch.single(index[i : i + step], acc[i : i + step], gyr[i : i + step], sensor), field[i : i + step]
        )
        for i in range(0, len(acc), step)
    ]
    q, flags = np.concatenate([p.quaternion for p in parts]), np.concatenate([p.flags for p in parts])
    return Orientations(q, flags, parts[-1].inclination_sd_rad, parts[-1].heading_sd_rad)


@pytest.mark.parametrize("mag", [True, False])
@pytest.mark.parametrize("disturbed", [True, False])
def test_agrees_with_the_paper_written_in_matrices(mag: bool, disturbed: bool) -> None:
    (acc, gyr, field), _ = recording(1500, rest=300)
    field[900:1300] *= 1.3 if disturbed else 1.0
    q = orient(acc, gyr, field if mag else None, RATE)
    reference = Reference(RATE)
    worst = 0.0
    for i in range(len(acc)):
        worst = max(worst, angle_deg(reference.step(acc[i], gyr[i], field[i] if mag else None), as_matrix(q[i])))
    assert worst < 1e-6


def test_finds_north_up_and_the_bias() -> None:
    data, truth = recording(6000, rest=500)
    oriented = stream(data)
    assert errors_deg(oriented.quaternion[-2000::50], truth[-2000::50]).max() < 1.0
    assert oriented.flags[450] & AT_REST
    assert not oriented.flags[1000] & AT_REST
    np.testing.assert_allclose(np.linalg.norm(oriented.quaternion, axis=1), 1.0, atol=1e-12)


@given(st.integers(1, 400), st.integers(0, 3))
@settings(deadline=None, max_examples=15)
def test_any_chunking_gives_the_same_bits(chunk: int, seed: int) -> None:
    data, _ = recording(800, seed)
    keep = np.random.default_rng(seed).random(800) > 0.05
    data[0][30:33, 1] = np.nan
    data[1][200:230, 0] = np.inf
    kept = (data[0][keep], data[1][keep], data[2][keep])
    index = np.flatnonzero(keep)
    whole, parts = stream(kept, index), stream(kept, index, chunk=chunk)
    np.testing.assert_array_equal(parts.quaternion, whole.quaternion)
    np.testing.assert_array_equal(parts.flags, whole.flags)
    np.testing.assert_array_equal(parts.inclination_sd_rad, whole.inclination_sd_rad)


@pytest.mark.parametrize("mag", [True, False])
@pytest.mark.parametrize("chunk", [1, 10])
def test_sensors_side_by_side_give_the_same_bits_as_alone(mag: bool, chunk: int) -> None:
    """After the filters' beginning, sensors share vector registers, and leave them for what is unusual."""
    n, k = 900, 21
    data = [recording(n, seed)[0] for seed in range(k)]
    data[3][0][500:520] = np.nan
    data[4][1][600] = np.nan
    data[5][1][700:] = data[5][1][699]
    data[6][2][800] = np.inf
    data[7][0][550] = 0.0
    data[8][1][650:653] = 90.0
    filter_ = Orientation()
    sensors = np.array([filter_.attach(RATE, mag=mag) for _ in range(k)])
    q, flags = np.empty((k, n, 4)), np.empty((k, n), np.int64)
    for i in range(0, n, chunk):
        rows = slice(i, i + chunk)
        acc, gyr, field = (np.concatenate([d[c][rows] for d in data]) for c in range(3))
        batch = Batch(sensors, np.arange(k + 1) * chunk, np.tile(np.arange(i, i + chunk), k), acc, gyr)
        oriented = filter_.process(batch, field)
        q[:, rows], flags[:, rows] = oriented.quaternion.reshape(k, chunk, 4), oriented.flags.reshape(k, chunk)
    for j in range(k):
        alone = stream(data[j], mag=mag)
        np.testing.assert_array_equal(q[j], alone.quaternion)
        np.testing.assert_array_equal(flags[j], alone.flags)


def test_a_later_start_of_the_counter_changes_nothing() -> None:
    data, _ = recording(700)
    keep = np.r_[0:300, 306:700]
    kept = (data[0][keep], data[1][keep], data[2][keep])
    np.testing.assert_array_equal(stream(kept, keep + 10**9).quaternion, stream(kept, keep).quaternion)


@pytest.mark.parametrize("seed", range(3))
def test_the_sensor_may_be_strapped_on_at_any_angle(seed: int) -> None:
    data, _ = recording(1200, seed)
    q, r = np.linalg.qr(np.random.default_rng(seed + 50).standard_normal((3, 3)))
    turned = q * np.sign(np.diag(r))
    turned *= np.sign(np.linalg.det(turned))
    straight = orient(*data[:2], None, RATE)
    askew = orient(data[0] @ turned, data[1] @ turned, None, RATE)
    for i in range(0, 1200, 100):  # the vertical in sensor coordinates turns with the sensor
        up, other = as_matrix(straight[i])[2], as_matrix(askew[i])[2]
        np.testing.assert_allclose(other, up @ turned, atol=1e-3)  # the bias is clipped, and unlearnt, axis by axis


@given(st.integers(0, 2**32 - 1), st.booleans())
@settings(deadline=None, max_examples=25)
def test_survives_anything_and_heals(seed: int, mag: bool) -> None:
    rng = np.random.default_rng(seed)
    junk = rng.standard_normal((60, 9)) * 10.0 ** rng.integers(-320, 308, (60, 9))
    junk[rng.random(junk.shape) < 0.2] = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0])
    (acc, gyr, field), truth = recording(1500, seed % 5, rest=0)
    data = tuple(
        np.concatenate([x[:100], junk[:, 3 * c : 3 * c + 3], x[100:]]) for c, x in enumerate((acc, gyr, field))
    )
    index = np.cumsum(np.r_[np.ones(100, int), rng.integers(-3, 50, 60), 400, np.ones(1399, int)])
    index[160:] += max(0, int(index[:160].max()) - int(index[160]) + 1)
    oriented = stream((data[0], data[1], data[2]), index, mag=mag)
    assert np.isfinite(oriented.quaternion).all()
    np.testing.assert_allclose(np.linalg.norm(oriented.quaternion, axis=1), 1.0, atol=1e-9)
    assert np.isfinite(oriented.inclination_sd_rad).all()
    up = np.array([as_matrix(x)[2] for x in oriented.quaternion[-50:]])
    assert np.degrees(np.arccos(np.clip(np.sum(up * truth[-50:, 2], 1), -1, 1))).max() < 5.0


@pytest.mark.parametrize(("channel", "flag"), [(0, ACC_MISSING), (1, GYR_MISSING), (2, MAG_MISSING)])
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e9, "frozen"])
def test_a_fault_stays_in_its_channel_and_is_healed(channel: int, flag: int, value: float | str) -> None:
    data, truth = recording(4000, 1)
    clean = errors_deg(stream(data).quaternion[2600::20], truth[2600::20])
    data[channel][2000:2100] = data[channel][2000] if value == "frozen" else value
    oriented = stream(data)
    assert (oriented.flags[2050:2100] & flag).all()
    assert bool(oriented.flags[2050] & FROZEN) or value != "frozen"
    assert not (oriented.flags[2110:] & flag).any()
    faulty = errors_deg(oriented.quaternion[2600::20], truth[2600::20])
    assert np.sqrt(np.mean(faulty**2)) < 1.1 * np.sqrt(np.mean(clean**2)) + 0.2
    assert errors_deg(oriented.quaternion[2000:2100:10], truth[2000:2100:10]).max() < (90.0 if channel == 1 else 3.0)


@pytest.mark.parametrize(("channel", "flag"), [(0, ACC_MISSING), (1, GYR_MISSING)])
@pytest.mark.parametrize("axis", range(3))
def test_one_frozen_axis_is_found_in_motion(channel: int, flag: int, axis: int) -> None:
    data, truth = recording(4000, 1)
    clean = errors_deg(stream(data, mag=False).quaternion[1990:2010], truth[1990:2010]).mean()
    data[channel][2000:2100, axis] = data[channel][2000, axis]
    oriented = stream(data, mag=False)
    assert (oriented.flags[2020:2100] & flag).all()
    assert (oriented.flags[2020:2100] & FROZEN).all()
    assert not (oriented.flags[2110:] & flag).any()
    if channel == 0:
        assert errors_deg(oriented.quaternion[2000:2100:10], truth[2000:2100:10]).max() < clean + 2.0
    up, true_up = (np.array([as_matrix(x)[2] for x in oriented.quaternion[2600::20]]), truth[2600::20, 2])
    assert np.degrees(np.arccos(np.clip(np.sum(up * true_up, 1), -1.0, 1.0))).max() < 1.0


def test_a_quiet_axis_at_rest_is_not_frozen() -> None:
    data, _ = recording(1500, rest=1500)
    for channel, step in ((0, 0.1), (1, 0.02)):  # a coarse sensor says the same for long
        data[channel][:] = np.round(data[channel] / step) * step
        data[channel][::10] += step
    assert not (stream(data, mag=False).flags & FROZEN).any()


def test_a_short_gap_is_bridged_along_the_curve_of_the_rate() -> None:
    data, truth = recording(2000, 2, noise=0.0)
    keep = np.r_[0:1500, 1510:2000]
    oriented = stream((data[0][keep], data[1][keep], data[2][keep]), keep, mag=False)
    whole = stream(data, mag=False)
    assert oriented.flags[1500] & BRIDGED
    assert (oriented.flags[1500:1504] & BRIDGED).all()  # done over with each sample that shows how the rate goes on
    assert not oriented.flags[1504] & BRIDGED
    off = [angle_deg(as_matrix(oriented.quaternion[i]), as_matrix(whole.quaternion[i + 10])) for i in (1503, 1600)]
    assert max(off) < 0.6  # gravity is averaged anew
    turned = as_matrix(oriented.quaternion[1503]) @ as_matrix(whole.quaternion[1513]).T
    assert abs(np.degrees(turned[1, 0] - turned[0, 1])) < 0.01  # but the heading is the gyroscope's alone
    assert angle_deg(truth[1499], truth[1511]) > 3.0  # what holding still would be off by


def test_more_is_never_bridged_than_is_kept() -> None:
    filter_ = Orientation()
    sensor = filter_.attach(2000.0)
    (acc, gyr, _), _ = recording(1200)
    for lost, bridged in ((490, True), (550, False)):
        index = np.arange(1200) + lost * (np.arange(1200) >= 1000)
        oriented = filter_.process(Batch.single(index, acc, gyr, sensor))
        assert bool(oriented.flags[1000] & BRIDGED) == bridged
        filter_.detach(sensor)
        sensor = filter_.attach(2000.0)


def test_a_long_gap_holds_raises_the_uncertainty_and_finds_itself_again() -> None:
    data, truth = recording(5000, 3)
    keep = np.r_[0:2000, 2300:5000]
    kept = (data[0][keep], data[1][keep], data[2][keep])
    before = stream((kept[0][:2000], kept[1][:2000], kept[2][:2000]))
    during = stream((kept[0][:2001], kept[1][:2001], kept[2][:2001]), keep[:2001])
    after = stream(kept, keep)
    assert during.heading_sd_rad[0] > 3.0 * before.heading_sd_rad[0]
    assert during.inclination_sd_rad[0] > 1.5 * before.inclination_sd_rad[0]
    assert during.flags[-1] & RECOVERING
    assert not after.flags[-1] & RECOVERING
    assert after.inclination_sd_rad[0] < 1.5 * before.inclination_sd_rad[0]
    assert errors_deg(after.quaternion[2500::50], truth[keep][2500::50]).max() < 2.0


@pytest.mark.parametrize(("iron", "limit"), [(0.0, 4.0), (15.0, 10.0)])
def test_finds_the_heading_again_beside_iron_on_the_sensor(iron: float, limit: float) -> None:
    data, truth = recording(6000, 3)
    data[2][:] += [iron, -0.7 * iron, 0.3 * iron]
    never = turned_deg(stream(data).quaternion[4600:5500:25], truth[4600:5500:25])
    data[1][4000:4100] = np.nan
    oriented = stream(data)
    after = turned_deg(oriented.quaternion[4600:5500:25], truth[4600:5500:25])
    assert np.abs(after - never).max() < limit
    assert oriented.flags[4150] & RECOVERING
    assert not oriented.flags[5500] & RECOVERING


def turned_deg(q: Array, truth: Array) -> Array:
    """Return by how much each orientation is turned about the vertical."""
    off = np.array([as_matrix(a) @ b.T for a, b in zip(q, truth, strict=True)])
    turned: Array = np.degrees(np.arctan2(off[:, 1, 0] - off[:, 0, 1], off[:, 0, 0] + off[:, 1, 1]))
    return turned


def test_without_a_field_the_heading_is_less_and_less_sure() -> None:
    data, _ = recording(3000)
    short, long = (stream((data[0][:n], data[1][:n], data[2][:n]), mag=False) for n in (300, 3000))
    assert 0.0 < short.heading_sd_rad[0] < long.heading_sd_rad[0]


def test_a_strange_field_is_left_out() -> None:
    data, truth = recording(6000, 4)
    data[2][3000:3800] += [15.0, 0.0, 10.0]
    oriented = stream(data)
    assert (oriented.flags[3200:3800] & MAG_DISTURBED).mean() > 0.9
    assert errors_deg(oriented.quaternion[3000:3800:50], truth[3000:3800:50]).max() < 3.0


def test_old_samples_change_nothing() -> None:
    data, _ = recording(300)
    again = np.r_[0:200, 150:200, 200:300]
    oriented = stream((data[0][again], data[1][again], data[2][again]), again)
    assert (oriented.flags[200:250] == OLD).all()
    np.testing.assert_array_equal(oriented.quaternion[250:], stream(data).quaternion[200:])


def test_numbers_of_detached_sensors_are_given_again_and_begin_afresh() -> None:
    filter_ = Orientation()
    first, second = filter_.attach(RATE), filter_.attach(50.0, mag=True)
    data, _ = recording(50)
    filter_.process(Batch.single(np.arange(50), data[0], data[1], first))
    filter_.detach(first)
    with pytest.raises(KeyError, match="attached"):
        filter_.process(Batch.single(np.arange(50), data[0], data[1], first))
    assert filter_.attach(RATE) == first
    assert second != first
    oriented = filter_.process(Batch.single(np.arange(50), data[0], data[1], first))
    np.testing.assert_array_equal(oriented.quaternion, orient(data[0], data[1], None, RATE))


def test_many_sensors_keep_their_state_when_room_is_made() -> None:
    filter_ = Orientation()
    data, _ = recording(100)
    first = filter_.attach(RATE)
    filter_.process(Batch.single(np.arange(50), data[0][:50], data[1][:50], first))
    for _ in range(40):
        filter_.attach(RATE)
    oriented = filter_.process(Batch.single(np.arange(50, 100), data[0][50:], data[1][50:], first))
    np.testing.assert_array_equal(oriented.quaternion, orient(data[0], data[1], None, RATE)[50:])


@pytest.mark.parametrize("rate", [0.0, 5.0, 1e5, float("nan")])
def test_a_rate_no_sensor_has_is_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="Hz"):
        Orientation().attach(rate)


def test_no_sample_at_all_is_fine() -> None:
    assert orient(np.zeros((0, 3)), np.zeros((0, 3)), None, RATE).shape == (0, 4)


@pytest.mark.compiled
@pytest.mark.parametrize("who", [0, 2, 5])
def test_who_has_lost_a_sample_is_followed_beside_those_who_have_not(who: int) -> None:
    """Five others go side by side; nobody is left out, and each is where it would be alone."""
    sensors, portion = 6, 10
    (acc, gyr, _), _ = recording(260, 6)
    index = np.arange(260)
    index_lost = index + (index >= 100) + (index >= 180)
    together, alone = Orientation(), Orientation()
    numbers = np.array([together.attach(RATE) for _ in range(sensors)])
    single = [alone.attach(RATE) for _ in range(sensors)]
    for i in range(0, len(index), portion):
        rows = slice(i, i + portion)
        a, g = np.tile(acc[rows], (sensors, 1)), np.tile(gyr[rows], (sensors, 1))
        own = [index_lost[rows] if sensor == who else index[rows] for sensor in range(sensors)]
        oriented = together.process(Batch(numbers, np.arange(sensors + 1) * portion, np.concatenate(own), a, g))
        for sensor, number in enumerate(single):
            lone = alone.process(Batch.single(own[sensor], acc[rows], gyr[rows], number))
            here = slice(sensor * portion, (sensor + 1) * portion)
            np.testing.assert_array_equal(oriented.flags[here], lone.flags)
            np.testing.assert_allclose(oriented.quaternion[here], lone.quaternion, rtol=0.0, atol=1e-12)


def test_compiled_and_plain_python_agree(tmp_path: Path) -> None:
    """The same samples with numba switched off, in a process of its own; sensors side by side included."""
    script = (
        "import sys, numpy as np\n"
        "from dsp.batch import Batch\n"
        "from dsp.orientation.orientation import Orientation\n"
        "d = np.load(sys.argv[1]); k, n = 4, len(d['acc'])\n"
        "f = Orientation(); s = np.array([f.attach(20.0, mag=True) for _ in range(k)])\n"
        "q = []\n"
        "for i in range(0, n, 10):\n"
        "    a, g, m = (np.tile(d[c][i:i+10], (k, 1)) for c in ('acc', 'gyr', 'mag'))\n"
        "    q.append(f.process(Batch(s, np.arange(k + 1) * 10, np.tile(d['index'][i:i+10], k), a, g), m).quaternion)\n"
        "np.save(sys.argv[2], np.concatenate(q))\n"
    )
    (acc, gyr, mag), _ = recording(260, 6)
    index = np.arange(260) + 3 * (np.arange(260) > 120)
    np.savez(tmp_path / "in.npz", acc=acc, gyr=gyr, mag=mag, index=index)
    oriented = []
    for off in ("0", "1"):
        command = [sys.executable, "-c", script, str(tmp_path / "in.npz"), str(tmp_path / f"{off}.npy")]
        subprocess.run(command, cwd=ROOT, env={**os.environ, "NUMBA_DISABLE_JIT": off}, check=True, timeout=110)
        oriented.append(np.load(tmp_path / f"{off}.npy"))
    np.testing.assert_allclose(oriented[1], oriented[0], rtol=0.0, atol=1e-12)
