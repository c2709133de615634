"""What a row of the matrix found: promised against stored."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from gateway.cli.audit import read as read_audit
from tests.faults.content import made

FIELDS = ("metric", "value", "side", "start_us", "end_us", "n", "n_rejected", "slot", "session")


@dataclass(slots=True)
class Outcome:
    """One row of the table; ``notes`` say what went wrong beyond numbers, ``said`` what else is worth a word."""

    fault: str
    times: int = 0
    made: int = 0
    stored: int = 0
    lost: int = 0
    twice: int = 0
    gap_s: float | None = None
    recovery_s: float | None = None
    notes: list[str] = field(default_factory=list)
    said: str = ""
    skipped: str = ""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing was lost, nothing doubled, and nothing else was wrong."""
        return not (self.lost or self.twice or self.notes)


def promised(journal: Path) -> dict[str, int]:
    """Return the last durable number of every epoch of a journal; a torn last line does not count."""
    last: dict[str, int] = {}
    for line in journal.read_text().split("\n")[:-1]:
        epoch, seq = line.split()
        last[epoch] = max(last.get(epoch, 0), int(seq))
    return last


@dataclass(frozen=True, slots=True)
class Comparison:
    """Promised numbers that are neither stored nor told as gaps; stored contents that came twice or are not ours.

    ``chain_is_whole`` tells of the audit: nothing is missing in it that is not told.
    """

    promised: int
    stored: int
    lost: int
    told: int
    twice: int
    wrong: int
    both: int
    chain_is_whole: bool = True


def compare(history: Path, promises: dict[str, int]) -> Comparison:
    """Hold a history of generated measurements against what the outbox promised."""
    db = sqlite3.connect(f"{history.as_uri()}?mode=ro", uri=True)
    lost = told = both = 0
    for epoch, last in promises.items():
        numbered = {
            seq
            for table in ("readable", "(SELECT e.epoch, seq FROM records JOIN epochs e ON e.id = records.epoch)")
            for (seq,) in db.execute(f"SELECT seq FROM {table} WHERE epoch = ? AND seq <= ?", (epoch, last))  # noqa: S608
        }
        stored = np.array(sorted(numbered), np.int64)
        gaps = db.execute(
            "SELECT first, min(gaps.last, ?) FROM gaps JOIN epochs e ON e.id = gaps.epoch"
            " WHERE e.epoch = ? AND first <= ? ORDER BY first",
            (last, epoch, last),
        )
        numbers = within = upto = 0
        for first, end in gaps:
            # Gaps may overlap, and be millions of numbers long.
            begin = max(first, upto + 1)
            if end >= begin:
                numbers += end - begin + 1
                within += int(np.searchsorted(stored, end, "right") - np.searchsorted(stored, begin))
                upto = end
        told += numbers - within
        both += within
        lost += last - len(stored) - (numbers - within)
    rows = db.execute(f"SELECT {', '.join(FIELDS)} FROM readable").fetchall()  # noqa: S608 - our own names
    records = [(kind, orjson.loads(text)["number"]) for kind, text in db.execute("SELECT kind, body FROM records")]
    db.close()
    chains, cut = read_audit(history)
    broken = [link.text for links in chains.values() for link in links if link.state == "broken"]
    wrong = sum(row != tuple(getattr(made(int(row[1])), name) for name in FIELDS) for row in rows)
    twice = len(rows) - len({row[1] for row in rows}) + len(records) - len(set(records))
    whole = not broken and not any(cut.values())
    return Comparison(sum(promises.values()), len(rows) + len(records), lost, told, twice, wrong, both, whole)
