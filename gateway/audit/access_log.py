"""The log of who looked at what: a chain like the audit's, in a file of its own, from which a person can be erased.

Each entry is canonical JSON with its number and the SHA-256 of the entry before it, so one that is taken out, put in or
changed shows. Whom an entry is about does not stand in it but beside it, with a random salt; the entry has the sum of
both. To erase somebody the row beside it goes: the chain stays whole, and the sum without its salt tells nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from gateway.audit import access_mark
from gateway.machine.newer_file import refuse_newer
from gateway.machine.set_aside import set_aside
from gateway.model.records import canonical, digest
from gateway.model.usage import UsageError

log = logging.getLogger(__name__)

NAME = "access.db"
MODE = 0o640  # it tells who was on the ward: readable to the service and its group
SCHEMA_VERSION = 1
"""What stands in files of before is 0: they have the same tables."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (n INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS people (
    n INTEGER NOT NULL, place INTEGER NOT NULL, slot TEXT NOT NULL, subject TEXT NOT NULL, session TEXT NOT NULL,
    salt TEXT NOT NULL, PRIMARY KEY (n, place)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS people_by_subject ON people (subject);
CREATE TABLE IF NOT EXISTS deleted (upto INTEGER NOT NULL, head TEXT NOT NULL);
"""
WAITING = 4096
"""Entries that wait for a disk that is slow; beyond it they are lost, and their number is told in an entry."""
BUSY_S = 10.0  # another dashboard, or somebody who reads, may hold the file so long
LOOK_S = 3600.0
"""Between two looks for entries that are too old."""
DOUBT_S = 7 * 86400.0
"""A clock that is so far ahead of the last entry may be wrong: nothing is deleted by it before it has run so long."""
PORTION = 20_000
"""Entries deleted at one time: the file is not held for long."""
DAY_US = 86_400_000_000
MICRO = 1_000_000


class Person(NamedTuple):
    """Whom an entry is about: a bed, the pseudonym in it, and the session."""

    slot: str
    subject: str
    session: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is read: ``people`` are those who have not been erased, ``trouble`` is empty if it is right."""

    n: int
    fields: Mapping[str, Any]
    people: Sequence[Person]
    trouble: str


class _Waiting(NamedTuple):
    what: str
    time_us: int
    fields: Mapping[str, Any]
    people: Sequence[Person]


