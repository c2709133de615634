"""The Timed Up and Go, from what happened in it: a rise, a turn, another turn, sitting down."""

from __future__ import annotations

import math
from typing import Final

from dsp.transfers.found import Transfer, Tug, Turn

LEAST_TURN_DEG: Final = 90.0
"""The turns of the test are of 180 degrees: a smaller one is a curve on the way."""
MOST_TURNS: Final = 100
"""Remembered between a rise and sitting down; somebody who turns more often does something else."""


class TugWatch:
    """Puts a test together as its parts are found."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._rise: Transfer | None = None
        self._turns: list[Turn] = []

    @property
    def turns(self) -> list[Turn]:
        """The turns of about 180 degrees since the rise."""
        return [turn for turn in self._turns if abs(turn.angle_deg) >= LEAST_TURN_DEG]

    def add_rise(self, rise: Transfer) -> None:
        """Begin a test, and forget one that was begun before."""
        self._rise, self._turns = rise, []

    def add_turn(self, turn: Turn) -> None:
        """Take a turn, if a test is being done."""
        if self._rise is not None:
            self._turns = [*self._turns[-MOST_TURNS:], turn]

    def give_up(self) -> Transfer | None:
        """Forget the test that is being done; return its rise if there was one."""
        rise, self._rise, self._turns = self._rise, None, []
        return rise

    def finish(self, sitting: Transfer) -> Tug | None:
        """Return the test that sitting down ends; None where nobody turned: then it was none."""
        rise, turns = self._rise, [turn for turn in self.turns if turn.start < sitting.end]
        self._rise, self._turns = None, []
        if rise is None or not turns:
            return None
        reasons = [reason for reason in (rise.reason, *(turn.reason for turn in turns), sitting.reason) if reason]
        if len(turns) > 2:
            reasons.append(f"{len(turns)} turns where there should be 2")
        first, second = turns[0], turns[-1]
        if first is second:
            reasons.append("only one turn was found")
        return self._test(rise, first, second, sitting, reasons)

    def _test(self, rise: Transfer, first: Turn, second: Turn, sitting: Transfer, reasons: list[str]) -> Tug:
        def seconds(start: float, end: float) -> float:
            return (end - start) / self._rate_hz if first is not second else math.nan

        return Tug(
            start=rise.start,
            end=sitting.end,
            total_s=(sitting.end - rise.start) / self._rate_hz,
            sit_to_stand_s=rise.duration_s,
            walk_out_s=seconds(rise.end, first.start),
            turn_180_s=seconds(first.start, first.end),
            walk_back_s=seconds(first.end, second.start),
            turn_to_sit_s=seconds(second.start, sitting.end),
            quality="degraded" if reasons else "ok",
            reason="; ".join(dict.fromkeys(reasons)),
        )
