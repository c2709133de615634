"""What is planned for somebody: the bands that a change of theirs is held against, and sessions a week."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from config.settings import Identifier, Section
from gateway.ward.refusals import refused
from gateway.ward.rules import find_subject
from gateway.ward.state import WardState

NO_BANDS: Final = "none"
"""Said instead of a group where none is to hold any more."""
MOST_SESSIONS: Final = 50
"""A week: more is a slip of the finger."""


class Plan(Section):
    """What is planned for a subject; what is not said stays.

    Attributes:
        subject: Who.
        bands: Group of a band file; ``none`` takes it back.
        sessions_a_week: How many sessions; 0 takes the number back.
    """

    subject: Identifier
    bands: Identifier | None = None
    sessions_a_week: Annotated[int, Field(ge=0, le=MOST_SESSIONS)] | None = None

    def apply(self, ward: WardState, at_us: int) -> WardState:  # noqa: ARG002 - every change has a time
        """Plan for the subject."""
        there = find_subject(ward, self.subject)
        said: dict[str, object] = {}
        if self.bands is not None:
            said["bands"] = "" if self.bands == NO_BANDS else self.bands
        if self.sessions_a_week is not None:
            said["sessions_a_week"] = self.sessions_a_week
        if not said:
            raise refused("nothing_planned")
        planned = there.model_copy(update=said)
        return ward.model_copy(
            update={"subjects": tuple(planned if one.id == self.subject else one for one in ward.subjects)}
        )
