"""``rehab-gateway user``: who may sign in to the dashboard."""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from config.wording import suggestion
from gateway.dashboard.access import ROLES
from gateway.dashboard.users import LONGEST, User, load, make, save
from gateway.model.usage import UsageError

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
        return sys.stdin.readline(LONGEST + 2).rstrip("\r\n")
    password = getpass("Password: ")
    if getpass("Once more: ") != password:
        raise UsageError("the two were not the same; nothing was changed")
    return password


def _show(users: dict[str, User]) -> None:
    table = Table("name", "role", box=None)
    for known in users.values():
        table.add_row(known.name, known.role)
    Console(highlight=False).print(table if users else "Nobody may sign in.")
