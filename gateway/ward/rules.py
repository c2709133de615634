"""What changes of a ward have in common: finding what they speak of, or refusing in one sentence."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import ValidationError

from config.pseudonym import nhs_numbers
from config.settings import Device, Section
from config.wording import dotted, sentence
from drivers.registry import make_driver
from gateway.ward.state import Bed, Equipment, Session, Subject, WardState

TRUE_FROM_US = 1_577_836_800_000_000
"""2020, UTC: a machine whose clock says less begins in 1970 each time, and would give two sessions one id."""

TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that write what follows from the other side: 12 would be read as 21."""

Model = TypeVar("Model", bound=Section)


class RefusedError(ValueError):
    """A change that cannot be; the text is one sentence for whoever asked."""


def valid(kind: type[Model], fields: Mapping[str, Any]) -> Model:
    """Return a model of what somebody asks for; raises RefusedError for what it cannot be."""
    try:
        return kind.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors()[0]
        if first["type"] == "missing":
            raise RefusedError(f"{dotted(first['loc'])} is missing") from None
        raise RefusedError(sentence(first, kind)) from None


def refuse_number(subject: str) -> None:
    """Raise RefusedError for a subject that has the form of a patient number."""
    if nhs_numbers(subject):
        raise RefusedError("a subject is a pseudonym: this has the form of an NHS number")


def refuse_number_in(name: str, text: str) -> None:
    """Raise RefusedError for a text that has the number of a patient in it: it would be published, and kept."""
    if nhs_numbers(text):
        raise RefusedError(f"{name} has the form of an NHS number: nobody is named here")


def refuse_unseen_in(name: str, text: str) -> None:
    """Raise RefusedError for a text with what nobody sees, or what turns the letters beside it about; lines may end."""
    if any((unicodedata.category(one) == "Cc" and one not in "\n\t") or one in TURNS for one in text):
        raise RefusedError(f"{name} holds a character that cannot be seen: write it anew")


def refuse_unreadable(device: Device) -> None:
    """Raise RefusedError for a device whose driver there is not, does not load, or takes no such options."""
    try:
        make_driver(device.driver, device.options)
    except (TypeError, ValueError) as problem:
        raise RefusedError(str(problem)) from None


def refuse_unfit(findings: Iterable[str]) -> None:
    """Raise RefusedError with the first thing that is wrong with a device."""
    for finding in findings:
        raise RefusedError(finding)


def find_bed(ward: WardState, bed: str) -> Bed:
    """Return a bed; raises RefusedError where there is none."""
    found = ward.bed(bed)
    if found is None:
        raise RefusedError(f"there is no bed '{bed}': known are {', '.join(one.id for one in ward.beds) or 'none'}")
    return found


def find_subject(ward: WardState, subject: str) -> Subject:
    """Return who is there; raises RefusedError where they are not."""
    found = ward.subject(subject)
    if found is None:
        raise RefusedError(f"'{subject}' is not on this ward")
    return found


def check_occupant(ward: WardState, bed: str, subject: str | None) -> None:
    """Raise RefusedError where somebody else is in a bed than whoever asks believes; None believes nothing."""
    there = ward.subject_in(bed)
    if subject is not None and (there is None or there.id != subject):
        now = "nobody" if there is None else f"'{there.id}'"
        raise RefusedError(f"{now} is in bed '{bed}' now, and not '{subject}'")


def find_device(ward: WardState, device: str) -> Equipment:
    """Return a device; raises RefusedError where the ward has none of that id."""
    found = ward.device(device)
    if found is None:
        raise RefusedError(f"there is no device '{device}' on this ward")
    return found


def as_before(subject: Subject, before: Subject | None) -> Subject:
    """Keep of somebody who stays what a configuration does not say."""
    if before is None:
        return subject
    kept = ["leg_length_m", "aids", "bands", "sessions_a_week", "notices", "feedback"]
    kept += ["heart_ceiling"] if subject.heart_ceiling is None else []
    kept += ["mass_kg"] if subject.mass_kg is None else []
    kept += ["affected_side"] if subject.affected_side == "none" else []
    return subject.model_copy(update={name: getattr(before, name) for name in kept})


def find_session(ward: WardState, session: str, *states: str) -> Session:
    """Return a session by its id, or the open one of a subject."""
    found = ward.session(session) or ward.open_session(session)
    if found is None:
        raise RefusedError(f"there is no session '{session}'")
    if found.state not in states:
        raise RefusedError(f"session '{found.id}' is {found.state}")
    return found


def with_another_part(session: Session) -> Session:
    """Return a session with another part: a pause, or a time without the gateway, lies between them."""
    part = f"{session.id}-r{len(session.parts) + 1}"
    return session.model_copy(update={"parts": (*session.parts, part)})


def with_session(ward: WardState, session: Session) -> WardState:
    """Return a ward with a session in the place of the one of its id."""
    return ward.model_copy(
        update={"sessions": tuple(session if one.id == session.id else one for one in ward.sessions)}
    )


def with_ended(ward: WardState, session: Session, at_us: int) -> WardState:
    """Return a ward in which a session has ended."""
    return with_session(ward, session.model_copy(update={"state": "ended", "ended_us": max(at_us, session.started_us)}))


def end_open(ward: WardState, subject: str, at_us: int) -> WardState:
    """Return a ward in which the open session of a subject, if there is one, has ended."""
    session = ward.open_session(subject)
    return ward if session is None else with_ended(ward, session, at_us)


def new_id(ward: WardState, bed: str, at_us: int, taken: set[str] | None = None, suffix: str = "") -> str:
    """Return an id for a session that no other has: bed and time, as everybody reads it."""
    stamp = datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y%m%dt%H%M%Sz")
    used = (taken or set()) | {one.id for one in ward.sessions} | {one.stay for one in ward.subjects}
    name = f"{bed}-{stamp}{suffix}" if suffix or at_us >= TRUE_FROM_US else f"{bed}-{stamp}-{ward.number + 1}"
    return next(n for n in (name, *(f"{name}-{k}" for k in range(2, len(used) + 3))) if n not in used)
