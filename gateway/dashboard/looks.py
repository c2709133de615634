"""What the log of who looked at what is told: each look once, however often a page asks for the same again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from aiohttp import web

from gateway.audit.access_log import AccessLog, Person
from gateway.dashboard.past import Question
from gateway.dashboard.users import User, Users
from gateway.dashboard.ward import Ward

REPEAT_S = 600.0
"""The same look of the same user from the same place within so long is counted, and told in one entry."""
LISTED_MOST = 1000
"""Different looks within that time; more are counted only. Nobody should be able to fill the disk with looks."""
TRIES_MOST = 200
"""The same for sign-ins that were refused: a flood of them takes no place from looks."""
FLUSH_S = 5.0
LONGEST_ID = 64  # characters of a name that came over the network

Key = tuple[str, tuple[tuple[str, Any], ...], tuple[Person, ...]]


@dataclass(slots=True)
class _Repeated:
    since: float
    again: int = 0


class Looks:
    """Writes to the log.

    Args:
        log: Where to; None where nobody signs in, so that nobody is known.
        clock: Monotonic seconds.
    """

    def __init__(self, log: AccessLog | None, *, clock: Callable[[], float] = monotonic) -> None:
        self._log = log
        self._clock = clock
        self._repeated: dict[Key, _Repeated] = {}
        self._unlisted = 0

    @property
    def lost(self) -> int:
        """How many entries could not be written."""
        return self._log.lost if self._log else 0

    def record(self, what: str, people: Sequence[Person] = (), **fields: Any) -> None:
        """Tell of something that happened once: a sign-in, a change of the users."""
        if self._log is not None:
            self._log.write(what, people, **fields)

    def repeat(self, what: str, people: Sequence[Person] = (), **fields: Any) -> None:
        """Tell of something that may happen often: once now, and later how often it came again."""
        if self._log is None:
            return
        key = (what, tuple(sorted(fields.items())), tuple(people))
        if (repeated := self._repeated.get(key)) is not None:
            repeated.again += 1
            return
        alike = sum((known == "refused") is (what == "refused") for known, _, _ in self._repeated)
        if alike >= (TRIES_MOST if what == "refused" else LISTED_MOST):
            self._unlisted += 1
            return
        self._repeated[key] = _Repeated(self._clock())
        self._log.write(what, people, **fields)

    def flush(self, *, everything: bool = False) -> None:
        """Tell what came again, of what was first told long enough ago."""
        past = self._clock() - REPEAT_S
        for key in [key for key, of in self._repeated.items() if everything or of.since <= past]:
            what, fields, people = key
            again = self._repeated.pop(key).again
            if again:
                self.record(f"{what}-again", people, **dict(fields), times=again)
        if self._unlisted:
            self.record("unlisted", times=self._unlisted)
            self._unlisted = 0

    async def run(self, users: Users | None) -> None:
        """Tell who may sign in, and changes of that, and what came again, until cancelled."""
        known: Mapping[str, User] | None = None
        while True:
            if users is not None:
                known = self.compare(known, users.all())
            self.flush()
            await asyncio.sleep(FLUSH_S)

    def compare(self, before: Mapping[str, User] | None, now: Mapping[str, User]) -> Mapping[str, User]:
        """Tell what has changed in the users file; all of it the first time. Return who may sign in now."""
        if before is None:
            self.record("users", may_sign_in=[f"{user.name} ({user.role})" for user in now.values()])
        elif before is not now:
            for name in sorted(before.keys() | now.keys()):
                old, new = before.get(name), now.get(name)
                if new is None or old is None:
                    self.record("user-removed" if new is None else "user-added", user=name, role=(new or old).role)  # type: ignore[union-attr]
                elif old.role != new.role:
                    self.record("user-role", user=name, role=new.role)
                elif old.hash != new.hash:
                    self.record("user-password", user=name, role=new.role)
        return now

    def close(self) -> None:
        """Tell the rest, and close the log."""
        self.flush(everything=True)
        if self._log is not None:
            self._log.close()


LOOKS = web.AppKey("looks", Looks)


def people(ward: Ward, slot: str | None = None) -> list[Person]:
    """Return who is in a slot, or in all of them, as the gateway says now."""
    return [
        Person(*(str(found.get(key) or "")[:LONGEST_ID] for key in ("id", "subject", "session")))
        for found in ward.slots()
        if slot is None or found["id"] == slot
    ]


def whose(question: Question) -> list[Person]:
    """Return whose past is asked for; nobody where it is told neither by pseudonym nor by session."""
    if not question.subject and not question.session:
        return []
    return [Person(*((part or "")[:LONGEST_ID] for part in (question.slot, question.subject, question.session)))]


def slot_of(ward: Ward, device: str) -> str:
    """Return the slot of a device; empty if it has none."""
    return next((str(found.get("slot", "")) for found in ward.devices() if found["id"] == device), "")
