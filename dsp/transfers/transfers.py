"""Rises, sittings-down, turns and the Timed Up and Go of one sensor on a thigh, a wrist, the lower back or the chest.

The axes of the sensor are unknown: gravity is found, and everything is seen from there. Whoever wears it sits at first.
Each thing is told once, within about half a second of its end; a Timed Up and Go when it is certain that the seated one
rests, or at the end of the stream.

Compared with labels from video, 116 tests of 12 healthy people (Matey-Sanz et al. 2023, doi 10.1016/j.dib.2023.109809),
mean absolute errors: phone in a trouser pocket, total .23 s, 92 % within half a second, rise from .14 to .08 s, sitting
down from .12 to .16 s, turns from .10 to .14 s; watch, total .16 s. With the constants of ``limb.py`` found without the
person that is told of: .24 and .17 s; found on six of them and told of the other six: .25 to .28 and .17 to .20 s. The
trunk has no such labels: figures of it rest on simulated bodies. A thigh or wrist does not show when the trunk leans
and rests: what is estimated there is right for people like those.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from dsp.transfers.bins import BIN_S, Bin, Bins
from dsp.transfers.found import Found, Kind, Transfer, Tug, Turn, no_value
from dsp.transfers.limb import THIGH, WRIST, Limb, LimbTransfers, TransferSpan
from dsp.transfers.measures import Wearer, measure
from dsp.transfers.motion import BELIEVED_S, Vertical
from dsp.transfers.past import Past
from dsp.transfers.trunk import TrunkTransfers
from dsp.transfers.tug import TugWatch
from dsp.transfers.turns import OF_HAND, OF_LEG, OF_TRUNK, Sight, Turns, TurnSpan

Placement = Literal["thigh", "wrist", "lower_back", "chest"]
PLACEMENTS: Final = get_args(Placement)
LOST_SHARE: Final = 0.05
"""With more of its samples lost, what is found is degraded: its edges may lie in a gap."""
CUT_OFF_S: Final = 3.5
"""A stream that ends so soon after the beginning of the second turn ends in sitting down."""
SURE_S: Final = 3 * BELIEVED_S
"""Where a stream begins in the middle of a movement, which way is up has been found after this time."""
AT_FIRST_S: Final = 0.5
"""So much of a stream shows whether it begins in the middle of a movement: who moves ..."""
MOVES: Final = math.radians(15.0)
"""... turns faster than this at some time of it, rad/s."""

_SEEN_FROM: Final[dict[str, tuple[Sight, Limb | None]]] = {
    "thigh": (OF_LEG, THIGH),
    "wrist": (OF_HAND, WRIST),
    "lower_back": (OF_TRUNK, None),
    "chest": (OF_TRUNK, None),
}


class Transfers:
    """What one sensor sees of transfers, as its samples come; the same in any chunking.

    Args:
        rate_hz: Samples a second of the grid, at least 20.
        placement: Where the sensor is worn.
        tug: A Timed Up and Go is being done: it is told, and a stream that ends in sitting down counts as one.
        start: First sample to be looked at, as somebody saw it; the first there is if None.
        end: Last sample to be looked at, likewise.
        height_m: Of the wearer: a thigh needs it for vertical speed.
        mass_kg: Of the wearer, for power.

    Raises:
        ValueError: the rate is too low, or the placement unknown.
    """

    def __init__(
        self,
        rate_hz: float,
        *,
        placement: Placement = "thigh",
        tug: bool = True,
        start: float | None = None,
        end: float | None = None,
        height_m: float | None = None,
        mass_kg: float | None = None,
    ) -> None:
        if placement not in PLACEMENTS:
            raise ValueError(f"transfers are found on {', '.join(PLACEMENTS)}, not on {placement}")
        self._bins = Bins(rate_hz)
        self._vertical, self._past = Vertical(), Past()
        self._sight, self._limb = _SEEN_FROM[placement]
        self._turns = Turns(self._sight)
        self._transfers = LimbTransfers(self._limb) if self._limb is not None else TrunkTransfers()
        self._wearer = Wearer(placement, height_m, mass_kg)
        self._tug = TugWatch(rate_hz) if tug else None
        self._span = (-np.inf if start is None else start, np.inf if end is None else end)
        self._sitting: Transfer | None = None
        self._over = False

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Yield what samples bring to light.

        Args:
            index: (n,) numbers of the samples on the sensor's grid, ascending; a missing number is a lost sample.
            acc: (n, 3) specific force, m/s².
            gyr: (n, 3) angular velocity, rad/s.

        Raises:
            ValueError: the lengths differ, or ``index`` does not ascend.
        """
        at = np.asarray(index, np.int64).ravel()
        inside = (at >= self._span[0]) & (at <= self._span[1])
        rows = [np.asarray(x, float).reshape(len(at), 3)[inside] for x in (acc, gyr)]
        if not self._over:
            for new in self._bins.process(at[inside], *rows):
                yield from self._look(new)
            if len(at) and at[-1] > self._span[1]:
                yield from self.finish()

    def finish(self) -> Iterator[Found]:
        """Yield what is still open at the end of the stream."""
        if self._over:
            return
        self._over = True
        for new in self._bins.finish():
            yield from self._look(new)
        if not self._past:
            return
        for turned in self._turns.finish(self._past):
            yield from self._turned(turned)
        for span in self._transfers.finish(self._past):
            yield from self._transferred(span)
        if self._sitting is not None:
            yield from self._seated(self._sitting)
        elif self._tug is not None and not self._transfers.seated:
            yield from self._cut_off(self._tug)

    def _look(self, new: Bin) -> Iterator[Found]:
        for row in self._vertical.process(new):
            if self._past and row.number != self._past.last + 1:
                yield from self._begin_again(row.number)
            self._past.add(row)
            for turned in self._turns.process(self._past):
                yield from self._turned(turned)
            for span in self._transfers.process(self._past):
                yield from self._transferred(span)

    def _begin_again(self, number: int) -> Iterator[Found]:
        """Forget what was known before a long gap; a test that was being done is told, without a value."""
        gap_s = (number - self._past.last - 1) * BIN_S
        if self._sitting is not None:
            yield from self._seated(self._sitting)
        elif self._tug is not None and (rise := self._tug.give_up()) is not None:
            yield no_value(rise.start, f"{gap_s:.0f} s without samples")
        self._sitting = None
        self._turns = Turns(self._sight)
        self._transfers = LimbTransfers(self._limb, at_rest=True) if self._limb is not None else TrunkTransfers()

    def _turned(self, span: TurnSpan) -> Iterator[Found]:
        first, last = self._bins.index_of(span.start), self._bins.index_of(span.end)
        reason = self._doubt(span.start, span.end)
        turn = Turn(
            first,
            last,
            (last - first) / self._bins.rate_hz,
            math.degrees(span.angle),
            math.degrees(span.peak),
            "degraded" if reason else "ok",
            reason,
        )
        if self._tug is not None:
            self._tug.add_turn(turn)
        yield turn

    def _transferred(self, span: TransferSpan) -> Iterator[Found]:
        if span.kind == "settled":
            if self._sitting is not None:
                end = self._bins.index_of(span.end)
                yield from self._seated(replace(self._sitting, end=end))
            return
        if self._sitting is not None:
            yield from self._seated(self._sitting)
        reason = self._doubt(span.start, span.end)
        if span.kind == "sit_to_stand" and span.start <= self._past.begun:
            reason = "; ".join(filter(None, (reason, "begins in the middle of the rise")))
        transfer = self._transfer(span.kind, span.start, span.end, reason)
        if span.kind == "stand_to_sit":
            self._sitting = transfer
        elif self._tug is not None:
            self._tug.add_rise(transfer)
        yield transfer

    def _transfer(self, kind: Kind, start: float, end: float, reason: str) -> Transfer:
        first, last = self._bins.index_of(start), self._bins.index_of(end)
        measured = measure(kind, self._past.between(math.floor(start), math.ceil(end)), self._wearer)
        return Transfer(
            kind, first, last, (last - first) / self._bins.rate_hz, *measured, "degraded" if reason else "ok", reason
        )

    def _seated(self, sitting: Transfer) -> Iterator[Tug]:
        self._sitting = None
        test = self._tug.finish(sitting) if self._tug is not None else None
        if test is not None:
            yield test

    def _cut_off(self, watch: TugWatch) -> Iterator[Found]:
        """Call it sitting down where the stream ends soon after the last turn of a test."""
        turns = watch.turns
        last = self._past.last + 0.5
        if len(turns) < 2 or self._bins.index_of(last) - turns[-1].start > CUT_OFF_S * self._bins.rate_hz:
            return
        start = min(self._bins.place_of(turns[-1].end), last)
        sitting = self._transfer("stand_to_sit", start, last, "ends while sitting down")
        yield sitting
        yield from self._seated(sitting)

    def _doubt(self, start: float, end: float) -> str:
        share = self._past.filled_share(start, end)
        lost = f"{share:.0%} of the samples lost" if share > LOST_SHARE else ""
        return "; ".join(filter(None, (lost, "began in the middle of a movement" if self._is_unsure(start) else "")))

    def _is_unsure(self, start: float) -> bool:
        begun = self._past.begun
        if np.isfinite(self._span[0]) or (start - begun) * BIN_S > SURE_S:  # who marked the start saw somebody seated
            return False
        return any(row.spin > MOVES for row in self._past.between(begun, begun + round(AT_FIRST_S / BIN_S)))
