"""Whoever asks again and again fills no log."""

from __future__ import annotations

import pytest

from gateway.fleet.refusals import MOST_SENTENCES, Refusals


def test_a_sentence_is_said_at_once_and_then_once_a_minute_with_how_often(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    refusals = Refusals(lambda: now[0])
    for second in range(61):
        now[0] = float(second)
        refusals.add("a is refused")
        refusals.add("b is refused")
    assert caplog.messages == [
        "a is refused", "b is refused", "a is refused (and 59 times more since it was said)",
        "b is refused (and 59 times more since it was said)",
    ]  # fmt: skip


def test_words_that_are_new_each_time_fill_no_memory_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    refusals = Refusals(lambda: now[0])
    for number in range(10_000):
        refusals.add(f"{number} is refused")
    assert len(caplog.messages) == MOST_SENTENCES
    now[0] = 61.0
    refusals.add("a is refused")
    assert caplog.messages[-1] == "a is refused"
