"""What lies in the file of an outbox: a table for each class of rows, and how an older file becomes such a one.

A class has a table of its own so that its oldest rows lie side by side: dropping them frees whole pages.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

SCHEMA_VERSION = 2

TABLES = ("metrics", "events", "audits")

STATE = """
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), epoch TEXT NOT NULL, last_seq INTEGER NOT NULL,
                    metrics INTEGER NOT NULL, events INTEGER NOT NULL, audits INTEGER NOT NULL, bytes INTEGER NOT NULL,
                    chain_n INTEGER NOT NULL, chain_head TEXT NOT NULL, clean INTEGER NOT NULL)"""
ROWS = """
CREATE TABLE {} (seq INTEGER PRIMARY KEY, slot TEXT NOT NULL, made_us INTEGER NOT NULL, crc INTEGER NOT NULL,
                 payload BLOB NOT NULL)"""
GAPS = "CREATE TABLE gaps (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, reason TEXT NOT NULL)"
DROPPED = """
CREATE TABLE dropped (reason TEXT NOT NULL, class INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (reason, class))
WITHOUT ROWID"""

FACTS = "CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
"""What else outlives a restart, as texts: whose file it is, earlier lives, what historians said. Earlier programs leave
it alone, so it asks for no version of the schema."""

SCHEMA = (STATE, *map(ROWS.format, TABLES), GAPS, DROPPED)

FROM_VERSION_1 = (
    "ALTER TABLE state RENAME TO state_1",
    "ALTER TABLE dropped RENAME TO dropped_1",
    STATE,
    *map(ROWS.format, TABLES),
    DROPPED,
    "INSERT INTO metrics SELECT seq, slot, made_us, crc, payload FROM rows WHERE NOT event ORDER BY seq",
    "INSERT INTO events SELECT seq, slot, made_us, crc, payload FROM rows WHERE event ORDER BY seq",
    "INSERT INTO dropped SELECT reason, -1, n FROM dropped_1",
    """INSERT INTO state SELECT 1, epoch, last_seq, depth - (SELECT count(*) FROM events),
       (SELECT count(*) FROM events), 0, bytes + :gap_bytes * (SELECT count(*) FROM gaps), 0, '', clean FROM state_1""",
    "DROP TABLE rows",
    "DROP TABLE state_1",
    "DROP TABLE dropped_1",
)
"""Version 1 had all rows in one table, with a mark on events. The parameter is what a gap is counted for."""


def create(db: sqlite3.Connection, epoch: str) -> None:
    """Make the tables of a new outbox; the caller holds a transaction."""
    for statement in SCHEMA:
        db.execute(statement)
    db.execute("INSERT INTO state VALUES (1, ?, 0, 0, 0, 0, 0, 0, '', 1)", (epoch,))
    db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")


def migrate(db: sqlite3.Connection, *, gap_bytes: int) -> None:
    """Turn a file of version 1 into the present one, in one transaction; needs room for its rows a second time."""
    values: Mapping[str, int] = {"gap_bytes": gap_bytes}
    with db:
        db.execute("BEGIN IMMEDIATE")
        for statement in FROM_VERSION_1:
            db.execute(statement, values if ":gap_bytes" in statement else {})
        db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
