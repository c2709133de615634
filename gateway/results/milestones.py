"""What happened on the way: admission, moves, discharge, tests and marks; and how many sessions a week there were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from config.protocol import read_protocol
from gateway.history.reader import HistoryReader
from gateway.results.past_sessions import STAY, PastSession
from gateway.results.plans import PlanInTime, has_table, plan_at
from gateway.texts.languages import protocol_title

TESTS: Final = frozenset({"10mwt", "4mwt", "6mwt", "2mwt", "tug", "5xsts", "30scst", "1msts", "sts", "balance"})
"""Words of protocols that are a test: each is a milestone."""
MARKS_OF_TESTS: Final = frozenset({"start", "stop", "lap"})
MOST: Final = 300
"""Milestones of an answer; the newest."""
WEEK_US: Final = 7 * 86_400_000_000
FIRST_MONDAY_US: Final = 4 * 86_400_000_000
"""1970-01-05: weeks are counted from here."""


@dataclass(frozen=True, slots=True)
class Milestone:
    """Something that happened: ``kind`` is admitted, moved, discharged, test or mark."""

    at_us: int
    kind: str
    text: str
    session: str = ""
    bed: str = ""


@dataclass(frozen=True, slots=True)
class Week:
    """A week from Monday (UTC): how many sessions there were, and how many were planned (0: no number was)."""

    from_us: int
    sessions: int
    planned: int


def milestones_of(
    reader: HistoryReader, subject: str, sessions: Sequence[PastSession], from_us: int, to_us: int
) -> list[Milestone]:
    """Return the milestones within a window, the oldest first."""
    found = [*_stays(reader, subject), *_tests(sessions), *_marks(reader, subject, sessions)]
    within = sorted((one for one in found if from_us <= one.at_us < to_us), key=lambda one: one.at_us)
    return within[-MOST:]


def _stays(reader: HistoryReader, subject: str) -> Iterator[Milestone]:
    if not has_table(reader, "ward_subjects"):
        return
    before = ""
    for at_us, bed in reader.rows(
        "SELECT from_us, bed FROM ward_subjects WHERE subject = ? ORDER BY epoch, seq", (subject,)
    ):
        if bed != before:
            kind = "discharged" if not bed else "moved" if before else "admitted"
            yield Milestone(at_us, kind, f"{kind.capitalize()}{f' to {bed}' if bed else ''}", bed=bed)
        before = bed


def _tests(sessions: Iterable[PastSession]) -> Iterator[Milestone]:
    for one in sessions:
        if read_protocol(one.protocol).word in TESTS:
            yield Milestone(one.started_us, "test", protocol_title(one.protocol), one.session)


def _marks(reader: HistoryReader, subject: str, sessions: Iterable[PastSession]) -> Iterator[Milestone]:
    if not has_table(reader, "ward_marks"):
        return
    shown = {one.session for one in sessions}
    for session, at_us, text in reader.rows(
        "SELECT m.session, m.at_us, m.text FROM ward_sessions w JOIN ward_marks m USING (gateway, session)"
        " WHERE w.subject = ?", (subject,),
    ):  # fmt: skip
        if session in shown and text.strip().lower() not in MARKS_OF_TESTS:
            yield Milestone(at_us, "mark", text, session)


def weeks_of(sessions: Sequence[PastSession], plans: list[PlanInTime], from_us: int, to_us: int) -> list[Week]:
    """Return each week of a window from the first session on.

    Where somebody began sessions, those count; where nobody ever did, whatever was measured.
    """
    begun = [one for one in sessions if one.state != STAY] or list(sessions)
    if not begun:
        return []
    first, last = monday(max(from_us, begun[0].started_us)), monday(to_us - 1)
    counts = Counter(monday(one.started_us) for one in begun if from_us <= one.started_us < to_us)
    return [
        Week(at, counts[at], plan_at(plans, at + WEEK_US - 1).sessions_a_week) for at in range(first, last + 1, WEEK_US)
    ]


def monday(at_us: int) -> int:
    """Return the begin of the week of a time, UTC microseconds."""
    return at_us - (at_us - FIRST_MONDAY_US) % WEEK_US
