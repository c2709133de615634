"""Steps of frames: what finds no room is counted, and what says whose the others are is never among it."""

from __future__ import annotations

from typing import Any

import pytest

from drivers.packet import Frame
from gateway.intake import steps
from gateway.intake.frames import STEP_NS, Numbered, clock_frame, ward_frame
from gateway.intake.steps import Ticker


def test_a_full_ticker_still_takes_a_change_of_the_ward_and_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "MAX_WAITING", 2)
    now = [0]
    ticker = Ticker(0, lambda: now[0])
    kept: list[Numbered] = [(number, Frame(1, "x", b"")) for number in (0, 1)]
    notes = [ward_frame(1, b"{}"), clock_frame(1, 5)]
    for numbered in [*kept, (2, Frame(1, "x", b"")), *notes]:
        ticker.append_frame(*numbered)
    now[0] = STEP_NS
    assert list(ticker.due()) == [(STEP_NS, [*kept, *notes])]
    assert dict(ticker.dropped) == {"pipeline too slow": 1}


def test_a_step_holds_what_arrived_within_it_in_the_order_in_which_it_was_pushed() -> None:
    now = [0]
    ticker = Ticker(7, lambda: now[0])
    pushed = [(0, 7), (1, 7 + 2 * STEP_NS), (2, 7 + STEP_NS - 1), (3, 7 + STEP_NS), (4, 8), (5, 6 + 3 * STEP_NS)]
    for number, arrival_ns in pushed:
        ticker.append_frame(number, Frame(arrival_ns, "x", b""))
    now[0] = 7 + STEP_NS
    assert [(end, [n for n, _ in frames]) for end, frames in ticker.due()] == [(7 + STEP_NS, [0, 2, 4])]
    ticker.append_frame(6, Frame(9, "x", b""))  # of a step that is over
    now[0] = 7 + 4 * STEP_NS
    rest = list(ticker.due())
    assert [[number for number, _ in frames] for _, frames in rest] == [[3, 6], [1, 5], []]
    assert rest[0][1][1][1].arrival_ns == 7 + STEP_NS


class Watched(Frame):
    """A frame that counts how often its arrival was looked at."""

    looks = 0

    def __getattribute__(self, name: str) -> Any:
        """Return what is asked for."""
        Watched.looks += name == "arrival_ns"
        return super().__getattribute__(name)


def test_a_pipeline_that_is_behind_looks_at_each_frame_once() -> None:
    now = [0]
    ticker = Ticker(0, lambda: now[0])
    steps_behind, frames_each = 100, 20
    for step in range(steps_behind):
        for number in range(frames_each):
            ticker.append_frame(number, Watched(step * STEP_NS, "x", b""))
    now[0] = steps_behind * STEP_NS
    assert [len(frames) for _, frames in ticker.due()] == [frames_each] * steps_behind
    assert Watched.looks <= 2 * steps_behind * frames_each
