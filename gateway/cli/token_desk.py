"""What ``rehab-gateway token`` does with the file of tokens."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import orjson
import typer
from rich.table import Table

from config.settings import Settings
from config.wording import suggestion
from gateway.audit import access_log
from gateway.cli.terminal import Terminal
from gateway.dashboard.access import ROLES
from gateway.dashboard.tokens import FILE_NAME, MOST, Token, load, make, save
from gateway.machine.file_lock import FileLock
from gateway.machine.ownership import refuse_to_make
from gateway.model.usage import UsageError

WAIT_S = 5.0
"""For another who rewrites the file: that takes milliseconds."""
MICRO = 1_000_000


def add(settings: Settings, name: str, role: str, days: int) -> None:
    """Make a token and print its secret; raises UsageError."""
    known = next((known for known in ROLES if known == role), None)
    if known is None:
        raise UsageError(f"--role says what {name} may do{suggestion(role, ROLES)}")
    token, secret = make(name, known, days=days, now_s=time.time())
    path = _file(settings)
    refuse_to_make(path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path, wait_s=WAIT_S):
        tokens = load(path)
        if name in tokens:
            raise UsageError(f"there is a token '{name}' already: revoke it first, or take another name")
        if len(tokens) >= MOST:
            raise UsageError(f"there are {MOST} tokens: revoke those that nobody uses")
        save(path, [*tokens.values(), token])
    typer.echo(secret)
    typer.echo(f"This is shown once. It holds until {_day(token.until_s)}, as {role}.", err=True)


def show(settings: Settings, *, as_json: bool) -> None:
    """Print the tokens; raises UsageError."""
    tokens = load(_file(settings))
    used = access_log.last_uses(settings.site.data / access_log.NAME, "token:")
    if as_json:
        for token in tokens.values():
            sys.stdout.write(f"{orjson.dumps(_as_object(token, used)).decode()}\n")
        return
    table = Table("name", "role", "made", "holds until", "last used", box=None)
    for token in tokens.values():
        last = used.get(token.user)
        over = " (over)" if token.until_s <= time.time() else ""
        when = f"{datetime.fromtimestamp(last / MICRO, UTC):%Y-%m-%d %H:%M} UTC" if last else "never"
        table.add_row(token.name, token.role, _day(token.made_s), _day(token.until_s) + over, when)
    Terminal().print(table if tokens else "There is no token.")


def revoke(settings: Settings, name: str) -> None:
    """Take a token back; raises UsageError."""
    path = _file(settings)
    if not path.exists():
        raise UsageError(f"there is no token '{name}'")
    with FileLock(path, wait_s=WAIT_S):
        tokens = load(path)
        if tokens.pop(name, None) is None:
            raise UsageError(f"there is no token '{name}'{suggestion(name, tokens)}")
        save(path, tokens.values())


def _file(settings: Settings) -> Path:
    return settings.site.data / FILE_NAME


def _as_object(token: Token, used: dict[str, int]) -> dict[str, object]:
    times = {"made_s": token.made_s, "until_s": token.until_s, "used_us": used.get(token.user)}
    return {"name": token.name, "role": token.role, **times}


def _day(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"
