"""The unpacked files of a backup, until each is laid in its place: nobody sees there what they may not see in place."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path
from typing import BinaryIO

from gateway.installation.sealed_file import SealedError
from gateway.machine.ownership import acting_as_owner_of

DATA = "data/"
"""What the names of all that is of the data begin with."""
IN_MEMORY = Path("/proc/self/fd")


class Copies:
    """The unpacked files: those of the data in a folder, as its owner, all others in memory.

    Args:
        folder: For those of the data.
        near: The folder that it is in.
        held: What lets go of the memory.
    """

    def __init__(self, folder: Path, near: Path, held: ExitStack) -> None:
        self._folder = folder
        self._near = near
        self._held = held
        self._in_memory: dict[str, Path] = {}

    def make(self, name: str) -> BinaryIO:
        """Return a new file for a name of the archive; that leads nowhere here."""
        if not name.startswith(DATA):
            number = os.memfd_create("restored")
            self._held.callback(os.close, number)
            self._in_memory[name] = IN_MEMORY / str(number)
            return os.fdopen(number, "wb", closefd=False)
        with acting_as_owner_of(self._near):
            return self.of(name).open("xb")

    def of(self, name: str) -> Path:
        """Return where the copy of a name is."""
        return self._in_memory.get(name) or self._folder / hashlib.sha256(name.encode()).hexdigest()

    def check(self, name: str) -> None:
        """See that a database is whole; raises SealedError."""
        with acting_as_owner_of(self._near), closing(sqlite3.connect(self.of(name))) as db:
            (answer,) = db.execute("PRAGMA quick_check(1)").fetchone()
        if answer != "ok":
            raise SealedError(f"{name} is damaged: {answer}")
