"""``rehab-gateway user``: who may sign in to the dashboard."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path

from rich.table import Table

from config.hand_text import NotTextError, text_of
from config.wording import suggestion
from gateway.cli.terminal import Terminal
from gateway.dashboard.access import ROLES
from gateway.dashboard.users import User, load, make, save
from gateway.machine.file_lock import FileLock
from gateway.machine.ownership import become_owner_of
from gateway.model.usage import UsageError

LARGEST_BYTES = 4096  # of standard input: a password and some empty lines
WAIT_S = 5.0
"""For another who rewrites the file: that takes milliseconds."""
ACTIONS = ("add", "list", "remove")


def user(action: str, file: Path, name: str, role: str) -> None:
    """Carry out one action on a users file; raises UsageError."""
    if action not in ACTIONS:
        raise UsageError(f"'{action}' is not something to do with users{suggestion(action, ACTIONS)}")
    become_owner_of(file.parent)
    if action == "list":
        _show(load(file))
        return
    if not name:
        raise UsageError(f"whom to {action}? Write the name after the file")
    if action == "remove" or file.exists():
        load(file)  # before a password is asked for, or a lock stands beside no file
    made = _made(name, role) if action == "add" else None
    # Only while it is rewritten: two that add at once must not lose one of theirs.
    with FileLock(file, wait_s=WAIT_S):
        users = load(file) if made is None or file.exists() else {}
        before = users.get(name)
        if made is not None:
            users[name] = made
        elif users.pop(name, None) is None:
            raise UsageError(f"there is no user '{name}' in {file}")
        save(file, users.values())
    if made is not None and before is not None:
        role = f"role {made.role}" + ("" if made.role == before.role else f" instead of {before.role}")
        Terminal().print(f"{name} was there: new password, {role}.", soft_wrap=True)


def _made(name: str, role: str) -> User:
    known = next((known for known in ROLES if known == role), None)
    if known is None:
        raise UsageError(f"--role says what {name} may do{suggestion(role, ROLES)}")
    return make(name, known, _password())


def _password() -> str:
    """Return a password from the terminal, where nobody sees it, or from the first line of standard input."""
    if not sys.stdin.isatty():
        return _first_line(_all_of_input())
    password = getpass("Password: ")
    if getpass("Once more: ") != password:
        raise UsageError("the two were not the same; nothing was changed")
    return password


def _all_of_input() -> bytes:
    """Return what standard input has, but no more than a password needs."""
    binary = getattr(sys.stdin, "buffer", None)
    return sys.stdin.read(LARGEST_BYTES).encode() if binary is None else bytes(binary.read(LARGEST_BYTES))


def _first_line(data: bytes) -> str:
    """Return the first line that is not empty, without what an editor on Windows puts around it."""
    try:
        lines = text_of(data).splitlines()
    except NotTextError as error:
        raise UsageError(f"the password on standard input {error}") from None
    line = next((line for line in lines if line.strip()), "")
    if not line:
        raise UsageError("standard input is empty: its first line is the password")
    return line


def _show(users: dict[str, User]) -> None:
    table = Table("name", "role", box=None)
    for known in users.values():
        table.add_row(known.name, known.role)
    Terminal().print(table if users else "Nobody may sign in.")
