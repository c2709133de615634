"""The tables of the history, and how a row becomes a measurement again.

What many rows share (slot, session, subject, metric, side, devices …) stands once, in ``series``; the view ``readable``
puts it together for people and their tools.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from gateway.model.measurement import Measurement, Quality

SCHEMA_VERSION = 4
WRITABLE = frozenset({3, SCHEMA_VERSION})
"""Versions that this program reads and writes as they are. A release with a new one names the one before it here too:
while there is a way back nothing is taken on."""
SUMMED_FROM = 4
"""The version from which on measurements and series have sums (``gateway.history.row_sums``)."""
Clock = Literal["believed", "held", "mended", "doubtful"]
QUALITY: tuple[Quality, ...] = ("ok", "degraded", "invalid")
SEPARATOR = "\n"
"""Between the devices, and the placements, of a series: in no name."""

RECORDS = """
CREATE TABLE records (epoch INTEGER NOT NULL REFERENCES epochs, seq INTEGER NOT NULL, kind TEXT NOT NULL,
                      what TEXT NOT NULL, time_us INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (epoch, seq))
WITHOUT ROWID;
CREATE INDEX records_by_time ON records (kind, time_us);
"""
"""Notices and the audit; ``body`` is the canonical JSON of which the audit's chain takes its sums."""

SCHEMA = """
CREATE TABLE epochs (id INTEGER PRIMARY KEY, gateway TEXT NOT NULL, epoch TEXT NOT NULL,
                     received INTEGER NOT NULL DEFAULT 0, copied INTEGER NOT NULL DEFAULT 0, UNIQUE (gateway, epoch));
CREATE TABLE series (id INTEGER PRIMARY KEY, slot TEXT NOT NULL, session TEXT NOT NULL, subject TEXT NOT NULL,
                     metric TEXT NOT NULL, side TEXT NOT NULL, unit TEXT NOT NULL, algorithm TEXT NOT NULL,
                     devices TEXT NOT NULL, placement TEXT NOT NULL, simulated INTEGER NOT NULL,
                     UNIQUE (slot, session, subject, metric, side, unit, algorithm, devices, placement, simulated));
CREATE TABLE measurements (id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL REFERENCES epochs, seq INTEGER NOT NULL,
                           series INTEGER NOT NULL REFERENCES series, start_us INTEGER NOT NULL,
                           end_us INTEGER NOT NULL, value REAL, sync_ms REAL, n INTEGER NOT NULL,
                           n_rejected INTEGER NOT NULL, quality INTEGER NOT NULL, reason TEXT NOT NULL,
                           moved_us INTEGER NOT NULL DEFAULT 0, clock INTEGER NOT NULL DEFAULT 0,
                           made_series INTEGER, UNIQUE (epoch, seq));
CREATE INDEX measurements_by_time ON measurements (series, end_us);
CREATE TABLE gaps (epoch INTEGER NOT NULL REFERENCES epochs, first INTEGER NOT NULL, last INTEGER NOT NULL,
                   reason TEXT NOT NULL, PRIMARY KEY (epoch, first, last)) WITHOUT ROWID;
CREATE TABLE rejected (epoch INTEGER NOT NULL REFERENCES epochs, seq INTEGER NOT NULL, reason TEXT NOT NULL,
                       payload BLOB NOT NULL, PRIMARY KEY (epoch, seq)) WITHOUT ROWID;
CREATE TABLE sessions (session TEXT NOT NULL, slot TEXT NOT NULL, subject TEXT NOT NULL, simulated INTEGER NOT NULL,
                       first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, measurements INTEGER NOT NULL,
                       PRIMARY KEY (session, slot, subject, simulated)) WITHOUT ROWID;
CREATE TABLE copying (id INTEGER PRIMARY KEY CHECK (id = 1), upto INTEGER NOT NULL);
INSERT INTO copying VALUES (1, 0);
"""

CLOCKS = """
CREATE TABLE clocks (epoch INTEGER NOT NULL REFERENCES epochs, seq INTEGER NOT NULL, session TEXT NOT NULL,
                     by_us INTEGER NOT NULL, believed INTEGER NOT NULL, noted_us INTEGER NOT NULL,
                     PRIMARY KEY (epoch, seq)) WITHOUT ROWID;
"""
"""Corrections of wall times (``gateway.model.wall_correction``), with when the historian had them by its own clock."""

