from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.history.errors import HistoryError
from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.model.row import Gap
from gateway.wire.payload import Message, Rejected
from gateway.wire.receipt import Receipt
from tests.gateway.samples import START_US, measurement, ward

EPOCH = "0123456789abcdef"


@pytest.fixture
def reader(path: Path) -> Iterator[HistoryReader]:
    made = HistoryReader(path)
    yield made
    made.close()


def message(first: int, n: int, *, epoch: str = EPOCH, released: int = 0) -> Message:
    return Message("g-1", epoch, released, list(enumerate(ward(2000), 1))[first - 1 : first - 1 + n])


def test_every_field_comes_back(history: History, reader: HistoryReader) -> None:
    assert history.store([message(1, 300)]) == 300
    stored = reader.stored()
    assert [(s.gateway, s.epoch, s.seq, s.measurement) for s in stored] == [
        ("g-1", EPOCH, seq, m) for seq, m in enumerate(ward(300), 1)
    ]
    assert reader.count() == 300
    bare = replace(measurement(), devices=(), placement=(), sync_ms=None, simulated=False, quality="degraded")
    history.store([Message("g-1", EPOCH, 0, [(301, bare)])])
    assert reader.stored(after_id=stored[-1].id)[0].measurement == bare


def test_again_and_in_any_order_changes_nothing(history: History, reader: HistoryReader) -> None:
    pieces = [message(first, 50) for first in range(1, 1001, 50)] * 3
    random.Random(2).shuffle(pieces)
    new = sum(history.store([piece]) for piece in pieces)
    assert new == reader.count() == 1000
    assert history.receipt("g-1", EPOCH).stored == 1000
    assert sorted(s.seq for s in reader.stored()) == list(range(1, 1001))
    assert sum(session.measurements for session in reader.sessions()) == 1000


def test_same_numbers_of_another_epoch_or_gateway_are_others(history: History, reader: HistoryReader) -> None:
    history.store([message(1, 10), message(1, 10, epoch="f" * 16), replace(message(1, 10), gateway="g-2")])
    assert reader.count() == 30
    assert set(history.epochs()) == {("g-1", EPOCH), ("g-1", "f" * 16), ("g-2", EPOCH)}


def test_receipt_stops_at_a_hole_and_survives_a_restart(history: History, path: Path) -> None:
    history.store([message(1, 10), message(21, 10), message(41, 5)])
    assert history.receipt("g-1", EPOCH).stored == 10
    again = History(path)
    assert again.receipt("g-1", EPOCH).stored == 10
    again.store([message(11, 10)])
    assert again.receipt("g-1", EPOCH).stored == 30
    again.store([Message("g-1", EPOCH, gaps=[Gap(31, 40, "outbox full")])])
    assert again.receipt("g-1", EPOCH).stored == 45
    again.close()


def test_rejected_measurement_holds_nothing_up(history: History, reader: HistoryReader, path: Path) -> None:
    history.store([message(1, 4), Message("g-1", EPOCH, rejected=[Rejected(5, "bad n", b"{}")]), message(6, 4)])
    assert history.receipt("g-1", EPOCH).stored == 9
    assert reader.rejected() == [("g-1", EPOCH, 5, "bad n", b"{}")]
    again = History(path)
    assert again.receipt("g-1", EPOCH).stored == 9
    again.close()


def test_new_history_does_not_wait_for_what_an_older_one_has(history: History, reader: HistoryReader) -> None:
    history.store([message(501, 10, released=500)])
    assert history.receipt("g-1", EPOCH).stored == 510
    assert reader.gaps() == [("g-1", EPOCH, 1, 500, "released before it was stored")]


def test_number_that_comes_after_all_leaves_its_gap(history: History, reader: HistoryReader) -> None:
    history.store([message(11, 1, released=10)])
    assert history.store([message(5, 1)]) == 1
    assert [row[2:4] for row in reader.gaps()] == [(1, 4), (6, 10)]
    assert history.store([message(5, 1)]) == 0


def test_receipt_waits_for_the_copy_and_remembers_it(path: Path) -> None:
    history = History(path, copying=True)
    history.store([message(1, 10), message(21, 10)])
    assert history.receipt("g-1", EPOCH).stored == 0
    batch = history.copies.not_copied(15)
    assert [row.seq for row in batch] == [*range(1, 11), *range(21, 26)]
    assert history.copies.mark_copied(batch) == {("g-1", EPOCH)}
    assert history.receipt("g-1", EPOCH).stored == 10
    history.store([message(11, 10)])
    history.close()

    history = History(path, copying=True)
    assert history.receipt("g-1", EPOCH).stored == 10
    rest = history.copies.not_copied(100)
    assert sorted(row.seq for row in rest) == [*range(11, 21), *range(26, 31)]
    history.copies.mark_copied(rest)
    assert history.receipt("g-1", EPOCH).stored == 30
    assert history.copies.not_copied(100) == []
    history.close()


