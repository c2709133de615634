"""The reading side of the history, for the dashboard, the demo and reports. It never blocks the writer."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.history.row_sums import has_sums, prepare
from gateway.history.schema import QUALITY, WRITABLE, Stored, StoredRecord, as_text, read_stored
from gateway.history.trends import Bucket, trend
from gateway.model.measurement import Measurement, Quality, Side
from gateway.model.records import Kind

BUSY_TIMEOUT_S = 2.0
"""A page should rather come empty than late."""


@dataclass(frozen=True, slots=True)
class Point:
    """What a chart needs of a measurement; times in UTC microseconds, the value in the unit of the catalogue.

    All points of one answer are one person's; where ``session`` changes, a curve must break.
    """

    start_us: int
    end_us: int
    value: float | None
    n: int
    quality: Quality
    session: str = ""
    slot: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """One session of the history: who, where, from when to when, and how many measurements it brought."""

    session: str
    slot: str
    subject: str
    simulated: bool
    first_us: int
    last_us: int
    measurements: int


class HistoryReader:
    """Read-only access to a history that another process writes. Safe for several threads.

    A history that does not exist yet reads as empty: the dashboard may start before the historian.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        self._summed = False

    def series(
        self, slot: str | None, metric: str, side: Side | None = None, *, from_us: int = 0, to_us: int = 2**62,
        limit: int = 10_000, algorithm: str | None = None, subject: str | None = None, session: str | None = None,
        simulated: bool | None = None, discarded: bool = False,
    ) -> list[Point]:  # fmt: skip
        """Return the measurements that end in ``[from_us, to_us)``, oldest first; the newest ``limit`` of them.

        They are always one person's, and never both simulated and real: those of ``subject``, in whatever bed where
        ``slot`` is None. Where no subject is named they are those of whom the history knows last there.
        Where feet and lower back both tell a metric, ``algorithm`` keeps them apart. Sessions that were discarded are
        left out, unless they are asked for.
        """
        whose = self._newest_session(slot, subject, session, simulated, discarded=discarded)
        if whose is None:
            return []
        if not whose.subject:  # nobody in particular: not even two sessions of one bed are known to be one person's
            slot, session = whose.slot, whose.session
        found = self.rows(
            "SELECT start_us, end_us, value, n, quality, session, slot FROM measurements JOIN series ON"
            " series.id = measurements.series WHERE measurements.series IN"
            " (SELECT s.id FROM sessions x CROSS JOIN series s ON s.slot = x.slot AND s.session = x.session"
            "   AND s.subject = x.subject AND s.metric = ? AND s.simulated = x.simulated"
            "  WHERE x.subject = ? AND x.simulated = ? AND x.last_us >= ?"  # of years, most had ended before
            "  AND (? IS NULL OR x.slot = ?) AND (? IS NULL OR x.session = ?)"
            "  AND (? IS NULL OR s.side = ?) AND (? IS NULL OR s.algorithm = ?)"
            "  AND (? OR (x.session, x.subject) NOT IN (SELECT session, subject FROM discarded)))"
            " AND end_us >= ? AND end_us < ? ORDER BY end_us DESC, measurements.id DESC LIMIT ?",
            (metric, whose.subject, whose.simulated, from_us, slot, slot, session, session, side, side, algorithm,
             algorithm, discarded, from_us, to_us, limit),
        )  # fmt: skip
        return [
            Point(start, end, value, n, QUALITY[quality], of_session, of_slot)
            for start, end, value, n, quality, of_session, of_slot in reversed(found)
        ]

    def trend(
        self, metric: str, *, from_us: int, to_us: int, slot: str | None = None, subject: str | None = None,
        session: str | None = None, simulated: bool | None = None, side: Side | None = None,
        algorithm: str | None = None, buckets: int = 600, discarded: bool = False,
    ) -> list[Bucket]:  # fmt: skip
        """Return what a metric did in ``[from_us, to_us)``, in buckets, oldest first; also of years, and quickly.

        Whose measurements they are is chosen as by ``series``. A wide window has buckets of whole minutes.
        """
        whose = self._newest_session(slot, subject, session, simulated, discarded=discarded)
        if whose is None:
            return []
        if not whose.subject:
            slot, session = whose.slot, whose.session
        given = {"metric": metric, "slot": slot, "subject": whose.subject, "simulated": whose.simulated,
                 "session": session, "side": side, "algorithm": algorithm}  # fmt: skip
        chosen = {column: value for column, value in given.items() if value is not None}
        with self._lock:
            db = self._open()
            if db is None:
                return []
            condition = " AND ".join(f"{key} = ?" for key in chosen)
            if not discarded:
                condition += " AND (session, subject) NOT IN (SELECT session, subject FROM discarded)"
            return trend(db, (condition, [*chosen.values()]), from_us, to_us, buckets)

    def latest(self, slot: str, *, since_us: int = 0) -> list[Measurement]:
        """Return the newest measurement of every metric and side that ended at or after ``since_us``.

        They are those of the session that was in the slot last: what somebody else left there is not among them.
        """
        whose = self._newest_session(slot, None, None, None)
        if whose is None:
            return []
        with self._lock:
            db = self._open()
            if db is None:
                return []
            newest: dict[tuple[str, str], tuple[int, int]] = {}
            candidates = db.execute(
                "SELECT s.metric, s.side, m.end_us, m.id FROM series s JOIN measurements m ON m.id ="
                " (SELECT id FROM measurements WHERE series = s.id AND end_us >= ?"
                " ORDER BY end_us DESC, id DESC LIMIT 1)"
                " WHERE s.slot = ? AND s.session = ? AND s.subject = ? AND s.simulated = ?",
                (since_us, slot, whose.session, whose.subject, whose.simulated),
            )
            for metric, side, end_us, number in candidates:
                newest[metric, side] = max(newest.get((metric, side), (0, 0)), (end_us, number))
            return [read_stored(db, "WHERE id = ?", (number,))[0].measurement for _, number in sorted(newest.values())]

    def sessions(
        self, *, slot: str | None = None, limit: int = 1000, subject: str | None = None, session: str | None = None,
        simulated: bool | None = None, since_us: int = 0, gateway: str | None = None, discarded: bool = False,
    ) -> list[Session]:  # fmt: skip
        """Return the sessions that last until ``since_us`` or longer, the latest first.

        Two gateways may both have a bed of one name: ``gateway`` keeps them apart, as far as there still are rows.
        Those that were discarded are left out, unless they are asked for.
        """
        found = self.rows(
            "SELECT session, slot, subject, simulated, first_us, last_us, measurements FROM sessions"
            " WHERE (? IS NULL OR slot = ?) AND (? IS NULL OR subject = ?) AND (? IS NULL OR session = ?)"
            " AND (? IS NULL OR simulated = ?) AND last_us >= ? AND (? IS NULL OR ? ="
            "  (SELECT e.gateway FROM series s CROSS JOIN measurements m ON m.series = s.id"
            "   JOIN epochs e ON e.id = m.epoch WHERE s.slot = sessions.slot AND s.session = sessions.session"
            "   AND s.subject = sessions.subject AND s.simulated = sessions.simulated LIMIT 1))"
            " AND (? OR (session, subject) NOT IN (SELECT session, subject FROM discarded))"
            " ORDER BY last_us DESC, first_us DESC LIMIT ?",
            (slot, slot, subject, subject, session, session, simulated, simulated, since_us, gateway, gateway,
             discarded, limit),
        )  # fmt: skip
        return [
            Session(of_session, of_slot, of_subject, bool(of_simulated), first, last, n)
            for of_session, of_slot, of_subject, of_simulated, first, last, n in found
        ]

    def _newest_session(
        self, slot: str | None, subject: str | None, session: str | None, simulated: bool | None,
        *, discarded: bool = False,
    ) -> Session | None:  # fmt: skip
        found = self.sessions(
            slot=slot, limit=1, subject=subject, session=session, simulated=simulated, discarded=discarded
        )
        return found[0] if found else None

    def stored(self, *, after_id: int = 0, session: str | None = None, limit: int = 100_000) -> list[Stored]:
        """Return measurements with their identity in the order of storing; page on with the last ``id``.

        Those of a session are what is read as its, or was made as its (``Stored.made_as``); discarded ones too.
        """
        with self._lock:
            db = self._open()
            return [] if db is None else read_stored(
                db, "WHERE id > ? AND (? IS NULL OR session = ? OR made_session = ?) ORDER BY id LIMIT ?",
                (after_id, session, session, session, limit),
            )  # fmt: skip

    def in_sessions(self, sessions: Sequence[str], metrics: Sequence[str], *, limit: int = 10_000) -> list[Measurement]:
        """Return the measurements of some metrics that are read under some session ids, in the order of storing."""
        with self._lock:
            db = self._open()
            if db is None or not (sessions and metrics):
                return []
            condition = (
                f"WHERE session IN ({', '.join('?' * len(sessions))}) AND metric IN ({', '.join('?' * len(metrics))})"
                " ORDER BY id LIMIT ?"
            )
            return [stored.measurement for stored in read_stored(db, condition, (*sessions, *metrics, limit))]

    def count(self) -> int:
        """Return how many measurements were ever stored; cheap."""
        found = self.rows("SELECT coalesce(sum(measurements), 0) FROM sessions", ())
        return int(found[0][0]) if found else 0

    def gaps(self) -> list[tuple[str, str, int, int, str]]:
        """Return gateway, epoch, first, last and reason of every number that never came."""
        return self.rows(
            "SELECT gateway, epochs.epoch, first, last, reason FROM gaps JOIN epochs ON epochs.id = gaps.epoch"
            " ORDER BY gaps.epoch, first",
            (),
        )

    def given_twice(self) -> list[tuple[str, str, int, bytes]]:
        """Return gateway, epoch, number and the later content, as JSON, of numbers that came with two contents."""
        return self.rows(
            "SELECT gateway, epochs.epoch, seq, later FROM conflicts JOIN epochs ON epochs.id = conflicts.epoch"
            " ORDER BY conflicts.epoch, seq",
            (),
        )

    def records(
        self, kind: Kind, *, gateway: str | None = None, from_us: int = 0, to_us: int = 2**62, limit: int = -1
    ) -> list[StoredRecord]:
        """Return notices or the audit, by gateway, life of its outbox, and number.

        Args:
            kind: Which of them.
            gateway: Of which gateway; of all if left out.
            from_us: Made at or after this time, UTC microseconds.
            to_us: Made before this time.
            limit: At most so many; -1 is all.
        """
        found = self.rows(
            "SELECT gateway, epochs.epoch, seq, kind, what, time_us, body FROM records"
            " JOIN epochs ON epochs.id = records.epoch WHERE kind = ? AND (? IS NULL OR gateway = ?)"
            " AND time_us >= ? AND time_us < ? ORDER BY gateway, records.epoch, seq LIMIT ?",
            (kind, gateway, gateway, from_us, to_us, limit),
        )
        return [StoredRecord(*row) for row in found]

    def rejected(self) -> list[tuple[str, str, int, str, bytes]]:
        """Return gateway, epoch, number, reason and bytes of what could not be stored."""
        return self.rows(
            "SELECT gateway, epochs.epoch, seq, reason, payload FROM rejected JOIN epochs ON epochs.id = rejected.epoch"
            " ORDER BY rejected.epoch, seq",
            (),
        )

    def unexplained(self, gateway: str, epoch: str, after: int, upto: int = 2**62) -> int:
        """Return how many numbers beyond ``after``, up to ``upto``, were here once and are neither stored nor gaps.

        What retention deleted counts too, so it says something about the youngest numbers only.
        """
        found = self.rows("SELECT id, received FROM epochs WHERE gateway = ? AND epoch = ?", (gateway, epoch))
        if not found or min(upto, found[0][1]) <= after:
            return 0
        values = (found[0][0], after, min(upto, found[0][1]))
        within = "epoch = ? AND seq > ? AND seq <= ?"
        here = sum(
            self.rows(f"SELECT count(*) FROM {table} WHERE {within}{only}", values)[0][0]  # noqa: S608 - our own text
            for table, only in (
                ("measurements", ""),
                ("records", ""),
                ("clocks", ""),
                ("rejected AS r", " AND NOT EXISTS (SELECT 1 FROM measurements WHERE epoch = r.epoch AND seq = r.seq)"),
            )
        )
        gone = self.rows(
            "SELECT coalesce(sum(min(last, ?3) - max(first, ?2 + 1) + 1), 0) FROM gaps"
            " WHERE epoch = ?1 AND last > ?2 AND first <= ?3",
            values,
        )[0][0]
        return int(values[2] - values[1] - here - gone)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def rows(self, query: str, values: Sequence[object]) -> list[Any]:
        """Return what a query finds: of reports and trends, which ask for more than any method here gives."""
        with self._lock:
            db = self._open()
            return [] if db is None else db.execute(query, values).fetchall()

    def _open(self) -> sqlite3.Connection | None:
        """Connect when there is something to read; the caller holds the lock."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return self._db
        file = (stat.st_dev, stat.st_ino)
        if self._db is not None and file != self._file:
            # A damaged history was set aside, and another took its place.
            self._db.close()
            self._db = None
        if self._db is not None and not self._summed and has_sums(self._db):
            self._summed = prepare(self._db, reads_only=True)  # the historian took it on meanwhile
        if self._db is None:
            db = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None,
                check_same_thread=False,
            )  # fmt: skip
            db.text_factory = as_text
            try:
                ready = db.execute("PRAGMA user_version").fetchone()[0] in WRITABLE
                self._summed = ready and prepare(db, reads_only=True)
            except (sqlite3.Error, UnicodeDecodeError):
                # The historian is just making it, or finds out that it is damaged.
                ready = False
            if ready:
                self._db, self._file = db, file
            else:
                db.close()
        return self._db
