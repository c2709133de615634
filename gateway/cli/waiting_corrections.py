"""Corrections of whose a session was that are in the registry of the ward, and not in the history yet."""

from __future__ import annotations

import sqlite3

from config.settings import Settings
from gateway.history.books.ward_words import ERASED
from gateway.model.usage import UsageError
from gateway.ward.kept_ward import ward_path
from gateway.ward.registry import RegistryError, read_state
from gateway.ward.state import Session


def waiting_corrections(settings: Settings, history: sqlite3.Connection, subject: str) -> list[str]:
    """Return what has to come to the history before a subject is erased from it, and what to do; empty for nothing.

    Until then the history counts a session to who it was said to be of first. Raises UsageError where nobody can tell.
    """
    path = ward_path(settings)
    try:
        sessions = read_state(path).sessions
    except FileNotFoundError:
        return []
    except RegistryError as error:
        raise UsageError(f"{error}; whose sessions are has to be known before somebody is erased") from error
    found = []
    for session in sessions:
        state, known = history.execute(
            "SELECT coalesce(max(state), ''), coalesce(max(corrected), 0) FROM ward_sessions"
            " WHERE gateway = ? AND session = ?", (settings.site.gateway, session.id),
        ).fetchone()  # fmt: skip
        said = _said_to_be_of(session, known)
        if state != ERASED and len(said) > 1 and subject in said:
            found.append(
                f"session {session.id}: whose it was is corrected in {path}, and the history does not have that yet;"
                " start the gateway, and erase when it has delivered"
            )
    return found


def _said_to_be_of(session: Session, known: int) -> set[str]:
    """Return who a session was said to be of since so many corrections."""
    return {*(one.subject for one in session.corrections[known:]), session.subject} - {""}
