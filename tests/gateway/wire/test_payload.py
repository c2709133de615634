from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.row import METRIC, Gap, Row
from gateway.outbox.outbox import encode
from gateway.wire.payload import (
    Message,
    PayloadError,
    decode_gaps,
    decode_measurements,
    encode_gaps,
    encode_measurements,
)
from tests.gateway.samples import measurement, ward

EPOCH = "0123456789abcdef"


def payload(n: int = 3) -> bytes:
    rows = [Row(seq, "bay-0", METRIC, encode(m, seq)) for seq, m in enumerate(ward(n, slots=1), 1)]
    return encode_measurements("g-1", EPOCH, 0, rows)


def changed(**fields: Any) -> bytes:
    whole = orjson.loads(payload())
    whole["measurements"][1].update(fields)
    return orjson.dumps(whole)


def test_measurements_come_back_as_they_went() -> None:
    assert decode_measurements("g-1", "bay-0", payload(50)) == Message(
        "g-1", EPOCH, 0, list(enumerate(ward(50, slots=1), 1))
    )


def test_gaps_come_back_as_they_went() -> None:
    gaps = [Gap(3, 9, "outbox full"), Gap(12, 12, "corrupt")]
    assert decode_gaps("g-1", encode_gaps("g-1", EPOCH, 2, gaps)) == Message("g-1", EPOCH, 2, gaps=gaps)


def test_unknown_keys_are_ignored() -> None:
    assert len(decode_measurements("g-1", "bay-0", changed(colour="red")).measurements) == 3


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("metric", 7), ("metric", "x" * 201), ("value", "1"), ("value", True), ("value", []), ("n", -1), ("n", 1.5),
        ("n", True), ("start_us", 2**60), ("end_us", None), ("side", "up"), ("side", []), ("quality", "good"),
        ("devices", "dot-1"), ("devices", [1]), ("placement", ["x"] * 65), ("simulated", 1), ("slot", "bay-9"),
        ("sync_ms", {}), ("reason", None),
    ],
)  # fmt: skip
def test_wrong_measurement_is_set_apart_and_its_neighbours_stay(field: str, value: object) -> None:
    message = decode_measurements("g-1", "bay-0", changed(**{field: value}))
    assert [seq for seq, _ in message.measurements] == [1, 3]
    [rejected] = message.rejected
    assert rejected.seq == 2
    assert field in rejected.reason
    assert orjson.loads(rejected.payload)[field] == value


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("v", 2), ("gateway", "g-2"), ("epoch", "short"), ("epoch", None), ("slot", "bay-9"), ("released", -1),
        ("released", "9"), ("measurements", {}), ("measurements", [7]), ("measurements", [{"seq": 0}]),
        ("measurements", [{"seq": 2**60}]), ("measurements", [{}]),
    ],
)  # fmt: skip
def test_wrong_message_is_refused(key: str, value: object) -> None:
    whole = orjson.loads(payload())
    whole[key] = value
    with pytest.raises(PayloadError):
        decode_measurements("g-1", "bay-0", orjson.dumps(whole))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
def test_any_bytes_are_refused_or_understood(data: st.DataObject) -> None:
    whole: Any = orjson.loads(payload(2))
    target = data.draw(st.sampled_from([whole, whole["measurements"][0]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(JSON)
    raw = data.draw(st.sampled_from([orjson.dumps(whole), b""]) | st.binary(max_size=20))
    # The typed refusal or a message: anything else fails the test.
    with suppress(PayloadError):
        assert decode_measurements("g-1", "bay-0", raw).gateway == "g-1"
    with suppress(PayloadError):
        assert decode_gaps("g-1", raw).gateway == "g-1"


@pytest.mark.parametrize(
    "entry", [{"first": 5, "last": 4, "reason": ""}, {"first": 1, "last": 2}, {"last": 2, "reason": ""}]
)
def test_wrong_gap_is_refused(entry: dict[str, Any]) -> None:
    with pytest.raises(PayloadError):
        decode_gaps("g-1", orjson.dumps({"v": 1, "gateway": "g-1", "epoch": EPOCH, "gaps": [entry]}))


def test_not_a_number_arrives_as_no_value() -> None:
    row = Row(1, "bay-1", METRIC, encode(measurement(value=float("nan")), 1))
    message = decode_measurements("g-1", "bay-1", encode_measurements("g-1", EPOCH, 0, [row]))
    assert message.measurements[0][1].value is None
