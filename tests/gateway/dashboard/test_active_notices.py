"""Which notices stand: raised, cleared, replaced by a status, and never more than there may be."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dashboard.active_notices import LONGEST, MOST, ActiveNotices
from tests.gateway.dashboard.simulated_gateway import notice

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda x: st.lists(x, max_size=3), max_leaves=5
)


def ids(notices: ActiveNotices) -> list[str]:
    return [shown["id"] for shown in notices.shown()]


def test_raised_cleared_and_the_urgent_first() -> None:
    notices = ActiveNotices()
    assert notices.apply(notice("a", "A", priority="low", since_us=3))
    assert notices.apply(notice("b", "B", since_us=1))
    assert notices.apply(notice("c", "C", since_us=2))
    assert ids(notices) == ["c", "b", "a"]
    assert notices.apply(notice("c", "C", state="cleared"))
    assert notices.apply(notice("never-seen", "X", state="cleared"))
    assert ids(notices) == ["b", "a"]


def test_a_status_says_what_stands() -> None:
    notices = ActiveNotices()
    notices.apply(notice("a", "A"))
    notices.replace([notice("b", "B"), {"id": "half"}, notice("c", "C", state="cleared"), 7])
    assert ids(notices) == ["b"]
    notices.replace(None)
    assert ids(notices) == []


@pytest.mark.parametrize(
    "wrong", [{"text": None}, {"since_us": 1.5}, {"since_us": True}, {"state": "x"}, {"text": "x" * (LONGEST + 1)}]
)
def test_what_is_no_notice_is_refused(wrong: dict[str, Any]) -> None:
    notices = ActiveNotices()
    assert not notices.apply(notice("a", "A") | wrong)
    assert notices.shown() == []


def test_a_flood_is_bounded() -> None:
    notices = ActiveNotices()
    assert [notices.apply(notice(str(i), "x")) for i in range(MOST + 2)].count(False) == 2
    assert notices.apply(notice("0", "changed"))  # a known one still may change
    notices.replace([notice(str(i), "x") for i in range(2 * MOST)])
    assert len(notices.shown()) == MOST


@given(st.dictionaries(st.sampled_from(["id", "text", "state", "since_us", "priority"]), json), json)
def test_anything_may_come(odd: dict[str, Any], active: Any) -> None:
    notices = ActiveNotices()
    notices.apply(notice("a", "A") | odd)
    notices.replace(active)
    notices.replace([notice("a", "A") | odd])
    notices.shown()
