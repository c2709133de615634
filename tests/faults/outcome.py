"""What a row of the matrix found: promised against stored."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from gateway.audit.trail import read as read_audit
from gateway.history.books.historian_notices import ITSELF
from gateway.outbox.eviction import TOO_OLD
from gateway.outbox.gap_table import DISK_SLOW, OUTBOX_FULL
from gateway.outbox.pending import NOT_ENCODABLE
from tests.faults.content import RUN_FACTOR, made

FIELDS = ("metric", "value", "side", "start_us", "end_us", "n", "n_rejected", "slot", "session")
OF_ITSELF = (OUTBOX_FULL, TOO_OLD, DISK_SLOW, NOT_ENCODABLE)
"""Reasons of gaps that the gateway decides on, and counts in its status. Others are of a file, or of a person."""
FILE_WORDS = (
    "history-changed", "history-restored", "history-lost", "outbox-missing", "outbox-removed", "outbox-restored",
    "outbox-collision", "outbox-spoilt", "rows-rotted", "set-aside", "set-aside-imported", "set-aside-unreadable",
    "another-gateway", "clock-set-back",
)  # fmt: skip
"""Entries of the audit of which each has a notice: what became of a file, or of what it held."""
NOT_WHOLE = "the audit is not whole"

Progress = Callable[[float], None]


@dataclass(slots=True)
class Outcome:
    """One row of the table; ``notes`` say what went wrong beyond numbers, ``remark`` what else is worth a word."""

    fault: str
    times: int = 0
    made: int = 0
    stored: int = 0
    lost: int = 0
    twice: int = 0
    silent: int = 0
    gap_s: float | None = None
    recovery_s: float | None = None
    notes: list[str] = field(default_factory=list)
    remark: str = ""
    skipped: str = ""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing was lost, nothing doubled, nothing went in silence, and nothing else was wrong."""
        return not (self.lost or self.twice or self.silent or self.notes)

    def end_round(
        self, works: Callable[[], bool], *, of: int, progress: Progress, began: float | None = None, by: int = 1
    ) -> None:
        """Close a round: see that what is made now is stored, how long that took, and tell how far the row is.

        Args:
            works: Waits until something new is stored; False if that takes too long.
            of: Rounds of the row.
            progress: Who watches.
            began: Monotonic time when the fault was over; now if left out.
            by: Rounds that this one counts for.
        """
        began = time.monotonic() if began is None else began
        if not works():
            self.notes.append(f"did not go on after {self.times + by}")
        self.recovery_s = max(self.recovery_s or 0.0, time.monotonic() - began)
        self.times += by
        progress(self.times / of)


def promised(*journals: Path) -> dict[str, int]:
    """Return the last durable number of every epoch of some journals; a torn last line does not count."""
    last: dict[str, int] = {}
    for epoch, seq, _, _ in _lines(journals):
        last[epoch] = max(last.get(epoch, 0), int(seq))
    return last


def contents(*journals: Path) -> dict[int, int]:
    """Return of every run how many of its measurements are durable for certain, whatever numbers they have."""
    most: dict[int, int] = {}
    for _, _, run, n in _lines(journals):
        most[int(run)] = max(most.get(int(run), 0), int(n))
    return most


def _lines(journals: Iterable[Path]) -> Iterable[list[str]]:
    for journal in journals:
        for line in journal.read_text().split("\n")[:-1]:
            yield line.split()


@dataclass(frozen=True, slots=True)
class Comparison:
    """Promised numbers that are neither stored nor told as gaps; stored contents that came twice or are not ours.

    ``lost`` also counts contents that are nowhere though their numbers are; numbers in doubt, whose contents were moved
    to others when a new life of the outbox began, are judged by their contents alone.

    ``silent`` counts what is neither stored nor declared, by number or by content, and what a gap declares that a file
    or a person made while no entry of the audit says so. ``kept_as_conflict`` are contents that lie beside another of
    the same number. ``chain_is_whole`` tells of the audit: nothing is missing in it that is not told.
    """

    promised: int
    stored: int
    lost: int
    declared: int
    twice: int
    wrong: int
    both: int
    silent: int = 0
    kept_as_conflict: int = 0
    chain_is_whole: bool = True


