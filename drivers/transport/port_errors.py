"""Why a tty cannot be opened, and what can be done about it, in words for whoever stands before it."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from drivers.errors import AdapterError, ConnectError, LinkError
from drivers.transport.ports import holders
from drivers.transport.transport import IN_USE_ADVICE

GONE: Final = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO)
GONE_ADVICE: Final = "It was unplugged, or its adapter does not answer: plug it in again."
NOT_A_TTY_ADVICE: Final = "Name a serial port: 'rehab-gateway doctor' lists those that this computer has."
MEDDLERS: Final = {
    "ModemManager": "It takes every new port for a modem: 'apt remove modemmanager', or a udev rule for this one.",
    "brltty": "It takes some adapters for Braille displays: 'apt remove brltty'.",
    "gpsd": "It takes every new port for a receiver: 'systemctl disable --now gpsd.socket gpsd'.",
}
"""Programs that open ports by themselves, and how they are kept from it."""


def in_use(path: Path, others: Sequence[str]) -> ConnectError:
    """Return the error of a port that other programs have open, as far as they are known."""
    known = f": {', '.join(others)}" if others else ""
    advice = next(
        (advice for name, advice in MEDDLERS.items() if any(name in other for other in others)), IN_USE_ADVICE
    )
    return ConnectError(f"{path} is in use by another program on this computer{known}", advice=advice)


def not_opened(path: Path, problem: OSError) -> LinkError:
    """Return the error of a port that did not open."""
    if problem.errno in {errno.EACCES, errno.EPERM}:
        return _forbidden(path)
    if problem.errno == errno.EBUSY:
        return in_use(path, holders(path))
    advice = GONE_ADVICE if problem.errno in GONE else NOT_A_TTY_ADVICE
    return ConnectError(f"could not open {path}: {problem}", advice=advice)


def _forbidden(path: Path) -> AdapterError:
    """Say who may open it, and how this user is let in."""
    try:
        found = path.stat()
    except OSError:
        return AdapterError(f"no permission to open {path}")
    user, group = _user(os.geteuid()), _group(found.st_gid)
    text = f"no permission to open {path}: it belongs to {_user(found.st_uid)} and the group {group}, not to {user}"
    if found.st_mode & stat.S_IRGRP and found.st_mode & stat.S_IWGRP and found.st_gid:
        return AdapterError(text, advice=f"Let this user in: 'adduser {user} {group}', then start the gateway again.")
    return AdapterError(
        text, advice=f'Let the group have it by a udev rule (GROUP="dialout", MODE="0660"), and {user} be in it.'
    )


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
