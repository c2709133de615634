"""When the file of an outbox has to move: written anew after it was removed, or left behind for a new life.

Every step leaves names on the disk from which the next start can go on, wherever the power goes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from gateway.machine.durable import flush_folder
from gateway.machine.file_place import Change, Place
from gateway.machine.set_aside import set_aside
from gateway.model.records import Record, body
from gateway.model.row import AUDIT, Chain, Row
from gateway.outbox.eviction import NO_END
from gateway.outbox.file import OutboxFile
from gateway.outbox.group import Group
from gateway.outbox.lives import earlier_key, left_behind, moved_key
from gateway.outbox.pending import with_number

RESTORED = "outbox-restored"
REWRITTEN = ".rewritten"
NEW = ".new"
CHUNK = 5_000
"""Rows moved at a time, so that memory stays small."""


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


def move_on(file: OutboxFile, path: Path, *, given: int, stored: int) -> dict[str, str | int]:
    """Leave a file behind and make a new one, into which the rows beyond ``given`` and up to ``stored`` move.

    They get new numbers there. In the file that stays behind they are told apart by the fact ``moved``, which the new
    one holds. The new file begins with an entry of the audit that says so: whoever is killed in between has told it.

    Returns:
        The fields of that entry.
    """
    fresh = path.with_name(path.name + NEW)
    clear(fresh)
    new = OutboxFile(fresh)
    moved, reached, upto = 0, given, min(stored, file.last_seq)
    while reached < upto and (rows := [row for row in file.read_aged(reached, CHUNK) if row[0].seq <= upto]):
        reached = rows[-1][0].seq
        renumbered = [(renumber(row, new.last_seq + n), made_us) for n, (row, made_us) in enumerate(rows, 1)]
        chain = file.chain  # the audit goes on, so that its chain does too
        new.commit(Group(renumbered, last_seq=new.last_seq + len(rows), chain=chain), released=0, max_bytes=NO_END)
        moved += len(rows)
    facts = {**file.facts, earlier_key(file.epoch): str(file.last_seq), moved_key(file.epoch): f"{given} {upto}"}
    fields: dict[str, str | int] = {
        "epoch": file.epoch, "gave": given, "stored": stored, "moved": moved, "new": new.epoch
    }  # fmt: skip
    new.commit(_entry(fields, new.last_seq + 1, file.chain), released=0, max_bytes=NO_END, facts=facts)
    new.close(clean=True)
    epoch = file.epoch
    file.close(clean=True)
    move_durably(path, left_behind(path, epoch))
    move_durably(fresh, path)
    return fields


def _entry(fields: Mapping[str, str | int], seq: int, chain: Chain) -> Group:
    """Return the entry of the audit of a life that ended."""
    now_us = time.time_ns() // 1000
    made, chain = body(Record("audit", RESTORED, now_us, fields), chain)
    return Group([(Row(seq, "", AUDIT, with_number(made, seq)), now_us)], last_seq=seq, chain=chain)


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
    flush_folder(target.parent)


def renumber(row: Row, seq: int) -> Row:
    """Return a row under another number, which its payload begins with."""
    before = b'{"seq":%d,' % row.seq
    if not row.payload.startswith(before):
        return Row(seq, row.slot, row.rank, row.payload)
    return Row(seq, row.slot, row.rank, b'{"seq":%d,%b' % (seq, row.payload[len(before) :]))
