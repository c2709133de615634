"""Who is in which bed, wearing what, in which session, at one time: what the analysis goes by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import orjson
from pydantic import ValidationError

from config.settings import Settings, Slot

VERSION = 1

GoingOn = Mapping[str, Sequence[str]]
"""Of each bed whose session goes on from before a run: what was marked in it until then."""
NOTHING_GOES_ON: Final[GoingOn] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Bed:
    """A bed with somebody in it.

    Attributes:
        slot: The bed, who is there, and the devices worn.
        session: Id of the session in force.
        interrupted: Whether that is a later part of a session: it was paused, or the gateway began anew in it.
        marks: What was marked in the session until now, the oldest first.
    """

    slot: Slot
    session: str
    interrupted: bool = False
    marks: tuple[str, ...] = ()

    def same_work(self, other: Bed | None) -> bool:
        """Whether the analysis of one can go on as that of the other: all but the label and marks is the same."""
        unlabelled = {"label": ""}
        return (
            other is not None
            and self.session == other.session
            and self.slot.model_copy(update=unlabelled) == other.slot.model_copy(update=unlabelled)
        )


Ward = tuple[Bed, ...]


def ward_of(settings: Settings, sessions: Mapping[str, str], going_on: GoingOn = NOTHING_GOES_ON) -> Ward:
    """Return the ward that a configuration describes; ``sessions`` holds the session of each slot."""
    return tuple(
        Bed(slot, sessions[slot.id], slot.id in going_on, tuple(going_on.get(slot.id, ()))) for slot in settings.slot
    )


def sessions_of(ward: Ward) -> dict[str, str]:
    """Return the session in force of each bed."""
    return {bed.slot.id: bed.session for bed in ward}


def going_on_of(ward: Ward) -> dict[str, list[str]]:
    """Return the marks of each bed whose session goes on from before: of the ward that a run begins with."""
    return {bed.slot.id: list(bed.marks) for bed in ward if bed.interrupted}


def settings_of(settings: Settings, ward: Ward) -> Settings:
    """Return a configuration with the beds of a ward."""
    return settings.model_copy(update={"slot": [bed.slot for bed in ward]})


def encode_ward(ward: Ward) -> bytes:
    """Return a ward as JSON."""
    beds = [
        {
            "slot": bed.slot.model_dump(mode="json"), "session": bed.session, "interrupted": bed.interrupted,
            "marks": bed.marks,
        }
        for bed in ward
    ]  # fmt: skip
    return orjson.dumps({"v": VERSION, "beds": beds})


def decode_ward(payload: bytes) -> Ward:
    """Return the ward that JSON describes; raises ValueError for anything else."""
    try:
        found = orjson.loads(payload)
        if found["v"] != VERSION:
            raise ValueError(f"a ward of version {found['v']!r}")
        ward = tuple(
            Bed(
                Slot.model_validate(bed["slot"]), str(bed["session"]), bool(bed.get("interrupted", False)),
                tuple(map(str, bed.get("marks", ()))),  # recordings from before there were such
            )
            for bed in found["beds"]
        )  # fmt: skip
    except (KeyError, TypeError, ValidationError) as problem:
        raise ValueError(f"not a ward: {problem}") from None
    devices = [device.id for bed in ward for device in bed.slot.device]
    if len({bed.slot.id for bed in ward}) < len(ward) or len(set(devices)) < len(devices):
        raise ValueError("not a ward: a bed or a device is there twice")
    return ward
