"""A row that rotted on the disk is known as such: whatever bit it was, whoever reads it, whatever changed before."""

from __future__ import annotations

import math
import sqlite3
import struct
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Settings
from gateway.cli.history import history as see_to_history
from gateway.history import schema
from gateway.history.export import rows_of
from gateway.history.file import ROTTED
from gateway.history.history import History
from gateway.history.importing import bring_over
from gateway.history.reader import HistoryReader
from gateway.history.row_check import AGAIN_S, EVERY_S, RowCheck
from gateway.history.row_sums import carried_sum, insert_row, prepare, row_sum, sound_row
from gateway.history.verification import verify
from gateway.machine.kept_forms import MARKER
from gateway.model.measurement import Measurement
from gateway.model.wall_correction import Correction
from gateway.model.wall_correction import measurements as corrected
from gateway.outbox.file import set_aside
from gateway.upkeep.upkeep import Upkeep
from gateway.wire.payload import Message

EPOCH = "0123456789abcdef"
START_US = 1_790_000_000_000_000
ROWS = 40
VERSION_3 = (
    schema.SCHEMA + schema.CLOCKS + schema.RECORDS + schema.IDENTITY + schema.INTAKE + schema.ARCHIVE + schema.WARD
    + schema.PLANS + "PRAGMA user_version=3;"
)  # fmt: skip
Row = tuple[int | str, ...]


def measured(number: int, session: str = "s-1") -> Measurement:
    end_us = START_US + number * 1_000_000
    return Measurement("cadence", 90.0 + number / 8, "{steps}/min", "left", end_us - 10_000_000, end_us, 2.5, 7, 0,
                       "ok", "", "cadence/1", ("dot-1",), ("left_foot",), "bay-1", session, "p-01", True)  # fmt: skip


def message(*numbers: int) -> Message:
    return Message("g-1", EPOCH, measurements=[(n, measured(n)) for n in numbers])


def opened(path: Path, *, copying: bool = False) -> History:
    return History(path, copying=copying, now=lambda: START_US / 1e6 + 3600)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "history.db"
    history = opened(path)
    history.store([message(*range(1, ROWS + 1))])
    history.close()
    return path


def content(path: Path) -> dict[int, Row]:
    """Return what a reader is given of each number."""
    with closing(HistoryReader(path)) as reader:
        return {row.seq: (row.gateway, row.epoch, row.clock, row.moved_us, *row.made_as, str(row.measurement))
                for row in reader.stored()}  # fmt: skip


def gaps(path: Path) -> set[int]:
    with closing(HistoryReader(path)) as reader:
        return {n for _, _, first, last, why in reader.gaps() for n in range(first, last + 1) if why == ROTTED}


def audit(path: Path) -> list[str]:
    with closing(HistoryReader(path)) as reader:
        return [record.what for record in reader.records("audit")]


def record(path: Path, number: int) -> tuple[int, int]:
    """Return where in the file a row begins, with its length and its id, and where it ends."""
    data = path.read_bytes()
    times = struct.pack(">qq", measured(number).start_us, measured(number).end_us)
    assert data.count(times) == 1
    # Before the times: the number, a header of a byte a column and one of itself, id and length of the row.
    begin = data.index(times) - 1 - 17 - 2
    return begin, begin + 2 + data[begin]


def flip(path: Path, byte: int, bit: int = 0) -> None:
    with path.open("r+b") as file:
        file.seek(byte)
        (was,) = file.read(1)
        file.seek(byte)
        file.write(bytes([was ^ 1 << bit]))


def rot_value(path: Path, *numbers: int) -> None:
    """Change one bit of the value of some rows."""
    for number in numbers:
        times = struct.pack(">qq", measured(number).start_us, measured(number).end_us)
        flip(path, path.read_bytes().index(times) + 16 + 2, 3)


def check_all(history: History) -> None:
    """Look at all rows, as the historian's upkeep does."""
    clock = iter(range(0, 10**9, 10))
    check = RowCheck(history.database, monotonic=clock.__next__)
    for _ in range(4):
        check.work()


