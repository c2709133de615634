"""Changes of files and folders that a power cut leaves done or not done, and nothing between."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from gateway.machine.ownership import give_to_owner_of_folder


def replace_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Write a file, whole or not at all; on disk when this returns. Root's belongs to the owner of its folder."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask is
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    give_to_owner_of_folder(new)
    new.replace(path)
    flush_folder(path.parent)


def link(path: Path, target: str) -> None:
    """Have a symbolic link name something else from one instant to the next."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.replace(path)
    flush_folder(path.parent)


def remove(path: Path) -> None:
    """Remove a file or a link, if it is there."""
    path.unlink(missing_ok=True)
    flush_folder(path.parent)


def remove_tree(path: Path) -> None:
    """Remove a folder, if it is there; one that is removed half has another name already."""
    if not path.exists():
        return
    gone = path.with_name(f".{path.name}.gone")
    shutil.rmtree(gone, ignore_errors=True)
    path.rename(gone)
    flush_folder(path.parent)
    shutil.rmtree(gone)


def flush_folder(folder: Path) -> None:
    """Have the names of a folder on disk."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