IDENTITY = """
CREATE TABLE IF NOT EXISTS identity (id INTEGER PRIMARY KEY CHECK (id = 1), history TEXT NOT NULL,
                                     opened INTEGER NOT NULL);
INSERT OR IGNORE INTO identity VALUES (1, lower(hex(randomblob(8))), 0);
"""
"""Which history this is, from its making to its end, and how often it was opened (``gateway.history.file``)."""

INTAKE = """
CREATE TABLE IF NOT EXISTS conflicts (
  epoch INTEGER NOT NULL REFERENCES epochs, seq INTEGER NOT NULL, later_sum BLOB NOT NULL, first BLOB NOT NULL,
  later BLOB NOT NULL, noted_us INTEGER NOT NULL, PRIMARY KEY (epoch, seq, later_sum)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS intake_used (
  gateway TEXT NOT NULL, kind TEXT NOT NULL, day INTEGER NOT NULL, n INTEGER NOT NULL,
  PRIMARY KEY (gateway, kind, day)) WITHOUT ROWID;
"""
"""Numbers that came again with other content, as JSON both; and what each gateway has used of its quotas, by day since
1970 and (day 0) in all."""

READABLE = """
SELECT m.id, e.gateway, e.epoch, m.seq, s.slot, s.session, s.subject, s.metric, s.side, s.unit, m.value,
       m.start_us, m.end_us, m.sync_ms, m.n, m.n_rejected,
       CASE m.quality WHEN 0 THEN 'ok' WHEN 1 THEN 'degraded' ELSE 'invalid' END AS quality, m.reason, s.algorithm,
       s.devices, s.placement, s.simulated,
       CASE m.clock WHEN 0 THEN 'believed' WHEN 1 THEN 'held' WHEN 2 THEN 'mended' ELSE 'doubtful' END AS clock,
       m.start_us - m.moved_us AS raw_start_us, m.end_us - m.moved_us AS raw_end_us,
       coalesce(o.session, s.session) AS made_session, coalesce(o.subject, s.subject) AS made_subject
FROM {measurements} m JOIN {series} s ON s.id = m.series JOIN epochs e ON e.id = m.epoch
LEFT JOIN {every_series} o ON o.id = m.made_series"""
"""The view ``readable``, of tables or of views that see less of them."""
_OF_TABLES = READABLE.format(measurements="measurements", series="series", every_series="series")

