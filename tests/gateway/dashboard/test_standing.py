"""Which notices stand: raised, cleared, replaced by a status, and never more than there may be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dashboard.standing import LONGEST, MOST, Standing
from tests.gateway.dashboard.simulated_gateway import notice

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda x: st.lists(x, max_size=3), max_leaves=5
)


def ids(standing: Standing) -> list[str]:
    return [shown["id"] for shown in standing.shown()]


def test_raised_cleared_and_the_urgent_first() -> None:
    standing = Standing()
    assert standing.take(notice("a", "A", priority="low", since_us=3))
    assert standing.take(notice("b", "B", since_us=1))
    assert standing.take(notice("c", "C", since_us=2))
    assert ids(standing) == ["c", "b", "a"]
    assert standing.take(notice("c", "C", state="cleared"))
    assert standing.take(notice("never-seen", "X", state="cleared"))
    assert ids(standing) == ["b", "a"]


def test_a_status_says_what_stands() -> None:
    standing = Standing()
    standing.take(notice("a", "A"))
    standing.replace([notice("b", "B"), {"id": "half"}, notice("c", "C", state="cleared"), 7])
    assert ids(standing) == ["b"]
    standing.replace(None)
    assert ids(standing) == []


@pytest.mark.parametrize(
    "wrong", [{"text": None}, {"since_us": 1.5}, {"since_us": True}, {"state": "x"}, {"text": "x" * (LONGEST + 1)}]
)
def test_what_is_no_notice_is_refused(wrong: dict[str, Any]) -> None:
    standing = Standing()
    assert not standing.take(notice("a", "A") | wrong)
    assert standing.shown() == []


def test_a_flood_is_bounded() -> None:
    standing = Standing()
    assert [standing.take(notice(str(i), "x")) for i in range(MOST + 2)].count(False) == 2
    assert standing.take(notice("0", "changed"))  # a known one still may change
    standing.replace([notice(str(i), "x") for i in range(2 * MOST)])
    assert len(standing.shown()) == MOST


@given(st.dictionaries(st.sampled_from(["id", "text", "state", "since_us", "priority"]), json), json)
def test_anything_may_come(odd: dict[str, Any], active: Any) -> None:
    standing = Standing()
    standing.take(notice("a", "A") | odd)
    standing.replace(active)
    standing.replace([notice("a", "A") | odd])
    standing.shown()
