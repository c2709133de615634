"""Tokens of the hospital's own programs: a random secret each, shown once; what is kept of it is its sum.

``<site.data>/tokens.jsonl`` has a line of JSON for each: ``{"name": …, "role": …, "digest": …, "made_s": …,
"until_s": …}``. The file is read again when it changes: a token that is revoked opens nothing any more, at once. The
sum is a plain SHA-256: nobody guesses 256 random bits, however fast the guess.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gateway.dashboard import private_lines
from gateway.dashboard.access import ROLES, Role
from gateway.dashboard.sessions import Session
from gateway.dashboard.users import User
from gateway.dashboard.withdrawn import Withdrawn
from gateway.model.usage import UsageError

log = logging.getLogger(__name__)

FILE_NAME, WITHDRAWN = "tokens.jsonl", "withdrawn-tokens.jsonl"
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
PREFIX = "rgt_"
"""Of every secret: whoever finds one in a log or a repository sees what it is of."""
SECRET_BYTES = 32
LONGEST_SECRET = 128  # characters that are looked at
DAY_S = 86_400
LONGEST_DAYS = 1100
"""Three years: a program whose token never ends is one that everybody has forgotten."""
MOST = 200
FIELDS = {"name": str, "role": str, "digest": str, "made_s": int, "until_s": int}


@dataclass(frozen=True, slots=True)
class Token:
    """What is kept of a token; times are seconds since 1970."""

    name: str
    role: Role
    digest: str
    made_s: int
    until_s: int

    @property
    def user(self) -> str:
        """Return the name under which it acts; no user's name has a colon."""
        return f"token:{self.name}"


def load(path: Path) -> dict[str, Token]:
    """Read a file of tokens, by their names; there are none where there is no file. Raises UsageError."""
    tokens: dict[str, Token] = {}
    if not path.exists():
        return tokens
    for number, fields in private_lines.read(path, "tokens"):
        token = _token(fields)
        if token is None or token.name in tokens:
            raise UsageError(f"{path}, line {number}: is not a token; make it with 'rehab-gateway token add'.")
        tokens[token.name] = token
    return tokens


def save(path: Path, tokens: Iterable[Token]) -> None:
    """Replace a file of tokens."""
    private_lines.write(path, map(asdict, tokens))


def make(name: str, role: Role, *, days: int, now_s: float) -> tuple[Token, str]:
    """Return a new token and its secret, which is kept nowhere; raises UsageError."""
    if not NAME.fullmatch(name):
        raise UsageError("A token's name is lower-case letters, digits, dots and hyphens, at most 32 of them.")
    if not 1 <= days <= LONGEST_DAYS:
        raise UsageError(f"A token holds for 1 to {LONGEST_DAYS} days.")
    secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    made_s = int(now_s)
    return Token(name, role, _digest(secret), made_s, made_s + days * DAY_S), secret


def _token(fields: dict[str, Any] | None) -> Token | None:
    if fields is None or fields.keys() != FIELDS.keys() or any(type(fields[key]) is not FIELDS[key] for key in FIELDS):
        return None
    right = NAME.fullmatch(fields["name"]) and fields["role"] in ROLES
    return Token(**fields) if right else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Tokens:
    """The tokens as the file says now.

    Args:
        path: The file, which need not be there. What was revoked is kept beside it.
        now: Wall clock, seconds.
    """

    def __init__(self, path: Path, *, now: Callable[[], float] = time.time) -> None:
        """Read the file; raises UsageError."""
        self._path = path
        self._now = now
        self._withdrawn = Withdrawn(path, path.with_name(WITHDRAWN))
        self._problem = ""
        self._seen = private_lines.stamp(path)
        self._tokens = load(path)
        self._look_back()
        self._sessions: dict[Token, Session] = {}

    @property
    def problem(self) -> str:
        """What is wrong with the file now; empty while all is well."""
        self.all()
        return self._problem

    def find(self, secret: str) -> Token | None:
        """Return the token of a secret, whether or not it is over; None for a secret that is none."""
        if not secret.startswith(PREFIX) or len(secret) > LONGEST_SECRET:
            return None
        digest = _digest(secret)  # compared with sums only: how long that takes tells nothing of a secret
        return next((token for token in self.all().values() if token.digest == digest), None)

    def is_good(self, token: Token) -> bool:
        """Whether a token still stands in the file and is not over."""
        return self.all().get(token.name) == token and self._now() < token.until_s

    def session(self, token: Token) -> Session:
        """Return who acts with a token, for everything that asks who it is; always the same for one token."""
        if token not in self._sessions:
            self._sessions = {known: of for known, of in self._sessions.items() if self.is_good(known)}
            user = User(token.user, token.role, token.digest)
            self._sessions[token] = Session(user, 0.0, 0.0, holds=lambda: self.is_good(token))
        return self._sessions[token]

    def all(self) -> dict[str, Token]:
        """Return the tokens, by their names, as the file says now."""
        stamp = private_lines.stamp(self._path)
        if stamp != self._seen:
            self._seen, self._problem = stamp, ""
            try:
                self._tokens = load(self._path)
            except UsageError as error:
                self._tokens = {}
                self._problem = f"no token opens anything: {error}"
                log.error("%s", self._problem)  # noqa: TRY400 - the sentence says it all
            else:
                self._look_back()
        return self._tokens

    def _look_back(self) -> None:
        lines = {token.name: f"{token.name} {token.role} {token.digest}" for token in self._tokens.values()}
        self._problem = self._withdrawn.look(lines)
