"""Numbers of sensors: the lowest free one first, and arrays that are there before a number is given."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsp.roster import FIRST_ROOM, Roster, more_rows, require_rate


@given(st.lists(st.integers(0, 40), max_size=80))
def test_the_lowest_free_number_is_given_and_has_a_row(leaving: list[int]) -> None:
    rows = [0]

    def grow(room: int) -> None:
        rows[0] += room

    roster, attached = Roster(grow), set[int]()
    for one in leaving:
        if one in attached:
            roster.detach(one)
            attached.remove(one)
        else:
            sensor = roster.attach()
            assert sensor == min(set(range(len(attached) + 1)) - attached)
            attached.add(sensor)
        assert len(roster) <= rows[0]
    for sensor in range(max(attached, default=0) + 2):
        if sensor in attached:
            roster.check(sensor)
        else:
            with pytest.raises(KeyError, match="not attached"):
                roster.check(sensor)


def test_room_doubles() -> None:
    asked: list[int] = []
    roster = Roster(asked.append)
    for _ in range(5 * FIRST_ROOM):
        roster.attach()
    assert asked == [FIRST_ROOM, FIRST_ROOM, 2 * FIRST_ROOM, 4 * FIRST_ROOM]


def test_rows_keep_what_they_hold() -> None:
    rows = np.array([(1,)], np.dtype([("a", "i8")]))
    assert more_rows(rows, 2)["a"].tolist() == [1, 0, 0]


@pytest.mark.parametrize("rate_hz", [0.0, 19.9, 350.1, float("nan"), float("inf")])
def test_a_rate_beyond_the_limits_is_refused_in_words(rate_hz: float) -> None:
    with pytest.raises(ValueError, match="feet need 20 to 350 Hz, not"):
        require_rate("feet need", rate_hz, (20.0, 350.0))
