"""What the ward tells of a session beside its numbers: the body, the sensors worn, marks and corrections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dsp.catalogue import CATALOGUE
from gateway.history.reader import HistoryReader
from gateway.results.past_sessions import PastSession
from gateway.results.plans import has_table

NEVER_US = 2**62


@dataclass(frozen=True, slots=True)
class Body:
    """What was known of somebody's body and aids then; None and empty where it was not told."""

    height_m: float | None
    leg_length_m: float | None
    mass_kg: float | None
    affected_side: str
    aids: str


@dataclass(frozen=True, slots=True)
class Sensor:
    """A sensor that was worn, where, from when to when (None: until after the session)."""

    device: str
    driver: str
    placement: str
    from_us: int
    to_us: int | None


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened, in the words of whoever saw it."""

    at_us: int
    text: str


@dataclass(frozen=True, slots=True)
class Correction:
    """What a session was corrected to, by whom and why; times in UTC microseconds."""

    at_us: int
    person: str
    why: str
    subject_before: str
    subject: str
    started_before_us: int
    started_us: int
    ended_before_us: int
    ended_us: int
    discarded_before: bool
    discarded: bool


@dataclass(frozen=True, slots=True)
class Notes:
    """All of it; empty where no ward tells of the session.

    Attributes:
        body: Of whose session it is.
        sensors: What measured it: worn by whom it was made of, whosever it is now.
        marks: What happened.
        corrections: How it was corrected.
        made_of: Whom it was made of, where that was corrected; empty otherwise, or if they were erased.
        made_body: Their body, with which lengths and speeds were computed; None likewise.
        cut_off: Metrics of tests that reach beyond its corrected times, and are no result of it any more.
    """

    body: Body | None = None
    sensors: Sequence[Sensor] = ()
    marks: Sequence[Mark] = ()
    corrections: Sequence[Correction] = ()
    made_of: str = ""
    made_body: Body | None = None
    cut_off: Sequence[str] = ()


def notes_of(reader: HistoryReader, session: PastSession) -> Notes:
    """Return what the ward tells of a session."""
    if not has_table(reader, "ward_sessions"):
        return Notes()
    at = (session.gateway, session.session)
    made = reader.rows("SELECT made_subject FROM ward_sessions WHERE gateway = ? AND session = ?", at)
    made_of: str = made[0][0] if made else session.subject
    until_us = NEVER_US if session.ended_us is None else session.ended_us
    sensors = reader.rows(
        "SELECT device, driver, placement, from_us, to_us FROM placements_in_time WHERE subject = ?"
        " AND from_us < ? AND coalesce(to_us, ?) > ? ORDER BY placement, from_us",
        (made_of, until_us, NEVER_US, session.started_us),
    )
    marks = reader.rows("SELECT at_us, text FROM ward_marks WHERE gateway = ? AND session = ? ORDER BY at_us", at)
    corrections = reader.rows(
        "SELECT at_us, person, why, subject_before, subject, started_before_us, started_us, ended_before_us, ended_us,"
        " discarded_before, discarded FROM ward_corrections WHERE gateway = ? AND session = ? ORDER BY n", at
    )  # fmt: skip
    others = made_of if made_of != session.subject else ""
    return Notes(
        _body(reader, session.subject, until_us),
        [Sensor(*row) for row in sensors],
        [Mark(*row) for row in marks],
        [Correction(*row) for row in corrections],
        others,
        _body(reader, others, until_us) if others else None,
        cut_off(reader, session.gateway, session.parts) if corrections else (),
    )


def _body(reader: HistoryReader, subject: str, until_us: int) -> Body | None:
    found = reader.rows(
        "SELECT height_m, leg_length_m, mass_kg, affected_side, aids FROM ward_subjects WHERE subject = ?"
        " AND from_us <= ? AND bed <> '' ORDER BY from_us DESC, epoch DESC, seq DESC LIMIT 1",
        (subject, until_us),
    )
    return Body(*found[0]) if found else None


def cut_off(reader: HistoryReader, gateway: str, parts: Sequence[str]) -> Sequence[str]:
    """Return the metrics of tests made in parts of a session that stand in it no more; raises sqlite3.Error."""
    if not has_table(reader, "ward_sessions"):
        return ()
    marks = ", ".join("?" * len(parts))
    found = reader.rows(
        "SELECT DISTINCT now.metric FROM measurements m JOIN series now ON now.id = m.series"  # noqa: S608 - our own text
        " JOIN series made ON made.id = m.made_series JOIN epochs e ON e.id = m.epoch"
        f" WHERE e.gateway = ? AND made.session IN ({marks}) AND now.session NOT IN ({marks}) ORDER BY 1",
        (gateway, *parts, *parts),
    )
    return [metric for (metric,) in found if metric in CATALOGUE and CATALOGUE[metric].kind == "test"]