def test_failed_transaction_leaves_no_trace(history: History) -> None:
    history.store([message(1, 10)])
    with history.database.transaction() as db:
        db.execute(
            "CREATE TRIGGER t BEFORE INSERT ON measurements WHEN new.seq = 15 BEGIN SELECT raise(abort, 'x'); END"
        )
    with pytest.raises(sqlite3.Error):
        history.store([message(11, 10)])
    assert history.receipt("g-1", EPOCH).stored == 10
    with history.database.transaction() as db:
        db.execute("DROP TRIGGER t")
    assert history.store([message(11, 10)]) == 10
    assert history.receipt("g-1", EPOCH).stored == 20


def test_series_gives_the_newest_in_order(history: History, reader: HistoryReader) -> None:
    history.store([message(1, 900)])
    expected = [m for m in ward(900) if m.slot == "bay-1" and m.metric == "cadence"]
    points = reader.series("bay-1", "cadence", "both")
    assert [(p.start_us, p.end_us, p.value, p.n, p.quality) for p in points] == [
        (m.start_us, m.end_us, m.value, m.n, m.quality) for m in expected
    ]
    assert reader.series("bay-1", "cadence", limit=7) == points[-7:]
    middle = points[10].end_us
    assert reader.series("bay-1", "cadence", "both", from_us=middle, to_us=points[20].end_us) == points[10:20]
    assert reader.series("bay-1", "cadence", "left") == []
    assert reader.series("bay-1", "cadence", algorithm="cadence/1") == points
    assert reader.series("bay-1", "cadence", algorithm="cadence/2") == []


def test_latest_is_one_of_each_metric_and_side(history: History, reader: HistoryReader) -> None:
    history.store([message(1, 900)])
    made = [m for m in ward(900) if m.slot == "bay-2"]
    newest = {(m.metric, m.side): m for m in made}
    assert {(m.metric, m.side): m for m in reader.latest("bay-2")} == newest
    assert reader.latest("bay-2", since_us=2**60) == []


def test_sessions_span_what_they_hold(history: History, reader: HistoryReader) -> None:
    history.store([message(1, 90), Message("g-1", EPOCH, 0, [(91, replace(measurement(500), session="s-2"))])])
    late, *early = reader.sessions()
    assert (late.session, late.measurements, late.last_us) == ("s-2", 1, START_US + 500_000_000)
    assert {(s.session, s.slot, s.subject, s.simulated) for s in early} == {
        ("s-1", f"bay-{i}", "p-01", True) for i in range(3)
    }
    assert reader.sessions(slot="bay-0") == [s for s in early if s.slot == "bay-0"]


def test_reader_of_nothing_reads_nothing_and_sees_the_history_once_it_is_there(
    path: Path, reader: HistoryReader
) -> None:
    assert reader.count() == 0
    assert not reader.latest("bay-1")
    assert not reader.sessions()
    assert not reader.stored()
    history = History(path)
    history.store([message(1, 3)])
    assert reader.count() == 3
    history.close()


def test_other_databases_are_refused_untouched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE other (x)")
    before = path.read_bytes()
    with pytest.raises(HistoryError, match=r"schema 0"):
        History(path)
    db = sqlite3.connect(path)
    assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("other",)]
    db.close()
    assert len(path.read_bytes()) == len(before)


def test_history_of_a_part_says_which_and_takes_no_gap_for_what_others_have(path: Path) -> None:
    history = History(path, copying=True, sharing=True)
    history.store([message(5, 2, released=3), message(9, 1), Message("g-1", EPOCH, gaps=[Gap(12, 13, "outbox full")])])
    assert history.receipt("g-1", EPOCH) == Receipt(EPOCH, 3, 3, 0b11_0000_0000, 0b11_0010_0110)
    history.copies.mark_copied(history.copies.not_copied(2))
    assert history.receipt("g-1", EPOCH) == Receipt(EPOCH, 3, 3, 0b11_0000_0110, 0b11_0010_0110)
    with closing(HistoryReader(path)) as reader:
        assert reader.gaps() == [("g-1", EPOCH, 12, 13, "outbox full")]
    history.close()
    again = History(path, copying=True, sharing=True)
    assert again.receipt("g-1", EPOCH).received_beyond == 0b11_0010_0110
    again.store([message(20, 1, released=9)])
    assert again.receipt("g-1", EPOCH) == Receipt(EPOCH, 9, 9, 0b1100, 0b100_0000_1100)
    again.close()


def test_what_is_asked_for_by_bed_is_one_persons(history: History, reader: HistoryReader) -> None:
    earlier = [replace(measurement(i, event=True), session="s-0", subject="p-00") for i in range(5)]
    earlier += [replace(measurement(i, value=50.0), session="s-0", subject="p-00") for i in range(5)]
    own = [measurement(i) for i in range(5, 9)]
    replayed = [replace(measurement(i), simulated=False) for i in range(3)]
    history.store([Message("g-1", EPOCH, 0, list(enumerate([*earlier, *own, *replayed], 1)))])
    assert [point.value for point in reader.series("bay-1", "cadence")] == [1.25] * 4
    assert {point.session for point in reader.series("bay-1", "cadence")} == {"s-1"}
    assert reader.latest("bay-1") == [own[-1]]  # and no contact of somebody else
    assert [point.value for point in reader.series(None, "cadence", subject="p-00")] == [50.0] * 5
    assert reader.series(None, "cadence", subject="p-00", session="s-1") == []
    assert len(reader.series(None, "cadence", subject="p-01", simulated=False)) == 3
