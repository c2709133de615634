"""Smoothness of strides."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.fifty_patients import heard
from dsp.found import Found
from dsp.gait.stride_smoothness import LOST, StrideSmoothness
from simulators.clinic.patient import patient
from simulators.clinic.perform import perform
from simulators.clinic.transfers import Staying
from simulators.clinic.walks import Walking
from tests.dsp import smoothness_reference
from tests.scoring import detector

COLD_S = 600.0  # where nothing has been compiled yet, and the machine is busy
pytestmark = pytest.mark.timeout(COLD_S)

RATE_HZ = 100.0
SEVERITIES = (0.0, 0.5, 1.0)


def stride(seconds: float = 1.0, rate_hz: float = RATE_HZ, bumps: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return numbers, force and rate of turn of a minimum-jerk swing about one axis, with so many bumps in it."""
    n = round(seconds * rate_hz) + 1
    t = np.linspace(0.0, 1.0, n)
    speed = 30 * t**2 - 60 * t**3 + 30 * t**4
    speed = speed * (1 + 0.4 * np.sin(2 * np.pi * bumps * t))
    gyr = np.column_stack([np.zeros(n), speed, np.zeros(n)])
    acc = np.column_stack([np.gradient(speed, 1 / rate_hz), np.zeros(n), np.full(n, 9.81)])
    return np.arange(n), acc, gyr


def found(of: tuple[np.ndarray, np.ndarray, np.ndarray], *, chunk: int = 1000, rate_hz: float = RATE_HZ) -> list[Found]:
    operator = StrideSmoothness(rate_hz)
    operator.stride(float(of[0][0]), float(of[0][-1]))
    out: list[Found] = []
    for first in range(0, len(of[0]), chunk):
        out += operator.process(*(part[first : first + chunk] for part in of))
    return [*out, *operator.finish()]


def values(rows: Sequence[Found]) -> dict[str, float | None]:
    return {row.metric: row.value for row in rows}


@pytest.mark.parametrize("rate_hz", [50.0, 100.0, 200.0])
def test_a_minimum_jerk_movement_has_the_arc_length_of_the_reference(rate_hz: float) -> None:
    rows = found(stride(rate_hz=rate_hz), rate_hz=rate_hz)
    assert [row.metric for row in rows] == ["stride_sparc", "stride_ldlj"]
    assert values(rows)["stride_sparc"] == pytest.approx(-1.40583, abs=0.03)  # the sample at its end goes with it
    assert {row.quality for row in rows} == {"ok"}


def test_bumps_are_less_smooth_and_chunks_make_no_difference() -> None:
    smooth, bumpy = values(found(stride())), values(found(stride(bumps=6)))
    for metric, value in smooth.items():
        assert value is not None
        assert (other := bumpy[metric]) is not None
        assert other < value - 0.3
    assert found(stride(bumps=6), chunk=7) == found(stride(bumps=6))


def test_a_moment_that_is_lost_is_bridged_and_a_piece_is_not() -> None:
    index, acc, gyr = stride()
    kept = np.delete(np.arange(len(index)), [40, 41, 42])
    bridged = found((index[kept], acc[kept], gyr[kept]))
    assert values(bridged)["stride_sparc"] == pytest.approx(values(found(stride()))["stride_sparc"], abs=0.01)
    assert {(row.n, row.n_rejected) for row in bridged} == {(98, 3)}
    nan = acc.copy()
    nan[40:60] = np.nan
    assert [(row.value, row.quality, row.reason) for row in found((index, nan, gyr))] == [(None, "invalid", LOST)] * 2


def test_a_stride_that_is_known_early_waits_for_its_samples_and_its_doubt_stays_with_it() -> None:
    index, acc, gyr = stride()
    operator = StrideSmoothness(RATE_HZ)
    operator.stride(0.0, 100.0, "degraded", "uncertain contact")
    assert list(operator.process(index[:80], acc[:80], gyr[:80])) == []
    rows = list(operator.process(index[80:], acc[80:], gyr[80:]))
    assert {(row.quality, row.reason) for row in rows} == {("degraded", "uncertain contact")}
    operator.stride(50.0, 500.0)
    assert {row.reason for row in operator.finish()} == {LOST}


def test_a_stride_has_what_numpy_gives_of_its_samples_wherever_it_is_cut() -> None:
    rng = np.random.default_rng(3)
    acc, gyr = np.cumsum(rng.normal(size=(2, 900, 3)), axis=1)
    index = np.arange(900) + 2_000
    operator = StrideSmoothness(RATE_HZ)
    strides = [(at, at + 60 + 40 * rng.random()) for at in (rng.random(8) + np.arange(0, 800, 100)).tolist()]
    for first, last in strides:
        operator.stride(2_000 + first, 2_000 + last)
    parts = np.split(np.arange(900), [7, 300, 301])
    rows = [row for part in parts for row in operator.process(index[part], acc[part], gyr[part])]
    expected: list[float] = []
    for first, last in strides:
        of = slice(math.ceil(first), math.floor(last) + 1)
        expected += smoothness_reference.of_stride(acc[of], gyr[of], RATE_HZ)
    assert [row.value for row in rows] == pytest.approx(expected, rel=1e-9)


def test_a_rate_that_shows_too_little_is_refused() -> None:
    with pytest.raises(ValueError, match="20 samples a second"):
        StrideSmoothness(16.0)


@pytest.mark.parametrize(
    ("placement", "metrics"), [("left_foot", ("stride_sparc", "stride_ldlj")), ("left_shank", ("stride_sparc",))]
)
def test_who_is_more_impaired_walks_less_smoothly(placement: str, metrics: tuple[str, ...]) -> None:
    """The steps of simulated patients, with noise, askew straps and one sample in a hundred lost."""
    medians: dict[str, list[float]] = {metric: [] for metric in metrics}
    for severity in SEVERITIES:
        each: dict[str, list[float]] = {metric: [] for metric in medians}
        for seed in range(3):
            who = patient(seed, severity)
            script = [Staying(2), Walking(distance_m=10), Staying(2)]
            places = ["left_foot", placement]
            done = perform(script, who, rate_hz=RATE_HZ, placements=places, start="standing", mounting="askew")
            of_foot = placement.endswith("foot")
            operator, signals = StrideSmoothness(RATE_HZ, "foot" if of_foot else "shank"), done.signals[placement]
            for event in heard(detector, "left_foot", who, done.signals["left_foot"]):
                if event["kind"] == "stride":
                    operator.stride(event["index"] - event["time_s"] * RATE_HZ, event["index"])
            rows = [*operator.process(signals.index, signals.acc, signals.gyr), *operator.finish()]
            assert {row.metric for row in rows} == set(metrics)
            for metric, of in each.items():
                of += [row.value for row in rows if row.metric == metric and row.value is not None]
        for metric, of in each.items():
            assert len(of) > 15
            medians[metric].append(float(np.median(of)))
    for metric, smooth in medians.items():
        assert smooth[0] > smooth[1] > smooth[2], (metric, smooth)
        assert smooth[0] - smooth[2] > 0.15, (metric, smooth)
