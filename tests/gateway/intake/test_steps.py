"""Steps of frames: what finds no room is counted, and what says whose the others are is never among it."""

from __future__ import annotations

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
