"""The ward as the outbox remembers it: what a registry is measured against that was removed or put back.

Who is in which bed stands in one file. Without it, or with an older one in its place, the patient before would be in
the bed again. So the outbox keeps the ward after each change, beside the rows, and the registry goes on from that
where it is the newer one.
"""

from __future__ import annotations

from typing import Final

from pydantic import Field, ValidationError

from config.settings import Section, Slot
from gateway.ward.changes import Discharge, ImportSlots
from gateway.ward.state import WardState

FACT: Final = "ward"
"""Under which an outbox keeps it."""
RECALLED: Final = "recalled"
"""The change by which a registry takes it, and the place it comes from."""
VACATED: Final = "vacated"
"""The change after which nobody is in a bed whom the configuration alone has put there."""


class Recall(Section):
    """The ward becomes what it was last known to be; its file was removed, or is an older one.

    Attributes:
        ward: As it was remembered; not in the log of changes, which would keep who has left.
    """

    ward: WardState = Field(exclude=True)

    def apply(self, ward: WardState, at_us: int) -> WardState:  # noqa: ARG002 - every change has a time
        """Take it, and what the file still knows of sessions that have ended."""
        open_now = {session.id for session in self.ward.sessions}
        ended = (one for one in ward.sessions if one.state == "ended" and one.id not in open_now)
        return self.ward.model_copy(update={"sessions": (*ended, *self.ward.sessions)})


class Vacate(Section):
    """Whom the configuration alone has put into a bed is in none: there was a ward before, and who is where is unknown.

    Attributes:
        trace: What showed that there was one, in words.
        slots: Where the ward begins with it: the slots of the configuration, whose beds and devices it has.
        subjects: Where it had begun before: who leaves.
    """

    trace: str
    slots: list[Slot] = Field([], exclude=True)
    subjects: tuple[str, ...] = ()

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Have the beds, and nobody in them; from now on the ward is what people make of it."""
        if self.slots:
            made = ImportSlots(slots=self.slots).apply(ward, at_us)
            off = tuple(one.model_copy(update={"bed": None}) for one in made.devices)
            ward = made.model_copy(update={"subjects": (), "devices": off})
        for subject in self.subjects:
            ward = Discharge(subject=subject).apply(ward, at_us)
        return ward.model_copy(update={"by_hand": True})


def remembered(ward: WardState) -> str:
    """Return what is kept of a ward: all but the sessions that have ended, which may be of somebody who was erased."""
    running = tuple(session for session in ward.sessions if session.state != "ended")
    return ward.model_copy(update={"sessions": running}).model_dump_json()


def read_remembered(text: str) -> WardState | None:
    """Return the ward that was kept; None where none was, or where another version wrote it."""
    try:
        return WardState.model_validate_json(text) if text else None
    except ValidationError:
        return None
