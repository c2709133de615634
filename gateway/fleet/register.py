"""The desk's books: who was invited, who is in it, what is rolled out. One SQLite file, for desk and commands."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.fleet.plan import Bundle, PlanState, Ring
from gateway.machine.private_files import make_private

FILE = "fleet.db"
MOST_TRIES = 5
"""Wrong codes for one invitation; then it is over and has to be made again."""
MOST_MEMBERS = 1000
WAIT_S = 30.0
"""For the other of desk and command to end what it writes: longer than `mosquitto.RELOAD_S`, for which it may wait."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS invitations (
  gateway TEXT PRIMARY KEY, key BLOB NOT NULL, ring TEXT NOT NULL, expires_s REAL NOT NULL,
  tries INTEGER NOT NULL DEFAULT 0, asked TEXT NOT NULL DEFAULT '', answer BLOB) STRICT;
CREATE TABLE IF NOT EXISTS members (
  gateway TEXT PRIMARY KEY, ring TEXT NOT NULL, joined_s REAL NOT NULL, revoked_s REAL, why TEXT NOT NULL DEFAULT '')
  STRICT;
CREATE TABLE IF NOT EXISTS certificates (
  number TEXT PRIMARY KEY, gateway TEXT NOT NULL, expires_s REAL NOT NULL, revoked INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE IF NOT EXISTS roll_outs (
  id INTEGER PRIMARY KEY, attempt INTEGER NOT NULL, path TEXT NOT NULL, bundle TEXT NOT NULL, rings TEXT NOT NULL,
  soak_s REAL NOT NULL, within_s REAL NOT NULL, open INTEGER NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL,
  made_s REAL NOT NULL) STRICT;
"""


@dataclass(frozen=True, slots=True)
class Invitation:
    """A code that was given out: its key, and what has come of it."""

    gateway: str
    key: bytes
    ring: str
    expires_s: float
    tries: int
    asked: str
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class Member:
    """A gateway of the fleet; ``revoked_s`` says since when it is none any more."""

    gateway: str
    ring: str
    joined_s: float
    revoked_s: float | None
    why: str


@dataclass(frozen=True, slots=True)
class RollOut:
    """A roll-out as it stands."""

    id: int
    attempt: int
    path: Path
    bundle: Bundle
    rings: tuple[Ring, ...]
    soak_s: float
    within_s: float
    open: int
    state: PlanState
    why: str
    made_s: float


class Register:
    """Opens the books of a fleet's folder; every change is on disk when its method returns.

    Raises:
        sqlite3.Error: The file cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        make_private(path)
        self._db = sqlite3.connect(path, timeout=WAIT_S, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.executescript(SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Have what follows happen whole or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a disk that is full may have ended it already
                self._db.execute("ROLLBACK")
            raise

    def newest(self, columns: str) -> tuple[Any, ...] | None:
        """Return the newest roll-out's row."""
        row = self._db.execute(f"SELECT {columns} FROM roll_outs ORDER BY id DESC LIMIT 1").fetchone()  # noqa: S608 - our own names
        return tuple(row) if row else None

    # Facts.

    def fact(self, name: str) -> str:
        """Return something that was noted; empty where it was not."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def note(self, name: str, value: str) -> None:
        """Note something."""
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def next_counter(self) -> int:
        """Return a number that is greater than every one before."""
        with self.changing():
            counter = int(self.fact("counter") or 0) + 1
            self.note("counter", str(counter))
        return counter

    # Invitations.

    def invite(self, gateway: str, key: bytes, ring: str, expires_s: float) -> None:
        """Keep an invitation; one that the gateway had before is over."""
        self._db.execute(
            "INSERT OR REPLACE INTO invitations (gateway, key, ring, expires_s) VALUES (?, ?, ?, ?)",
            (gateway, key, ring, expires_s),
        )

    def invitation(self, gateway: str) -> Invitation | None:
        """Return a gateway's invitation, whether it still holds or not."""
        row = self._db.execute(
            "SELECT gateway, key, ring, expires_s, tries, asked, answer FROM invitations WHERE gateway = ?", (gateway,)
        ).fetchone()
        return Invitation(*row) if row else None

    def open_invitations(self, now_s: float) -> list[Invitation]:
        """Return those that may still be used."""
        rows = self._db.execute(
            "SELECT gateway, key, ring, expires_s, tries, asked, answer FROM invitations"
            " WHERE expires_s > ? AND tries < ? AND asked = '' ORDER BY gateway", (now_s, MOST_TRIES),
        )  # fmt: skip
        return [Invitation(*row) for row in rows]

    def count_try(self, gateway: str) -> None:
        """Count a wrong code."""
        self._db.execute("UPDATE invitations SET tries = tries + 1 WHERE gateway = ?", (gateway,))

    def admit(
        self, used: Invitation, asked: str, answer: bytes, numbers: Sequence[tuple[int, float]], now_s: float
    ) -> bool:
        """Make a gateway a member, and its invitation one that was used; what it had before is taken back.

        All at once, with the numbers of its new certificates: what the books do not know could never be revoked.

        Returns:
            Whether its invitation still holds: a command may have taken it back meanwhile, or made another.
        """
        with self.changing() as db:
            done = db.execute(
                "UPDATE invitations SET asked = ?, answer = ? WHERE gateway = ? AND key = ? AND asked = ''",
                (asked, answer, used.gateway, used.key),
            )
            if done.rowcount != 1:
                return False
            db.execute("UPDATE certificates SET revoked = 1 WHERE gateway = ?", (used.gateway,))
            db.execute(
                "INSERT OR REPLACE INTO members (gateway, ring, joined_s) VALUES (?, ?, ?)",
                (used.gateway, used.ring, now_s),
            )
            self._note_certificates(used.gateway, numbers)
        return True

    # Members and their certificates.

    def members(self) -> list[Member]:
        """Return whoever is or was in the fleet, by name."""
        rows = self._db.execute("SELECT gateway, ring, joined_s, revoked_s, why FROM members ORDER BY gateway")
        return [Member(*row) for row in rows]

    def present(self) -> list[Member]:
        """Return whoever is in the fleet."""
        return [member for member in self.members() if member.revoked_s is None]

    def set_ring(self, gateway: str, ring: str) -> bool:
        """Put a member into a ring; return whether there is one."""
        done = self._db.execute("UPDATE members SET ring = ? WHERE gateway = ? AND revoked_s IS NULL", (ring, gateway))
        return done.rowcount == 1

    def add_certificates(self, gateway: str, numbers: Sequence[tuple[int, float]]) -> bool:
        """Note certificates that were signed: their numbers, and when each ends.

        Returns:
            Whether their gateway is in the fleet: one that was thrown out meanwhile must not have them.
        """
        with self.changing():
            if gateway not in {member.gateway for member in self.present()}:
                return False
            self._note_certificates(gateway, numbers)
        return True

    def certificates_after(self, gateway: str, ends_s: float) -> int:
        """Return how many certificates of a gateway end after a time, those that were taken back too."""
        asked = "SELECT count(*) FROM certificates WHERE gateway = ? AND expires_s > ?"
        return int(self._db.execute(asked, (gateway, ends_s)).fetchone()[0])

    def _note_certificates(self, gateway: str, numbers: Sequence[tuple[int, float]]) -> None:
        rows = [(str(number), gateway, expires_s) for number, expires_s in numbers]
        self._db.executemany("INSERT INTO certificates (number, gateway, expires_s) VALUES (?, ?, ?)", rows)

    def revoke(self, gateway: str, why: str, now_s: float) -> bool:
        """Take a member out of the fleet with its certificates and invitation; return whether it was in it."""
        with self.changing() as db:
            done = db.execute(
                "UPDATE members SET revoked_s = ?, why = ? WHERE gateway = ? AND revoked_s IS NULL",
                (now_s, why, gateway),
            )
            db.execute("UPDATE certificates SET revoked = 1 WHERE gateway = ?", (gateway,))
            db.execute("DELETE FROM invitations WHERE gateway = ?", (gateway,))
        return done.rowcount == 1

    def revoked_numbers(self, now_s: float) -> list[int]:
        """Return the numbers of certificates that were taken back and would still hold."""
        rows = self._db.execute("SELECT number FROM certificates WHERE revoked = 1 AND expires_s > ?", (now_s,))
        return sorted(int(number) for (number,) in rows)
