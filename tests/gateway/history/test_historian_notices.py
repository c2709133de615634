"""What a historian tells of itself lies in its history, in a chain, and stands for a day."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gateway.audit.chain import Books, check
from gateway.audit.trail import read
from gateway.history.books.historian_notices import ITSELF, MOST_ACTIVE, STANDS_S
from gateway.history.history import History
from gateway.history.reader import HistoryReader


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


class Wall:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def test_its_audit_is_a_chain_that_goes_on_after_a_restart(path: Path) -> None:
    for n in range(3):
        history = History(path)
        with history.own_records() as own:
            own.audit("retention", deleted=n, before_us=17)
        assert history.epochs() == []  # no outbox: nobody gets a receipt for it
        history.close()
    with closing(HistoryReader(path)) as reader:
        links = check(reader.records("audit"), Books([]))
    assert [(link.n, link.state, link.fields["deleted"]) for link in links] == [
        (1, "begin", 0), (2, "ok", 1), (3, "ok", 2),
    ]  # fmt: skip
    chains, cut = read(path)
    assert (len(chains[ITSELF]), cut[ITSELF]) == (3, 0)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM records WHERE seq = 2")
        db.commit()
    chains, _ = read(path)
    assert [link.state for link in chains[ITSELF]] == ["begin", "broken"]


def test_a_notice_stands_for_a_day_after_the_last_time_also_across_a_restart(path: Path) -> None:
    wall = Wall()
    history = History(path, now=wall)
    with history.own_records() as own:
        own.raise_notice("numbers-conflict", "Two outboxes use the same numbers", gateway="g-1")
        own.raise_notice("numbers-conflict", "Two outboxes use the same numbers", gateway="g-1")
        own.raise_notice("retention-waits", "Nothing is deleted")
    assert [(each.code, each.count) for each in history.notices("g-2")] == [("retention-waits", 1)]
    assert {each.code: each.count for each in history.notices("g-1")} == {"retention-waits": 1, "numbers-conflict": 2}
    history.close()
    again = History(path, now=wall)
    assert len(again.notices("g-1")) == 2
    with again.own_records() as own:
        own.clear_notice("retention-waits")
    wall.now += STANDS_S + 1
    with again.own_records() as own:
        own.clear_old()
    assert again.notices("g-1") == []
    with closing(HistoryReader(path)) as reader:
        raised = [(record.what, '"raised"' in record.body) for record in reader.records("notice")]
    assert raised == [
        ("numbers-conflict", True), ("retention-waits", True), ("retention-waits", False), ("numbers-conflict", False),
    ]  # fmt: skip
    again.close()


def test_what_fails_leaves_the_chain_as_it_was(path: Path) -> None:
    history = History(path)
    with history.own_records() as own:
        own.audit("one")
    with pytest.raises(TypeError), history.own_records() as own:
        own.audit("two", what_json_has_not=object())
    with history.own_records() as own:
        own.audit("three")
    history.close()
    with closing(HistoryReader(path)) as reader:
        assert [link.state for link in check(reader.records("audit"), Books([]))] == ["begin", "ok"]


def test_notices_beyond_all_reason_become_one(path: Path) -> None:
    history = History(path)
    for n in range(3 * MOST_ACTIVE):
        with history.own_records() as own:
            own.raise_notice("numbers-conflict", "x", about=str(n))
    assert len(history.notices("g-1")) == MOST_ACTIVE + 1
    history.close()
