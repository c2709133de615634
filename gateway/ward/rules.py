"""What changes of a ward have in common: finding what they speak of, or refusing in one sentence."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import ValidationError

from config.pseudonym import nhs_numbers
from config.settings import Device, Section
from config.wording import dotted, sentence, shown, suggestion
from drivers.registry import make_driver
from gateway.ward.refusals import RefusedError, refused
from gateway.ward.state import Bed, Equipment, Session, Subject, WardState

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

TRUE_FROM_US = 1_577_836_800_000_000
"""2020, UTC: a machine whose clock says less begins in 1970 each time, and would give two sessions one id."""

BOUNDED: Final = {
    "greater_than_equal": ("ge",), "less_than_equal": ("le",), "greater_than": ("gt",), "less_than": ("lt",),
    "string_too_long": ("max_length",), "string_too_short": ("min_length",),
}  # fmt: skip
"""What a field may not be beyond, by the kind of mistake: the names that pydantic gives to the bounds."""
NAMED: Final = 8
"""Beds that a sentence names: it has to be read, also on a ward of seventy."""
TURNS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that write what follows from the other side: 12 would be read as 21."""

FILLERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and signs by their category, which are drawn as nothing."""

Model = TypeVar("Model", bound=Section)


def valid(kind: type[Model], fields: Mapping[str, Any]) -> Model:
    """Return a model of what somebody asks for; raises RefusedError for what it cannot be."""
    try:
        return kind.model_validate(dict(fields))
    except ValidationError as error:
        first = error.errors()[0]
        raise _misfit(first, kind) from None


def _misfit(found: ErrorDetails, model: type[Section]) -> RefusedError:
    """Return what to say of a field that is not as it has to be: what a page can send in words, all else as it is."""
    where, kind, bounds = dotted(found["loc"]), found["type"], found.get("ctx", {})
    if kind in BOUNDED:
        return refused(f"field_{kind}", field=where, **{name: bounds[name] for name in BOUNDED[kind]})
    if kind == "missing":
        return refused("session_missing" if where == "session" else "field_missing", field=where)
    if kind == "extra_forbidden" and len(found["loc"]) == 1:
        return refused("field_extra_forbidden", field=where, hint=suggestion(where, model.model_fields))
    if kind == "string_pattern_mismatch" and "xyz" not in bounds["pattern"]:  # that of axes is another rule
        return refused("field_string_pattern_mismatch", field=where, shown=shown(found["input"], where))
    return RefusedError(sentence(found, model))


def _unknown_bed(ward: WardState, bed: str) -> RefusedError:
    if not ward.beds:
        return refused("no_bed_at_all", bed=bed)
    known = [one.id for one in ward.beds]
    more = f" … {known[-1]}" if len(known) > NAMED else ""
    return refused("no_bed", bed=bed, known=f"{', '.join(known[:NAMED])}{more}")


def refuse_number(subject: str) -> None:
    """Raise RefusedError for a subject that has the form of a patient number."""
    if nhs_numbers(subject):
        raise refused("subject_is_number")


def refuse_number_in(name: str, text: str) -> None:
    """Raise RefusedError for a text that has the number of a patient in it: it would be published, and kept."""
    if nhs_numbers(text):
        raise refused("text_has_number", field=name)


def refuse_unseen_in(name: str, text: str) -> None:
    """Raise RefusedError for a text with what nobody sees, or what turns the letters beside it about; lines may end."""
    if any((unicodedata.category(one) == "Cc" and one not in "\n\t") or one in TURNS for one in text):
        raise refused("text_unseen", field=name)


def is_blank(text: str) -> bool:
    """Whether there is nothing to see in a text: no letter, number, sign or picture."""
    return not any(unicodedata.category(one)[0] in "LNPS" and one not in FILLERS for one in text)


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
        raise _unknown_bed(ward, bed)
    return found


def find_subject(ward: WardState, subject: str) -> Subject:
    """Return who is there; raises RefusedError where they are not."""
    found = ward.subject(subject)
    if found is None:
        raise refused("not_on_ward", subject=subject)
    return found


def check_occupant(ward: WardState, bed: str, subject: str | None) -> None:
    """Raise RefusedError where somebody else is in a bed than whoever asks believes; None believes nothing."""
    there = ward.subject_in(bed)
    if subject is not None and (there is None or there.id != subject):
        if there is None:
            raise refused("nobody_now", bed=bed, subject=subject)
        raise refused("somebody_else_now", there=there.id, bed=bed, subject=subject)


def refuse_changed(was: object, now: object) -> None:
    """Raise RefusedError where something is not as whoever asks has seen it; None believes nothing.

    Of two who change one thing at one time the second would undo what the first has done, and neither would know.
    """
    if was is not None and was != now:
        raise refused("not_that_any_more")


def find_device(ward: WardState, device: str) -> Equipment:
    """Return a device; raises RefusedError where the ward has none of that id."""
    found = ward.device(device)
    if found is None:
        raise refused("no_device", device=device)
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
    if found is None and (ward.subject(session) or any(one.subject == session for one in ward.sessions)):
        raise refused("no_session_runs", subject=session)
    if found is None:
        raise refused("no_session", session=session)
    if found.state not in states:
        raise refused("session_is", session=found.id, state=found.state)
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
