"""The payload of the topic ``cycles``: what goes in comes out, and nothing else is believed."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dsp.exoskeleton.curves import ExoskeletonCurve
from dsp.joints.strides import JointCurve
from gateway.wire.curves import SlotCurves, decode_curves, encode_curves
from gateway.wire.payload import PayloadError

KNEE = JointCurve("knee", "left", np.linspace(0.04, 60.04, 101), np.full(101, 2.5), 20, 3.0, 25.5, "")
FIRST = JointCurve("hip", "right", np.zeros(101), np.full(101, np.nan), 1, 3.0, 4.0, "no standing pose before walking")
SLOT = SlotCurves("bay-a", "bay-a-1", "p-0147", simulated=True, curves=(KNEE, FIRST))


def encoded() -> bytes:
    return encode_curves("ward-7", SLOT, lambda seconds: 1_000 + round(seconds * 1e6))


def changed(**fields: Any) -> bytes:
    """Return the payload with its first curve, or itself, changed."""
    message = orjson.loads(encoded())
    for name, value in fields.items():
        (message if name in message else message["curves"][0])[name] = value
    return orjson.dumps(message)


def of_exoskeleton(count: int = 1, **fields: Any) -> bytes:
    """Return a payload with curves of an exoskeleton, all of them alike, changed."""
    curve = ExoskeletonCurve("hip", "left", "torque", np.linspace(-5.04, 4.96, 101), np.full(101, 0.5), 8, 3.0, 9.0)
    slot = replace(SLOT, curves=(), exoskeleton=(curve,) * count)
    message = orjson.loads(encode_curves("ward-7", slot, lambda seconds: 1_000 + round(seconds * 1e6)))
    return orjson.dumps(message | {"exoskeleton": [own | fields for own in message["exoskeleton"]]})


def test_curves_of_an_exoskeleton_go_beside_those_of_sensors() -> None:
    found = decode_curves("ward-7", "bay-a", of_exoskeleton())
    assert found["curves"] == []
    (curve,) = found["exoskeleton"]
    assert {key: curve[key] for key in ("joint", "side", "quantity", "n", "start_us", "end_us")} == {
        "joint": "hip", "side": "left", "quantity": "torque", "n": 8, "start_us": 3_001_000, "end_us": 9_001_000,
    }  # fmt: skip
    assert curve["mean"] == pytest.approx(np.linspace(-5.04, 4.96, 101), abs=0.0501)
    assert orjson.loads(of_exoskeleton())["exoskeleton"][0]["unit"] == "N.m"


def test_gateways_of_before_have_no_curves_of_exoskeletons() -> None:
    message = orjson.loads(encoded())
    del message["exoskeleton"]
    assert decode_curves("ward-7", "bay-a", orjson.dumps(message))["exoskeleton"] == []


def test_what_is_wrong_with_a_curve_of_an_exoskeleton_is_refused() -> None:
    for payload, kind in (
        (of_exoskeleton(19), "bad curves"), (of_exoskeleton(quantity="work"), "bad quantity"),
        (of_exoskeleton(quantity=["torque"]), "bad quantity"), (of_exoskeleton(joint="elbow"), "bad joint"),
        (of_exoskeleton(mean=[0.0] * 100), "bad angles"), (of_exoskeleton(mean=[2e3] * 101), "bad angles"),
    ):  # fmt: skip
        with pytest.raises(PayloadError) as refused:
            decode_curves("ward-7", "bay-a", payload)
        assert refused.value.kind == kind


def test_what_goes_in_comes_out_in_tenths_of_a_degree() -> None:
    found = decode_curves("ward-7", "bay-a", encoded())
    assert found["session"] == "bay-a-1"
    knee, hip = found["curves"]
    assert (knee["joint"], knee["side"], knee["n"], knee["reason"]) == ("knee", "left", 20, "")
    assert (knee["start_us"], knee["end_us"]) == (3_001_000, 25_501_000)
    np.testing.assert_allclose(knee["mean"], KNEE.mean_deg, atol=0.0501)
    assert knee["sd"] == [2.5] * 101
    assert (hip["sd"], hip["reason"]) == (None, "no standing pose before walking")
    message = orjson.loads(encoded())
    assert [curve["quality"] for curve in message["curves"]] == ["ok", "degraded"]
    assert (message["subject"], message["simulated"]) == ("p-0147", True)
    assert len(encoded()) < 6 * 1024


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (b"\xff", "not JSON"),
        (b"[]", "unknown version"),
        (changed(v=2), "unknown version"),
        (changed(gateway="ward-8"), "not of this topic"),
        (changed(slot="bay-b"), "not of this topic"),
        (changed(session=None), "bad text"),
        (changed(session="s" * 1000), "bad text"),
        (changed(curves=None), "bad curves"),
        (changed(curves=[{}] * 7), "bad curves"),
        (changed(curves=[3]), "bad joint"),
        (changed(joint="elbow"), "bad joint"),
        (changed(joint=["knee"]), "bad joint"),
        (changed(side="both"), "bad joint"),
        (changed(n=True), "bad number"),
        (changed(end_us=-1), "bad number"),
        (changed(mean=[0.0] * 100), "bad angles"),
        (changed(mean=[0.0] * 100 + [None]), "bad angles"),
        (changed(mean=[0.0] * 100 + [True]), "bad angles"),
        (changed(mean=[0.0] * 100 + [1e9]), "bad angles"),
        (changed(sd=[0.0]), "bad angles"),
        (changed(reason=7), "bad text"),
    ],
)
def test_what_is_wrong_is_refused_by_kind(payload: bytes, kind: str) -> None:
    with pytest.raises(PayloadError) as refused:
        decode_curves("ward-7", "bay-a", payload)
    assert refused.value.kind == kind


@given(st.binary(max_size=300) | st.builds(changed, curves=st.lists(st.dictionaries(st.text(), st.integers(-9, 9)))))
@settings(deadline=None)
def test_any_bytes_are_refused_or_understood(payload: bytes) -> None:
    with contextlib.suppress(PayloadError):
        decode_curves("ward-7", "bay-a", payload)
