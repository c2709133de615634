"""What can be read of a history that was set aside, stored again: by identity, so what is here already is stored once.

Every row is checked as if it came over the network, for a damaged file may say anything. Gaps are left alone: the new
history has its own, and those that a row fills are mended by it.
"""

from __future__ import annotations

import logging
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from gateway.history.books.clock_book import LIKELY, SURE
from gateway.history.history import History
from gateway.history.row_sums import prepare
from gateway.history.schema import Stored, as_text, read_stored
from gateway.machine.private_files import MODE
from gateway.model import wall_correction
from gateway.model.row import AUDIT, METRIC, Row
from gateway.outbox.file import FileError
from gateway.outbox.outbox import encode, with_number
from gateway.wire.payload import (
    Message,
    PayloadError,
    decode_measurements,
    decode_records,
    encode_measurements,
    encode_records,
)
from gateway.wire.receipt import EPOCH

log = logging.getLogger(__name__)

CHUNK = 500
"""Rows of one transaction, so that what comes meanwhile never waits long."""
MOST_LEAP = 2**40
"""Numbers passed over at a time at most, where rows cannot be read: then there are no more."""
IMPORTED = ".imported"
KINDS = ("corrupt", "replaced")

Key = tuple[str, str]


def bring_over(history: History, stopping: Callable[[], bool]) -> int:
    """Store what can be read of all histories that were set aside beside this one; return how many rows were new."""
    new, beside = 0, history.database.path
    for kind in KINDS:
        for path in sorted(beside.parent.glob(f"{beside.name}.{kind}-*")):
            marker = path.with_name(path.name + IMPORTED)
            if path.name.endswith(("-wal", "-shm", IMPORTED)) or marker.exists():
                continue
            try:
                found = _bring_over(history, path, stopping)
            except FileError as error:
                log.error("nothing of %s, which was set aside, can be read: %s", path.name, error)  # noqa: TRY400
                found = 0
            if stopping():
                return new
            log.warning("%d rows of %s, which had been set aside, are in the history again", found, path.name)
            marker.write_bytes(orjson.dumps({"rows": found}) + b"\n")
            marker.chmod(MODE)
            new += found
    return new


def _bring_over(history: History, path: Path, stopping: Callable[[], bool]) -> int:
    new = 0
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.text_factory = as_text
        prepare(db, reads_only=True)  # what rotted is not brought over
        lives = db.execute("SELECT id, gateway, epoch FROM epochs ORDER BY id DESC").fetchall()
        for _, gateway, epoch in lives:
            if EPOCH.fullmatch(epoch):
                with history.database.transaction():
                    history.database.books.epochs.add_earlier(gateway, epoch)
        names = {number: (gateway, epoch) for number, gateway, epoch in lives}
        for messages in (*_corrections(db, names), *_records(db, names)):
            history.store(messages)
        for chunk in _chunks(db):
            if stopping():
                break
            new += history.store(_messages(chunk))
    history.database.forget()  # gaps were filled: what was counted is read again
    return new


def _chunks(db: sqlite3.Connection) -> Iterator[list[Stored]]:
    """Yield the measurements, as far as they can be read."""
    after, leap, limit = 0, 1, CHUNK
    while leap < MOST_LEAP:
        try:
            found = read_stored(db, "WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
        except (*FileError, TypeError, ValueError):
            if limit > 1:
                limit = max(1, limit // 8)
            else:
                after, leap = after + leap, leap * 2
            continue
        if not found:
            return
        after, leap, limit = found[-1].id, 1, min(CHUNK, 2 * limit)
        yield found


def _messages(rows: list[Stored]) -> list[Message]:
    """Return measurements as messages, with the times that their gateway gave them, checked."""
    sorted_out: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        m = row.as_made()
        sorted_out[row.gateway, row.epoch, m.slot].append(Row(row.seq, m.slot, METRIC, encode(m, row.seq)))
    found = []
    for (gateway, epoch, slot), mine in sorted_out.items():
        try:
            message = decode_measurements(gateway, slot, encode_measurements(gateway, epoch, 0, mine))
        except PayloadError:
            continue
        found.append(replace(message, rejected=[]))
    return found


def _corrections(db: sqlite3.Connection, names: dict[int, Key]) -> Iterator[list[Message]]:
    for number, seq, session, by_us, believed, noted_us in _rows(
        db, "SELECT epoch, seq, session, by_us, believed, noted_us FROM clocks"
    ):
        if number in names:
            word = wall_correction.Correction(by_us, believed == SURE, likely=believed == LIKELY)
            made = wall_correction.measurements(word, [(session, "")], at_us=noted_us, simulated=False)
            yield [Message(*names[number], measurements=[(seq, made[0])])]


def _records(db: sqlite3.Connection, names: dict[int, Key]) -> Iterator[list[Message]]:
    for number, seq, body in _rows(db, "SELECT epoch, seq, body FROM records"):
        if number in names:
            gateway, epoch = names[number]
            row = Row(seq, "", AUDIT, with_number(body.encode(), seq))
            try:
                message = decode_records(gateway, encode_records(gateway, epoch, 0, [row]))
            except PayloadError:
                continue
            yield [replace(message, rejected=[])]


def _rows(db: sqlite3.Connection, query: str) -> Iterator[tuple[Any, ...]]:
    """Yield rows up to the first that cannot be read."""
    try:
        yield from db.execute(query)
    except FileError as error:
        log.warning("a part of a history that was set aside cannot be read: %s", error)
