"""The gateway's registry as the pages use it: who is in which bed, wearing what, in which session.

It is taken whole or not at all: a bed's card from half a registry could show a sensor on the wrong person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from gateway.dashboard.gateway_status import DEVICES, NAME, SLOTS
from gateway.dashboard.outside_text import clean, is_number
from gateway.wire.payload import PayloadError
from gateway.wire.receipt import PAYLOAD_VERSION

Json = dict[str, Any]

MOST_MARKS = 64  # of a session that a page tells of; the newest
STATES = frozenset({"running", "paused"})


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= NAME


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _perhaps(is_right: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: value is None or is_right(value)


def _is_times(value: object) -> bool:
    return isinstance(value, list) and all(map(is_number, value))


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_feedback(value: object) -> bool:
    right: dict[str, Callable[[object], bool]] = {
        "kind": _is_text, "of": _is_id, "side": _is_text, "low": is_number, "high": is_number, "shape": _is_text,
    }  # fmt: skip
    return (
        isinstance(value, dict) and value.keys() == right.keys() and all(is_(value[key]) for key, is_ in right.items())
    )


FIELDS: dict[str, dict[str, Callable[[object], bool]]] = {
    "beds": {"id": _is_id, "label": _is_text},
    "subjects": {
        "id": _is_id, "bed": _is_id, "since_us": is_number, "height_m": _perhaps(is_number),
        "bands": _is_text, "sessions_a_week": is_number,
        "notices": _is_texts, "feedback": _perhaps(_is_feedback),
    },
    "devices": {
        "id": _is_id, "driver": _is_text, "bed": _perhaps(_is_id), "placement": _perhaps(_is_text),
        "since_us": is_number,
    },
    "sessions": {
        "id": _is_id, "bed": _is_id, "subject": _is_id, "protocol": _is_text,
        "state": lambda value: isinstance(value, str) and value in STATES, "started_us": is_number,
        "marks_us": _is_times,
    },
    "ended": {
        "id": _is_id, "subject": _is_id, "protocol": _is_text, "started_us": is_number, "ended_us": is_number,
        "discarded": lambda value: isinstance(value, bool), "made_started_us": _perhaps(is_number),
        "made_ended_us": _perhaps(is_number),
    },
}  # fmt: skip
"""The parts of the registry, and what each entry of them has to have."""
UNSAID_OF_ENDED: Json = {"discarded": False, "made_started_us": None, "made_ended_us": None}
MOST = {"beds": SLOTS, "subjects": SLOTS, "devices": DEVICES, "sessions": SLOTS, "ended": 8 * SLOTS}


@dataclass(slots=True)
class Registry:
    """What holds after change ``number``; None before any word of it.

    Attributes:
        number: Of the newest change.
        beds: Id and label of each, in the ward's order.
        subjects: Who is there, by bed.
        devices: All that the ward has.
        sessions: Those that have not ended, by subject.
        ended: The last of each subject who is there that have ended, and what was corrected last; a gateway of before
            tells of none.
    """

    number: int | None = None
    beds: dict[str, Json] = field(default_factory=dict)
    subjects: dict[str, Json] = field(default_factory=dict)
    devices: list[Json] = field(default_factory=list)
    sessions: dict[str, Json] = field(default_factory=dict)
    ended: list[Json] = field(default_factory=list)

    def session_in(self, bed: str) -> Json | None:
        """Return the session of whoever is in a bed."""
        subject = self.subjects.get(bed)
        return self.sessions.get(subject["id"]) if subject else None


def is_of(session: str, part: str) -> bool:
    """Whether numbers that stand under an id are of a session: each part after a pause has one of its own."""
    return session in sessions_of(part)


def sessions_of(part: str) -> tuple[str, str]:
    """Return of which sessions numbers that stand under an id may be: of that id, and the one it is a part of."""
    return part, part.rpartition("-r")[0]


def read_registry(message: Json) -> Registry:
    """Return what a message of the topic ``ward`` says; raises PayloadError."""
    number = message.get("number")
    if message.get("v") != PAYLOAD_VERSION:
        raise PayloadError("unknown version")
    if type(number) is not int:
        raise PayloadError("not as expected")
    parts = {
        **message, "ended": _with(message.get("ended", []), **UNSAID_OF_ENDED),
        "subjects": _with(message.get("subjects"), bands="", sessions_a_week=0, notices=[], feedback=None),
    }  # fmt: skip
    beds, subjects, devices, sessions, ended = (_entries(name, parts.get(name)) for name in FIELDS)
    for session in sessions:
        session["marks_us"] = session["marks_us"][-MOST_MARKS:]
    return Registry(
        number, _by("id", beds), _by("bed", subjects), list(_by("id", devices).values()), _by("subject", sessions),
        list(_by("id", ended).values()),
    )  # fmt: skip


def _with(items: object, **unsaid: object) -> object:
    """Return entries that have what a gateway of before does not say."""
    if not isinstance(items, list):
        return items
    return [{**unsaid, **one} if isinstance(one, dict) else one for one in items]


def _entries(name: str, items: object) -> list[Json]:
    fields = FIELDS[name]
    if not isinstance(items, list) or len(items) > MOST[name]:
        raise PayloadError("too many" if isinstance(items, list) else "not as expected")
    for item in items:
        if not isinstance(item, dict) or not all(key in item and right(item[key]) for key, right in fields.items()):
            raise PayloadError("not as expected")
    return [{key: clean(v) if isinstance(v := item[key], str) else v for key in fields} for item in items]


def _by(key: str, items: list[Json]) -> dict[str, Json]:
    found = {item[key]: item for item in items}
    if len(found) < len(items):
        raise PayloadError("not as expected")  # two in one bed, or one in two
    return found
