"""The sessions of a subject as the history knows them: the ward's own, with their parts, and the stays between them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any, NamedTuple

from gateway.history.reader import HistoryReader
from gateway.results.plans import has_table
from gateway.texts.languages import text

STAY = "stay"
"""State of what is no session that anybody began: the time between sessions, or a history without a ward."""
ERASED = "erased"


@dataclass(frozen=True, slots=True)
class PastSession:
    """One session of a subject; times in UTC microseconds.

    Attributes:
        session: Its id.
        gateway: Whose ward tells of it; empty where none does.
        bed: Where it began.
        subject: Whose it is.
        simulated: Whether its numbers are.
        protocol: What was done; empty where nobody said.
        state: ``running``, ``paused``, ``ended`` or ``stay``.
        started_us: When it began.
        ended_us: When it ended, or what it last brought; None while it runs.
        parts: The ids under which its measurements stand.
        notes: Free text.
        discarded: Whether it is not to be used.
    """

    session: str
    gateway: str
    bed: str
    subject: str
    simulated: bool
    protocol: str
    state: str
    started_us: int
    ended_us: int | None
    parts: tuple[str, ...]
    notes: str = ""
    discarded: bool = False


class UnknownSessionError(LookupError):
    """There is no such session, or there is more than one; the text says so."""


class UnknownSubjectError(LookupError):
    """The history knows nobody of that pseudonym; the text says so."""


class Shown(NamedTuple):
    """The sessions of a subject that are looked at together: all simulated, or none; discarded ones left out."""

    sessions: list[PastSession]
    simulated: bool
    both_kinds: bool


def shown_of(reader: HistoryReader, subject: str) -> Shown:
    """Return what is shown of a subject over time; raises UnknownSubjectError, sqlite3.Error.

    Simulated and real numbers are never mixed: those of the newest session are shown.
    """
    every = sessions_of(reader, subject)
    if not every:
        raise UnknownSubjectError(text("answers.knows_nobody", subject=subject))
    simulated = every[-1].simulated
    shown = [one for one in every if one.simulated == simulated and not one.discarded]
    return Shown(shown, simulated, len({one.simulated for one in every}) > 1)


def sessions_of(reader: HistoryReader, subject: str) -> list[PastSession]:
    """Return the sessions of a subject, the oldest first; discarded ones too."""
    measured = {
        (session, bool(simulated)): (slot, first, last)
        for session, slot, simulated, first, last in reader.rows(
            "SELECT session, slot, simulated, min(first_us), max(last_us) FROM sessions WHERE subject = ?"
            " GROUP BY session, simulated", (subject,),
        )
    }  # fmt: skip
    found = list(_of_ward(reader, subject, measured))
    known = {part for one in found for part in one.parts}
    found += [
        PastSession(session, "", slot, subject, simulated, "", STAY, first, last, (session,))
        for (session, simulated), (slot, first, last) in measured.items()
        if session not in known
    ]
    return sorted(found, key=lambda one: (one.started_us, one.session))


def _of_ward(
    reader: HistoryReader, subject: str, measured: dict[tuple[str, bool], tuple[str, int, int]]
) -> list[PastSession]:
    if not has_table(reader, "ward_sessions"):
        return []
    parts: dict[tuple[str, str], list[str]] = defaultdict(list)
    for gateway, session, part in reader.rows(
        "SELECT p.gateway, p.session, p.part FROM ward_sessions w JOIN ward_parts p USING (gateway, session)"
        " WHERE w.subject = ? ORDER BY length(p.part), p.part", (subject,),
    ):  # fmt: skip
        parts[gateway, session].append(part)
    rows: list[Any] = reader.rows(
        "SELECT session, gateway, bed, protocol, state, started_us, ended_us, notes, discarded FROM ward_sessions"
        " WHERE subject = ? AND state <> ?", (subject, ERASED),
    )  # fmt: skip
    found = []
    for session, gateway, bed, protocol, state, started, ended, notes, discarded in rows:
        own = tuple(parts[gateway, session]) or (session,)
        simulated = any((part, True) in measured for part in own)
        found.append(
            PastSession(
                session, gateway, bed, subject, simulated, protocol, state, started, ended, own, notes, bool(discarded)
            )
        )
    return found


def find_session(reader: HistoryReader, session: str, subject: str = "", gateway: str = "") -> PastSession:
    """Return a session by its id, or that of a part of it; raises UnknownSessionError.

    Two gateways may have sessions of one id: then ``subject``, or ``gateway``, says which.
    """
    subjects = {name for (name,) in reader.rows("SELECT DISTINCT subject FROM sessions WHERE session = ?", (session,))}
    if has_table(reader, "ward_sessions"):
        subjects |= {
            name
            for (name,) in reader.rows(
                "SELECT subject FROM ward_sessions WHERE session = ?1 UNION SELECT w.subject FROM ward_parts p"
                " JOIN ward_sessions w USING (gateway, session) WHERE p.part = ?1", (session,),
            )
        }  # fmt: skip
    found = [
        one
        for name in sorted(subjects - {""})
        if subject in ("", name)
        for one in sessions_of(reader, name)
        if session in (one.session, *one.parts) and gateway in ("", one.gateway)
    ]
    if not found:
        key = "answers.knows_no_session_of" if subject else "answers.knows_no_session"
        raise UnknownSessionError(text(key, session=session, subject=subject))
    if len(found) > 1:
        whose = ", ".join(f"{one.subject}{f' on {one.gateway}' if one.gateway else ''}" for one in found)
        raise UnknownSessionError(text("answers.more_than_one", session=session, whose=whose))
    return found[0]


def beside(sessions: list[PastSession], one: PastSession) -> list[PastSession]:
    """Return what a session may be beside: other sessions of its protocol, as real as it is, and not discarded."""
    return [
        other
        for other in sessions
        if other.session != one.session
        and other.simulated == one.simulated
        and not other.discarded
        and same_protocol(other.protocol, one.protocol)
        and (other.state == STAY) == (one.state == STAY)
    ]


def same_protocol(one: str, other: str) -> bool:
    """Whether two sessions did the same in the same way; the heart rate not to be exceeded is no way of doing it."""
    first, second = (protocol_words(text) for text in (one, other))
    return first == second


def protocol_words(protocol: str) -> tuple[str, ...]:
    """Return the words of a protocol without the ceiling, in order."""
    word, *rest = protocol.lower().split() or [""]
    return word, *sorted(part for part in rest if not part.startswith("ceiling="))
