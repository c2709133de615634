"""A sensor in g or degrees is told, and gives no strides of 13 cm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from dsp.batch import Batch
from dsp.foot.contacts import FootContacts
from dsp.lower_back.lower_back import LowerBack
from dsp.orientation.orientation import Orientation, orient
from dsp.shank.contacts import ShankContacts
from dsp.units import IN_DEGREES, IN_G, TOO_LARGE
from simulators.body.body import Placement, WalkingBody
from simulators.body.programme import Stand, Walk
from simulators.sensing.imu import PERFECT

RATE_HZ = 60.0
SECONDS = 20.0
GRAVITY = 9.80665
PROGRAMME = (Stand(duration_s=3.0), Walk(cadence_spm=105.0, stride_m=1.25, duration_s=16.0), Stand(duration_s=10.0))
Samples = tuple[NDArray[np.float64], NDArray[np.float64]]
UNITS = [
    pytest.param(1.0 / GRAVITY, 1.0, IN_G, id="g"),
    pytest.param(1000.0 / GRAVITY, 1.0, TOO_LARGE, id="mg"),
    pytest.param(1.0, math.degrees(1.0), IN_DEGREES, id="degrees"),
    pytest.param(1.0, 1.0, "", id="SI"),
]


def walk(placement: Placement) -> Samples:
    body = WalkingBody(3, programme=PROGRAMME, repeat=False)
    motion = body.sensor(placement, rate_hz=RATE_HZ, imperfections=PERFECT).read_until(SECONDS)
    assert motion is not None
    return motion.acc, motion.gyr


@pytest.fixture(scope="module")
def foot() -> Samples:
    return walk("left_foot")


@pytest.mark.parametrize("chunk", [1, 7, 10_000])
@pytest.mark.parametrize(("force", "rate", "doubt"), UNITS)
def test_strides_in_other_units_have_no_measures(
    foot: Samples, force: float, rate: float, doubt: str, chunk: int
) -> None:
    acc, gyr = foot[0] * force, foot[1] * rate
    feet = FootContacts()
    sensor = feet.attach(RATE_HZ)
    lengths: list[float] = []
    for first in range(0, len(acc), chunk):
        rows = slice(first, first + chunk)
        feet.process(Batch.single(np.arange(len(acc))[rows], acc[rows], gyr[rows], sensor))
        lengths += feet.strides["length"].tolist()
    assert feet.doubt(sensor) == doubt
    if doubt:
        assert all(map(math.isnan, lengths))
    else:
        assert np.nanmedian(lengths) == pytest.approx(1.25, abs=0.1)


@pytest.mark.parametrize(("force", "rate", "doubt"), UNITS)
def test_every_operator_says_what_it_doubts(force: float, rate: float, doubt: str) -> None:
    acc, gyr = walk("left_shank")
    shanks, backs, filter_ = ShankContacts(), LowerBack(), Orientation()
    batch = Batch.single(np.arange(len(acc)), acc * force, gyr * rate)
    for operator in (shanks, backs, filter_):
        sensor = operator.attach(RATE_HZ)
        operator.process(batch)
        assert operator.doubt(sensor) == doubt


def test_a_neighbour_and_the_next_sensor_of_a_number_are_not_doubted(foot: Samples) -> None:
    acc, gyr = foot
    n = len(acc)
    feet = FootContacts()
    wrong, right = feet.attach(RATE_HZ), feet.attach(RATE_HZ)
    feet.process(
        Batch(
            np.array([wrong, right]),
            np.array([0, n, 2 * n]),
            np.tile(np.arange(n), 2),
            np.concatenate([acc / GRAVITY, acc]),
            np.concatenate([gyr, gyr]),
        )
    )
    assert (feet.doubt(wrong), feet.doubt(right)) == (IN_G, "")
    bad = feet.strides["sensor"] == wrong
    assert np.isnan(feet.strides["length"][bad]).all()
    assert np.isfinite(feet.strides["length"][~bad]).any()
    feet.detach(wrong)
    assert feet.doubt(feet.attach(RATE_HZ)) == ""


def test_a_sensor_that_is_set_right_is_believed_again(foot: Samples) -> None:
    acc, gyr = foot
    n = len(acc)
    feet = FootContacts()
    sensor = feet.attach(RATE_HZ)
    feet.process(Batch.single(np.arange(n), acc / GRAVITY, gyr, sensor))
    assert feet.doubt(sensor) == IN_G
    for again in range(1, 12):
        feet.process(Batch.single(np.arange(n) + again * n, acc, gyr, sensor))
    assert feet.doubt(sensor) == ""


@pytest.mark.parametrize(("force", "rate", "doubt"), UNITS)
def test_a_whole_recording_in_other_units_is_refused(foot: Samples, force: float, rate: float, doubt: str) -> None:
    acc, gyr = foot[0] * force, foot[1] * rate
    if doubt:
        with pytest.raises(ValueError, match=f"{doubt}: its size averages"):
            orient(acc, gyr, None, RATE_HZ)
    else:
        assert len(orient(acc, gyr, None, RATE_HZ)) == len(acc)


def test_unknown_samples_and_a_short_look_are_no_doubt() -> None:
    feet = FootContacts()
    sensor = feet.attach(RATE_HZ)
    feet.process(Batch.single(np.arange(600), np.full((600, 3), np.nan), np.full((600, 3), np.nan), sensor))
    assert feet.doubt(sensor) == ""
    feet.process(Batch.single(np.arange(600, 660), np.full((60, 3), 0.5), np.zeros((60, 3)), sensor))
    assert feet.doubt(sensor) == ""
