"""Measurements encoded as columns are, byte for byte, what each is by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model.measurement import Measurement
from gateway.model.measurements import Measurements
from gateway.outbox.outbox import encode
from gateway.wire.measurement_json import encode_rows
from tests.gateway.samples import measurement, ward

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
NAMES = st.lists(TEXTS, max_size=3).map(tuple)
NUMBERS = st.none() | st.floats() | st.integers(-(2**53), 2**53).map(float)
TIMES = st.integers(0, 2**53)
MADE = st.builds(
    Measurement, metric=TEXTS, value=NUMBERS, unit=TEXTS, side=st.sampled_from(("left", "right", "both", "none")),
    start_us=TIMES, end_us=TIMES, sync_ms=NUMBERS, n=TIMES, n_rejected=TIMES,
    quality=st.sampled_from(("ok", "degraded", "invalid")), reason=TEXTS, algorithm=TEXTS, devices=NAMES,
    placement=NAMES, slot=TEXTS, session=TEXTS, subject=TEXTS, simulated=st.booleans(),
)  # fmt: skip


def one_by_one(made: list[Measurement]) -> list[bytes]:
    """Encode each by itself, as the JSON of a dataclass."""
    return [orjson.dumps(each, option=orjson.OPT_SERIALIZE_NUMPY) for each in made]


@given(st.lists(MADE, max_size=8))
def test_columns_give_the_bytes_of_each_by_itself(made: list[Measurement]) -> None:
    assert encode_rows(Measurements.of(made).rows) == one_by_one(made)


def test_a_ward_gives_the_bytes_of_each_by_itself() -> None:
    made = ward(2_000)
    assert encode_rows(Measurements.of(made).rows) == one_by_one(made)


@pytest.mark.parametrize(
    "value", [np.float64(0.1), np.float32(0.1), float("nan"), float("inf"), 1e16, 1e-5, -0.0, 5e-324]
)
def test_numbers_are_written_as_ever(value: float) -> None:
    made = [measurement(value=value), measurement(value=None)]
    assert encode_rows(Measurements.of(made).rows) == one_by_one(made)
    assert encode(made[0], 17) == b'{"seq":17,' + one_by_one(made)[0][1:]


@pytest.mark.parametrize(
    "field", [{"session": object()}, {"n": float("nan")}, {"n_rejected": float("inf")}, {"n": None}, {"value": (1, 2)}]
)
def test_what_json_does_not_have_is_no_measurement(field: dict[str, Any]) -> None:
    bad = replace(measurement(), **field)
    with pytest.raises(TypeError):
        encode_rows(Measurements.of([measurement(), bad]).rows)
