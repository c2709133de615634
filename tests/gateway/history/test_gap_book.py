"""Gaps of a history: what a number costs that comes after all."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from gateway.history.books.epoch_book import EpochBook
from gateway.history.books.gap_book import GapBook
from gateway.history.books.quota import Quotas
from gateway.history.history import History

FEW, MANY = 100, 50_000  # gaps of one gateway: on a bad day, and after a flood that its outbox had no room for


def steps_of_mending(folder: Path, gaps: int) -> int:
    """Return the steps of SQLite that it takes to mend the last of so many gaps."""
    History(folder / f"{gaps}.db").close()
    with closing(sqlite3.connect(folder / f"{gaps}.db")) as db:
        epoch = EpochBook(db).get("g-1", "0123456789abcdef")
        db.executemany(
            "INSERT INTO gaps VALUES (?, ?, ?, 'no room')", [(epoch.id, n, n + 5) for n in range(10, 10 * gaps + 1, 10)]
        )
        steps = 0

        def count() -> int:
            nonlocal steps
            steps += 1
            return 0

        db.set_progress_handler(count, 1)
        GapBook(db, Quotas(db, time.time)).mend(epoch, 10 * gaps + 3)
        db.set_progress_handler(None, 1)
        found = db.execute("SELECT first, last FROM gaps WHERE first >= ?", (10 * gaps,)).fetchall()
        assert found == [(10 * gaps, 10 * gaps + 2), (10 * gaps + 4, 10 * gaps + 5)]
        assert db.execute("SELECT count(*) FROM gaps").fetchone() == (gaps + 1,)
    return steps


def test_mending_a_gap_does_not_read_those_before_it(tmp_path: Path) -> None:
    assert steps_of_mending(tmp_path, MANY) < 2 * steps_of_mending(tmp_path, FEW)


def test_a_number_between_two_gaps_leaves_both(tmp_path: Path) -> None:
    History(tmp_path / "history.db").close()
    with closing(sqlite3.connect(tmp_path / "history.db")) as db:
        epoch = EpochBook(db).get("g-1", "0123456789abcdef")
        gaps = [(epoch.id, 10, 12, "no room"), (epoch.id, 20, 22, "no room")]
        db.executemany("INSERT INTO gaps VALUES (?, ?, ?, ?)", gaps)
        for seq in (9, 13, 19, 23):
            GapBook(db, Quotas(db, time.time)).mend(epoch, seq)
        assert db.execute("SELECT * FROM gaps ORDER BY first").fetchall() == gaps
