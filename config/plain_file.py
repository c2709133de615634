"""A file that somebody named is looked at before it is opened: a slip names a pipe or a device as easily.

Opening a pipe waits until somebody writes into it, and some devices have no end: whoever opens what is named stands
still without a word, or takes all the memory.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

NO_FILE = "is a pipe or a device, and no file"
OPEN_ALREADY = "/proc/"
"""Where the names end that a shell gives to what it has opened itself: ``<(…)``, and ``/dev/stdin`` behind a pipe."""

SIMULATED = "# Written by 'rehab-gateway simulate', which replaces this file: keep what you change under another name."
"""The first line of a configuration that simulators wrote, by which it is known again."""


class NoFileError(OSError):
    """What stands there is no file; ``strerror`` says it as that of any other that cannot be read."""

    def __init__(self, path: Path) -> None:
        super().__init__(errno.EINVAL, f"it {NO_FILE}", str(path))

    def __str__(self) -> str:
        return f"{self.filename} {NO_FILE}"


def look(path: Path, *, or_pipe: bool = False) -> os.stat_result:
    """Return what the system says of a file or a folder: of a folder the reading says that it is none.

    Args:
        path: As somebody named it.
        or_pipe: Whether a pipe will do whose other end is open already, as that of ``<(…)``.

    Raises:
        NoFileError: It is a pipe, a device or a socket.
        OSError: It is not there, or may not be seen.
    """
    found = path.stat()
    handed = or_pipe and stat.S_ISFIFO(found.st_mode) and os.path.realpath(path).startswith(OPEN_ALREADY)
    if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode) or handed:
        return found
    raise NoFileError(path)


def read(path: Path, most: int, *, or_pipe: bool = False) -> bytes:
    """Return what is in a file, ``most`` bytes and one more at most: whoever gets that one knows that it is too large.

    Raises:
        NoFileError: See `look`.
        OSError: It cannot be read.
    """
    look(path, or_pipe=or_pipe)
    with path.open("rb") as file:
        return file.read(most + 1)


def may_replace(path: Path, mark: str) -> bool:
    """Whether a command may write its file there: nothing is lost, for what stands there begins with its ``mark``."""
    try:
        found = read(path, len(mark.encode()))
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not found or found.startswith(mark.encode())