def test_no_bit_of_a_row_changes_what_is_read_without_a_word(path: Path) -> None:
    """Each bit of a row: what is read is as it was, or missing; after the check nothing is missing without a word."""
    before, image = content(path), path.read_bytes()
    begin, end = record(path, 17)
    found = mended = 0
    for at in range((end - begin) * 8):
        for side in ("-wal", "-shm"):
            path.with_name(path.name + side).unlink(missing_ok=True)
        path.write_bytes(image)
        flip(path, begin + at // 8, at % 8)
        try:
            shown = content(path)
        except sqlite3.DatabaseError:
            shown = {}  # it says so itself
        assert shown.items() <= before.items(), at
        with closing(opened(path)) as history:
            check_all(history)
            after, told = content(path), gaps(path)
            assert after.items() <= before.items(), at
            if not history.database.replaced:  # else the file was set aside, and is brought over
                assert set(after) | told == set(before), at
                assert not set(after) & told, at
                with history.database.reading() as db:
                    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",), at
            found += bool(told)
            mended += len(shown) < len(after)
    assert found > 200
    assert mended > 50


@pytest.mark.parametrize(("index", "bits"), [("seq", 6 * 8), ("end_us", 14 * 8)])
def test_no_bit_of_an_index_hides_a_row_for_long(path: Path, index: str, bits: int) -> None:
    """Each bit of a row's entries: the row is put back in its index, or the file is set aside as damaged."""
    before, image = content(path), path.read_bytes()
    times = struct.pack(">q", measured(17).end_us)
    # An entry: its length, a header of four bytes, and what it is of, the id last; number and id are 17, all else is 1.
    whole = {"seq": b"\x06\x04\x09\x01\x01\x11\x11", "end_us": b"\x04\x09\x06\x01" + times + b"\x11"}[index]
    assert image.count(whole) == 1
    mended = 0
    for at in range(bits):
        for side in ("-wal", "-shm"):
            path.with_name(path.name + side).unlink(missing_ok=True)
        path.write_bytes(image)
        flip(path, image.index(whole) + at // 8, at % 8)
        with closing(opened(path)) as history:
            check_all(history)
            if not history.database.replaced:
                assert content(path) == before, at
                if "rows-mended" in audit(path):  # else the entry is there, and the start's own check looks at the rest
                    mended += 1
                    with history.database.reading() as db:
                        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",), at
    assert mended >= 2


@pytest.mark.parametrize("column", ["slot", "session", "subject", "metric", "side", "devices"])
def test_a_series_that_names_another_is_shown_to_nobody_and_put_right_from_its_index(path: Path, column: str) -> None:
    before = content(path)
    with closing(sqlite3.connect(path)) as db:
        (text,) = db.execute(f"SELECT {column} FROM series").fetchone()  # noqa: S608 - a name of ours
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = path.read_bytes()
    whole = b"bay-1s-1p-01cadenceleft{steps}/mincadence/1dot-1left_foot"
    places = [i for i in range(len(data)) if data.startswith(whole, i)]
    assert len(places) == 2  # the row and its index
    for place in places:
        path.write_bytes(data)
        flip(path, place + whole.index(text.encode()) + len(text) - 1)
        assert content(path).items() <= before.items()
        with closing(opened(path)) as history:
            check_all(history)
            if not history.database.replaced:
                assert content(path) == before


def test_a_row_that_rotted_is_told_and_leaves_a_gap(path: Path) -> None:
    before = content(path)
    rot_value(path, 3, 40)
    assert verify(path).rotten == 2
    with closing(opened(path)) as history:
        check_all(history)
        assert content(path) == {n: row for n, row in before.items() if n not in {3, 40}}
        assert gaps(path) == {3, 40}
        assert history.database.rotted == 2
        assert [notice.code for notice in history.notices("g-1")] == ["data-in-doubt"]
        receipt = history.receipt("g-1", EPOCH)
        assert (receipt.stored, receipt.lost) == (ROWS, 2)
        history.store([message(41)])  # ids go on: what was copied, and counted, is not that again
        with history.database.reading() as db:
            assert db.execute("SELECT max(id) FROM measurements").fetchone()[0] == 41
    assert audit(path) == ["rows-rotted"]
    assert verify(path).is_whole


def test_the_command_says_what_was_checked_and_what_was_not(path: Path, tmp_path: Path) -> None:
    settings = Settings.model_validate({"site": {"data": tmp_path}})
    options = {"yes": False, "dry_run": False, "delete_files": False, "confirm": False}
    assert see_to_history("verify", settings, "", **options) == 0
    rot_value(path, 3)
    assert see_to_history("verify", settings, "", **options) == 1
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size - 8_192)
    assert see_to_history("verify", settings, "", **options) == 1


def test_a_copy_that_comes_again_takes_the_place_of_what_rotted(path: Path) -> None:
    before = content(path)
    rot_value(path, 3, 5)
    with closing(opened(path)) as history:
        history.store([message(3)])  # before anybody looked
        check_all(history)
        assert gaps(path) == {5}
        history.store([message(5)])
    assert content(path) == before
    assert gaps(path) == set()


def test_what_rotted_goes_to_no_store_and_no_receipt_waits_for_it(path: Path) -> None:
    rot_value(path, 3)
    with closing(opened(path, copying=True)) as history:
        assert history.receipt("g-1", EPOCH).stored == 0
        rows = history.copies.not_copied(100)
        assert [row.seq for row in rows] == [n for n in range(1, ROWS + 1) if n != 3]
        history.copies.mark_copied(rows)
        assert history.receipt("g-1", EPOCH).stored == ROWS
    assert gaps(path) == {3}


def test_what_rotted_counts_in_no_minute_and_no_export_and_is_not_brought_over(path: Path) -> None:
    rot_value(path, 3)
    assert sum(len(page) for page in rows_of(path, "p-01")) == ROWS - 1
    with closing(opened(path)) as history:
        with history.database.transaction() as db:
            assert db.execute("SELECT count(*) FROM measurements").fetchone() == (ROWS,)  # nobody looked yet
        upkeep = Upkeep(history.database, keep_days=100_000, share=0.05)
        upkeep.step()
        with history.database.transaction() as db:
            assert db.execute("SELECT sum(n) FROM minutes").fetchone() == (ROWS - 1,)
    set_aside(path)
    with closing(opened(path)) as history:
        assert bring_over(history, lambda: False) == ROWS - 1
    assert 3 not in content(path)


def test_a_change_keeps_a_right_sum_right_and_a_wrong_one_wrong(path: Path) -> None:
    rot_value(path, 3)
    word = corrected(Correction(3_000_000, believed=True), [("s-1", "")], at_us=START_US, simulated=True)[0]
    with closing(opened(path)) as history:
        history.store([Message("g-1", EPOCH, measurements=[(ROWS + 1, word)])])
        found = verify(path)
        assert (found.rotten, found.checked) == (1, ROWS - 1)
    with closing(HistoryReader(path)) as reader:
        assert {row.moved_us for row in reader.stored()} == {3_000_000}


def test_all_rows_are_looked_at_again_each_day(path: Path) -> None:
    now = [0.0]
    with closing(opened(path)) as history:
        check = RowCheck(history.database, monotonic=lambda: now[0])
        for _ in range(3):
            check.work()
            now[0] += EVERY_S
        with history.database.transaction() as db:
            db.execute("UPDATE measurements SET value = value + 1 WHERE seq = 3")
        check.work()
        assert gaps(path) == set()
        now[0] += AGAIN_S
        check.work()
        assert gaps(path) == {3}


def make_version_3(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(f"PRAGMA journal_mode=WAL;{VERSION_3}")


def test_a_history_that_keeps_its_form_works_without_sums_and_gets_them_when_the_way_back_is_given_up(
    tmp_path: Path,
) -> None:
    path, marker = tmp_path / "history.db", tmp_path / MARKER
    make_version_3(path)
    marker.write_text("{}")
    word = corrected(Correction(3_000_000, believed=True), [("s-1", "")], at_us=START_US, simulated=True)[0]
    with closing(opened(path, copying=True)) as history, closing(HistoryReader(path)) as reader:
        history.store([message(1, 2), Message("g-1", EPOCH, measurements=[(3, word)])])
        assert [row.seq for row in history.copies.not_copied(9)] == [row.seq for row in reader.stored()] == [1, 2]
        check_all(history)
        with history.database.reading() as db:
            assert db.execute("PRAGMA user_version").fetchone() == (3,)
            assert "sum" not in [row[1] for row in db.execute("PRAGMA table_info(measurements)")]
        found = verify(path)
        assert (found.checked, found.unchecked, found.is_whole) == (0, 2, True)
        marker.unlink()
        history.close()
        with closing(opened(path)) as taken_on:
            taken_on.store([message(4)])
            assert [row.seq for row in reader.stored()] == [1, 2, 4]
            check_all(taken_on)
            found = verify(path)
            assert (found.checked, found.unchecked, found.is_whole) == (1, 2, True)
            with taken_on.database.transaction() as db:
                db.execute("UPDATE measurements SET value = 0 WHERE seq = 4")
            assert [row.seq for row in reader.stored()] == [1, 2]  # the reader was open all the time


def test_rows_of_an_older_version_have_no_sum_and_a_lost_sum_is_no_excuse(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    make_version_3(path)
    (tmp_path / MARKER).write_text("{}")
    with closing(opened(path)) as history:
        history.store([message(1)])
    (tmp_path / MARKER).unlink()
    with closing(opened(path, copying=True)) as history:
        history.store([message(2)])
        with history.database.transaction() as db:
            db.execute("UPDATE measurements SET sum = NULL")
        assert list(content(path)) == [1]


NUMBER = st.one_of(st.none(), st.floats(), st.integers(-(2**63), 2**63 - 1))
WHOLE = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-2, 2))


@given(st.tuples(WHOLE, WHOLE, WHOLE, NUMBER, NUMBER, WHOLE, WHOLE, st.one_of(st.none(), WHOLE)), st.text())
def test_what_sqlite_gives_back_has_the_sum_of_what_it_was_given(row: tuple[int, ...], reason: str) -> None:
    """Also of zeros with a sign, numbers that are none, and whole numbers in columns of reals."""
    series, start, end, value, sync, n, quality, made = row
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript(VERSION_3 + schema.FROM_3 + f"PRAGMA user_version={schema.SCHEMA_VERSION}")
        prepare(db, reads_only=False)
        written = (1, 2, series, start, end, value, sync, n, 0, quality, 0, 0, made, reason)
        try:
            insert_row(db, written, summed=True)
        except UnicodeEncodeError:
            return  # half of a pair: no message can bring it
        if "\0" not in reason:
            assert db.execute(f"SELECT {sound_row()} FROM measurements").fetchone() == (1,)  # noqa: S608


@given(st.integers(-(2**31), 2**31 - 1), st.integers(-(2**31), 2**31 - 1), st.integers(1, 2**31 - 1))
def test_a_carried_sum_is_as_right_as_it_was(was: int, now: int, wrong_by: int) -> None:
    assert carried_sum(was, was, now) == now
    assert carried_sum(was ^ wrong_by, was, now) != now
    assert carried_sum(None, was, now) is None


@pytest.mark.parametrize("spoilt", [
    lambda row: (1.5, *row[1:]), lambda row: (*row[:7], "7", *row[8:]), lambda row: (*row[:-1], None),
])  # fmt: skip
def test_what_no_writer_writes_has_no_sum(spoilt: Callable[[tuple[object, ...]], tuple[object, ...]]) -> None:
    row = (1, 2, 3, 4, 5, 6.0, math.inf, 7, 0, 0, 0, 0, None, b"")
    assert row_sum(*row) is not None
    assert row_sum(*spoilt(row)) is None  # type: ignore[arg-type] # that is what it is about
