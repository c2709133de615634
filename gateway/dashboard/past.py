"""What was: where the dashboard opens the history, and what curve it gives of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from aiohttp import web

from config.settings import Settings
from gateway.history.reader import HistoryReader, Point, Session
from gateway.model.measurement import Quality, Side

NEVER_US = 2**62
"""Later than any session."""

Row = tuple[int, float | None, Quality]
"""End of the measurement's window (UTC microseconds), its value, its quality."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which curve of whom.

    Attributes:
        gateway: Whose bed; another gateway may have one of the same name.
        slot: The bed; with a subject it only says where to look for who was there before.
        subject: Whose numbers, in whatever bed; None for those of whom the history knows last in the slot.
        session: Only this session's; None for all.
        simulated: Simulated numbers or real ones; None for what the subject's newest session is.
        metric: Id of the catalogue.
        side: Which side.
        algorithm: None for any.
        since_us: UTC microseconds.
    """

    gateway: str
    slot: str
    metric: str
    side: Side
    since_us: int
    subject: str | None = None
    session: str | None = None
    simulated: bool | None = None
    algorithm: str | None = None


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of a curve that may be drawn as one line: one session in one bed, from its first point on."""

    from_us: int
    session: str
    slot: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One person's values of one metric.

    Attributes:
        subject: Whose they are; empty where there are none.
        simulated: Whether they are simulated.
        rows: The values, oldest first.
        stretches: Where the curve breaks.
        is_new: Whether somebody else was in the slot at the beginning of the time that was asked for.
    """

    subject: str = ""
    simulated: bool = False
    rows: list[Row] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    is_new: bool = False


Past = Callable[[Question], Curve]
"""A question to its answer; may block. Raises sqlite3.Error."""


def open_history(app: web.Application, settings: Settings) -> HistoryReader:
    """Return a reader of the history, which may appear later than we do; it is closed when the dashboard ends.

    Curves, results and timed tests have one each: a trend of three years lets no bed wait for its curve.
    """
    reader = HistoryReader(settings.history_file)

    async def close(app: web.Application) -> None:
        del app
        await asyncio.to_thread(reader.close)

    app.on_cleanup.append(close)
    return reader


def past_of(reader: HistoryReader) -> Past:
    """Return who answers from a history."""

    def read(question: Question) -> Curve:
        whose = _whose(reader, question)
        if whose is None:  # new here, and nothing is stored yet
            subject, simulated = question.subject or "", bool(question.simulated)
            others = bool(subject) and _had_others(reader, question, subject, simulated, NEVER_US)
            return Curve(subject, simulated, is_new=others)
        points = reader.series(
            None if whose.subject else whose.slot, question.metric, question.side, from_us=question.since_us,
            algorithm=question.algorithm, subject=whose.subject, session=question.session, simulated=whose.simulated,
        )  # fmt: skip
        return Curve(
            whose.subject,
            whose.simulated,
            [(point.end_us, point.value, point.quality) for point in points],
            list(_stretches(points)),
            _had_others(reader, question, whose.subject, whose.simulated, whose.first_us),
        )

    return read


def _whose(reader: HistoryReader, question: Question) -> Session | None:
    """Return the newest session of whom a question is about."""
    slot, gateway = (None, None) if question.subject else (question.slot, question.gateway)
    found = reader.sessions(
        slot=slot, gateway=gateway, subject=question.subject, session=question.session, simulated=question.simulated,
        limit=1,
    )  # fmt: skip
    return found[0] if found else None


def _stretches(points: list[Point]) -> Iterator[Stretch]:
    for (session, slot), within in groupby(points, key=lambda point: (point.session, point.slot)):
        yield Stretch(next(within).end_us, session, slot)


def _had_others(reader: HistoryReader, question: Question, subject: str, simulated: bool, first_us: int) -> bool:
    """Whether another person was in the slot within the time of the curve, and before this one's newest session."""
    return any(
        (other.subject, other.simulated) != (subject, simulated) and other.first_us <= first_us
        for other in reader.sessions(slot=question.slot, gateway=question.gateway, since_us=question.since_us)
    )