class AccessLog:
    """Writes entries, on a thread of its own: a slow disk delays nobody's page.

    Several processes may write to one file.

    Args:
        path: The file; it is made where it is not there. Raises UsageError when it cannot be, and NewerFileError
            where a newer program wrote it.
        keep_days: How long entries are kept.
        keep_people_days: How long it is told whom they are about: no longer than the history keeps them.
        now: Wall clock, seconds.

    Attributes:
        lost: Entries that could not be written.
    """

    def __init__(
        self, path: Path, *, keep_days: int, keep_people_days: int, now: Callable[[], float] = time.time
    ) -> None:
        self.lost = 0
        self._path = path
        self._keep = keep_days, keep_people_days
        self._now = now
        self._began = time.monotonic()
        self._looked = -LOOK_S
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(WAITING)
        self._untold = 0
        try:
            self._newest_us = _open(path)
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"The log of who looked at what, {path}, cannot be opened: {error}.") from None
        self._thread = threading.Thread(target=self._run, name="access log", daemon=True)
        self._thread.start()

    def write(self, what: str, people: Sequence[Person] = (), **fields: Any) -> None:
        """Put an entry into the queue; it is on disk a moment later."""
        try:
            self._waiting.put_nowait(_Waiting(what, int(self._now() * MICRO), fields, people))
        except queue.Full:
            self._lose(1, "the disk is too slow")

    def close(self) -> None:
        """Write what waits, and end."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            found: list[_Waiting] = []
            with contextlib.suppress(queue.Empty):
                first = self._waiting.get(timeout=LOOK_S)
                while True:
                    if first is None:
                        ended = True
                        break
                    found.append(first)
                    first = self._waiting.get_nowait()
            self._store(found)

    def _store(self, found: list[_Waiting]) -> None:
        if self._untold:
            found.append(_Waiting("lost", int(self._now() * MICRO), {"entries": self._untold}, ()))
        try:
            if not self._path.exists():
                log.error("%s is gone, and with it who looked at what: a new log begins", self._path)
                access_mark.mark_of(self._path).unlink(missing_ok=True)  # the entry below says it
                _make(self._path)
                found.insert(0, _Waiting("begun-anew", int(self._now() * MICRO), {}, ()))
            with _changing(self._path) as file:
                for entry in found:
                    _append(file, entry)
            self._untold = 0
            if time.monotonic() - self._looked >= LOOK_S:
                self._looked = time.monotonic()
                self._delete_old()
        except (OSError, sqlite3.Error) as error:
            self._lose(sum(entry.what != "lost" for entry in found), str(error))

    def _lose(self, number: int, why: str) -> None:
        self.lost += number
        self._untold += number
        log.error("%d entries of the log of who looked at what are lost: %s", number, why)

    def _delete_old(self) -> None:
        now_us = int(self._now() * MICRO)
        ran_us = int((time.monotonic() - self._began) * MICRO)
        if ran_us < DOUBT_S * MICRO and self._newest_us and now_us > self._newest_us + ran_us + DOUBT_S * MICRO:
            log.warning("the clock is a week ahead of the last entry in %s: nothing is deleted by it yet", self._path)
            return
        entries, people = delete_older(self._path, *(now_us - days * DAY_US for days in self._keep))
        if entries or people:
            log.info("%s: %d entries and %d mentions were older than they are kept", self._path, entries, people)


def erase_subject(path: Path, subject: str) -> int:
    """Take somebody out of the log; return from how many entries. The log tells that it was done, not to whom."""
    return _erase(path, "subject = ?", (subject,))


def erase_unknown(path: Path, known: Collection[str]) -> int:
    """Take out everybody but these subjects; return from how many entries."""
    if not path.exists():
        return 0
    with closing(_connect(path)) as file:
        subjects = {subject for (subject,) in file.execute("SELECT DISTINCT subject FROM people")}
    return sum(erase_subject(path, subject) for subject in subjects - set(known))


def delete_older(path: Path, entries_us: int, people_us: int) -> tuple[int, int]:
    """Delete entries before a time, and whom entries before another are about; at most a portion. Return how many."""
    with _changing(path) as file:
        upto = file.execute(
            "SELECT max(n) FROM (SELECT n, time_us FROM entries ORDER BY n LIMIT ?) WHERE time_us < ?",
            (PORTION, entries_us),
        ).fetchone()[0]
        gone = 0
        if upto is not None:
            (body,) = file.execute("SELECT body FROM entries WHERE n = ?", (upto,)).fetchone()
            gone = file.execute("DELETE FROM entries WHERE n <= ?", (upto,)).rowcount
            file.execute("DELETE FROM people WHERE n <= ?", (upto,))
            file.execute("DELETE FROM deleted")
            file.execute("INSERT INTO deleted VALUES (?, ?)", (upto, digest(body.encode())))
            _append(file, _Waiting("deleted", time.time_ns() // 1000, {"entries": gone, "upto": upto}, ()))
    return gone, _erase(path, "n IN (SELECT n FROM entries WHERE time_us < ?)", (people_us,))


def read(path: Path) -> Iterator[Entry]:
    """Yield every entry, oldest first, each compared with the one before it; raises UsageError."""
    if not path.is_file():
        raise UsageError(f"{path}: there is no such log; run this where the dashboard runs")
    try:
        with closing(_connect(path)) as file:
            yield from _checked(file)
            if gone := access_mark.missing(path, file):
                yield Entry(0, {}, (), f"an older copy was put back, or it was cut off: entries {gone} are not here")
    except sqlite3.Error as error:
        raise UsageError(f"{path} cannot be read: {error}") from None


def last_uses(path: Path, prefix: str) -> dict[str, int]:
    """Return when each user whose name begins so was last let in, microseconds; nobody where there is no log."""
    if not path.is_file():
        return {}
    found: dict[str, int] = {}
    with closing(_connect(path)) as file:
        for time_us, body in file.execute(
            "SELECT time_us, body FROM entries WHERE instr(body, ?) ORDER BY n", (prefix,)
        ):
            fields = fields_of(body)
            user = fields.get("user")
            if isinstance(user, str) and user.startswith(prefix) and fields.get("what") != "refused":
                found[user] = time_us
    return found


def _checked(file: sqlite3.Connection) -> Iterator[Entry]:
    upto, head = file.execute("SELECT upto, head FROM deleted").fetchone() or (0, "")
    erased = recorded = 0
    for n, body in file.execute("SELECT n, body FROM entries ORDER BY n"):
        rows = file.execute("SELECT place, slot, subject, session, salt FROM people WHERE n = ?", (n,)).fetchall()
        fields = fields_of(body)
        sums = _sums(fields)
        trouble = _trouble(n, body, fields, (upto, head), rows)
        erased += len(sums) - len(rows)
        recorded += _number(fields, "people_erased")
        yield Entry(n, fields, [Person(*row[1:4]) for row in rows], trouble)
        upto, head = n, digest(body.encode())
    given = file.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone()
    if given and given[0] > upto:
        yield Entry(given[0], {}, (), f"entries {upto + 1} to {given[0]} were cut off the end")
    if erased > recorded:
        yield Entry(upto, {}, (), f"{erased - recorded} mentions of people are missing that nobody has erased")


def _trouble(n: int, body: str, fields: Mapping[str, Any], before: tuple[int, str], rows: list[tuple[Any, ...]]) -> str:
    if not fields or canonical(fields) != body.encode() or fields.get("n") != n:
        return f"entry {n} is not as it was written"
    if n != before[0] + 1:
        return f"entries {before[0] + 1} to {n - 1} are missing"
    if fields.get("previous") != before[1]:
        return f"entry {before[0]} is not the one that entry {n} followed"
    for place, slot, subject, session, salt in rows:
        if _sum(Person(slot, subject, session), salt) not in _sums(fields)[place : place + 1]:
            return f"entry {n} was about somebody else"
    return ""


def _sums(fields: Mapping[str, Any]) -> list[Any]:
    found = fields.get("people", [])
    return found if isinstance(found, list) else []


def _number(fields: Mapping[str, Any], key: str) -> int:
    found = fields.get(key, 0)
    return found if type(found) is int else 0


def fields_of(body: str) -> dict[str, Any]:
    """Return the fields of an entry; none where it is no object."""
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return fields if isinstance(fields, dict) else {}


def _append(file: sqlite3.Connection, entry: _Waiting) -> None:
    last = file.execute("SELECT n, body FROM entries ORDER BY n DESC LIMIT 1").fetchone()
    if last is None:
        upto, head = file.execute("SELECT upto, head FROM deleted").fetchone() or (0, "")
    else:
        upto, head = last[0], digest(last[1].encode())
    n, salts = upto + 1, [secrets.token_hex(16) for _ in entry.people]
    about = [_sum(person, salt) for person, salt in zip(entry.people, salts, strict=True)]
    fields = {**entry.fields, "what": entry.what, "time_us": entry.time_us, "n": n, "previous": head}
    body = canonical(fields | ({"people": about} if about else {})).decode()
    file.execute("INSERT INTO entries (n, time_us, body) VALUES (?, ?, ?)", (n, entry.time_us, body))
    file.executemany(
        "INSERT INTO people VALUES (?, ?, ?, ?, ?, ?)",
        [(n, place, *person, salt) for place, (person, salt) in enumerate(zip(entry.people, salts, strict=True))],
    )


def _erase(path: Path, whom: str, values: tuple[object, ...]) -> int:
    """Delete rows of people; ``whom`` is one of our own two conditions."""
    if not path.exists():
        return 0
    with _changing(path) as file:
        gone = file.execute(f"DELETE FROM people WHERE {whom}", values).rowcount  # noqa: S608 - see above
        if gone:
            _append(file, _Waiting("erased", time.time_ns() // 1000, {"people_erased": gone}, ()))
    return gone


def _sum(person: Person, salt: str) -> str:
    return sha256(salt.encode() + canonical(person._asdict())).hexdigest()


def _make(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, MODE)
    if os.fstat(handle).st_mode & 0o777 & ~MODE:
        os.fchmod(handle, MODE)
    os.close(handle)
    with closing(_connect(path)) as file:
        refuse_newer(path, file.execute("PRAGMA user_version").fetchone()[0], SCHEMA_VERSION)
        file.executescript(f"{SCHEMA}PRAGMA user_version = {SCHEMA_VERSION};")


def _open(path: Path) -> int:
    """Make the file ready, in place of a damaged one, which is kept; return the time of its newest entry."""
    try:
        _make(path)
        return _newest_us(path)
    except sqlite3.OperationalError:  # a disk, a right or a lock: not what the file holds
        raise
    except sqlite3.DatabaseError as error:
        log.error("%s is damaged (%s): it is kept as %s, and a new log begins", path, error, set_aside(path))  # noqa: TRY400
        _make(path)
        return 0


def _newest_us(path: Path) -> int:
    with closing(_connect(path)) as file:
        return int(file.execute("SELECT coalesce(max(time_us), 0) FROM entries").fetchone()[0])


def _connect(path: Path) -> sqlite3.Connection:
    # Without a log of its own beside it (WAL): what was erased is then in no other file, and any reader may read.
    file = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_S, isolation_level=None)
    try:
        file.execute("PRAGMA secure_delete = ON")
        file.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error:  # it is damaged, or no database
        file.close()
        raise
    return file


@contextmanager
def _changing(path: Path) -> Iterator[sqlite3.Connection]:
    """Change the file, all of it or nothing; nobody else writes meanwhile."""
    with closing(_connect(path)) as file:
        file.execute("BEGIN IMMEDIATE")
        try:
            if gone := access_mark.missing(path, file):
                log.error("%s was put back to an older copy, or cut off: entries %s are not in it", path, gone)
                _append(file, _Waiting("put-back", time.time_ns() // 1000, {"entries": gone}, ()))
            yield file
        except BaseException:
            file.execute("ROLLBACK")
            raise
        file.execute("COMMIT")
        access_mark.keep(path, file)
