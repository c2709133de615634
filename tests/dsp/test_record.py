from __future__ import annotations

from typing import Annotated

import numpy as np

from dsp.contact.layout import ContactState
from dsp.foot.layout import STATE
from dsp.orientation.layout import SHARED, place
from dsp.record import Floats, Ints, Record, Vector


class Below(Record):
    count: int
    rate: float


class Above(Below):
    up: Vector
    steps: Annotated[Ints, 4]
    matrix: Annotated[Floats, 2, 3]


def test_a_record_is_laid_out_as_it_is_written_what_it_builds_on_first() -> None:
    expected = [("count", "i8"), ("rate", "f8"), ("up", "f8", (3,)), ("steps", "i8", (4,)), ("matrix", "f8", (2, 3))]
    assert Above.layout() == np.dtype(expected)


def test_a_row_has_its_fields_as_attributes_and_writes_to_the_array() -> None:
    rows = np.zeros(2, Above.layout()).view(np.recarray)
    row = rows[1]
    row.count = 7
    row.matrix[1, 2] = 2.5
    assert (rows["count"].tolist(), rows["matrix"][1, 1, 2]) == ([0, 7], 2.5)


def test_what_foot_and_shank_share_is_in_the_state_of_a_foot() -> None:
    assert set(ContactState.layout().names or ()) < set(STATE.names or ())


def test_the_state_of_an_orientation_begins_with_what_changes_with_every_sample() -> None:
    assert place("turn") == 0
    assert place("heading") < place("upright") < SHARED < place("covariance")
