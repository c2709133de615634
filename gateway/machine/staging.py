"""Folders in which health data lies in clear for a while: their owner's alone, one process's, and gone afterwards.

Who works in one holds a lock on it, which the kernel lets go of however the process ends. So what a process has left
that was killed can be told from what one is at, and is removed by whoever starts next.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.machine.ownership import acting_as_owner_of

log = logging.getLogger(__name__)

BACKING_UP = ".backup-staging"
RESTORING = ".restore.unpacked"
NAMES = (BACKING_UP, RESTORING)
PRIVATE = 0o700


class StagedError(Exception):
    """Another process is at it."""

    advice = "Wait until it has ended, and try again."


@contextmanager
def staged(folder: Path) -> Iterator[Path]:
    """Have an empty folder for oneself, and nothing of it afterwards; raises StagedError, OSError.

    What an earlier process has left there goes first. Root's is that of the owner of the folder that it is in, who
    could put a link in its place: what that user may not know has no place in it.
    """
    if not _removed(folder):
        raise StagedError(f"another process is at work in {folder}")
    with acting_as_owner_of(folder.parent):
        folder.mkdir(PRIVATE)
        folder.chmod(PRIVATE)  # whatever the umask is
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_left_over(data: Path) -> None:
    """Remove what backups and restores have left that were killed, in a data folder and in those that it is in."""
    for folder in (data, *data.absolute().parents):
        for name in NAMES:
            left = folder / name
            try:
                if left.is_symlink() or not left.is_dir() or not _removed(left):
                    continue
                log.info("%s is removed: it was left by a process that was killed", left)
            except OSError as error:
                log.warning(
                    "%s has health data in clear, left by a process that was killed, and this user cannot remove it"
                    " (%s): sudo rm -rf %s", left, error.strerror, left,
                )  # fmt: skip


def _removed(folder: Path) -> bool:
    """Remove a folder that nobody works in; return whether nobody does."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
