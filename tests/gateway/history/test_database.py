from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.history.history import History
from gateway.wire.payload import Message
from tests.gateway.samples import ward

EPOCH = "0123456789abcdef"


class StopError(Exception):
    """Raised in the middle of a transaction."""


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    folder = tmp_path / "var"
    folder.mkdir()
    made = History(folder / "history.db", copying=True)
    made.store([Message("g-1", EPOCH, 0, list(enumerate(ward(20), 1)))])
    yield made
    made.close()


def refuse(history: History, what: str, table: str) -> None:
    """Have the file refuse what would change a table."""
    with history.database.transaction() as db:
        db.execute(f"CREATE TRIGGER t BEFORE {what} ON {table} BEGIN SELECT raise(abort, 'x'); END")


def allow(history: History) -> None:
    with history.database.transaction() as db:
        db.execute("DROP TRIGGER t")


def erase_in_vain(history: History) -> None:
    with history.database.transaction():
        history.database.books.erased.add("p-01")
        history.database.books.epochs.get("g-1", EPOCH).add_local(21)
        raise StopError


def delete_in_vain(history: History) -> None:
    with history.database.transaction() as db:
        db.execute("DELETE FROM measurements")
        with history.own_records() as own:
            own.audit("retention", rows=20)
        raise StopError


def test_what_is_in_memory_goes_when_a_transaction_fails(history: History) -> None:
    with pytest.raises(StopError):
        erase_in_vain(history)
    assert not history.database.books.erased
    assert history.receipt("g-1", EPOCH).received == 20


def test_a_copy_that_cannot_be_noted_leaves_the_receipt_as_it_was(history: History) -> None:
    refuse(history, "UPDATE", "copying")
    batch = history.copies.not_copied(10)
    with pytest.raises(sqlite3.Error):
        history.copies.mark_copied(batch)
    assert history.receipt("g-1", EPOCH).stored == 0
    allow(history)
    history.copies.mark_copied(batch)
    assert history.receipt("g-1", EPOCH).stored == 10


def test_a_transaction_within_another_is_a_part_of_it(history: History) -> None:
    with pytest.raises(StopError):
        delete_in_vain(history)
    with history.database.reading() as db:
        assert db.execute("SELECT count(*) FROM measurements").fetchone() == (20,)
        assert db.execute("SELECT count(*) FROM records").fetchone() == (0,)
    with history.own_records() as own:
        own.audit("retention", rows=0)
    with closing(sqlite3.connect(history.database.path)) as db:
        assert db.execute("SELECT count(*) FROM records").fetchone() == (1,)


def more(history: History, first: int) -> None:
    history.store([Message("g-1", EPOCH, 0, list(enumerate(ward(first + 4)[first:], first + 1)))])


def test_a_folder_that_goes_under_the_history_is_made_again(history: History) -> None:
    folder = history.database.path.parent
    folder.rename(folder.with_name("elsewhere"))
    more(history, 20)
    assert history.receipt("g-1", EPOCH).received == 0  # the outbox has them still, and sends them again
    with closing(sqlite3.connect(history.database.path)) as db:
        assert db.execute("SELECT min(seq), max(seq) FROM measurements").fetchone() == (21, 24)


def test_what_could_not_be_opened_is_tried_again_and_is_no_damage(history: History) -> None:
    folder = history.database.path.parent
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("in the way")
    for _ in range(2):
        with pytest.raises(FileExistsError):
            more(history, 20)
    folder.unlink()
    more(history, 20)
    assert [path.name for path in folder.glob("*.db*") if "aside" in path.name or "corrupt" in path.name] == []
    assert history.database.path.exists()
