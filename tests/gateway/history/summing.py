"""Rows that a test wrote or changed by its own hand, given the sums that the writer would have given them."""

from __future__ import annotations

import sqlite3

from gateway.history.row_sums import prepare, sum_of_row, sum_of_series


def sum_anew(db: sqlite3.Connection) -> None:
    """Have every row of a history say that it is as it was written."""
    prepare(db, reads_only=False)
    db.execute(f"UPDATE measurements SET sum = {sum_of_row()}")  # noqa: S608 - our own text, here and below
    db.execute(f"UPDATE series SET sum = {sum_of_series()}")  # noqa: S608