WARD = f"""
CREATE TABLE ward_subjects (
  gateway TEXT NOT NULL, subject TEXT NOT NULL, number INTEGER NOT NULL, from_us INTEGER NOT NULL, bed TEXT NOT NULL,
  stay TEXT NOT NULL, height_m REAL, leg_length_m REAL, mass_kg REAL, affected_side TEXT NOT NULL, aids TEXT NOT NULL,
  epoch INTEGER NOT NULL REFERENCES epochs, seq INTEGER NOT NULL,
  PRIMARY KEY (gateway, subject, number, from_us)) WITHOUT ROWID;
CREATE INDEX ward_subjects_by_stay ON ward_subjects (gateway, stay);
CREATE TABLE ward_placements (
  gateway TEXT NOT NULL, device TEXT NOT NULL, number INTEGER NOT NULL, from_us INTEGER NOT NULL, driver TEXT NOT NULL,
  subject TEXT NOT NULL, bed TEXT NOT NULL, placement TEXT NOT NULL, axes TEXT NOT NULL,
  epoch INTEGER NOT NULL REFERENCES epochs, seq INTEGER NOT NULL,
  PRIMARY KEY (gateway, device, number, from_us)) WITHOUT ROWID;
CREATE TABLE ward_sessions (
  gateway TEXT NOT NULL, session TEXT NOT NULL, bed TEXT NOT NULL, subject TEXT NOT NULL, protocol TEXT NOT NULL,
  state TEXT NOT NULL, started_us INTEGER NOT NULL, ended_us INTEGER, notes TEXT NOT NULL, discarded INTEGER NOT NULL,
  corrected INTEGER NOT NULL, made_subject TEXT NOT NULL, made_started_us INTEGER NOT NULL, made_ended_us INTEGER,
  epoch INTEGER NOT NULL REFERENCES epochs, seq INTEGER NOT NULL, PRIMARY KEY (gateway, session)) WITHOUT ROWID;
CREATE INDEX ward_sessions_by_subject ON ward_sessions (subject);
CREATE INDEX ward_sessions_by_made_subject ON ward_sessions (gateway, made_subject) WHERE corrected > 0;
CREATE TABLE ward_parts (
  gateway TEXT NOT NULL, part TEXT NOT NULL, session TEXT NOT NULL, PRIMARY KEY (gateway, part)) WITHOUT ROWID;
CREATE INDEX ward_parts_by_session ON ward_parts (gateway, session);
CREATE TABLE ward_marks (
  gateway TEXT NOT NULL, session TEXT NOT NULL, at_us INTEGER NOT NULL, text TEXT NOT NULL,
  PRIMARY KEY (gateway, session, at_us, text)) WITHOUT ROWID;
CREATE TABLE ward_corrections (
  gateway TEXT NOT NULL, session TEXT NOT NULL, n INTEGER NOT NULL, at_us INTEGER NOT NULL, person TEXT NOT NULL,
  why TEXT NOT NULL, subject_before TEXT NOT NULL, subject TEXT NOT NULL, started_before_us INTEGER NOT NULL,
  started_us INTEGER NOT NULL, ended_before_us INTEGER NOT NULL, ended_us INTEGER NOT NULL,
  discarded_before INTEGER NOT NULL, discarded INTEGER NOT NULL, PRIMARY KEY (gateway, session, n)) WITHOUT ROWID;
CREATE TABLE left_behind (
  gateway TEXT NOT NULL, session TEXT NOT NULL, subject TEXT NOT NULL, PRIMARY KEY (gateway, session, subject))
WITHOUT ROWID;
CREATE INDEX measurements_moved ON measurements (made_series) WHERE made_series IS NOT NULL;
CREATE VIEW subjects_in_time AS
  SELECT gateway, subject, bed, stay, from_us, to_us, height_m, leg_length_m, mass_kg, affected_side, aids
  FROM (SELECT *, lead(from_us) OVER (PARTITION BY gateway, subject ORDER BY epoch, seq) AS to_us FROM ward_subjects)
  WHERE bed <> '';
CREATE VIEW placements_in_time AS
  SELECT gateway, device, driver, subject, bed, placement, axes, from_us, to_us
  FROM (SELECT *, lead(from_us) OVER (PARTITION BY gateway, device ORDER BY epoch, seq) AS to_us FROM ward_placements)
  WHERE subject <> '';
CREATE VIEW discarded AS
  SELECT p.part AS session, s.subject FROM ward_sessions s JOIN ward_parts p USING (gateway, session)
  WHERE s.discarded
  AND NOT EXISTS (SELECT 1 FROM epochs e JOIN ward_parts q ON q.gateway = e.gateway AND q.part = p.part
    JOIN ward_sessions o ON o.gateway = q.gateway AND o.session = q.session
    WHERE e.gateway <> p.gateway AND s.subject IN (o.subject, o.made_subject) AND NOT o.discarded)
  AND NOT EXISTS (SELECT 1 FROM epochs e JOIN ward_subjects w ON w.gateway = e.gateway AND w.stay = p.part
    WHERE w.subject = s.subject);
CREATE VIEW readable AS {_OF_TABLES};
"""  # noqa: S608
"""The ward in time, as the gateways' registries told it (``gateway.history.books.ward_book``).

``ward_subjects`` and ``ward_placements``: what holds from ``from_us`` on; who has left has no ``bed``, what was taken
off no ``subject``. ``ward_sessions``: a session as it holds now, beside what it was made as (``made_…``); ``state`` is
``erased`` of one whose subject was erased. ``ward_parts``: under which sessions of measurements it stands.
``discarded``: what nobody is shown, by session and subject as measurements have them; not where another gateway tells
of the same and has not discarded it, since measurements do not say whose word counts.
``left_behind``: what the remote store has of whom it was not of, until it is deleted there.
``measurements.made_series``: where a row was before a correction moved it to the person, and session, that it is of.
"""

