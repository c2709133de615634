"""What may be done to a ward: each change checked, pure, and refused in one sentence where it cannot be.

A new change is a class here and its name in ``CHANGES``; ``gateway/wire/commands.py`` has it as a command,
``gateway/dashboard/access.py`` says who may make it, ``gateway/cli/ward.py`` gives it to the command line, and
``changes.js`` to the pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from config.protocol import misfit
from config.settings import Device, Identifier, Placement, Section, Slot
from gateway.ward.beds import AddBed, AddBeds, RemoveBed
from gateway.ward.corrections import CorrectSession, DiscardSession
from gateway.ward.digest import slots_digest
from gateway.ward.entries import CorrectTest, ReportSession
from gateway.ward.plans import Plan
from gateway.ward.preferences import PREFERENCES, Preference
from gateway.ward.refusals import RefusedError, refused
from gateway.ward.rules import (
    as_before,
    check_occupant,
    end_open,
    find_bed,
    find_device,
    find_session,
    find_subject,
    is_blank,
    new_id,
    refuse_changed,
    refuse_number,
    refuse_number_in,
    refuse_unseen_in,
    valid,
    with_another_part,
    with_ended,
    with_session,
)  # fmt: skip
from gateway.ward.state import FREE_TEXT, Equipment, Mark, Session, Subject, WardState, ward_from_slots

ENDED_KEPT = 500
"""Sessions that have ended, of which the newest are kept at hand: several days of a full ward. The history has all."""
TEXTS = frozenset({"label", "aids", "protocol", "notes", "text", "why", "note"})
"""Fields of changes in which people write what they like."""
MOST_MARKS: Final = 500
"""Of one session: more are a program that does not stop, and each change of the ward tells all of them again."""


class Admit(Section):
    """Somebody comes into a bed."""

    subject: Identifier
    bed: Identifier
    height_m: float | None = None
    leg_length_m: float | None = None
    mass_kg: float | None = None
    heart_ceiling: float | None = None
    affected_side: str = "none"
    aids: FREE_TEXT = ""

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Admit the subject."""
        refuse_number(self.subject)
        find_bed(ward, self.bed)
        if there := ward.subject(self.subject):
            raise refused("admitted_already", subject=self.subject, bed=there.bed)
        if other := ward.subject_in(self.bed):
            raise refused("bed_taken", subject=other.id, bed=self.bed)
        found = self.model_dump() | {"since_us": at_us, "stay": new_id(ward, self.bed, at_us)}
        found["id"] = found.pop("subject")
        return ward.model_copy(update={"subjects": (*ward.subjects, valid(Subject, found))})


class Discharge(Section):
    """Somebody leaves: their session ends, their sensors are free."""

    subject: Identifier

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Discharge the subject."""
        there = find_subject(ward, self.subject)
        ward = end_open(ward, self.subject, at_us)
        freed = tuple(
            one.model_copy(update={"bed": None, "since_us": at_us}) if one.bed == there.bed else one
            for one in ward.devices
        )
        return ward.model_copy(
            update={"devices": freed, "subjects": tuple(one for one in ward.subjects if one.id != self.subject)}
        )


class Move(Section):
    """Somebody moves to another, empty bed, with sensors and session: out of the bed ``was``, where that is said."""

    subject: Identifier
    bed: Identifier
    was: Identifier | None = None

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Move the subject."""
        there = find_subject(ward, self.subject)
        find_bed(ward, self.bed)
        if there.bed == self.bed:
            raise refused("in_that_bed", subject=self.subject, bed=self.bed)
        refuse_changed(self.was, there.bed)
        if other := ward.subject_in(self.bed):
            raise refused("bed_taken", subject=other.id, bed=self.bed)
        moved = there.model_copy(update={"bed": self.bed, "since_us": at_us})
        return ward.model_copy(
            update={
                "subjects": tuple(moved if one.id == self.subject else one for one in ward.subjects),
                "devices": tuple(
                    one.model_copy(update={"bed": self.bed}) if one.bed == there.bed else one for one in ward.devices
                ),
            }
        )