def compare(history: Path, promises: Mapping[str, int], runs: Mapping[int, int] | None = None) -> Comparison:
    """Hold a history of generated measurements against what the outbox promised: numbers, and contents of runs."""
    db = sqlite3.connect(f"{history.as_uri()}?mode=ro", uri=True)
    lost = declared = both = unspoken = 0
    doubts = doubted(db)
    for epoch, last in promises.items():
        numbered = {
            seq
            for table in ("readable", "(SELECT e.epoch, seq FROM records JOIN epochs e ON e.id = records.epoch)")
            for (seq,) in db.execute(f"SELECT seq FROM {table} WHERE epoch = ? AND seq <= ?", (epoch, last))  # noqa: S608
        }
        stored = np.array(sorted(numbered), np.int64)
        gaps = db.execute(
            "SELECT first, min(gaps.last, ?), reason FROM gaps JOIN epochs e ON e.id = gaps.epoch"
            " WHERE e.epoch = ? AND first <= ? ORDER BY first",
            (last, epoch, last),
        )
        numbers = within = upto = 0
        for first, end, reason in gaps:
            # Gaps may overlap, and be millions of numbers long.
            begin = max(first, upto + 1)
            if end >= begin:
                numbers += end - begin + 1
                within += int(np.searchsorted(stored, end, "right") - np.searchsorted(stored, begin))
                unspoken += (end - begin + 1) * (reason not in OF_ITSELF)
                upto = end
        declared += numbers - within
        both += within
        gave, upto = doubts.get(epoch, (last, last))
        moved = max(0, min(upto, last) - gave - int(np.diff(np.searchsorted(stored, [gave + 1, upto + 1]))[0]))
        lost += max(0, last - len(stored) - (numbers - within) - moved)
    rows = db.execute(f"SELECT {', '.join(FIELDS)} FROM readable").fetchall()  # noqa: S608 - our own names
    records = _own_records(db)
    conflicts = _conflicts(db)
    unspoken *= not words(history)
    db.close()
    chains, cut = read_audit(history)
    broken = [link.text for links in chains.values() for link in links if link.state == "broken"]
    wrong = sum(row != tuple(getattr(made(int(row[1])), name) for name in FIELDS) for row in rows)
    twice = len(rows) - len({row[1] for row in rows}) + len(records) - len(set(records))
    whole = not broken and not any(cut.values())
    kept = {int(row[1]) for row in rows} | conflicts
    lost = max(lost, missing(kept, runs or {}) - declared)
    silent = lost + unspoken
    return Comparison(
        sum(promises.values()), len(rows) + len(records), lost, declared, twice, wrong, both, silent,
        len(conflicts - {int(row[1]) for row in rows}), whole,
    )  # fmt: skip


def doubted(db: sqlite3.Connection) -> dict[str, tuple[int, int]]:
    """Return of lives of outboxes that ended which numbers are in doubt: beyond the first, up to the second."""
    found = db.execute("SELECT body FROM records WHERE kind = 'audit' AND what = 'outbox-restored'")
    entries = [orjson.loads(text) for (text,) in found]
    return {entry["epoch"]: (entry["gave"], entry["stored"]) for entry in entries}


def _own_records(db: sqlite3.Connection) -> list[tuple[str, int]]:
    """Return kind and number of the generator's own notices and entries; what the product tells has none."""
    found = db.execute(
        "SELECT kind, body FROM records JOIN epochs e ON e.id = records.epoch WHERE e.gateway <> ? AND what = 'load'",
        (ITSELF,),
    )
    return [(kind, orjson.loads(text)["number"]) for kind, text in found]


def _conflicts(db: sqlite3.Connection) -> set[int]:
    """Return the measurements that are kept beside another content of their number."""
    texts = (orjson.loads(text) for row in db.execute("SELECT first, later FROM conflicts") for text in row)
    return {int(fields["value"]) for fields in texts if fields.get("value")}


def missing(kept: set[int], runs: Mapping[int, int]) -> int:
    """Return how many of the first ``n`` measurements of each run are not among those that were kept."""
    there = np.array(sorted(kept), np.int64)
    firsts = {run * RUN_FACTOR: n for run, n in runs.items()}
    return sum(n - int(np.diff(np.searchsorted(there, [first, first + n]))[0]) for first, n in firsts.items())


def words(history: Path, *, since_us: int = 0, among: Iterable[str] = FILE_WORDS) -> int:
    """Return how many entries of the audit in a history speak of files, or of something else; 0 if it is not read."""
    listed = ", ".join("?" * len(tuple(among := tuple(among))))
    query = f"SELECT count(*) FROM records WHERE time_us >= ? AND what IN ({listed})"  # noqa: S608 - marks only
    try:  # it may be away at this moment
        with closing(sqlite3.connect(f"{history.as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            return int(db.execute(query, (since_us, *among)).fetchone()[0])
    except sqlite3.Error:
        return 0
