"""All of a history that can be checked, by who only reads it: its structure, its indexes, and the sums of its rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.history.errors import HistoryError
from gateway.history.row_sums import has_sums, prepare, sound_row, sound_series
from gateway.history.schema import WRITABLE, as_text
from gateway.machine.damage import suspicious

PORTION = 50_000
"""Rows of one step."""
BUSY_S = 10.0


@dataclass(slots=True)
class Verdict:
    """What was found.

    Attributes:
        checked: Measurements whose sum is right.
        unchecked: Measurements without a sum: an older version wrote them, and nothing says whether they are right.
        rotten: Measurements whose sum is wrong.
        series: Series whose sum is wrong: their measurements are shown to nobody.
        damage: What is wrong with the structure or the indexes of the file; empty if nothing is.
    """

    checked: int = 0
    unchecked: int = 0
    rotten: int = 0
    series: int = 0
    damage: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether nothing was found to be wrong."""
        return not (self.rotten or self.series or self.damage)


def verify(path: Path, tell: Callable[[int], None] = lambda _rows: None) -> Verdict:
    """Check a history, which may be in use.

    Args:
        path: Where it is.
        tell: Called with how many measurements were looked at, once in a while.

    Raises:
        HistoryError: It is of another version.
        sqlite3.Error: It cannot be read now: a lock, a right, the disk.
    """
    found = Verdict()
    address = f"{path.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_S, isolation_level=None)) as db:
        db.text_factory = as_text
        try:
            if db.execute("PRAGMA user_version").fetchone()[0] not in WRITABLE:
                raise HistoryError("the history is of another version: start the historian once, it takes it on")
            prepare(db, reads_only=False)
            _rows(db, found, tell)
            answer = str(db.execute("PRAGMA integrity_check(1)").fetchone()[0])
        except sqlite3.Error as error:
            if not suspicious(error):
                raise
            answer = str(error)
        found.damage = "" if answer == "ok" else answer.splitlines()[-1]
    return found


def _rows(db: sqlite3.Connection, found: Verdict, tell: Callable[[int], None]) -> None:
    if not has_sums(db):
        found.unchecked = db.execute("SELECT count(*) FROM measurements").fetchone()[0]
        return
    found.series = db.execute(f"SELECT count(*) FROM series NOT INDEXED WHERE {sound_series()} IS NOT 1").fetchone()[0]  # noqa: S608
    after = 0
    while True:
        last, n, without, rotten = db.execute(
            f"SELECT max(id), count(*), total(sum IS NULL), total({sound_row()} IS NOT 1)"  # noqa: S608
            " FROM (SELECT * FROM measurements WHERE id > ? ORDER BY id LIMIT ?)",
            (after, PORTION),
        ).fetchone()
        if last is None:
            return
        after = last
        found.rotten += int(rotten)
        found.unchecked += int(without)
        found.checked += n - int(rotten) - int(without)
        tell(found.rotten + found.unchecked + found.checked)
