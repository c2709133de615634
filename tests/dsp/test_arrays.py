"""Arrays that do not fit together are refused before a compiled loop reads on beyond their end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.arrays import require_one_length
from dsp.batch import Batch
from dsp.heart.heart import HeartMetrics, excess_s, rmssd
from dsp.joints.cycle import Cycles, MeanCurve, Stride, stride_curve
from dsp.joints.joints import JointAngles
from dsp.lower_back.lower_back import LowerBack
from dsp.orientation.orientation import Orientation, orient

M = 10


def good(**changed: Any) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        "sensor": np.array([0], np.int64),
        "start": np.array([0, M], np.int64),
        "index": np.arange(M),
        "acc": np.zeros((M, 3)),
        "gyr": np.zeros((M, 3)),
    }
    return arrays | changed


def test_a_batch_that_fits_is_taken() -> None:
    assert len(Batch(**good()).index) == M


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"acc": np.zeros((M - 1, 3))}, r"acc must be of shape \(10, 3\), .* not \(9, 3\)"),
        ({"acc": np.zeros((M, 2))}, "acc must be of shape"),
        ({"gyr": np.zeros((M + 1, 3))}, "gyr must be of shape"),
        ({"gyr": np.zeros((M, 3), np.float32)}, "gyr must be float64, not float32"),
        ({"index": np.arange(M, dtype=np.int32)}, "index must be int64, not int32"),
        ({"start": np.array([0, M + 1])}, "start must rise from 0 to the 10 samples"),
        ({"start": np.array([1, M])}, "start must rise from 0"),
        ({"start": np.array([0])}, "start must be of shape"),
        ({"sensor": np.array([0, 1]), "start": np.array([0, M + 5, M])}, "start must rise"),
        ({"sensor": np.zeros(1)}, "sensor must be int64, not float64"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Batch(**good(**changed))


def test_lists_are_no_arrays() -> None:
    with pytest.raises(TypeError, match="acc must be a numpy array, not list"):
        Batch(**good(acc=[[0.0, 0.0, 9.8]] * M))


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
def test_only_equal_lengths_pass(a: int, b: int, c: int) -> None:
    if a == b == c:
        assert require_one_length(a=np.zeros(a), b=np.zeros(b), c=[0.0] * c) == a
    else:
        with pytest.raises(ValueError, match=f"a has {a}, b has {b}, c has {c}"):
            require_one_length(a=np.zeros(a), b=np.zeros(b), c=[0.0] * c)


def test_whole_recordings_of_unequal_length_are_refused() -> None:
    acc, gyr = np.tile([0.0, 0.0, 9.81], (M, 1)), np.zeros((M, 3))
    for a, g, m in ((acc[:5], gyr, None), (acc, gyr[:5], None), (acc, gyr, np.zeros((5, 3))), (acc, gyr, np.zeros(M))):
        with pytest.raises(ValueError, match="must be of shape"):
            orient(a, g, m, 60.0)
    with pytest.raises(ValueError, match="must be of shape"):
        orient(acc, gyr, None, 60.0, index=np.arange(5))


def test_what_stands_beside_a_batch_has_its_length() -> None:
    batch = Batch(**good())
    filter_, joints = Orientation(), JointAngles()
    filter_.attach(60.0, mag=True)
    joints.attach("thigh", 60.0)
    with pytest.raises(ValueError, match="mag must be of shape"):
        filter_.process(batch, np.zeros((M - 1, 3)))
    with pytest.raises(ValueError, match="time_s must be of shape"):
        joints.process(batch, np.zeros(M - 1), np.zeros((M, 4)))
    with pytest.raises(ValueError, match="quaternion must be of shape"):
        joints.process(batch, np.zeros(M), np.zeros((M, 3)))


def test_curves_and_hearts_refuse_unequal_rows_and_change_nothing() -> None:
    with pytest.raises(ValueError, match="time_s has 5, value has 4"):
        Cycles().process(np.arange(5.0), np.zeros(4))
    with pytest.raises(ValueError, match="time_s has 5, value has 4"):
        stride_curve(np.arange(5.0), np.zeros(4), Stride(0.0, 3.0), 2.0)
    with pytest.raises(ValueError, match="curve must be of shape"):
        MeanCurve().learn(np.zeros(100))
    with pytest.raises(ValueError, match="rr_s has 3, follows has 2"):
        rmssd([0.8, 0.8, 0.8], [True, True])
    with pytest.raises(ValueError, match="arrival_s has 1, rr_s has 2"):
        excess_s([1.0], [0.8, 0.8])
    heart = HeartMetrics()
    with pytest.raises(ValueError, match="bpm has 2"):
        heart.add_rates([1.0], [60.0, 61.0], [True])
    with pytest.raises(ValueError, match="contact has 1"):
        heart.add_intervals([1.0, 2.0], [1.0, 1.0], [True])
    assert len(heart.add_rates([1.0], [60.0], [True])) == 1


@pytest.mark.parametrize("height", [1720.0, 172.0, 0.1, -1.7])
def test_a_height_in_another_unit_is_refused(height: float) -> None:
    with pytest.raises(ValueError, match="is it in another unit"):
        LowerBack().attach(100.0, height)
    with pytest.raises(ValueError, match="is it in another unit"):
        LowerBack().attach(100.0, sensor_height_m=height)
