"""How far earlier wall times were off: said by the gateway once it knows, applied by whoever keeps the measurements.

When the wall clock is set, the gateway appends a correction to its outbox, between what was measured before and after:
a measurement of its own kind, in a slot that no bed has. It is numbered, durable, sent again and stored once like any
other. It speaks of a session, which is of one run: everything of that session with a lower place (epoch, then number)
was off by so much. What is measured while the clock is not believed is doubtful until a believed one comes.

The newest believed word counts: a measurement moves by the sum of the corrections after it, up to the last believed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import isfinite

from gateway.model.measurement import Measurement

SLOT = "_clock"
"""In no configuration: an id there has no underscore."""
METRIC = "wall_clock_correction"
ALGORITHM = "wall-clock/1"
NOT_BELIEVED = "the wall clock is not believed"
NOT_KEPT = "nothing keeps the wall clock right"
BEFORE_ALL = (-(2**62), 0)
MICRO = 1_000_000
FARTHEST_S = 1e10
"""Three centuries: the steps of a clock that counts from 1970 are smaller."""

FARTHEST_US = 2 * round(FARTHEST_S) * MICRO
TOO_FAR = "a correction goes further than the doubt that was told"
TOO_OLD = "a correction is about a session that ended long ago"
TOO_OFTEN = "the clock was set too often"

Place = tuple[int, int]
"""Where something stands among all of its gateway: which life of the outbox, then the number within."""


@dataclass(frozen=True, slots=True)
class Correction:
    """All earlier wall times of a run are off by so much, microseconds; whether the clock is believed from now on.

    ``likely`` says of one that is not that its time is possible: nothing but a confirmation is missing.
    """

    by_us: int
    believed: bool
    likely: bool = False

    @property
    def reason(self) -> str:
        """Why the clock is not believed; empty if it is."""
        if self.believed:
            return ""
        return NOT_KEPT if self.likely else NOT_BELIEVED


@dataclass(frozen=True, slots=True)
class Verdict:
    """What corrections say of one measurement: by how much its times move, and whether they are still doubtful.

    Attributes:
        likely: Of doubtful ones, that they are possible.
        left_out_us: What the corrections say beyond that, and nobody believes.
    """

    by_us: int = 0
    doubtful: bool = False
    likely: bool = False
    left_out_us: int = 0


def measurements(
    correction: Correction, sessions: Sequence[tuple[str, str]], *, at_us: int, simulated: bool
) -> list[Measurement]:
    """Return a correction as what goes into the outbox: one for each (session, subject)."""
    return [
        Measurement(
            metric=METRIC, value=correction.by_us / MICRO, unit="s", side="none", start_us=at_us, end_us=at_us,
            sync_ms=None, n=0, n_rejected=0, quality="ok" if correction.believed else "degraded",
            reason=correction.reason, algorithm=ALGORITHM, devices=(), placement=(),
            slot=SLOT, session=session, subject=subject, simulated=simulated,
        )
        for session, subject in sessions
    ]  # fmt: skip


def read(measurement: Measurement) -> Correction | None:
    """Return what a measurement of this kind says; None if that cannot be."""
    seconds = measurement.value
    if seconds is None or not isfinite(seconds) or abs(seconds) > FARTHEST_S:
        return None
    believed = measurement.quality == "ok"
    return Correction(round(seconds * MICRO), believed, likely=not believed and measurement.reason == NOT_KEPT)


def verdict(corrections: Sequence[tuple[Place, Correction]], place: Place, most_us: int = FARTHEST_US) -> Verdict:
    """Return what the corrections of a session, in their order, say of a measurement at a place.

    Args:
        corrections: By place.
        place: Where the measurement stands.
        most_us: By how much a time may move that nobody doubted, or that was confirmed already.
    """
    believed = max((at for at, correction in corrections if correction.believed), default=BEFORE_ALL)
    believed_before = [correction.believed for at, correction in corrections if at < place]
    in_doubt = bool(believed_before) and not believed_before[-1]
    doubts = [c for at, c in corrections if believed < at < place and not c.believed]
    after = [(at, correction) for at, correction in corrections if place < at <= believed]
    # The first believed word ends a doubt; what comes later speaks of a time that was confirmed.
    confirmed = next((at for at, correction in after if correction.believed), BEFORE_ALL) if in_doubt else BEFORE_ALL
    free_us = sum(correction.by_us for at, correction in after if at <= confirmed)
    rest = [correction.by_us for at, correction in after if at > confirmed]
    kept_us = _within(rest, most_us)
    likely = bool(doubts) and all(doubt.likely for doubt in doubts)
    return Verdict(free_us + kept_us, bool(doubts), likely, sum(rest) - kept_us)


def _within(moves_us: Sequence[int], most_us: int) -> int:
    """Return the sum of moves, or of the first of them, that is within a bound."""
    if abs(sum(moves_us)) <= most_us:
        return sum(moves_us)
    return next((so_far for so_far in reversed([0, *accumulate(moves_us)]) if abs(so_far) <= most_us), 0)
