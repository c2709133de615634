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
from math import isfinite

from gateway.model.measurement import Measurement

SLOT = "_clock"
"""In no configuration: an id there has no underscore."""
METRIC = "wall_clock_correction"
ALGORITHM = "wall-clock/1"
NOT_BELIEVED = "the wall clock is not believed"
MICRO = 1_000_000
FARTHEST_S = 1e10
"""Three centuries: the steps of a clock that counts from 1970 are smaller."""

Place = tuple[int, int]
"""Where something stands among all of its gateway: which life of the outbox, then the number within."""


@dataclass(frozen=True, slots=True)
class Correction:
    """All earlier wall times of a run are off by so much, microseconds; whether the clock is believed from now on."""

    by_us: int
    believed: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """What corrections say of one measurement: by how much its times move, and whether they are still doubtful."""

    by_us: int = 0
    doubtful: bool = False


def measurements(
    correction: Correction, sessions: Sequence[tuple[str, str]], *, at_us: int, simulated: bool
) -> list[Measurement]:
    """Return a correction as what goes into the outbox: one for each (session, subject)."""
    return [
        Measurement(
            metric=METRIC, value=correction.by_us / MICRO, unit="s", side="none", start_us=at_us, end_us=at_us,
            sync_ms=None, n=0, n_rejected=0, quality="ok" if correction.believed else "degraded",
            reason="" if correction.believed else NOT_BELIEVED, algorithm=ALGORITHM, devices=(), placement=(),
            slot=SLOT, session=session, subject=subject, simulated=simulated,
        )
        for session, subject in sessions
    ]  # fmt: skip


def read(measurement: Measurement) -> Correction | None:
    """Return what a measurement of this kind says; None if that cannot be."""
    seconds = measurement.value
    if seconds is None or not isfinite(seconds) or abs(seconds) > FARTHEST_S:
        return None
    return Correction(round(seconds * MICRO), measurement.quality == "ok")


def verdict(corrections: Sequence[tuple[Place, Correction]], place: Place) -> Verdict:
    """Return what the corrections of a session, in their order, say of a measurement at a place."""
    believed = max((at for at, correction in corrections if correction.believed), default=(0, 0))
    by_us = sum(correction.by_us for at, correction in corrections if place < at <= believed)
    doubtful = any(believed < at < place and not correction.believed for at, correction in corrections)
    return Verdict(by_us, doubtful)