class AddDevice(Section):
    """A device that the ward has; worn by nobody yet."""

    device: Device

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Add the device."""
        if ward.device(self.device.id):
            raise refused("device_there", device=self.device.id)
        for key in ("address", "name", "port", "listen"):
            mine = getattr(self.device, key)
            for one in ward.devices:
                if mine is not None and getattr(one.device, key) == mine:
                    raise refused("address_taken", what=key, mine=mine, device=one.device.id)
        return ward.model_copy(update={"devices": (*ward.devices, Equipment(device=self.device, since_us=at_us))})


class RemoveDevice(Section):
    """A device that the ward has no more."""

    device: Identifier

    def apply(self, ward: WardState, at_us: int) -> WardState:  # noqa: ARG002
        """Remove the device."""
        one = find_device(ward, self.device)
        if one.bed is not None:
            raise refused("device_worn", device=self.device, bed=one.bed)
        return ward.model_copy(update={"devices": tuple(o for o in ward.devices if o.device.id != self.device)})


class Assign(Section):
    """A device is put on somebody: on ``subject``, where that is said, and on nobody who has come instead."""

    device: Identifier
    bed: Identifier
    placement: Placement
    axes: str | None = None
    subject: Identifier | None = None

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Put the device on."""
        one = find_device(ward, self.device)
        find_bed(ward, self.bed)
        if ward.subject_in(self.bed) is None:
            raise refused("bed_empty", bed=self.bed)
        check_occupant(ward, self.bed, self.subject)
        if one.bed is not None:
            raise refused("worn_at", device=self.device, placement=one.device.placement, bed=one.bed)
        for other in ward.devices_in(self.bed):
            if other.placement == self.placement and other.driver == one.device.driver:
                raise refused("worn_at", device=other.id, placement=self.placement, bed=self.bed)
        placed = one.device.model_dump() | {"placement": self.placement}
        if self.axes is not None:
            placed["axes"] = self.axes
        attached = Equipment(device=valid(Device, placed), bed=self.bed, since_us=at_us)
        return ward.model_copy(
            update={"devices": tuple(attached if o.device.id == self.device else o for o in ward.devices)}
        )


class TakeOff(Section):
    """A device is taken off: off ``subject``, where that is said, and off nobody else who wears it by now."""

    device: Identifier
    subject: Identifier | None = None

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Take the device off."""
        one = find_device(ward, self.device)
        if one.bed is None:
            raise refused("on_nobody", device=self.device)
        check_occupant(ward, one.bed, self.subject)
        off = one.model_copy(update={"bed": None, "since_us": at_us})
        return ward.model_copy(update={"devices": tuple(off if o is one else o for o in ward.devices)})


class StartSession(Section):
    """A subject begins a protocol."""

    subject: Identifier
    protocol: FREE_TEXT
    notes: FREE_TEXT = ""

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Start the session."""
        there = find_subject(ward, self.subject)
        if session := ward.open_session(self.subject):
            raise refused("session_open", session=session.id, subject=self.subject, state=session.state)
        if not ward.devices_in(there.bed):
            raise refused("wears_nothing", subject=self.subject)
        if not self.protocol.strip():
            raise refused("needs_protocol")
        if problem := misfit(self.protocol):
            raise refused(f"protocol_{problem.kind}", **problem.values)
        name = new_id(ward, there.bed, at_us)
        session = Session(
            id=name, bed=there.bed, subject=self.subject, protocol=self.protocol, started_us=at_us, parts=(name,),
            notes=self.notes,
        )  # fmt: skip
        ended = [one for one in ward.sessions if one.state == "ended"][-ENDED_KEPT:]
        return ward.model_copy(
            update={"sessions": (*(o for o in ward.sessions if o.state != "ended" or o in ended), session)}
        )


class PauseSession(Section):
    """A session stands still: what is measured meanwhile is not part of it."""

    session: str

    def apply(self, ward: WardState, at_us: int) -> WardState:  # noqa: ARG002
        """Pause the session."""
        return with_session(ward, find_session(ward, self.session, "running").model_copy(update={"state": "paused"}))


class ResumeSession(Section):
    """A session goes on."""

    session: str

    def apply(self, ward: WardState, at_us: int) -> WardState:  # noqa: ARG002
        """Resume the session."""
        return with_session(
            ward, with_another_part(find_session(ward, self.session, "paused")).model_copy(update={"state": "running"})
        )


