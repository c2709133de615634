"""PINs: four to six digits by which a person goes on in a browser on which they have signed in today.

A PIN is no password: there are so few that it counts only where the whole sign-in was made before, in this browser,
within a shift, and only five may be tried. What is kept is an argon2id hash of the PIN joined with a key of this
dashboard, so that the file alone tells no PIN; a new password or another role makes the PIN void.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from string import digits
from time import monotonic
from typing import Any, Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.dashboard import private_lines
from gateway.dashboard.sessions import LONGEST_S
from gateway.dashboard.users import HASHER, User
from gateway.model.usage import UsageError

FILE_NAME: Final = "pins.jsonl"
FORM = re.compile(r"[0-9]{4,6}")
TRIES: Final = 5
"""Wrong PINs of one person in one browser; then the password is asked for."""
MOST_KNOWN: Final = 2048
"""People at browsers; whoever signed in longest ago goes first."""
ROWS = (digits, digits[::-1], "1470", "2580", "3690", "0852", "0741", "0963")


def reason_against(pin: str) -> str:
    """Return why a PIN will not do, in one sentence; empty if it will."""
    if not FORM.fullmatch(pin):
        return "A PIN is four to six digits."
    doubled = any(pin == pin[:n] * (len(pin) // n) for n in (1, 2, 3) if len(pin) % n == 0)
    year = len(pin) == 4 and pin[:2] in {"19", "20"}
    if doubled or year or any(pin in row for row in ROWS):
        return "Everybody tries this one first: no years, no rows, no repetitions."
    return ""


class Pins:
    """The PINs of people, in ``pins.jsonl`` of the data folder: ``{"name": …, "of": …, "hash": …}`` each.

    Args:
        path: The file; made with the first PIN.
        key: Of this dashboard.
        hasher: Makes the hashes; of tests a cheaper one.
    """

    def __init__(self, path: Path, key: bytes, *, hasher: PasswordHasher = HASHER) -> None:
        """Read the file; raises UsageError."""
        self._path = path
        self._key = key
        self._hasher = hasher
        self._turn = threading.Lock()
        self._seen: private_lines.Stamp = None
        self._rows: dict[str, dict[str, Any]] = {}
        self._all()

    def has(self, user: User) -> bool:
        """Whether a person has a PIN that counts."""
        row = self._all().get(user.name)
        return row is not None and hmac.compare_digest(row["of"], self._of(user))

    def set(self, user: User, pin: str) -> None:
        """Give a person a PIN; takes a quarter of a second. Raises UsageError, or OSError where it cannot be kept."""
        if reason := reason_against(pin):
            raise UsageError(reason)
        row = {"name": user.name, "of": self._of(user), "hash": self._hasher.hash(self._joined(user, pin))}
        with self._turn:
            self._write({**self._all(), user.name: row})

    def remove(self, user: User) -> None:
        """Take a person's PIN away. Raises OSError where that cannot be kept."""
        with self._turn:
            self._write({name: row for name, row in self._all().items() if name != user.name})

    def verify(self, user: User, pin: str) -> bool:
        """Whether this is a person's PIN; takes a quarter of a second."""
        if not self.has(user) or not FORM.fullmatch(pin):
            return False
        try:
            return self._hasher.verify(self._all()[user.name]["hash"], self._joined(user, pin))
        except (VerificationError, InvalidHashError, KeyError):
            return False

    def _all(self) -> dict[str, dict[str, Any]]:
        stamp = private_lines.stamp(self._path)
        if stamp != self._seen:
            self._seen = stamp
            lines = private_lines.read(self._path, "PINs") if stamp else ()
            rows = [row for _, row in lines if row is not None and row.keys() == {"name", "of", "hash"}]
            self._rows = {row["name"]: row for row in rows if all(isinstance(value, str) for value in row.values())}
        return self._rows

    def _write(self, rows: dict[str, dict[str, Any]]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        private_lines.write(self._path, rows.values())

    def _of(self, user: User) -> str:
        return self._sum("of", user.name, user.role, user.hash)

    def _joined(self, user: User, pin: str) -> str:
        return self._sum("pin", user.name, pin)

    def _sum(self, *parts: str) -> str:
        return hmac.new(self._key, "\n".join(parts).encode(), hashlib.sha256).hexdigest()


@dataclass(slots=True)
class _There:
    user: User
    since: float
    failures: int = 0


class Today:
    """Who has wholly signed in on which browser within a shift: kept in memory only.

    Args:
        clock: Monotonic seconds.
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._there: OrderedDict[tuple[str, str], _There] = OrderedDict()

    def note(self, browser: str, user: User) -> None:
        """Note that somebody has wholly signed in, on the browser with this number."""
        self._there.pop((browser, user.name), None)
        self._there[browser, user.name] = _There(user, self._clock())
        while len(self._there) > MOST_KNOWN:
            self._there.popitem(last=False)

    def forget(self, browser: str, name: str) -> None:
        """Ask for the whole sign-in next time."""
        self._there.pop((browser, name), None)

    def find(self, browser: str, name: str) -> tuple[User, float] | None:
        """Return who may go on with a PIN, and when they signed in; None who may not."""
        there = self._there.get((browser, name))
        if there is None or self._clock() - there.since > LONGEST_S or there.failures >= TRIES:
            return None
        return there.user, there.since

    def tried(self, browser: str, name: str) -> int:
        """Count a try before it is known whether it is right; return how many are left."""
        there = self._there.get((browser, name))
        if there is None:
            return 0
        there.failures += 1
        return max(0, TRIES - there.failures)

    def succeeded(self, browser: str, name: str) -> None:
        """Forget the wrong tries."""
        if there := self._there.get((browser, name)):
            there.failures = 0
