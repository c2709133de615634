"""A row that rotted on the disk is known as such: whatever bit it was, whoever reads it, whatever was changed before."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.history.books.clock_book import HOLD_S
from gateway.history.export import rows_of
from gateway.history.file import ROTTED
from gateway.history.history import History
from gateway.history.importing import bring_over
from gateway.history.reader import HistoryReader
from gateway.history.row_check import AGAIN_S, RowCheck
from gateway.history.row_sums import ROW, carried_sum, row_sum, sound_row, sound_series
from gateway.model.measurement import Measurement
from gateway.model.wall_correction import Correction
from gateway.model.wall_correction import measurements as corrected
from gateway.upkeep.upkeep import Upkeep
from gateway.wire.payload import Message

EPOCH = "0123456789abcdef"
START_US = 1_700_000_000_000_000
ROWS = 40
Row = tuple[int | float | str | None, ...]


def measured(number: int, session: str = "s-1") -> Measurement:
    end_us = START_US + number * 1_000_000
    return Measurement("cadence", 90.0 + number / 8, "{steps}/min", "left", end_us - 10_000_000, end_us, 2.5, 7, 0, "ok",
                       "", "cadence/1", ("dot-1",), ("left_foot",), "bay-1", session, "p-01", True)  # fmt: skip


def make(path: Path, **options: bool) -> History:
    history = History(path, now=lambda: START_US / 1e6 + 3600, **options)
    history.store([Message("g-1", EPOCH, measurements=[(n, measured(n)) for n in range(1, ROWS + 1)])])
    return history


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "history.db"
    make(path).close()
    return path


def content(path: Path) -> dict[int, Row]:
    """Return what a reader is given of each number; nothing of a file that says it is damaged."""
    with closing(HistoryReader(path)) as reader:
        return {row.seq: (row.gateway, row.epoch, row.clock, row.moved_us, *row.made_as, str(row.measurement))
                for row in reader.stored()}  # fmt: skip


def payload(path: Path, number: int) -> tuple[int, int]:
    """Return where in the file the record of a row begins, its header included, and where it ends."""
    data = path.read_bytes()
    end = struct.pack(">qq", measured(number).start_us, measured(number).end_us)
    at = [i for i in range(len(data)) if data.startswith(end, i)]
    assert len(at) == 1, at
    begin = at[0] - 1 - 17 - 2  # the number, a header of a byte a column and one of itself, length and id of the row
    return begin, begin + 2 + data[begin]


def flip(path: Path, byte: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(byte)
        (was,) = file.read(1)
        file.seek(byte)
        file.write(bytes([was ^ 1 << bit]))


def checked(path: Path) -> History:
    """Open a history as the historian does, and look at all rows."""
    history = History(path)
    check = RowCheck(history.database, monotonic=iter(range(0, 10**9, 10)).__next__)
    for _ in range(4):
        check.work()
    return history


def test_no_bit_of_a_row_changes_what_is_read_without_a_word(path: Path) -> None:
    """Each bit of a record, and some around it: what is read is as it was, or missing and, after the check, told."""
    before, image = content(path), path.read_bytes()
    begin, end = payload(path, 17)
    found = mended = 0
    for at in range((end - begin) * 8):
        path.write_bytes(image)
        for side in ("-wal", "-shm"):
            path.with_name(path.name + side).unlink(missing_ok=True)
        flip(path, begin + at // 8, at % 8)
        try:
            shown = content(path)
        except sqlite3.DatabaseError:
            shown = {}  # it says so itself
        assert shown.items() <= before.items(), at
        history = checked(path)
        try:
            gaps = {n for _, _, first, last, _ in _gaps(path) for n in range(first, last + 1)}
            after = content(path)
            assert after.items() <= before.items(), at
            if not history.database.replaced:
                assert set(after) | gaps == set(before), at
                assert not set(after) & gaps, at
                with history.database.reading() as db:
                    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",), at
            found += bool(gaps)
            mended += len(shown) < len(after)
        finally:
            history.close()
    assert found > 200
    assert mended > 50


def _gaps(path: Path) -> list[tuple[str, str, int, int, str]]:
    with closing(HistoryReader(path)) as reader:
        return reader.gaps()
