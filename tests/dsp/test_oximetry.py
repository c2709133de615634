"""Oxygen saturation as a device reports it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.oximetry.oximetry import OximetryMetrics
from dsp.reported import KEPT, UNDATED
from dsp.result import Result

Column = list[float]


def results(*, spo2: Column, at: Column | None = None, status: float = math.nan, sensor: float = math.nan,
         age: float = math.nan, perfusion: float = math.nan) -> list[Result]:  # fmt: skip
    n = len(spo2)
    return OximetryMetrics().add(
        at or [float(k) for k in range(n)], spo2=spo2, pulse_rate=[72.0] * n, perfusion=[perfusion] * n,
        status=[status] * n, sensor_status=[sensor] * n, age=[age] * n,
    )  # fmt: skip


def test_values_come_as_they_are() -> None:
    out = results(spo2=[97.0, 96.5], status=1 << 5, perfusion=4.0)
    assert [(r.metric, r.value, r.quality, r.end_s) for r in out] == [
        ("spo2", 97.0, "ok", 0.0), ("pulse_rate", 72.0, "ok", 0.0), ("perfusion_index", 4.0, "ok", 0.0),
        ("spo2", 96.5, "ok", 1.0), ("pulse_rate", 72.0, "ok", 1.0), ("perfusion_index", 4.0, "ok", 1.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "sensor", "age", "reason"),
    [
        (1 << 9, 0, math.nan, KEPT),
        (math.nan, math.nan, 61.0, KEPT),
        (1 << 10, 0, math.nan, "demonstration data"),
        (1 << 13, 1 << 11, math.nan, "device reports no value"),
        (1 << 15, 0, math.nan, "device calls it invalid"),
        (0, 1 << 11, math.nan, "sensor is not on the patient"),
        (0, 1 << 7, math.nan, "no pulse found"),
    ],
)
def test_what_is_none_says_why(status: float, sensor: float, age: float, reason: str) -> None:
    out = results(spo2=[97.0], status=status, sensor=sensor, age=age)
    assert [(r.metric, r.value, r.quality, r.reason) for r in out] == [
        ("spo2", None, "invalid", reason), ("pulse_rate", None, "invalid", reason),
    ]  # fmt: skip


def test_a_time_that_nothing_dates_is_a_doubt() -> None:
    one = {"pulse_rate": [72.0], "perfusion": [math.nan], "status": [math.nan], "sensor_status": [math.nan]}
    out = OximetryMetrics().add([0.0], spo2=[91.0], age=[0.0], undated=[True], **one)
    assert {(r.quality, r.reason) for r in out} == {("degraded", UNDATED)}


def test_what_was_kept_does_not_hide_what_is_measured_now() -> None:
    one = {"pulse_rate": [72.0] * 3, "perfusion": [math.nan] * 3, "sensor_status": [math.nan] * 3}
    out = OximetryMetrics().add(
        [0.0, 0.1, 0.2], spo2=[91.0, 92.0, 97.0], status=[1 << 9, math.nan, math.nan], age=[math.nan, 3600.0, 0.0],
        **one,
    )  # fmt: skip
    assert [(r.value, r.reason) for r in out if r.metric == "spo2"] == [(None, KEPT), (97.0, "")]


@pytest.mark.parametrize(
    ("status", "sensor", "doubt"),
    [(1 << 6, 0, "early estimate"), (1 << 14, 0, "device calls it questionable"), (0, 1 << 5, "low perfusion"),
     (0, 1 << 4, "poor signal")],
)  # fmt: skip
def test_what_the_device_doubts_is_degraded(status: float, sensor: float, doubt: str) -> None:
    out = results(spo2=[93.0], status=status, sensor=sensor)
    assert {(r.value is None, r.quality, r.reason) for r in out} == {(False, "degraded", doubt)}


@pytest.mark.parametrize("spo2", [0.0, 12.0, 101.0, 127.0])
def test_what_no_body_has_is_none(spo2: float) -> None:
    assert next((r.value, r.reason) for r in results(spo2=[spo2])) == (None, "implausible")


def test_nothing_is_nothing() -> None:
    out = results(spo2=[math.nan])
    assert (out[0].value, out[0].reason) == (None, "device reports no value")


def test_at_most_once_a_second() -> None:
    at = [k / 10 for k in range(50)]
    assert [r.end_s for r in results(spo2=[97.0] * 50, at=at) if r.metric == "spo2"] == [0.0, 0.5, 1.5, 2.5, 3.5, 4.5]


@given(st.lists(st.integers(0, 40), max_size=4).map(sorted))
def test_any_chunking_gives_the_same(cuts: list[int]) -> None:
    at = [0.7 * k for k in range(40)]
    rows = {name: [float(50 + k % 47) for k in range(40)] for name in ("spo2", "pulse_rate", "perfusion")}
    rows |= {name: [float(k << 5) for k in range(40)] for name in ("status", "sensor_status")} | {"age": [0.0] * 40}
    whole, pieces, out = OximetryMetrics(), OximetryMetrics(), []
    for a, b in zip([0, *cuts], [*cuts, 40], strict=True):
        out += pieces.add(at[a:b], **{name: column[a:b] for name, column in rows.items()})
    assert out == whole.add(at, **rows)
