"""A disk that takes nothing: desk and agents go on without it, say what to do, and see when there is room again."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.machine.full_disk import is_full

log = logging.getLogger(__name__)

ROOM = 1 << 20
"""Bytes that have to find room before all is said to be well: several times what one turn writes."""
SAY_AGAIN_S = 3600.0
REFUSES = (OSError, sqlite3.OperationalError)
"""What a disk says that is full, read-only or broken. Whatever else goes wrong is a defect, and ends the process."""


class DiskTrouble:
    """What stands in the way of writing, and since when.

    Args:
        folder: Where is written.
        meanwhile: What does not happen until there is room, as the end of a sentence.

    Attributes:
        sentence: What is wrong and what to do; empty while all is well.
    """

    def __init__(self, folder: Path, meanwhile: str) -> None:
        self._folder, self._meanwhile = folder, meanwhile
        self.sentence = ""
        self._failed = False
        self._began_s = self._said_s = 0.0

    @contextmanager
    def outlived(self) -> Iterator[None]:
        """Do something that may be refused by the disk, and go on all the same."""
        try:
            yield
        except REFUSES as error:
            self._failed = True
            self._on_error(error)

    def look(self) -> bool:
        """End a turn; return whether a trouble is over: nothing was refused, and what we write would find room."""
        failed, self._failed = self._failed, False
        if not self.sentence or failed or not self._has_room():
            return False
        log.info("%s can be written again, after %.0f s: all goes on", self._folder, time.monotonic() - self._began_s)
        self.sentence = ""
        return True

    def _on_error(self, error: OSError | sqlite3.OperationalError) -> None:
        now = time.monotonic()
        sentence = f"{self._what(error)}; until then {self._meanwhile}"
        if not self.sentence:
            self._began_s, self._said_s = now, now - SAY_AGAIN_S
        if sentence != self.sentence or now - self._said_s >= SAY_AGAIN_S:
            self._said_s = now
            log.error("%s", sentence)
        self.sentence = sentence

    def _what(self, error: OSError | sqlite3.OperationalError) -> str:
        if is_full(error) or not self._has_room():
            return f"the disk of {self._folder} is full: delete or move what is not needed ('df -h {self._folder}')"
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"{self._folder} cannot be written ({words}): see whose it is, and how its disk is ('doctor')"

    def _has_room(self) -> bool:
        """Whether a file as large as what we write finds room: what a disk says of itself is not what it takes."""
        probe = self._folder / ".room"
        try:
            with suppress(FileNotFoundError):
                probe.unlink()
            with probe.open("xb") as file:
                file.write(bytes(ROOM))
        except OSError:
            return False
        else:
            return True
        finally:
            with suppress(OSError):
                probe.unlink()
