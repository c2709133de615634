"""A history and an outbox that the released version made: taken on with every number, and the way back."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.history.history import History
from gateway.history.kept_copy import copy_path
from gateway.history.reader import HistoryReader
from gateway.history.schema import SCHEMA_VERSION
from gateway.outbox.outbox import Outbox
from gateway.upkeep.upkeep import Upkeep
from tests.gateway.history.ward_gateway import Gateway

RELEASED = Path(__file__).with_name("released")
OF_VERSION_2 = ("epochs", "series", "measurements", "gaps", "rejected", "sessions", "copying", "clocks", "records")
Rows = dict[str, list[tuple[Any, ...]]]


def make(folder: Path, name: str) -> Path:
    path = folder / f"{name}.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(gzip.decompress((RELEASED / f"{name}.sql.gz").read_bytes()).decode())
        db.execute("PRAGMA journal_mode=WAL")
    return path


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def columns(path: Path) -> dict[str, str]:
    """Return the columns of each table of a released history."""
    with closing(sqlite3.connect(path)) as db:
        return {
            table: ", ".join(row[1] for row in db.execute(f"PRAGMA table_info({table})"))
            for table in (*OF_VERSION_2, "readable")
        }


def content(path: Path, of: dict[str, str]) -> Rows:
    """Return every row of every table, by the columns that the released version has."""
    with closing(sqlite3.connect(path)) as db:
        return {
            table: db.execute(f"SELECT {wanted} FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608 - our own text
            for table, wanted in of.items()
        }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make(tmp_path, "history")


def test_every_number_of_a_released_history_is_equal_and_the_copy_leads_back(path: Path) -> None:
    assert version(path) == 2
    wanted = columns(path)
    before = content(path, wanted)
    assert {table: len(found) for table, found in before.items() if found} == {
        "epochs": 1, "series": 12, "measurements": 335, "gaps": 2, "rejected": 1, "sessions": 6, "copying": 1,
        "clocks": 1, "records": 8, "readable": 335,
    }  # fmt: skip
    history = History(path)
    upkeep = Upkeep(history.database, keep_days=100_000, share=0.05)
    while upkeep.step():
        pass
    epoch = before["epochs"][0][2]
    receipt = history.receipt("gateway-1", epoch)
    history.close()
    assert version(path) == SCHEMA_VERSION
    assert content(path, wanted) == before
    assert (receipt.stored, receipt.received) == (99, 99)  # number 100 never came
    with closing(HistoryReader(path)) as reader:
        assert reader.count() == len(reader.stored()) == 335
        trend = reader.trend("cadence", slot="bay-1", from_us=0, to_us=2**53)
        assert sum(bucket.n for bucket in trend) == len(reader.series("bay-1", "cadence"))
    kept = copy_path(path, 2)
    assert stat.S_IMODE(kept.stat().st_mode) & 0o027 == 0
    assert version(kept) == 2
    assert content(kept, wanted) == before
    # The way back, as operations.md has it.
    for file in (path, *path.parent.glob("history.db-*")):
        file.unlink()
    kept.rename(path)
    assert (version(path), content(path, wanted)) == (2, before)
    assert list(path.parent.glob("history.db*")) == [path]


def test_a_migrated_history_can_be_corrected(path: Path, tmp_path: Path) -> None:
    history = History(path)
    gateway = Gateway(tmp_path, "g-9")
    session = gateway.session(10, 20, value=5.0)
    gateway.do(30, "session-correct", session=session, subject="p-right")
    gateway.send(history)
    with closing(HistoryReader(path)) as reader:
        assert [point.value for point in reader.series(None, "cadence", subject="p-right")] == [5.0] * 10
    gateway.registry.close()
    history.close()


def test_without_room_for_a_copy_it_is_taken_on_and_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wanted = columns(path)
    before = content(path, wanted)
    full = shutil.disk_usage(path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    History(path).close()
    assert "no room for a copy" in caplog.text
    assert not copy_path(path, 2).exists()
    assert content(path, wanted) == before


def test_every_row_of_a_released_outbox_is_equal_and_the_released_version_could_go_on(tmp_path: Path) -> None:
    path = make(tmp_path, "outbox")
    tables = dict.fromkeys(("metrics", "events", "audits"), "seq, slot, made_us, crc, payload")
    tables |= {
        "gaps": "first, last, reason",
        "dropped": "reason, class, n",
        "state": "epoch, last_seq, chain_n, chain_head",
    }
    before = content(path, tables)
    outbox = Outbox(path)
    rows = outbox.read(0, 1000)
    state = outbox.state()
    outbox.close()
    assert {row.seq: row.payload for row in rows} == {
        row[0]: row[4] for name in ("metrics", "events", "audits") for row in before[name]
    }
    assert [orjson.loads(row.payload)["seq"] for row in rows] == [row.seq for row in rows]
    assert (state.epoch, state.durable_seq) == before["state"][0][:2]
    assert content(path, tables) == before
    assert version(path) == 2  # no other form than before: the released version reads it
