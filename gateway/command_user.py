"""``rehab-gateway user``: who may sign in to the dashboard."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path

from rich.table import Table

from config.hand_text import NotTextError, text_of
from config.wording import suggestion
from gateway.dashboard.access import ROLES
from gateway.dashboard.users import LONGEST, User, load, make, save
from gateway.terminal import Terminal
from gateway.usage import UsageError

LARGEST_LINE = 4 * LONGEST + 5  # bytes: the longest password in UTF-8, a byte order mark and a Windows line end
ACTIONS = ("add", "list", "remove")


def user(action: str, file: Path, name: str, role: str) -> None:
    """Carry out one action on a users file; raises UsageError."""
    if action not in ACTIONS:
        raise UsageError(f"'{action}' is not something to do with users{suggestion(action, ACTIONS)}")
    users = load(file) if action != "add" or file.exists() else {}
    if action == "list":
        _show(users)
        return
    if not name:
        raise UsageError(f"whom to {action}? Write the name after the file")
    if action == "remove":
        if users.pop(name, None) is None:
            raise UsageError(f"there is no user '{name}' in {file}")
    else:
        users[name] = _made(name, role)
    save(file, users.values())


def _made(name: str, role: str) -> User:
    known = next((known for known in ROLES if known == role), None)
    if known is None:
        raise UsageError(f"--role says what {name} may do{suggestion(role, ROLES)}")
    return make(name, known, _password())


def _password() -> str:
    """Return a password from the terminal, where nobody sees it, or from the first line of standard input."""
    if not sys.stdin.isatty():
        try:
            source = getattr(sys.stdin, "buffer", None)
            line = sys.stdin.readline(LARGEST_LINE).encode() if source is None else source.readline(LARGEST_LINE)
            return text_of(line).rstrip("\r\n")
        except NotTextError as error:
            raise UsageError(f"the password on standard input {error}") from None
    password = getpass("Password: ")
    if getpass("Once more: ") != password:
        raise UsageError("the two were not the same; nothing was changed")
    return password


def _show(users: dict[str, User]) -> None:
    table = Table("name", "role", box=None)
    for known in users.values():
        table.add_row(known.name, known.role)
    Terminal().print(table if users else "Nobody may sign in.")
