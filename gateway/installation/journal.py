"""How far a change of version has come: on disk before each step, so that whoever finds it knows how it ends.

There is one rule. Up to `Step` ``changed`` (and it included) a change that was broken off ends with the old version;
from ``kept`` on with the new one.
"""

from __future__ import annotations

import fcntl
import os
import syslog
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import orjson
from pydantic import ValidationError

from config.settings import Section
from gateway.installation.errors import RefusedError
from gateway.machine import durable

UNDER_WAY = "change.json"
PAST = "changes.jsonl"
LOCK = "change.lock"
PAST_MOST = 200
"""Changes that are remembered."""

Step = Literal["begun", "changed", "back", "kept"]
Kind = Literal["upgrade", "rollback"]


class Change(Section):
    """A change of version that is under way.

    Attributes:
        kind: What was asked for.
        old: The version that ran.
        new: The one that is to run.
        step: How far it is: ``begun`` (laid out, checked, copied), ``changed`` (the link, and what runs), ``back``
            (going back), ``kept`` (decided).
        at_us: When it was begun, UTC microseconds.
        unpacked: Whether ``new`` was not here before.
        config: The configuration; empty where there is none yet.
        data: The data folder; empty where there is none yet.
        marked: Whether the way back was open before.
        services: Which ran.
        supervisor: A program that starts services, where it is not systemd.
        key: Id of the key that signed the package.
        unsigned: Why it may be installed without a signature.
        older: Why a version may be installed that is older than the one that ran; empty where it is not.
    """

    kind: Kind
    old: str
    new: str
    step: Step = "begun"
    at_us: int
    unpacked: bool = False
    config: str = ""
    data: str = ""
    marked: bool = False
    services: tuple[str, ...] = ()
    supervisor: str = ""
    key: str = ""
    unsigned: str = ""
    older: str = ""


class Journal:
    """The change that is under way, and those that were.

    Args:
        home: The folder of the versions.
    """

    def __init__(self, home: Path) -> None:
        self.home = home

    @contextmanager
    def held(self, *, wait: bool = False) -> Iterator[None]:
        """Be the only one who changes versions; raises RefusedError where somebody else is, unless ``wait``.

        The kernel lets go when the process ends, however it does.
        """
        if not self.home.is_dir():
            raise RefusedError(f"there is no {self.home}: only what was installed from a package can be upgraded so")
        try:
            number = os.open(self.home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise RefusedError(f"{self.home} cannot be written ({error.strerror}): run this as root (sudo)") from error
        try:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise RefusedError(
                    "another change of version is under way: 'rehab-gateway versions' shows it"
                ) from None
            yield
        finally:
            os.close(number)

    def under_way(self) -> Change | None:
        """Return the change that is under way; None where none is. Raises RefusedError where it cannot be read."""
        try:
            return Change.model_validate_json((self.home / UNDER_WAY).read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError as error:
            raise RefusedError(f"{self.home / UNDER_WAY} cannot be read: {error}") from error

    def write(self, change: Change, step: Step) -> Change:
        """Note a step, before it is taken; return the change at it."""
        change = change.model_copy(update={"step": step})
        durable.replace_file(self.home / UNDER_WAY, change.model_dump_json().encode(), mode=0o644)
        return change

    def end(self, change: Change, result: str, why: str = "") -> None:
        """Note how a change ended, here and in the system's log; nothing is under way any more."""
        entry = {**change.model_dump(mode="json"), "result": result, "why": why, "ended_us": time.time_ns() // 1000}
        lines = [*self._past_lines()[1 - PAST_MOST :], orjson.dumps(entry)]
        durable.replace_file(self.home / PAST, b"\n".join(lines) + b"\n", mode=0o644)
        said = "".join(f", {key}: {value}" for key in ("unsigned", "older") if (value := getattr(change, key)))
        words = f"rehab-gateway {change.kind} {change.old} to {change.new}: {result}{said} {why}"
        syslog.syslog(syslog.LOG_NOTICE, words.strip())
        durable.remove(self.home / UNDER_WAY)

    def past(self) -> list[dict[str, object]]:
        """Return the changes that ended, the oldest first."""
        return [orjson.loads(line) for line in self._past_lines()]

    def _past_lines(self) -> list[bytes]:
        try:
            return (self.home / PAST).read_bytes().splitlines()
        except FileNotFoundError:
            return []