PLANS = """
CREATE TABLE IF NOT EXISTS ward_plans (
  gateway TEXT NOT NULL, subject TEXT NOT NULL, number INTEGER NOT NULL, from_us INTEGER NOT NULL, bands TEXT NOT NULL,
  sessions_a_week INTEGER NOT NULL, epoch INTEGER NOT NULL REFERENCES epochs, seq INTEGER NOT NULL,
  PRIMARY KEY (gateway, subject, number, from_us)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS series_of_subject ON series (subject, metric);
"""
"""What is planned for somebody from ``from_us`` on (``gateway.ward.plans``): empty and 0 where nothing is. And the
index by which the trend of a metric over years is found."""

ARCHIVE = """
CREATE TABLE minutes (series INTEGER NOT NULL REFERENCES series, minute INTEGER NOT NULL, kept INTEGER NOT NULL,
                      n INTEGER NOT NULL, degraded INTEGER NOT NULL, invalid INTEGER NOT NULL, valued INTEGER NOT NULL,
                      total REAL NOT NULL, squares REAL NOT NULL, low REAL, high REAL, first_us INTEGER NOT NULL,
                      last_us INTEGER NOT NULL, PRIMARY KEY (series, minute, kept)) WITHOUT ROWID;
CREATE TABLE restate (series INTEGER PRIMARY KEY);
CREATE TABLE received (upto_id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL);
CREATE TABLE received_seqs (epoch INTEGER NOT NULL REFERENCES epochs, upto_seq INTEGER NOT NULL, at_us INTEGER NOT NULL,
                            PRIMARY KEY (epoch, upto_seq)) WITHOUT ROWID;
CREATE TABLE upkeep (id INTEGER PRIMARY KEY CHECK (id = 1), rolled_id INTEGER NOT NULL DEFAULT 0,
                     old_id INTEGER NOT NULL, swept_series INTEGER NOT NULL DEFAULT 0, alive_us INTEGER,
                     cut_us INTEGER, day_us INTEGER, gone INTEGER NOT NULL DEFAULT 0);
INSERT INTO upkeep (id, old_id) SELECT 1, coalesce(max(id), 0) FROM measurements;
CREATE TABLE erased (sum TEXT PRIMARY KEY, at_us INTEGER NOT NULL, rows INTEGER NOT NULL, unreached TEXT NOT NULL)
WITHOUT ROWID;
CREATE TABLE salt (id INTEGER PRIMARY KEY CHECK (id = 1), salt BLOB NOT NULL);
INSERT INTO salt VALUES (1, randomblob(32));
CREATE TABLE requests (id INTEGER PRIMARY KEY, what TEXT NOT NULL, subject TEXT NOT NULL, asked_us INTEGER NOT NULL,
                       state TEXT NOT NULL, answer TEXT NOT NULL);
CREATE INDEX series_by_session ON series (session);
CREATE INDEX series_by_subject ON series (subject);
CREATE INDEX series_by_metric ON series (slot, metric, side);
CREATE INDEX sessions_by_time ON sessions (slot, last_us);
CREATE INDEX clocks_by_session ON clocks (session);
CREATE VIEW session_values AS
  SELECT s.slot, s.session, s.subject, s.metric, s.side, s.unit, s.algorithm, s.devices, s.placement, s.simulated,
         sum(n) AS n, sum(n) - sum(degraded) - sum(invalid) AS ok, sum(degraded) AS degraded, sum(invalid) AS invalid,
         sum(valued) AS valued, sum(total) / nullif(sum(valued), 0) AS mean, min(low) AS low, max(high) AS high,
         sum(total) AS total, sum(squares) AS squares, min(m.first_us) AS first_us, max(m.last_us) AS last_us
  FROM minutes m JOIN series s ON s.id = m.series GROUP BY m.series;
"""
"""What is kept for ever, when rows were received, what was erased, and what is found quickly after years.

``minutes``: what the rows of a series say that end within a minute (``minute`` is UTC minutes since 1970): ``kept`` is
1 of those that are there, made again when they move; 0 of those that retention has deleted, which only grows.
``valued``, ``total``, ``squares``, ``low`` and ``high`` are of the values that are not invalid.
``restate``: series whose kept minutes have to be made again. ``upkeep``: up to which row minutes are made
(``rolled_id``), which rows an earlier version left (up to ``old_id``), and how far retention is.
``received``: rows up to ``upto_id``, beyond the one before it, were received at that time at the latest.
``erased``: salted sums of the subjects that were erased. ``requests``: what commands ask of the running historian.
"""

