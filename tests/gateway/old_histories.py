"""Histories as earlier versions made them: their SQL word for word, so that no later change reaches it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

VERSION_1 = """
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
                           UNIQUE (epoch, seq));
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
CREATE VIEW readable AS
  SELECT m.id, e.gateway, e.epoch, m.seq, s.slot, s.session, s.subject, s.metric, s.side, s.unit, m.value,
         m.start_us, m.end_us, m.sync_ms, m.n, m.n_rejected,
         CASE m.quality WHEN 0 THEN 'ok' WHEN 1 THEN 'degraded' ELSE 'invalid' END AS quality, m.reason, s.algorithm,
         s.devices, s.placement, s.simulated
  FROM measurements m JOIN series s ON s.id = m.series JOIN epochs e ON e.id = m.epoch;
"""

TO_VERSION_2 = """
ALTER TABLE measurements ADD COLUMN moved_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE measurements ADD COLUMN clock INTEGER NOT NULL DEFAULT 0;
DROP VIEW readable;
CREATE TABLE clocks (epoch INTEGER NOT NULL REFERENCES epochs, seq INTEGER NOT NULL, session TEXT NOT NULL,
                     by_us INTEGER NOT NULL, believed INTEGER NOT NULL, noted_us INTEGER NOT NULL,
                     PRIMARY KEY (epoch, seq)) WITHOUT ROWID;
CREATE VIEW readable AS
  SELECT m.id, e.gateway, e.epoch, m.seq, s.slot, s.session, s.subject, s.metric, s.side, s.unit, m.value,
         m.start_us, m.end_us, m.sync_ms, m.n, m.n_rejected,
         CASE m.quality WHEN 0 THEN 'ok' WHEN 1 THEN 'degraded' ELSE 'invalid' END AS quality, m.reason, s.algorithm,
         s.devices, s.placement, s.simulated,
         CASE m.clock WHEN 0 THEN 'believed' WHEN 1 THEN 'held' WHEN 2 THEN 'mended' ELSE 'doubtful' END AS clock,
         m.start_us - m.moved_us AS raw_start_us, m.end_us - m.moved_us AS raw_end_us
  FROM measurements m JOIN series s ON s.id = m.series JOIN epochs e ON e.id = m.epoch;
CREATE TABLE records (epoch INTEGER NOT NULL REFERENCES epochs, seq INTEGER NOT NULL, kind TEXT NOT NULL,
                      what TEXT NOT NULL, time_us INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (epoch, seq))
WITHOUT ROWID;
CREATE INDEX records_by_time ON records (kind, time_us);
"""


def make_version_1(path: Path) -> None:
    """Make an empty history of version 1."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(f"PRAGMA journal_mode=WAL;{VERSION_1}PRAGMA user_version=1")


def make_version_2(path: Path, rows: int = 0, *, start_us: int = 0, sessions: int = 1) -> None:
    """Make a history of version 2 with a row a second, in sessions one after the other."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(f"PRAGMA journal_mode=WAL;BEGIN;{VERSION_1}{TO_VERSION_2}PRAGMA user_version=2;")
        db.execute("INSERT INTO epochs VALUES (1, 'g-1', '0123456789abcdef', ?, 0)", (rows,))
        each = rows // sessions
        for number in range(1, sessions + 1 if rows else 1):
            mine = range((number - 1) * each + 1, (number * each if number < sessions else rows) + 1)
            ends = [start_us + n * 1_000_000 for n in mine]
            series = (number, "bay-1", f"s-{number}", "p-01", "cadence", "both", "{steps}/min", "cadence/1", "", "", 1)
            db.execute("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", series)
            db.executemany(
                "INSERT INTO measurements VALUES (?, 1, ?, ?, ?, ?, ?, NULL, 1, 0, 0, '', 0, 0)",
                [(n, n, number, end - 10_000_000, end, float(n % 100)) for n, end in zip(mine, ends, strict=True)],
            )
            session = (f"s-{number}", "bay-1", "p-01", 1, ends[0] - 10_000_000, ends[-1], len(mine))
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)", session)
        db.execute("COMMIT")
