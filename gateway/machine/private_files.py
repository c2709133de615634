"""Files with health data are for their owner and its group, whatever the umask of whoever starts the process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from gateway.machine.ownership import give_to_owner_of_folder

MODE = 0o640
FOLDER_MODE = 0o750
OTHERS = 0o027
"""What nobody outside the group may do, nor the group: write."""
IN_MEMORY = ":memory:"
"""SQLite's name for a database without a file."""
SIDES = ("", "-wal", "-shm", "-journal")
"""SQLite gives what it makes beside a database the database's own mode; what an earlier version made is mended."""


def make_private(path: Path) -> None:
    """Have a database file that others cannot read: made empty if it is not there, taken from others if it is."""
    if str(path) == IN_MEMORY:
        return
    is_new = not path.exists()
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, MODE))
    if is_new:
        give_to_owner_of_folder(path)
    for side in SIDES:
        close_to_others(path.with_name(path.name + side))


def close_to_others(path: Path) -> None:
    """Take a file's rights from others; what belongs to somebody else is left as it is."""
    try:
        mode = path.stat().st_mode & 0o7777
        if mode & OTHERS:
            path.chmod(mode & ~OTHERS)
    except (FileNotFoundError, PermissionError):
        return


def restrict_umask() -> None:
    """Have everything that this process and its children make closed to others; a stricter umask stays."""
    os.umask(os.umask(OTHERS) | OTHERS)


def create_private(path: Path) -> BinaryIO:
    """Open a new file to write bytes to, of its folder's owner and closed to others; raises FileExistsError."""
    file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE), "wb")
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.fchown(file.fileno(), folder.st_uid, folder.st_gid)
    return file
