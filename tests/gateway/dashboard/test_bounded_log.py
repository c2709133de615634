"""A flood of lines is a few lines and a number."""

from __future__ import annotations

import logging

from gateway.dashboard.bounded_log import KINDS, MOST_A_MINUTE, AtMost


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def test_lines_that_are_alike_are_a_few_a_minute_and_their_number() -> None:
    clock, kept, logger = Clock(), Kept(), logging.getLogger("test of bounded logs")
    logger.addFilter(AtMost(clock=clock))
    logger.addHandler(kept)
    for n in range(100_000):
        logger.warning("refused from %s", f"100%{n}")
    logger.warning("something else")
    assert len(kept.lines) == MOST_A_MINUTE + 1
    clock.now += 60
    logger.warning("refused from %s", "100%")
    assert kept.lines[-1] == f"refused from 100% (and {100_000 - MOST_A_MINUTE} more like it, left out)"
    for n in range(10 * KINDS):  # kinds are bounded too
        logger.warning(f"kind {n}")  # noqa: G004 - a line that somebody else makes in this way
    assert len(kept.lines) == MOST_A_MINUTE + 2 + 10 * KINDS
