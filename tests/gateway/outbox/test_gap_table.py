"""Gaps of an outbox: which of them are one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from gateway.model.row import Gap
from gateway.outbox.gap_table import DISK_SLOW, GAP_BYTES, OUTBOX_FULL, GapTable
from gateway.outbox.schema import GAPS


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as made:
        made.execute(GAPS)
        yield made


def held(db: sqlite3.Connection) -> list[tuple[int, int, str]]:
    return db.execute("SELECT first, last, reason FROM gaps ORDER BY first").fetchall()


def test_want_of_room_in_two_forms_is_one_gap_with_the_reason_of_the_longer(db: sqlite3.Connection) -> None:
    """Metrics that had no room in memory, events that had none on disk: for days, four of these and one of those."""
    table, size = GapTable(db), 0
    for at in range(1, 5_001, 5):
        size += table.add(Gap(at, at + 3, DISK_SLOW))
    assert len(held(db)) == 1_000
    for at in range(5, 5_001, 5):
        size += table.add(Gap(at, at, OUTBOX_FULL))
    assert held(db) == [(1, 5_000, DISK_SLOW)]
    assert size == GAP_BYTES


def test_a_row_between_parts_two_gaps_and_other_reasons_stay_apart(db: sqlite3.Connection) -> None:
    table = GapTable(db)
    for gap in (Gap(1, 3, OUTBOX_FULL), Gap(5, 6, DISK_SLOW), Gap(7, 7, "not encodable"), Gap(8, 9, OUTBOX_FULL)):
        table.add(gap)
    assert held(db) == [(1, 3, OUTBOX_FULL), (5, 6, DISK_SLOW), (7, 7, "not encodable"), (8, 9, OUTBOX_FULL)]
    assert table.add(Gap(4, 4, OUTBOX_FULL)) == -GAP_BYTES
    assert held(db)[0] == (1, 6, OUTBOX_FULL)