FROM_1 = f"""
ALTER TABLE measurements ADD COLUMN moved_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE measurements ADD COLUMN clock INTEGER NOT NULL DEFAULT 0;
DROP VIEW readable;
{CLOCKS}{RECORDS}"""
"""From version 1 of the schema to version 2."""

FROM_2 = f"""
ALTER TABLE measurements ADD COLUMN made_series INTEGER;
DROP VIEW IF EXISTS readable;
{IDENTITY}{INTAKE}{ARCHIVE}{WARD}{PLANS}"""
"""From version 2 of the schema to version 3. No measurement is changed: seconds for a file of years."""

FROM_3 = """
ALTER TABLE measurements ADD COLUMN sum INTEGER;
ALTER TABLE series ADD COLUMN sum INTEGER;
ALTER TABLE upkeep ADD COLUMN unsummed_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE upkeep ADD COLUMN unsummed_series INTEGER NOT NULL DEFAULT 0;
UPDATE upkeep SET unsummed_id = (SELECT coalesce(max(id), 0) FROM measurements),
                  unsummed_series = (SELECT coalesce(max(id), 0) FROM series);
"""
"""From version 3 of the schema to this one: sums of rows. What is there has none; nothing says that it is as it was."""

BELIEVED, HELD, MENDED, DOUBTFUL = range(4)
"""Column ``clock``: the wall time was never in doubt; it is, and the remote store waits; it is right now; it still is
in doubt, and the remote store has it so."""

COLUMNS = (
    "metric, value, unit, side, start_us, end_us, sync_ms, n, n_rejected, quality, reason, algorithm, devices,"
    " placement, slot, session, subject, simulated"
)
"""Of the view ``readable``, in the order of the fields of a measurement."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A measurement of the history with its identity; ``id`` rises in the order of storing.

    Its times are mended, by ``moved_us``, where they can be; ``clock`` says what to think of them. A measurement
    whose times were mended after a doubt has a new ``id``. ``made_as`` holds session and subject as the gateway said
    them, where a correction of the session moved it.
    """

    id: int
    gateway: str
    epoch: str
    seq: int
    measurement: Measurement
    clock: Clock = "believed"
    moved_us: int = 0
    made_as: tuple[str, str] = ("", "")

    def as_made(self) -> Measurement:
        """Return the measurement with the times, the session and the subject that the gateway first gave it."""
        m, (session, subject) = self.measurement, self.made_as
        if (session, subject) != ("", ""):
            m = replace(m, session=session, subject=subject)
        return replace(m, start_us=m.start_us - self.moved_us, end_us=m.end_us - self.moved_us)


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A notice or an entry of the audit with its identity; ``body`` is its canonical JSON."""

    gateway: str
    epoch: str
    seq: int
    kind: str
    what: str
    time_us: int
    body: str


def as_text(raw: bytes) -> str:
    """Return a text of the file, whatever became of it."""
    return raw.decode("utf-8", "replace")


def read_stored(db: sqlite3.Connection, condition: str, values: Sequence[object]) -> list[Stored]:
    """Return the measurements that a condition on the view ``readable`` selects; the condition is our own text."""
    made = "made_session, made_subject" if _knows_ward(db) else "session, subject"
    columns = f"id, gateway, epoch, seq, clock, end_us - raw_end_us, {made}, {COLUMNS}"
    found = db.execute(f"SELECT {columns} FROM readable {condition}", values)  # noqa: S608
    return [
        Stored(number, gateway, epoch, seq, _measurement(row), clock, moved_us, (session, subject))
        for number, gateway, epoch, seq, clock, moved_us, session, subject, *row in found
    ]


def _knows_ward(db: sqlite3.Connection) -> bool:
    """Whether a history is of this version: what was set aside may be older."""
    return int(db.execute("PRAGMA user_version").fetchone()[0]) >= min(WRITABLE)


def _measurement(row: Sequence[Any]) -> Measurement:
    *plain, devices, placement, slot, session, subject, simulated = row
    lists = [tuple(text.split(SEPARATOR)) if text else () for text in (devices, placement)]
    fields: list[Any] = [*plain, *lists, slot, session, subject, bool(simulated)]
    return Measurement(*fields)
