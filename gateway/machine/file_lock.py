"""One process writes a file: a lock beside it that the kernel lets go of, whatever ends the process.

The lock lies beside the data file (``outbox.db.lock`` for ``outbox.db``), because that one may be renamed, replaced or
set aside while it is in use. Whoever is refused is told by whom: the lock file says which process holds it, and since
when.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import orjson

from gateway.machine.ownership import give_to_owner_of_folder
from gateway.machine.plain_text import printable
from gateway.machine.private_files import FOLDER_MODE

MODE = 0o640
"""The lock file names a gateway and a command; the group may read it, nobody else."""
LARGEST_BYTES = 4096
MOST_CHARACTERS = 200
"""Of a text that is repeated from a lock file: it was written by another program."""
POLL_S = 0.05
NOT_SUPPORTED = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL})


class HeldError(Exception):
    """Another process writes the file; the message says which."""

    advice = "Stop it first, or give this one a data folder (site.data) of its own."


class LockError(OSError):
    """The lock cannot be made: the folder cannot be written, or its file system has no locks."""


class FileLock:
    """The right to write one file, held until ``release`` or the end of the process.

    Args:
        path: The data file, in any spelling and through any link; it need not exist, its folder must.
        gateway: Whose process this is, for whoever is refused.
        wait_s: How long to wait for another to finish, seconds.

    Raises:
        HeldError: Another process, or another part of this one, has it.
        LockError: It cannot be made.
    """

    def __init__(self, path: Path, *, gateway: str = "", wait_s: float = 0.0) -> None:
        self._descriptor: int | None = None
        self.path = path
        self.lock_path = beside(path)
        self._about = {
            "pid": os.getpid(),
            "command": command_line(),
            "since": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            "gateway": gateway,
        }
        self._descriptor = self._acquire(wait_s)

    def __enter__(self) -> Self:
        """Return self."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release."""
        self.release()

    def __del__(self) -> None:
        """Let go of a lock whose owner could not be made."""
        self.release()

    def release(self) -> None:
        """Let others write; the lock file stays, for taking it away would race with who opens it.

        It names nobody any more: a command line may hold a pseudonym.
        """
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def renew(self) -> None:
        """Take the lock again if somebody removed its file; raises HeldError if another was faster, and LockError."""
        if self._descriptor is not None and not self._is_named(self._descriptor):
            with suppress(OSError):  # a folder may go with all that is in it; why none can be made, the lock says
                self.lock_path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            fresh = self._acquire(0.0)
            os.close(self._descriptor)
            self._descriptor = fresh

    def _acquire(self, wait_s: float) -> int:
        deadline = time.monotonic() + wait_s
        while True:
            descriptor = self._attempt()
            if descriptor is not None:
                self._write_about(descriptor)
                return descriptor
            if time.monotonic() >= deadline:
                raise HeldError(f"another process writes {self.path}: {self._holder()}")
            time.sleep(POLL_S)

    def _attempt(self) -> int | None:
        """Return the descriptor of a lock that is ours; None if it is another's."""
        while True:
            try:
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
                descriptor = os.open(self.lock_path, flags, MODE)
            except OSError as error:
                raise LockError(error.errno, error.strerror, str(self.lock_path)) from error
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            except OSError as error:
                os.close(descriptor)
                why = "its file system has no locks" if error.errno in NOT_SUPPORTED else error.strerror
                raise LockError(error.errno, why, str(self.lock_path)) from error
            if self._is_named(descriptor):
                give_to_owner_of_folder(self.lock_path)  # root's would keep the service out that comes after
                return descriptor
            os.close(descriptor)  # its file was removed between the two

    def _is_named(self, descriptor: int) -> bool:
        try:
            there = self.lock_path.lstat()
        except FileNotFoundError:
            return False
        mine = os.fstat(descriptor)
        return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)

    def _write_about(self, descriptor: int) -> None:
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, orjson.dumps(self._about) + b"\n", 0)
        except OSError:
            return  # a full disk: the lock holds without a name

    def _holder(self) -> str:
        try:
            with self.lock_path.open("rb") as file:
                about = orjson.loads(file.read(LARGEST_BYTES))
        except (OSError, ValueError):
            return "it has left no name"
        if not isinstance(about, dict):
            return "it has left no name"
        words = {key: printable(str(about.get(key, "")))[:MOST_CHARACTERS] for key in self._about}
        of = f" of gateway {words['gateway']}" if words["gateway"] else ""
        return f"{words['command']}{of} (pid {words['pid']}) since {words['since']}"


def beside(path: Path) -> Path:
    """Return the lock file of a data file: one for all its spellings."""
    real = Path(os.path.realpath(path))
    return real.with_name(f"{real.name}.lock")


def command_line() -> str:
    """Return what this process was started as, in few words: its command, and the files that it was given.

    Other arguments may name a person (``history erase``), and the lock file stays.
    """
    name = Path(sys.argv[0]).name if sys.argv else ""
    name = "rehab-gateway" if name in {"", "-c", "-m", "__main__.py"} else name
    files = [word for word in sys.argv[2:] if os.path.isfile(word)]  # noqa: PTH113 - False, too, for what is no path
    return " ".join([name, *sys.argv[1:2], *files])[:MOST_CHARACTERS]
