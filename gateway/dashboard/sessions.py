"""Who is signed in, and who has tried too often: kept in memory only, all of it bounded."""

from __future__ import annotations

import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from gateway.dashboard.access import SHARED_SCREEN
from gateway.dashboard.users import User, Users

SESSIONS = 500
"""More than a ward has screens; beyond it, who has been away longest is signed out."""
LONGEST_S = 12 * 3600.0
"""A shift. A screen on a wall is signed in anew once a day and a half."""
LONGEST_SHARED_S = 36 * 3600.0

FREE_FAILURES = 5
"""Wrong passwords that cost nothing but their own time: of an address, and of a browser that is known."""
FREE_OF_NAME = 20
"""The same of a name, by strangers anywhere: somebody who wants to lock a user out needs many addresses."""
FIRST_WAIT_S = 2.0
MOST_WAIT_S = 300.0
MOST_WAIT_OF_NAME_S = 60.0
"""A user at a new browser waits no longer than this for what others do; 1,440 guesses a day find no password."""
FORGET_S = 900.0
KNOWN = 2048
"""Names and addresses whose failures are remembered; the oldest is forgotten first."""


@dataclass(slots=True)
class Session:
    """One browser that has signed in. ``began`` and ``seen`` are monotonic seconds.

    Attributes:
        holds: Says alone whether it still holds, for a program with a token; None for a person.
        whole: Whether somebody has signed in with a password or elsewhere, and not with a PIN.
        id_token: What a trust's sign-in said, for signing out of it; empty where it said nothing.
    """

    user: User
    began: float
    seen: float
    holds: Callable[[], bool] | None = None
    whole: bool = True
    id_token: str = ""


class Sessions:
    """Signed-in browsers by a token that only they know; we keep its hash.

    Args:
        users: Who may sign in; asked again each time, so that a change of the file counts at once.
        idle_s: Without a sign of a person for so long, a session is over. A shared screen is not locked.
        clock: Monotonic seconds.
    """

    def __init__(self, users: Users, *, idle_s: float, clock: Callable[[], float] = monotonic) -> None:
        self.idle_s = idle_s
        self._users = users
        self._clock = clock
        self._known: OrderedDict[bytes, Session] = OrderedDict()

    def open(self, user: User, *, began: float | None = None, id_token: str = "") -> str:
        """Sign a user in; return the token for the cookie.

        Args:
            user: Who.
            began: When they signed in whole, of one who goes on with a PIN: a shift begins there.
            id_token: What a trust's sign-in said.
        """
        token = secrets.token_urlsafe(32)
        now = self._clock()
        while len(self._known) >= SESSIONS:
            self._known.popitem(last=False)
        self._known[_digest(token)] = Session(
            user, now if began is None else began, now, whole=began is None, id_token=id_token
        )
        return token

    def get(self, token: str) -> Session | None:
        """Return the session of a token, if it is still good; asking is no sign of a person."""
        session = self._known.get(_digest(token))
        if session is None:
            return None
        if not self.good(session):
            del self._known[_digest(token)]
            return None
        return session

    def good(self, session: Session) -> bool:
        """Whether a session still holds: not idle, not too old, and its user as the file says."""
        if session.holds is not None:
            return session.holds()
        now = self._clock()
        shared = session.user.role == SHARED_SCREEN
        idle = not shared and now - session.seen > self.idle_s
        old = now - session.began > (LONGEST_SHARED_S if shared else LONGEST_S)
        closed = session.began < 0
        return not (idle or old or closed) and self.is_user(session.user)

    def is_user(self, user: User) -> bool:
        """Whether somebody may still sign in, by the file; of whom a trust lets in, the trust decides each time."""
        return user.is_elsewhere or self._users.get(user.name) == user

    def touch(self, token: str) -> None:
        """Note that a person is there."""
        digest = _digest(token)
        if digest in self._known:
            self._known[digest].seen = self._clock()
            self._known.move_to_end(digest)

    def close(self, token: str) -> None:
        """Sign out; what still streams to that browser ends."""
        session = self._known.pop(_digest(token), None)
        if session is not None:
            session.began = -1.0


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(slots=True)
class _Tries:
    failures: int
    last: float


class Limiter:
    """Makes guessing slow: after a few failures of a name or from an address, each costs a longer wait.

    A key is ``"<kind> <value>"``; of the kind ``name`` there are other limits than of the rest.
    """

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._tries: OrderedDict[str, _Tries] = OrderedDict()

    @property
    def known(self) -> int:
        """Of how many keys failures are remembered."""
        return len(self._tries)

    def wait_s(self, *keys: str) -> float:
        """Return how long to wait before the next try; 0 if it may be now."""
        return max(self._wait_s(key) for key in keys)

    def failed(self, *keys: str) -> None:
        """Count a failure."""
        now = self._clock()
        for key in keys:
            tries = self._tries.pop(key, None)
            if tries is None or now - tries.last > FORGET_S:
                tries = _Tries(0, now)
            self._tries[key] = _Tries(tries.failures + 1, now)
            while len(self._tries) > KNOWN:
                self._tries.popitem(last=False)

    def withdrawn(self, *keys: str) -> None:
        """Take a failure back: nobody has looked at the password."""
        for key in keys:
            if (tries := self._tries.get(key)) is not None:
                tries.failures -= 1

    def succeeded(self, *keys: str) -> None:
        """Forget the failures."""
        for key in keys:
            self._tries.pop(key, None)

    def _wait_s(self, key: str) -> float:
        of_name = key.startswith("name ")
        free, most_s = (FREE_OF_NAME, MOST_WAIT_OF_NAME_S) if of_name else (FREE_FAILURES, MOST_WAIT_S)
        tries = self._tries.get(key)
        if tries is None or tries.failures < free:
            return 0.0
        wait_s = min(most_s, FIRST_WAIT_S * 2.0 ** min(tries.failures - free, 30))
        return max(0.0, tries.last + wait_s - self._clock())
