"""What may be mended of a session that is over: whose it was, when it began and ended, and whether it is to be used.

What it said before stays in it, beside what holds now; the numbers follow in the history.
"""

from __future__ import annotations

from typing import Any

from config.settings import Identifier, Section
from gateway.ward.refusals import refused
from gateway.ward.rules import find_session, refuse_changed, refuse_number, with_session
from gateway.ward.state import FREE_TEXT, Correction, Session, WardState

MOST = 50
"""Corrections of one session: more are a program that does not stop."""
LATEST_S = 31 * 86_400
"""How far a session may be moved from when it was: beyond that it is another date by mistake."""
MICRO = 1_000_000


class CorrectSession(Section):
    """A session was another person's, or began or ended at another time than was said.

    Attributes:
        session: Its id; the pseudonym of whose it was does not do, since they may have had several.
        subject: Whose it was.
        start_us: When it began, UTC microseconds.
        end_us: When it ended.
        why: What went wrong; no names.
        was: Whose it is said to be, as whoever asks has seen it.
    """

    session: str
    subject: Identifier | None = None
    was: Identifier | None = None
    start_us: int | None = None
    end_us: int | None = None
    why: FREE_TEXT = ""

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Correct the session."""
        session = _ended(ward, self.session)
        start_us = session.started_us if self.start_us is None else self.start_us
        end_us = _end_of(session) if self.end_us is None else self.end_us
        subject = self.subject or session.subject
        if (subject, start_us, end_us) == (session.subject, session.started_us, session.ended_us):
            raise refused("says_that_already", session=session.id)
        refuse_changed(self.was, session.subject)
        refuse_number(subject)
        _refuse_times(session, start_us, end_us, at_us)
        made = _with_correction(
            session, at_us, self.why, {"subject": subject, "started_us": start_us, "ended_us": end_us}
        )
        _refuse_overlap(ward, made, session)
        return with_session(ward, made)


class DiscardSession(Section):
    """A session is not to be used, or is after all: nothing of it is deleted.

    Attributes:
        session: Its id.
        why: What went wrong; no names.
        take_back: Whether it was discarded by mistake.
    """

    session: str
    why: FREE_TEXT = ""
    take_back: bool = False

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Discard the session."""
        session = _ended(ward, self.session)
        if session.discarded != self.take_back:
            raise refused("not_discarded" if self.take_back else "discarded_already", session=session.id)
        made = _with_correction(session, at_us, self.why, {"discarded": not self.take_back})
        if self.take_back:
            _refuse_overlap(ward, made, session)
        return with_session(ward, made)


def _ended(ward: WardState, name: str) -> Session:
    session = find_session(ward, name, "running", "paused", "ended")
    if session.state != "ended":
        raise refused("not_ended", session=session.id, state=session.state)
    return session


def _end_of(session: Session) -> int:
    return session.started_us if session.ended_us is None else session.ended_us


def _with_correction(session: Session, at_us: int, why: str, now: dict[str, Any]) -> Session:
    if len(session.corrections) >= MOST:
        raise refused("corrected_too_often", session=session.id, most=MOST)
    before = Correction(
        at_us=at_us, subject=session.subject, started_us=session.started_us, ended_us=_end_of(session),
        discarded=session.discarded, why=why,
    )  # fmt: skip
    return session.model_copy(update={**now, "corrections": (*session.corrections, before)})


def _refuse_times(session: Session, start_us: int, end_us: int, at_us: int) -> None:
    if (start_us, end_us) == (session.started_us, _end_of(session)):
        return
    if end_us <= start_us:
        raise refused("ends_before", session=session.id)
    ahead = session.made_started_us > at_us  # a clock was: its date is none that anybody could mean
    if (ahead or end_us != session.ended_us) and end_us > at_us:
        raise refused("ends_in_future", session=session.id)
    if ahead:
        return
    moved = (start_us - session.made_started_us, end_us - (session.made_ended_us or end_us))
    if max(map(abs, moved)) > LATEST_S * MICRO:
        raise refused("wrong_date", session=session.id)


def _refuse_overlap(ward: WardState, made: Session, before: Session) -> None:
    """Raise RefusedError where another session of that person, or in the same bed, takes some of the time.

    Two of the same bed may have run at one time: the person of the first had been moved to another.
    """
    for other in ward.sessions:
        if other.id == made.id or other.discarded or not _overlap(other, made):
            continue
        if other.subject == made.subject or (other.bed == made.bed and not _overlap(other, before)):
            raise refused("overlap", session=other.id, subject=other.subject)


def _overlap(other: Session, session: Session) -> bool:
    ends_us = other.ended_us
    return other.started_us < _end_of(session) and (ends_us is None or ends_us > session.started_us)
