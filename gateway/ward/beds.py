"""Changes of which beds the ward has: one, a row of them, one less."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from config.settings import Identifier, Section
from gateway.ward.refusals import refused
from gateway.ward.rules import find_bed, refuse_number_in, valid
from gateway.ward.state import FREE_TEXT, Bed, WardState

MOST_AT_ONCE: Final = 256
"""As many beds of a gateway as the pages show (`gateway/dashboard/gateway_status.py`): more are a slip of the hand."""
LAST_NUMBER: Final = 9999
PREFIX = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=28)]
"""What the ids of a row of beds begin with: an identifier that has room for a number behind it."""
NUMBER = Annotated[int, Field(ge=0, le=LAST_NUMBER)]


class AddBed(Section):
    """A bed that the ward has."""

    bed: Identifier
    label: FREE_TEXT = ""

    def apply(self, ward: WardState, at_us: int) -> WardState:  # noqa: ARG002 - every change has a time
        """Add the bed."""
        refuse_number_in("bed", self.bed)
        if ward.bed(self.bed):
            raise refused("bed_there", bed=self.bed)
        return ward.model_copy(update={"beds": (*ward.beds, Bed(id=self.bed, label=self.label))})


class AddBeds(Section):
    """A row of beds that the ward has, numbered from the first to the last: all of them, or none."""

    prefix: PREFIX = "bay-"
    first: NUMBER
    last: NUMBER
    label: FREE_TEXT = ""

    def apply(self, ward: WardState, at_us: int) -> WardState:
        """Add the beds: "bay-" and 1 to 3 with the label "Bay" are bay-1 "Bay 1" to bay-3 "Bay 3"."""
        if self.last < self.first:
            raise refused("row_backwards", first=self.first, last=self.last)
        if self.last - self.first >= MOST_AT_ONCE:
            raise refused("row_too_long", count=self.last - self.first + 1, most=MOST_AT_ONCE)
        for n in range(self.first, self.last + 1):
            label = f"{self.label} {n}" if self.label.strip() else ""
            ward = valid(AddBed, {"bed": f"{self.prefix}{n}", "label": label}).apply(ward, at_us)
        return ward


class RemoveBed(Section):
    """A bed that the ward has no more."""

    bed: Identifier

    def apply(self, ward: WardState, at_us: int) -> WardState:  # noqa: ARG002
        """Remove the bed."""
        find_bed(ward, self.bed)
        if subject := ward.subject_in(self.bed):
            raise refused("bed_taken", subject=subject.id, bed=self.bed)
        return ward.model_copy(update={"beds": tuple(bed for bed in ward.beds if bed.id != self.bed)})
