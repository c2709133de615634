"""Sums of rows in tests: given to rows that a test wrote by its own hand, and verified after each test that did not."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.history.row_sums import prepare, sum_of_row, sum_of_series
from gateway.history.schema import SCHEMA_VERSION
from gateway.history.verification import verify

DAMAGING = ("test_row_sums", "test_database")
"""Modules whose histories rot on purpose."""


def sum_anew(db: sqlite3.Connection) -> None:
    """Have every row of a history say that it is as it was written."""
    prepare(db, reads_only=False)
    db.execute(f"UPDATE measurements SET sum = {sum_of_row()}")  # noqa: S608 - our own text, here and below
    db.execute(f"UPDATE series SET sum = {sum_of_series()}")  # noqa: S608


@pytest.fixture(autouse=True)
def every_sum_is_right(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[None]:
    """Whatever a test had the history change: no sum is wrong afterwards, and every row that was written has one."""
    yield
    if request.module.__name__.rpartition(".")[2] in DAMAGING:
        return
    for path in tmp_path.glob("*.db"):
        with closing(sqlite3.connect(path)) as db:
            tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
            version = db.execute("PRAGMA user_version").fetchone()[0]
        if {"measurements", "upkeep"} <= tables and version == SCHEMA_VERSION:
            found = verify(path)
            assert (found.rotten, found.series, found.damage) == (0, 0, ""), path.name
