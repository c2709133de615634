"""Whose a file is: what root makes for a service belongs to that service, and what root acts on is root's alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MOST_LINKS = 40
"""In one path, as the kernel has it."""


def give_to_owner_of_folder(path: Path) -> None:
    """Let a file that root has made belong to whoever owns its folder; for others nothing is to be done."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)


@contextmanager
def acting_as_owner_of(folder: Path) -> Iterator[None]:
    """Have root do as the folder's owner what it does in there: a link that lies there leads to nothing of root's.

    All threads of the process are that user meanwhile. For others than root nothing is to be done.

    Raises:
        OSError: The folder is not there, or this root may not become somebody else.
    """
    there = folder.stat()
    if os.geteuid() != 0 or there.st_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    try:
        os.setgroups([])
        os.setegid(there.st_gid)
        os.seteuid(there.st_uid)
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def who_else_may_change(path: Path) -> str:
    """Return by what somebody other than root may change what a path names, in words; empty where nobody may.

    Each folder from the root on is looked at, and each link on the way. In a folder in which everybody may make files,
    but remove only their own (as /tmp), what is root's is safe; what may be put in there is not.

    Raises:
        OSError: It is not there.
    """
    done, ahead = Path("/"), [*reversed(path.absolute().parts[1:])]
    links = 0
    while True:
        found = done.lstat()
        if why := _who_else(found, is_on_the_way=bool(ahead)):
            return f"{done} {why}"
        if stat.S_ISLNK(found.st_mode):
            links += 1
            if links > MOST_LINKS:
                return f"{path} is a link that leads in a circle"
            target = done.readlink()
            done = Path("/") if target.is_absolute() else done.parent
            ahead += [part for part in reversed(target.parts) if part != "/"]
        if not ahead:
            return ""
        done = done.parent if (part := ahead.pop()) == ".." else done / part


def _who_else(found: os.stat_result, *, is_on_the_way: bool) -> str:
    if found.st_uid != 0:
        return f"belongs to user {found.st_uid}, and not to root"
    if stat.S_ISLNK(found.st_mode) or (is_on_the_way and found.st_mode & stat.S_ISVTX):
        return ""
    if found.st_mode & stat.S_IWOTH:
        return "may be written by everybody"
    return "may be written by its group" if found.st_mode & stat.S_IWGRP else ""
