"""Texts that an outbox keeps beside its rows, such as which history it knows: on disk with the next commit."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from gateway.outbox.keeper import FileKeeper
from gateway.outbox.limits import Limits
from gateway.outbox.pending import Pending
from gateway.outbox.requests import Requests


class Facts:
    """The facts of an outbox by name. Safe for several threads.

    Args:
        pending: Whose condition guards them, and where the commit is scheduled that takes what is new.
        requests: Facts that are not on disk yet.
        keeper: The file that holds the others.
        limits: How long a fact may wait before it is written.
    """

    def __init__(self, pending: Pending, requests: Requests, keeper: FileKeeper, limits: Limits) -> None:
        self._pending = pending
        self._requests = requests
        self._keeper = keeper
        self._limits = limits

    def get(self, key: str) -> str:
        """Return what was kept under a name; empty if nothing was."""
        with self._pending.condition:
            return self._requests.facts.get(key) or self._keeper.file.facts.get(key, "")

    def keys(self, beginning: str) -> list[str]:
        """Return the names that begin so of what was kept."""
        with self._pending.condition:
            keys = self._keeper.file.facts.keys() | self._requests.facts.keys()
        return sorted(key for key in keys if key.startswith(beginning))

    def keep(self, key: str, value: str) -> None:
        """Keep a text beside the rows."""
        with self._pending.condition:
            self._requests.facts[key] = value
            self._pending.schedule(self._limits.commit_s)


def read_fact(path: Path, key: str) -> str:
    """Return what an outbox, which another process may be writing, keeps under a name; empty if it cannot be read."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            found = db.execute("SELECT value FROM facts WHERE key = ?", (key,)).fetchone()
    except sqlite3.Error:
        return ""
    return str(found[0]) if found else ""
