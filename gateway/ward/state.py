"""The nouns of the ward: beds, subjects, devices and sessions, as they are after the last change."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from config.settings import Device, Identifier, Section, Slot
from gateway.model import ward

FREE_TEXT = Annotated[str, StringConstraints(max_length=200)]
STAY = "free_walk"  # the protocol while nobody has started a session


class Bed(Section):
    """A bed or bay.

    Attributes:
        id: Part of the topics.
        label: What the ward calls it.
    """

    id: Identifier
    label: str = ""


SHOWN_OF = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_]{0,47}$")]
"""What is shown: a placement, a channel or a metric, by its name."""
NoticeKind = Literal["fall_event", "ceiling_exceeded"]


class Feedback(Section):
    """What somebody is shown of their own movement (`gateway.ward.preferences.ChooseFeedback` says what each is)."""

    kind: Literal["lean", "turning", "joint", "metric"]
    of: SHOWN_OF
    side: Literal["left", "right", "both", "none"] = "none"
    low: float
    high: float
    shape: Literal["bar", "number"] = "bar"


class Subject(Section):
    """Somebody who is there, by pseudonym.

    Attributes:
        id: The pseudonym; never a name or a hospital number.
        bed: Where.
        since_us: Since when in this bed, UTC microseconds.
        height_m: Body height, metres.
        leg_length_m: Greater trochanter to floor, metres.
        mass_kg: Body mass, kilograms.
        heart_ceiling: Heart rate that they are not to exceed, a minute.
        affected_side: The side that the illness affects more, if it has one.
        aids: Walking aids, free text.
        protocol: Of the time in which no session runs.
        stay: Session id of that time.
        bands: Group of the bands that a change of theirs is held against; empty: none was chosen.
        sessions_a_week: How many sessions are planned; 0: no number is.
        notices: Movement notices that are raised of them; none unless somebody chose so.
        feedback: What they are shown of their own movement.
    """

    id: Identifier
    bed: Identifier
    since_us: int
    height_m: float | None = Field(None, ge=0.5, le=2.6)
    leg_length_m: float | None = Field(None, ge=0.2, le=1.5)
    mass_kg: float | None = Field(None, ge=2.0, le=400.0)
    heart_ceiling: float | None = Field(None, ge=60.0, le=220.0)
    affected_side: Literal["left", "right", "both", "none"] = "none"
    aids: FREE_TEXT = ""
    protocol: FREE_TEXT = STAY
    stay: str
    bands: str = ""
    sessions_a_week: int = 0
    notices: tuple[NoticeKind, ...] = ()
    feedback: Feedback | None = None


class Equipment(Section):
    """A device that the ward has.

    Attributes:
        device: How it is reached, and where it is worn, or was last.
        bed: Who wears it, by bed; None while nobody does.
        since_us: Since when it is there, UTC microseconds.
    """

    device: Device
    bed: Identifier | None = None
    since_us: int = 0


class Mark(Section):
    """Something that happened in a session, in the words of whoever saw it."""

    at_us: int
    text: FREE_TEXT


class Entered(Section):
    """A value that somebody entered into a session (`gateway.ward.entries`).

    Attributes:
        metric: Id in the catalogue.
        value: In the catalogue's unit.
        algorithm: How it came about: reported, of a form, or computed from times that were corrected.
        start_us: First instant that it describes, UTC microseconds.
        end_us: The last.
        at_us: When it was entered.
    """

    metric: str
    value: float
    algorithm: str
    start_us: int
    end_us: int
    at_us: int


class Correction(Section):
    """What a session said before it was corrected.

    Attributes:
        at_us: When it was corrected, UTC microseconds.
        subject: Whose it was said to be; empty once they were erased.
        started_us: When it was said to have begun.
        ended_us: And to have ended.
        discarded: Whether it was discarded then.
        why: The reason, in the words of whoever corrected it.
    """

    at_us: int
    subject: str
    started_us: int
    ended_us: int
    discarded: bool
    why: FREE_TEXT = ""


class Session(Section):
    """A subject does a protocol, over time.

    Attributes:
        id: Unique on this gateway.
        bed: Where it was started.
        subject: Who.
        protocol: What.
        state: ``running``, ``paused`` or ``ended``.
        started_us: UTC microseconds.
        ended_us: None until it has ended.
        parts: Session ids under which its measurements stand: another one after each pause and each start of the
            gateway, so that a wall clock that is mended later moves one run's times only.
        marks: What was marked.
        notes: Free text.
        discarded: Whether it is not to be used. Nothing of it is deleted.
        corrections: What was corrected, the oldest first.
        entered: What people entered by hand, the oldest first.
    """

    id: str
    bed: Identifier
    subject: Identifier
    protocol: FREE_TEXT
    state: Literal["running", "paused", "ended"] = "running"
    started_us: int
    ended_us: int | None = None
    parts: tuple[str, ...]
    marks: tuple[Mark, ...] = ()
    notes: FREE_TEXT = ""
    discarded: bool = False
    corrections: tuple[Correction, ...] = ()
    entered: tuple[Entered, ...] = ()

    @property
    def made_subject(self) -> str:
        """Whose it was said to be while it ran."""
        return self.corrections[0].subject if self.corrections else self.subject

    @property
    def made_started_us(self) -> int:
        """When it was begun, whatever was corrected since."""
        return self.corrections[0].started_us if self.corrections else self.started_us

    @property
    def made_ended_us(self) -> int | None:
        """When it was ended, whatever was corrected since; None until then."""
        return self.corrections[0].ended_us if self.corrections else self.ended_us


class WardState(Section):
    """Everything that holds after change ``number``.

    Attributes:
        slots_digest: Of the configuration's slots that it was made from; empty if it was made from none.
        by_hand: Whether people have changed it since.
    """

    number: int = 0
    slots_digest: str = ""
    by_hand: bool = False
    beds: tuple[Bed, ...] = ()
    subjects: tuple[Subject, ...] = ()
    devices: tuple[Equipment, ...] = ()
    sessions: tuple[Session, ...] = ()

    def bed(self, bed: str) -> Bed | None:
        """Return a bed."""
        return next((one for one in self.beds if one.id == bed), None)

    def subject_in(self, bed: str) -> Subject | None:
        """Return who is in a bed."""
        return next((one for one in self.subjects if one.bed == bed), None)

    def subject(self, subject: str) -> Subject | None:
        """Return a subject who is there."""
        return next((one for one in self.subjects if one.id == subject), None)

    def device(self, device: str) -> Equipment | None:
        """Return a device that the ward has."""
        return next((one for one in self.devices if one.device.id == device), None)

    def devices_in(self, bed: str) -> tuple[Device, ...]:
        """Return the devices worn in a bed."""
        return tuple(one.device for one in self.devices if one.bed == bed)

    def session(self, session: str) -> Session | None:
        """Return a session by its id."""
        return next((one for one in self.sessions if one.id == session), None)

    def open_session(self, subject: str) -> Session | None:
        """Return the session of a subject that has not ended."""
        return next((one for one in self.sessions if one.subject == subject and one.state != "ended"), None)

    def in_force(self) -> ward.Ward:
        """Return what the analysis goes by: each bed with somebody in it."""
        return tuple(self._bed_in_force(bed, subject) for bed in self.beds if (subject := self.subject_in(bed.id)))

    def _bed_in_force(self, bed: Bed, subject: Subject) -> ward.Bed:
        session = self.open_session(subject.id)
        running = session if session and session.state == "running" else None
        slot = Slot(
            id=bed.id, label=bed.label, subject=subject.id, height_m=subject.height_m,
            mass_kg=subject.mass_kg, affected_side=subject.affected_side, heart_ceiling=subject.heart_ceiling,
            protocol=running.protocol if running else subject.protocol, device=list(self.devices_in(bed.id)),
        )  # fmt: skip
        if running is None:
            return ward.Bed(slot, subject.stay)
        marks = tuple(mark.text for mark in running.marks)
        return ward.Bed(slot, running.parts[-1], len(running.parts) > 1, marks)


def ward_from_slots(slots: list[Slot], now_us: int, sessions: dict[str, str]) -> WardState:
    """Return the ward that a configuration file describes; ``sessions`` holds a session id for each slot."""
    return WardState(
        beds=tuple(Bed(id=slot.id, label=slot.label) for slot in slots),
        subjects=tuple(
            Subject(
                id=slot.subject, bed=slot.id, since_us=now_us, height_m=slot.height_m, mass_kg=slot.mass_kg,
                affected_side=slot.affected_side, heart_ceiling=slot.heart_ceiling, protocol=slot.protocol,
                stay=sessions[slot.id],
            )
            for slot in slots
        ),
        devices=tuple(
            Equipment(device=device, bed=slot.id, since_us=now_us) for slot in slots for device in slot.device
        ),
    )  # fmt: skip
