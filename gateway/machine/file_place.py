"""Whether an open database still is the file that its path names: hands and backup tools remove and replace files.

A process that goes on writing to a file without a name loses all of it at its end, and nobody sees that meanwhile.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from gateway.machine.file_header import Header

Change = Literal["", "removed", "replaced", "log removed", "written over"]
Identity = tuple[int, int]


class Place:
    """The identity of a database file and of its write-ahead log, as they were opened.

    Args:
        path: The database, which has just been opened and has a name.
        header: Its mark, by which a file shows that was written over under its own name.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._header = header
        self._log = path.with_name(f"{path.name}-wal")
        self._file = identity(path)
        self._log_file = identity(self._log)

    def change(self) -> Change:
        """Return what became of the path since it was opened: nothing, mostly."""
        now = identity(self._path)
        if now != self._file:
            return "removed" if now is None else "replaced"
        if not self._header.is_ours():
            self._header.wait_until_unchanged()
            return "written over"
        log = identity(self._log)
        if self._log_file is None:
            self._log_file = log  # SQLite makes it with the first write
        return "log removed" if log != self._log_file else ""

    def empty_own_log(self) -> None:
        """Cut our log to nothing: at its end SQLite would write it into the file that is not ours any more."""
        if self._log_file is not None and identity(self._log) == self._log_file:
            os.truncate(self._log, 0)

    def drop_own_log(self) -> None:
        """Remove our log where it lies beside a file that is not ours: it would be taken for that one's."""
        if self._log_file is not None and identity(self._log) == self._log_file:
            for side in ("-wal", "-shm"):
                self._path.with_name(self._path.name + side).unlink(missing_ok=True)


def identity(path: Path) -> Identity | None:
    """Return device and inode of what a path names; None if that is nothing, or cannot be asked."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
