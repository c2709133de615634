"""Whose a file is: what root makes for a service belongs to that service, and what root acts on is root's alone."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

SERVICE = "rehab-gateway"
"""The user of the services, as the package makes it."""
SYSTEMD = Path("/run/systemd/system")
MOST_LINKS = 40
"""In one path, as the kernel has it."""


class NotAllowedError(PermissionError):
    """Root may not become the user whose a folder is; ``strerror`` says it as that of any other refusal."""

    advice = "In a unit of systemd: let CapabilityBoundingSet name CAP_SETUID and CAP_SETGID, too."

    def __init__(self, folder: Path, user: int) -> None:
        words = f"root does this as {name_of(user)}, whose {folder} is, and may not become that user here"
        super().__init__(errno.EPERM, words)

    def __str__(self) -> str:
        return str(self.strerror)


class ClosedProgramError(PermissionError):
    """The user whose a folder is may not read this program, which root would be that user for."""

    advice = "Use the package's (/usr/bin/rehab-gateway), or have this one where every user may read it."

    def __init__(self, folder: Path, user: int, closed: str) -> None:
        super().__init__(
            errno.EACCES, f"root does this as {name_of(user)}, whose {folder} is, and who may not read {closed}"
        )

    def __str__(self) -> str:
        return str(self.strerror)


class NoFolderError(FileNotFoundError):
    """There is no data folder, and root would make one for itself: the service could not use it."""

    def __init__(self, folder: Path) -> None:
        make = f"sudo install -d -o {SERVICE} -g {SERVICE} -m 750 {folder}"
        words = f"there is no data folder {folder}: correct site.data, or make it for the service ({make})"
        super().__init__(errno.ENOENT, words)

    def __str__(self) -> str:
        return str(self.strerror)


def name_of(user: int) -> str:
    """Return what a user is called, or its number."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"user {user}"


def folder_of(path: Path, data: Path) -> Path:
    """Return the folder as whose owner root reads or writes a file: the data folder for all in it, however deep.

    A folder in the data folder is never asked: its owner may have put a link in its place.
    """
    there = path.absolute()
    inside = data.absolute() in there.parents or data.resolve() in (there.parent.resolve() / there.name).parents
    return data if inside else path.parent


def give_to_owner_of_folder(path: Path) -> None:
    """Let a file that root has made belong to whoever owns its folder; for others nothing is to be done."""
    if os.geteuid() == 0:
        folder = path.parent.stat()
        os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)


@contextmanager
def acting_as_owner_of(folder: Path) -> Iterator[None]:
    """Have root do as the folder's owner what it does in there: a link that lies there leads to nothing of root's.

    Of a folder that is not there the owner is whoever may make it. All threads of the process are that user meanwhile.
    For others than root nothing is to be done.

    Raises:
        NotAllowedError: This root may not become somebody else.
    """
    if os.geteuid() != 0 or (there := _nearest(folder).stat()).st_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    try:
        os.setgroups(_groups_of(there))
        os.setegid(there.st_gid)
        os.seteuid(there.st_uid)
    except OSError as error:  # refused, or a user that a container does not know
        with suppress(OSError):  # what was not allowed needs no way back
            _be_root_again(group, groups)
        raise NotAllowedError(folder, there.st_uid) from error
    try:
        yield
    finally:
        _be_root_again(group, groups)


def _be_root_again(group: int, groups: Sequence[int]) -> None:
    os.seteuid(0)
    os.setegid(group)
    os.setgroups(groups)


@contextmanager
def acting_as_who_typed() -> Iterator[None]:
    """Have root be root for what it was told to read, within `acting_as_owner_of`; for others nothing is to be done."""
    user, group = os.geteuid(), os.getegid()
    if os.getuid() != 0 or user == 0:
        yield
        return
    try:
        os.seteuid(0)
        os.setegid(os.getgid())
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.seteuid(user)


def become_owner_of(folder: Path, groups: Sequence[str] = ()) -> None:
    """Have a process of root be a folder's owner from now on, as `acting_as_owner_of` has it for a while.

    What root typed is done so as the service does it: what is made is the service's, and a link that lies there leads
    to nothing of root's. There is no way back. For others than root nothing is to be done.

    Args:
        folder: Whose owner.
        groups: Names of groups that it is in besides, where the machine has them.

    Raises:
        NotAllowedError: This root may not become somebody else.
        ClosedProgramError: That user may not read the rest of this program, as one that lies in root's home.
    """
    if os.geteuid() != 0:
        return
    there = _nearest(folder).stat()
    if there.st_uid == 0:
        return
    try:
        os.setgroups([*_groups_of(there), *(each.gr_gid for each in grp.getgrall() if each.gr_name in groups)])
        os.setresgid(there.st_gid, there.st_gid, there.st_gid)
        os.setresuid(there.st_uid, there.st_uid, there.st_uid)
    except OSError as error:  # refused, or a user that a container does not know
        raise NotAllowedError(folder, there.st_uid) from error
    for file in (os.__file__, __file__):
        if not os.access(file, os.R_OK):
            raise ClosedProgramError(folder, there.st_uid, file)


def _nearest(folder: Path) -> Path:
    """Return a folder, or the nearest one that it would be in."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())


def _groups_of(there: os.stat_result) -> Sequence[int]:
    """Return the groups of a folder's owner, as at its own start: that of serial ports may be one."""
    try:
        owner = pwd.getpwuid(there.st_uid)
        return os.getgrouplist(owner.pw_name, owner.pw_gid)
    except KeyError:
        return []


def refuse_to_make(folder: Path) -> None:
    """Raise NoFolderError where root would make a data folder, and systemd runs services that have a user of their own.

    Elsewhere, as in a container of root's, it is root that measures.
    """
    if os.geteuid() == 0 and SYSTEMD.is_dir() and not folder.exists():
        with suppress(KeyError):
            pwd.getpwnam(SERVICE)
            raise NoFolderError(folder)


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
