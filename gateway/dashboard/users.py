"""The dashboard's users: a file with a line of JSON each, ``{"name": …, "role": …, "hash": …}``, made by a command.

The hash is argon2id (RFC 9106) with its salt and its cost in it. The file is read again when it changes: who is taken
out of it is out at once.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.dashboard import private_lines
from gateway.dashboard.access import ROLES, Role
from gateway.dashboard.passwords import composed, reason_against
from gateway.dashboard.withdrawn import Withdrawn
from gateway.model.usage import UsageError

log = logging.getLogger(__name__)

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
ALGORITHM = "$argon2id$"
WITHDRAWN = "withdrawn-users.jsonl"
"""In the data folder: the users file may lie where the service cannot write."""
ELSEWHERE = "openid"
"""Begins what stands in place of the hash of somebody who signs in elsewhere, and who stands in no file here."""
# RFC 9106, section 4, second recommended option: 64 MiB, 3 passes, 4 lanes; a quarter of a second on a small computer.
HASHER = PasswordHasher(time_cost=3, memory_cost=65536, parallelism=4)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in."""

    name: str
    role: Role
    hash: str

    @property
    def is_elsewhere(self) -> bool:
        """Whether a trust's sign-in says who this is."""
        return self.hash.startswith(f"{ELSEWHERE} ")


def from_elsewhere(name: str, role: Role, subject: str) -> User:
    """Return somebody whom a trust lets in.

    Two of its people may have one name here, and not one ``subject``: a PIN and a known browser are of one of them.
    """
    return User(name, role, f"{ELSEWHERE} {hashlib.sha256(subject.encode('utf-8', 'surrogatepass')).hexdigest()}")


def load(path: Path) -> dict[str, User]:
    """Read a users file; raises UsageError with one sentence. The hashes are in no message."""
    users: dict[str, User] = {}
    for number, fields in private_lines.read(path, "users"):
        user = _user(fields)
        if user is None or user.name in users:
            raise UsageError(f"{path}, line {number}: is not a user; make it with 'rehab-gateway user add'.")
        users[user.name] = user
    return users


def _user(fields: dict[str, Any] | None) -> User | None:
    if fields is None or fields.keys() != {"name", "role", "hash"}:
        return None
    name, role, digest = fields["name"], fields["role"], fields["hash"]
    if not (isinstance(name, str) and NAME.fullmatch(name) and isinstance(digest, str)):
        return None
    return User(name, role, digest) if role in ROLES and digest.startswith(ALGORITHM) else None


def save(path: Path, users: Iterable[User]) -> None:
    """Replace a users file, whole or not at all; only its owner may read it."""
    private_lines.write(path, map(asdict, users))


def make(name: str, role: Role, password: str) -> User:
    """Return a new user; raises UsageError when the name or the password will not do."""
    if not NAME.fullmatch(name):
        raise UsageError("A user's name is lower-case letters, digits, dots and hyphens, at most 32 of them.")
    if reason := reason_against(password, name):
        raise UsageError(reason)
    return User(name, role, HASHER.hash(composed(password)))


def known_as(typed: str) -> str:
    """Return the name of what was typed for one: tablets begin it with a capital, and put a blank behind it.

    Wide letters are those of the keyboards of other languages (RFC 8265, section 3.3); no letter is taken for another
    that looks like it.
    """
    return unicodedata.normalize("NFKC", typed).strip().casefold()


class Users:
    """The users file as it is now.

    A file that is removed or becomes unreadable lets nobody in, and nobody stay, until it is mended. That is said in
    the log, and so is a file that brings back what had been changed or taken out: somebody has restored an old one.

    Args:
        path: The file.
        data: Where it is kept who was taken out, or had another password or role; None for this run only.
    """

    def __init__(self, path: Path, data: Path | None = None) -> None:
        """Read the file; raises UsageError."""
        self._path = path
        self._lock = threading.Lock()
        self._withdrawn = Withdrawn(path, data / WITHDRAWN if data else None)
        self._problem = ""
        self._seen = private_lines.stamp(path)
        self._users: Mapping[str, User] = load(path)
        self._look_back()
        # Somebody unknown costs as much time as somebody known: the clock does not tell who there is.
        self._stranger = HASHER.hash(os.urandom(16).hex())

    def get(self, name: str) -> User | None:
        """Return a user as the file says now."""
        return self.all().get(name)

    def all(self) -> Mapping[str, User]:
        """Return everybody as the file says now."""
        with self._lock:
            stamp = private_lines.stamp(self._path)
            if stamp != self._seen:
                self._seen = stamp
                self._read_again()
            return self._users

    def verify(self, name: str, password: str) -> User | None:
        """Return the user whose password this is; takes a quarter of a second and 64 MiB, so not on the event loop."""
        user = self.get(name)
        known = user.hash if user else self._stranger
        # As it is typed, too: one that an earlier version took has the spelling in which it was given.
        return user if any(_is_of(known, word) for word in dict.fromkeys((composed(password), password))) else None

    @property
    def unreadable(self) -> bool:
        """Whether nobody can sign in, since the file cannot be read."""
        return not self.all() and bool(self._problem)

    @property
    def problem(self) -> str:
        """What is wrong with the file now; empty while all is well."""
        self.get("")
        return self._problem

    def _read_again(self) -> None:
        self._problem = ""
        try:
            self._users = load(self._path)
        except UsageError as error:
            self._users = {}
            self._problem = f"nobody can sign in: {error}"
            log.error("%s", self._problem)  # noqa: TRY400 - the sentence says it all
            return
        self._look_back()

    def _look_back(self) -> None:
        lines = {user.name: f"{user.name} {user.role} {user.hash}" for user in self._users.values()}
        self._problem = self._withdrawn.look(lines)


def _is_of(known: str, password: str) -> bool:
    try:
        return HASHER.verify(known, password)
    except (VerificationError, InvalidHashError):
        return False