class MarkSession(Section):
    """Something happened in a session."""

    session: str
    text: FREE_TEXT

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Mark the session."""
        session = find_session(ward, self.session, "running", "paused")
        if is_blank(self.text):
            raise refused("mark_is_blank")
        if len(session.marks) >= MOST_MARKS:
            raise refused("marked_too_often", session=session.id, most=MOST_MARKS)
        return with_session(
            ward, session.model_copy(update={"marks": (*session.marks, Mark(at_us=at_us, text=self.text))})
        )


class EndSession(Section):
    """A session is over."""

    session: str

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """End the session."""
        return with_ended(ward, find_session(ward, self.session, "running", "paused"), at_us)


class GatewayStarts(Section):
    """The gateway starts again: what is measured from now on stands under ids of its own, in the same sessions.

    Attributes:
        suffix: What makes the ids of this start different from those of every other, where the clock cannot.
    """

    suffix: str = ""

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Begin another part of what runs, and of each stay."""
        for session in ward.sessions:
            if session.state == "running":
                ward = with_session(ward, with_another_part(session))
        subjects: list[Subject] = []
        for subject in ward.subjects:
            stay = new_id(ward, subject.bed, at_us, {one.stay for one in subjects}, self.suffix)
            subjects.append(subject.model_copy(update={"stay": stay}))
        return ward.model_copy(update={"subjects": tuple(subjects)})


class ImportSlots(Section):
    """The ward becomes what a configuration file describes; the sessions of whoever stays go on.

    Nothing is measured until the gateway starts, which gives each stay its id.
    """

    slots: list[Slot]

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Take the file over."""
        made = ward_from_slots(self.slots, at_us, {slot.id: "" for slot in self.slots})
        there = {subject.id for subject in made.subjects}
        for session in ward.sessions:
            if session.state != "ended" and session.subject not in there:
                ward = with_ended(ward, session, at_us)
        subjects = tuple(as_before(subject, ward.subject(subject.id)) for subject in made.subjects)
        return made.model_copy(
            update={
                "number": ward.number, "subjects": subjects, "sessions": ward.sessions,
                "slots_digest": slots_digest(self.slots), "by_hand": False,
            }
        )  # fmt: skip


Change = (
    AddBed | AddBeds | RemoveBed | Admit | Discharge | Move | AddDevice | RemoveDevice | Assign | TakeOff
    | StartSession | PauseSession | ResumeSession | MarkSession | EndSession | CorrectSession | DiscardSession | Plan
    | ReportSession | CorrectTest | GatewayStarts | ImportSlots | Preference
)  # fmt: skip

CHANGES: Final[Mapping[str, type[Change]]] = {
    "add-bed": AddBed,
    "add-beds": AddBeds,
    "remove-bed": RemoveBed,
    "admit": Admit,
    "discharge": Discharge,
    "move": Move,
    "plan": Plan,
    "add-device": AddDevice,
    "remove-device": RemoveDevice,
    "assign": Assign,
    "take-off": TakeOff,
    "session-start": StartSession,
    "session-pause": PauseSession,
    "session-resume": ResumeSession,
    "session-mark": MarkSession,
    "session-end": EndSession,
    "session-correct": CorrectSession,
    "session-discard": DiscardSession,
    "session-report": ReportSession,
    "test-correct": CorrectTest,
    **PREFERENCES,
}
"""What people may ask for, by its name."""


def read_change(name: str, fields: Mapping[str, Any]) -> Change:
    """Return the change that somebody asks for; raises RefusedError."""
    kind = CHANGES.get(name)
    if kind is None:
        raise RefusedError(f"there is no change '{name}': known are {', '.join(CHANGES)}")
    change = valid(kind, fields)
    for text in TEXTS & kind.model_fields.keys():
        refuse_number_in(text, getattr(change, text))
        refuse_unseen_in(text, getattr(change, text))
    return change


def session_of(ward: WardState, fields: Mapping[str, Any]) -> dict[str, str]:
    """Return, for the answer to a change, the session that it is about: nothing where there is none."""
    named = str(fields.get("session") or fields.get("subject") or "")
    session = ward.open_session(named) or ward.session(named)
    if session is None:
        of_subject = [one for one in ward.sessions if one.subject == named]
        session = of_subject[-1] if of_subject and "session" in fields else None
    return {} if session is None else {"session": session.id}
