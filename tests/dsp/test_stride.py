from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.contact.events import HISTORY
from dsp.contact.stride_kernel import SCRATCH, STRIDE, integrate
from dsp.foot.contacts import FootContacts
from tests.dsp.feet import G, Steps, stroll, walk

LIMP = Steps(stride_s=2.4, stance=0.75, lift=0.5, strike=0.15, strides=5)


def strides(index: Any, acc: Any, gyr: Any, rate_hz: float, chunk: int = 10) -> NDArray[np.void]:
    feet = FootContacts()
    sensor = feet.attach(rate_hz)
    found = []
    for a in range(0, len(index), chunk):
        feet.process(Batch.single(index[a : a + chunk], acc[a : a + chunk], gyr[a : a + chunk], sensor))
        found.append(feet.strides)
    return np.concatenate(found)


def rotation(seed: int) -> NDArray[np.float64]:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return np.asarray(q * np.sign(np.linalg.det(q)), np.float64)


@pytest.mark.parametrize("rate_hz", [60.0, 100.0, 204.8])
@pytest.mark.parametrize(("steps", "length"), [(Steps(), 1.4), (Steps(stride_s=0.9), 1.1), (LIMP, 0.5)])
def test_length_height_and_angles_of_a_known_walk(steps: Steps, length: float, rate_hz: float) -> None:
    found = strides(*stroll(steps, rate_hz, length, 0.12), rate_hz)
    assert len(found) == steps.strides - 1, "all that lie between two foot-flats after a landing"
    np.testing.assert_allclose(found["length"], length, atol=0.025)
    np.testing.assert_allclose(found["clearance"], 0.12, atol=0.025)
    np.testing.assert_allclose(found["time_s"], steps.stride_s, atol=0.01)
    np.testing.assert_allclose(found["initial"] / rate_hz, steps.initial_s[1:], atol=0.02)
    np.testing.assert_allclose(found["strike_angle"], steps.strike, atol=0.12)
    assert (found["toe_off_angle"] < -0.6 * steps.lift).all()
    np.testing.assert_allclose(found["turn"], 0.0, atol=0.05)


@pytest.mark.parametrize("seed", range(4))
def test_length_does_not_depend_on_the_mounting(seed: int) -> None:
    index, acc, gyr = stroll(Steps(), 100.0, 1.4, 0.12)
    turned = rotation(seed)
    found = strides(index, acc @ turned.T, gyr @ turned.T, 100.0)
    assert len(found) >= 7
    np.testing.assert_allclose(found["length"], 1.4, atol=0.03)
    np.testing.assert_allclose(found["strike_angle"][-4:], 0.35, atol=0.12)


def test_chunks_change_nothing() -> None:
    recording = stroll(Steps(), 100.0, 1.4, 0.12)
    assert strides(*recording, 100.0, 7).tobytes() == strides(*recording, 100.0, 5000).tobytes()


def test_a_stride_with_a_gap_is_not_reported() -> None:
    index, acc, gyr = stroll(Steps(), 100.0, 1.4, 0.12)
    middle = int(100 * (Steps().final_s[5] + 0.2))
    kept = np.r_[index[: middle - 15], index[middle + 15 :]]
    found = strides(kept, acc[kept], gyr[kept], 100.0)
    assert len(found) == Steps().strides - 3, "the one of the gap, and the next, whose beginning was not seen"
    assert not np.any((found["start"] < middle) & (found["end"] > middle))
    np.testing.assert_allclose(found["length"], 1.4, atol=0.03)


def test_a_turn_on_the_spot_turns_and_goes_nowhere() -> None:
    history = np.zeros((HISTORY, 6))
    history[:, 2] = G
    history[300:400, 5] = math.radians(90.0)  # a quarter to the left within a second at 100 Hz
    row = np.zeros(1, STRIDE).view(np.recarray)
    row[0].initial = row[0].final = math.nan
    integrate(history, 250, 450, 0.01, np.array([0.0, 1.0, 0.0]), np.zeros((HISTORY, SCRATCH)), row[0])
    assert row[0].turn == pytest.approx(math.radians(90.0), abs=1e-6)
    assert row[0].length == pytest.approx(0.0, abs=1e-9)
    assert math.isnan(row[0].toe_off_angle)


@pytest.mark.parametrize("seed", range(6))
def test_any_mounting_is_found_within_the_first_strides(seed: int) -> None:
    index, acc, gyr = walk(Steps(), 100.0)
    turned = rotation(seed)
    feet = FootContacts()
    sensor = feet.attach(100.0)
    assert not feet.mounting(sensor).sure
    events = feet.process(Batch.single(index, acc @ turned.T, gyr @ turned.T, sensor))
    mounting = feet.mounting(sensor)
    assert mounting.sure
    np.testing.assert_allclose(mounting.left, turned @ [0.0, 1.0, 0.0], atol=0.1)
    np.testing.assert_allclose(mounting.up, turned @ [0.0, 0.0, 1.0], atol=0.05)
    late = Steps().initial_s[2:]
    found = events["index"][events["kind"] == 0] / 100.0
    np.testing.assert_allclose(found[-len(late) :], late, atol=0.03)
    assert len(found) <= Steps().strides + 2


def test_a_strap_that_slips_in_the_midst_of_walking_is_noticed() -> None:
    steps = Steps(strides=30)
    index, acc, gyr = walk(steps, 100.0)
    slipped = int(100 * (steps.initial_s[9] + 0.4))
    turned = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    acc[slipped:], gyr[slipped:] = acc[slipped:] @ turned.T, gyr[slipped:] @ turned.T
    feet = FootContacts()
    sensor = feet.attach(100.0)
    events = feet.process(Batch.single(index, acc, gyr, sensor))
    np.testing.assert_allclose(feet.mounting(sensor).left, turned @ [0.0, 1.0, 0.0], atol=0.15)
    found = events["index"][events["kind"] == 0] / 100.0
    np.testing.assert_allclose(found[-8:], steps.initial_s[-8:], atol=0.03)
