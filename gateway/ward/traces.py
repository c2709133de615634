"""What is left of a gateway's ward where its file and its outbox are both gone: the ward of the file is then too old.

A data folder that was emptied, or a new computer with the configuration of the one before, looks like a first start.
But the history, a device that was met, a file that was set aside or the broker tell that there was a ward; whom it had
in its beds nobody here knows any more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Final

from config.settings import Settings
from gateway.intake.known_devices import known_devices

FROM_TRACE: Final = "trace"
"""Where a change comes from that follows from such a trace."""
SET_ASIDE: Final = ("ward.db.*-[0-9]*", "outbox.db.*-[0-9]*", "outbox.db.left-*")

AskBroker = Callable[[], str]
"""Returns of which topic of this gateway its broker holds a message; empty where of none, or it cannot be asked."""


def trace_of_ward(settings: Settings, ask_broker: AskBroker | None) -> str:
    """Return what shows that a gateway had a ward before, in words; empty if nothing does."""
    if aside := sorted(path.name for kind in SET_ASIDE for path in settings.site.data.glob(kind)):
        return f"{aside[0]} was set aside"
    if stored := _stored(settings):
        return stored
    if known_devices(settings).read():
        return "it has met devices"
    topic = ask_broker() if ask_broker is not None else ""
    return f"the broker still has {topic}" if topic else ""


def _stored(settings: Settings) -> str:
    """Return what the history of this computer shows, in words: a damaged one is a trace, one being made none."""
    path = settings.history_file.absolute()
    if not path.exists():
        return ""
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            query = "SELECT 1 FROM epochs WHERE gateway = ? AND received > 0"
            was_stored = db.execute(query, (settings.site.gateway,)).fetchone() is not None
            return "the history has measurements of it" if was_stored else ""
    except sqlite3.OperationalError:  # it is just being made, or another one writes
        return ""
    except sqlite3.DatabaseError:
        return f"{path.name} is damaged"
