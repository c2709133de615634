"""When the file of an outbox has to move: written anew after it was removed, or left behind for a new life.

Every step leaves names on the disk from which the next start can go on, wherever the power goes.
"""

from __future__ import annotations

import os
from pathlib import Path

from gateway.machine.file_place import Change, Place
from gateway.machine.set_aside import set_aside
from gateway.model.row import Row
from gateway.outbox.eviction import NO_END
from gateway.outbox.file import OutboxFile
from gateway.outbox.group import Group

REWRITTEN = ".rewritten"
NEW = ".new"
CHUNK = 5_000
"""Rows moved at a time, so that memory stays small."""


def left_behind(path: Path, epoch: str) -> Path:
    """Return the name of the file of an earlier life."""
    return path.with_name(f"{path.name}.left-{epoch}")


def rewrite(file: OutboxFile, path: Path, change: Change, place: Place) -> Path | None:
    """Have everything of an open file at its path again, and let go of it; return what else was there, set aside.

    Raises:
        OSError, sqlite3.Error: There is no room, say; the open file stays open.
    """
    if change == "log removed":
        file.checkpoint()
        file.abandon()
        return None
    fresh = path.with_name(path.name + REWRITTEN)
    clear(fresh)
    file.copy_to(fresh)
    place.drop_own_log()
    kept = set_aside(path, "replaced") if path.exists() else None
    file.abandon()
    # A log that was left alone would be taken for that of the new file.
    clear(path)
    move_durably(fresh, path)
    return kept


def move_on(file: OutboxFile, path: Path, *, after: int, upto: int) -> int:
    """Leave a file behind and make a new one, into which the rows beyond ``after`` and up to ``upto`` move.

    They get new numbers there. In the file that stays behind they are told apart by the fact ``moved``, which the new
    one holds. Returns how many there were.
    """
    fresh = path.with_name(path.name + NEW)
    clear(fresh)
    new = OutboxFile(fresh)
    moved, reached = 0, after
    while reached < upto and (rows := [row for row in file.read_aged(reached, CHUNK) if row[0].seq <= upto]):
        reached = rows[-1][0].seq
        renumbered = [(renumber(row, new.last_seq + n), made_us) for n, (row, made_us) in enumerate(rows, 1)]
        chain = file.chain  # the audit goes on, so that its chain does too
        new.commit(Group(renumbered, last_seq=new.last_seq + len(rows), chain=chain), released=0, max_bytes=NO_END)
        moved += len(rows)
    facts = {**file.facts, f"earlier {file.epoch}": str(file.last_seq), f"moved {file.epoch}": f"{after} {upto}"}
    new.commit(Group(last_seq=new.last_seq, chain=file.chain), released=0, max_bytes=NO_END, facts=facts)
    new.close(clean=True)
    epoch = file.epoch
    file.close(clean=True)
    move_durably(path, left_behind(path, epoch))
    move_durably(fresh, path)
    return moved


def finish_move(path: Path) -> None:
    """Bring to its end what a power cut interrupted: the new file takes the place that the old one has left."""
    clear(path.with_name(path.name + REWRITTEN))
    fresh = path.with_name(path.name + NEW)
    if not fresh.exists():
        return
    if path.exists():
        clear(fresh)  # the old one still has everything
    else:
        move_durably(fresh, path)


def clear(path: Path) -> None:
    """Remove a database that nobody needs, or what is left of it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def move_durably(source: Path, target: Path) -> None:
    """Rename a file so that a power cut finds one name or the other."""
    source.rename(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def renumber(row: Row, seq: int) -> Row:
    """Return a row under another number, which its payload begins with."""
    before = b'{"seq":%d,' % row.seq
    if not row.payload.startswith(before):
        return Row(seq, row.slot, row.rank, row.payload)
    return Row(seq, row.slot, row.rank, b'{"seq":%d,%b' % (seq, row.payload[len(before) :]))
