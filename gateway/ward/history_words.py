"""What the history has to know of a change of the ward: flat records, each of which says all of what it is about.

A word that comes twice, or after a later one, does no harm: the history goes by the order in which they were made.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from gateway.ward.entries import measurement_fields
from gateway.ward.state import Session, Subject, WardState

Word = tuple[str, dict[str, Any]]
"""What it is about, and its fields.

It is a ``subject``, ``plan``, ``placement``, ``session``, ``part``, ``mark`` or ``correction``.

``entered`` is no word about the ward, but a measurement that people entered: it goes where measurements go.
"""
ENTERED: Final = "entered"

PLAN = ("bands", "sessions_a_week")
BODY = ("height_m", "leg_length_m", "mass_kg", "affected_side", "aids")


def words(before: WardState, after: WardState, *, at_us: int, by: str) -> list[Word]:
    """Return what became different, as words for the history.

    Args:
        before: The ward before a change; an empty one where the history knows nothing yet.
        after: The ward after it.
        at_us: When, UTC microseconds.
        by: The person who made the change.
    """
    found = [
        *_subjects(before, after, at_us), *_plans(before, after, at_us), *_placements(before, after, at_us),
        *_sessions(before, after, by),
    ]  # fmt: skip
    return [(what, {**fields, "number": after.number}) for what, fields in found]


def _subjects(before: WardState, after: WardState, at_us: int) -> Iterator[Word]:
    for subject in after.subjects:
        was = before.subject(subject.id)
        # What a screen shows of them, and what is planned for them, is none of its business.
        if was is None or _subject(subject, at_us) != _subject(was, at_us):
            yield "subject", _subject(subject, at_us)
    for gone in before.subjects:
        if after.subject(gone.id) is None:
            yield "subject", _subject(gone, at_us) | {"bed": "", "stay": ""}


def _plans(before: WardState, after: WardState, at_us: int) -> Iterator[Word]:
    """Yield what is planned for somebody from now on; who leaves has no plan any more."""
    ids = dict.fromkeys(subject.id for subject in (*before.subjects, *after.subjects))
    for subject in ids:
        was, now = (_plan(ward.subject(subject)) for ward in (before, after))
        if was != now:
            yield "plan", {"subject": subject, "from_us": at_us, **now}


def _plan(subject: Subject | None) -> dict[str, Any]:
    return {name: Subject.model_fields[name].default if subject is None else getattr(subject, name) for name in PLAN}


def _subject(subject: Subject, at_us: int) -> dict[str, Any]:
    found = {"subject": subject.id, "bed": subject.bed, "stay": subject.stay, "from_us": at_us}
    return found | {name: getattr(subject, name) for name in BODY}


def _placements(before: WardState, after: WardState, at_us: int) -> Iterator[Word]:
    for one in after.devices:
        was = before.device(one.device.id)
        subject, had = _wearer(after, one.bed), _wearer(before, was.bed) if was else ""
        if (subject, one) != (had, was) and (subject or had):
            yield "placement", {
                "device": one.device.id, "driver": one.device.driver, "subject": subject, "bed": one.bed or "",
                "placement": one.device.placement if subject else "", "axes": str(one.device.axes or ""),
                "from_us": at_us,
            }  # fmt: skip


def _wearer(ward: WardState, bed: str | None) -> str:
    subject = None if bed is None else ward.subject_in(bed)
    return "" if subject is None else subject.id


def _sessions(before: WardState, after: WardState, by: str) -> Iterator[Word]:
    for session in after.sessions:
        was = before.session(session.id)
        if session == was:
            continue
        yield "session", _session(session)
        for part in session.parts[len(was.parts) if was else 0 :]:
            yield "part", {"session": session.id, "part": part}
        for mark in session.marks[len(was.marks) if was else 0 :]:
            yield "mark", {"session": session.id, "at_us": mark.at_us, "text": mark.text}
        for n in range(len(was.corrections) if was else 0, len(session.corrections)):
            yield "correction", _correction(session, n, by)
        for entered in session.entered[len(was.entered) if was else 0 :]:
            yield ENTERED, measurement_fields(session, entered)


def _session(session: Session) -> dict[str, Any]:
    return {
        "session": session.id, "bed": session.bed, "subject": session.subject, "protocol": session.protocol,
        "state": session.state, "started_us": session.started_us, "ended_us": session.ended_us,
        "notes": session.notes, "discarded": int(session.discarded), "made_subject": session.made_subject,
        "made_started_us": session.made_started_us, "made_ended_us": session.made_ended_us,
        "corrected": len(session.corrections),
    }  # fmt: skip


def _correction(session: Session, n: int, by: str) -> dict[str, Any]:
    was = session.corrections[n]
    now = session.corrections[n + 1] if n + 1 < len(session.corrections) else session
    return {
        "session": session.id, "n": n + 1, "at_us": was.at_us, "by": by, "why": was.why,
        "subject_before": was.subject, "subject": now.subject,
        "started_before_us": was.started_us, "started_us": now.started_us,
        "ended_before_us": was.ended_us, "ended_us": now.ended_us,
        "discarded_before": int(was.discarded), "discarded": int(now.discarded),
    }  # fmt: skip
