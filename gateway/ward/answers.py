"""What is answered to a change that was made, with a note where somebody has to look whether it was meant so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from config.protocol import PROTOCOLS, read_protocol
from config.wording import nearest
from gateway.ward.changes import session_of
from gateway.ward.refusals import RefusedError, named, refused
from gateway.ward.state import WardState

CORRECT: Final = "session-correct"


def answer_to(after: WardState, name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to a change, from the ward after it; of a corrected session also when it was."""
    about = session_of(after, fields)
    session = after.session(about.get("session", "")) if name == CORRECT else None
    times = {} if session is None else {"start_us": session.started_us, "end_us": session.ended_us}
    return {"number": after.number, "change": name, **about, **times, **note_on(after, name, fields)}


def note_on(ward: WardState, name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return, for the answer to a change, what was done all the same, and by ``said`` which sentence that is."""
    found = None
    if name == CORRECT:
        found = _of_nobody(ward, fields.get("subject"))
    elif name == "session-start":
        found = _measures_nothing(str(fields.get("protocol", "")))
    return {} if found is None else {"note": str(found), **named(found.said)}


def _of_nobody(ward: WardState, subject: object) -> RefusedError | None:
    """Return that nobody of a pseudonym is there: they may have left; or it was mistyped."""
    if not subject or ward.subject(str(subject)) is not None:
        return None
    return refused("corrected_to_nobody", subject=subject)


def _measures_nothing(protocol: str) -> RefusedError | None:
    """Return that no test goes by a protocol: it may be somebody's own; or it was mistyped, and the test is lost."""
    word = read_protocol(protocol).word
    if word in PROTOCOLS:
        return None
    if near := nearest(word, PROTOCOLS):
        return refused("protocol_near", protocol=protocol, near=near)
    return refused("protocol_unknown", protocol=protocol, known=", ".join(PROTOCOLS))
