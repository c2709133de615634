"""How late an event is, from two halves of the story that come in any order."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.dashboard.delays import KEPT, Delays

EPOCH = "0" * 16
NONE = {"p50": None, "p95": None}


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.us = 0

    def __call__(self) -> int:
        return self.us


@pytest.fixture
def clock() -> Clock:
    return Clock()


def status_of(*pairs: tuple[int, int], epoch: str = EPOCH) -> dict[str, Any]:
    return {"epoch": epoch, "arrived_us": [list(pair) for pair in pairs]}


def test_an_event_is_timed_to_the_message_and_to_the_page(clock: Clock) -> None:
    delays = Delays(clock)
    clock.us = 1_080_000
    delays.heard(EPOCH, 7)
    clock.us = 1_150_000
    delays.note_shown()
    delays.arrived(status_of((7, 1_000_000)))
    assert delays.summary() == {
        "to_message_ms": {"p50": 80.0, "p95": 80.0}, "to_page_ms": {"p50": 150.0, "p95": 150.0},
    }  # fmt: skip
    delays.arrived(status_of((7, 1_000_000)))  # a status that came twice counts once
    clock.us = 9_000_000
    delays.heard(EPOCH, 7)  # and so does a message
    delays.note_shown()
    delays.arrived(status_of((7, 1_000_000)))
    assert delays.summary()["to_page_ms"]["p95"] == 150.0


def test_an_event_that_a_page_still_waits_for_is_not_shown(clock: Clock) -> None:
    delays = Delays(clock)
    for seq, heard_us in ((1, 1_000_000), (2, 1_050_000)):
        clock.us = heard_us
        delays.heard(EPOCH, seq)
    clock.us = 1_060_000
    delays.note_shown(behind_s=0.03)  # some page has only what came until 1.03 s
    clock.us = 1_100_000
    delays.note_shown()
    delays.arrived(status_of((1, 1_000_000)))
    assert delays.summary()["to_page_ms"] == {"p50": 60.0, "p95": 60.0}
    delays.arrived(status_of((2, 1_000_000)))
    assert delays.summary()["to_page_ms"]["p50"] == 80.0  # between that and 100


def test_another_epoch_is_another_event(clock: Clock) -> None:
    delays = Delays(clock)
    delays.heard(EPOCH, 7)
    delays.note_shown()
    delays.arrived(status_of((7, 0), epoch="f" * 16))
    assert delays.summary() == {"to_message_ms": NONE, "to_page_ms": NONE}


def test_it_forgets_what_nobody_asks_for(clock: Clock) -> None:
    delays = Delays(clock)
    for seq in range(3 * KEPT):
        delays.heard(EPOCH, seq)
        if seq % 100 == 0:
            delays.note_shown()
    assert delays.most_kept <= KEPT


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), st.lists, max_leaves=6))
def test_anything_may_come(odd: Any) -> None:
    delays = Delays(Clock())
    delays.heard(EPOCH, 1)
    for events in (odd, {"arrived_us": odd}, {"epoch": odd, "arrived_us": [[1, odd], odd]}):
        delays.arrived(events)
    delays.summary()
