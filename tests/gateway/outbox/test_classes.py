"""What has to go first, how that is told, what it costs, and files of older versions."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from zlib import crc32

import orjson
import pytest

from gateway.machine.facts import TRUE_FROM_US
from gateway.model.measurement import Measurement
from gateway.model.records import Record
from gateway.model.row import AUDIT, EVENT, METRIC, Gap, Row
from gateway.outbox import outbox as outbox_module
from gateway.outbox import pending as pending_module
from gateway.outbox.age_limit import SETTLED_S, AgeLimit
from gateway.outbox.eviction import ROW_OVERHEAD
from gateway.outbox.file import OutboxFile
from gateway.outbox.gap_table import GAP_BYTES
from gateway.outbox.group import Group
from gateway.outbox.outbox import OUTBOX_FULL, TOO_OLD, Outbox
from gateway.outbox.schema import TABLES
from tests.gateway.damage import connections_made, run_sql
from tests.gateway.samples import START_US, measurement

CAP = 100_000
NO_LIMIT = 1 << 40
DAY_S = 86_400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def file(path: Path) -> Iterator[OutboxFile]:
    opened = OutboxFile(path)
    yield opened
    opened.close(clean=True)


def rows(first: int, ranks: str, *, size: int = 400) -> list[tuple[Row, int]]:
    """Return rows of classes by letter: m, e, a."""
    return [
        (Row(seq, "bay-1" if letter != "a" else "", "mea".index(letter), b"x" * size), START_US + seq)
        for seq, letter in enumerate(ranks, first)
    ]


def write(file: OutboxFile, ranks: str, *, max_bytes: int = NO_LIMIT, released: int = 0) -> int:
    made = rows(file.last_seq + 1, ranks)
    return file.commit(Group(made, last_seq=file.last_seq + len(made)), released=released, max_bytes=max_bytes)


def kept(file: OutboxFile) -> str:
    return "".join("mea"[row.rank] for row in file.read(0, 1_000_000))


def consistent(file: OutboxFile) -> None:
    """Every number up to the last is a row or in one gap, none in both, and the counts are what is there."""
    there = file.read(0, 1_000_000)
    gaps = file.gaps(1_000_000)
    numbers = [row.seq for row in there] + [seq for gap in gaps for seq in range(gap.first, gap.last + 1)]
    assert sorted(numbers) == list(range(file.first_kept, file.last_seq + 1))
    assert file.depths == [sum(row.rank == rank for row in there) for rank in range(len(TABLES))]
    assert file.bytes == sum(len(row.payload) + ROW_OVERHEAD for row in there) + GAP_BYTES * len(gaps)
    assert all(b.first > a.last + 1 or b.reason != a.reason for a, b in pairwise(gaps))


def test_lower_classes_go_first_and_the_oldest_of_each(file: OutboxFile) -> None:
    write(file, "aememmea" * 10)
    for room, left in ((70, "metrics"), (45, "events"), (15, "audit")):
        write(file, "", max_bytes=room * 448)
        consistent(file)
        assert file.bytes <= room * 448
        found = kept(file)
        assert {"metrics": "mea", "events": "ea", "audit": "a"}[left].startswith(min(found, key="mea".index))
    assert set(kept(file)) == {"a"}
    assert file.read(0, 1)[0].seq > 1, "even of the audit the oldest had to go"
    assert file.gaps(1)[0].first == 1


def test_what_a_commit_brings_goes_after_what_was_there_but_never_before_the_audit(file: OutboxFile) -> None:
    write(file, "ee" + "a" * 8)
    write(file, "mm", max_bytes=10 * 448 + 2 * GAP_BYTES)
    assert kept(file) == "aaaaaaaamm", "the old events made room for what is live"
    write(file, "mmm", max_bytes=9 * 448 + 6 * GAP_BYTES)
    assert kept(file) == "aaaaaaaam", "the audit did not"
    consistent(file)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_comes_and_goes_numbers_and_sizes_agree(path: Path, seed: int) -> None:
    rng = random.Random(seed)
    file = OutboxFile(path)
    for _ in range(60):
        ranks = "".join(rng.choices("mea", (8, 4, 1), k=rng.randrange(40)))
        released = rng.choice((0, file.first_kept + 20))
        write(file, ranks, max_bytes=rng.choice((NO_LIMIT, 60_000, 30_000)), released=released)
        consistent(file)
        if rng.random() < 0.1:
            file.close(clean=rng.random() < 0.5)
            file = OutboxFile(path)
            consistent(file)
    file.close(clean=False)


def test_dropping_looks_at_what_goes_and_not_at_what_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted in steps of SQLite's machine, which do not depend on who else uses this computer."""
    connections = connections_made(monkeypatch)
    file = OutboxFile(path)
    writing = connections[0]

    def steps(kept_rows: int) -> int:
        write(file, "em" * (kept_rows // 2))
        cap = file.bytes
        write(file, "em" * 8, max_bytes=cap)
        count = 0

        def tick() -> None:
            nonlocal count
            count += 1

        writing.set_progress_handler(tick, 100)
        write(file, "em" * 8, max_bytes=cap)
        writing.set_progress_handler(None, 0)
        return count

    few = steps(500)
    assert steps(20_000) < 2 * few + 5
    file.close(clean=True)


def test_pages_of_dropped_metrics_are_free_although_events_between_them_stay(file: OutboxFile, path: Path) -> None:
    for _ in range(20):
        write(file, "em" * 500)
    run_sql(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    half = file.bytes // 2 + 10_000 * GAP_BYTES
    for _ in range(10):
        write(file, "", max_bytes=half)
    run_sql(path, "PRAGMA wal_checkpoint(TRUNCATE)")
    assert set(kept(file)) == {"e"}
    assert path.stat().st_size < 0.75 * size


def test_old_rows_of_every_class_go_with_what_lies_before_them(file: OutboxFile) -> None:
    made = [(row, us) for (row, _), us in zip(rows(1, "maemae"), (100, 5, 200, 300, 400, 500), strict=True)]
    file.commit(Group(made, last_seq=6), released=0, max_bytes=NO_LIMIT, made_before=(50, 301))
    assert [row.seq for row in file.read(0, 10)] == [2, 5, 6], "the clock of 2 had not been set"
    assert file.gaps(10) == [Gap(1, 1, TOO_OLD), Gap(3, 4, TOO_OLD)]
    assert file.dropped == {(TOO_OLD, METRIC): 2, (TOO_OLD, EVENT): 1}
    file.commit(Group(last_seq=6), released=0, max_bytes=NO_LIMIT, made_before=(50, 401))
    assert [row.seq for row in file.read(0, 10)] == [6]
    consistent(file)


class Clocks:
    def __init__(self, wall_us: int) -> None:
        self.wall = wall_us / 1e6
        self.monotonic = 100.0

    def run(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds

    def limit(self, days: float) -> AgeLimit:
        return AgeLimit(days * DAY_S, now=lambda: self.wall, monotonic=lambda: self.monotonic)


def test_ages_count_once_the_clock_has_settled() -> None:
    clocks = Clocks(START_US)
    limit = clocks.limit(30)
    assert limit.made_before() is None, "a start in a wrong year drops nothing"
    clocks.run(SETTLED_S + 1)
    assert limit.made_before() == (TRUE_FROM_US, round((clocks.wall - 30 * DAY_S) * 1e6))
    assert limit.made_before() is None, "not with every commit"
    limit.again()
    assert limit.made_before()
    clocks.wall += 40 * DAY_S
    limit.again()
    assert limit.made_before() is None, "a step drops nothing"
    clocks.run(SETTLED_S / 2)
    assert limit.made_before() is None
    clocks.run(SETTLED_S)
    assert limit.made_before()


def test_outbox_drops_what_nobody_took_for_too_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.outbox.age_limit.SETTLED_S", 0.0)
    monkeypatch.setattr("gateway.outbox.age_limit.LOOK_S", 0.0)
    day = [START_US / 1e6]
    box = Outbox(path, max_age_s=30 * DAY_S, now=lambda: day[0])
    box.append([measurement(n, event=n % 2 == 0) for n in range(4)])
    assert box.flush()
    day[0] += 20 * DAY_S
    box.append([measurement(4)])
    assert box.flush()
    day[0] += 15 * DAY_S
    for _ in range(2):  # a clock that was set is looked at twice
        box.append([measurement(5)])
        assert box.flush()
    assert [row.seq for row in box.read(0, 10)] == [5, 6, 7]
    assert box.gaps() == [Gap(1, 4, TOO_OLD)]
    assert box.classes()["metric"] == {"depth": 3, "oldest_s": 15 * DAY_S, "dropped": {TOO_OLD: 2}}
    assert box.classes()["event"] == {"depth": 0, "oldest_s": 0.0, "dropped": {TOO_OLD: 2}}
    box.close()


def test_memory_lets_go_by_class_while_the_disk_refuses(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_module, "PENDING_MAX", 40)
    box = Outbox(path, commit_s=60)
    box.append([measurement(n, event=n % 2 == 0) for n in range(40)])
    box.record(Record("audit", "start", START_US, {}))
    first = box.append([measurement(n) for n in range(30)])
    assert first == 42
    assert box.state().last_seq == 71
    assert box.flush()
    kept = box.read(0, 100)
    assert len(kept) == 40
    assert [row.seq for row in kept if row.rank == EVENT] == list(range(1, 41, 2)), "no event while a metric was there"
    assert [row.rank for row in kept if row.seq == 41] == [AUDIT]
    assert {row.seq for row in kept} | {n for g in box.gaps() for n in range(g.first, g.last + 1)} == set(range(1, 72))
    assert box.classes()["metric"]["dropped"] == {"disk slow": 31}
    box.close()


def test_the_audit_is_chained_through_a_restart(path: Path) -> None:
    seen = []
    for n in range(3):
        box = Outbox(path)
        for what in ("start", "stop"):
            box.append([measurement(n)])
            box.record(Record("audit", what, START_US + n, {"devices": ["dot-1"]}))
        box.close()
    box = Outbox(path)
    for row in box.read(0, 100):
        fields = orjson.loads(row.payload)
        if row.rank == AUDIT:
            assert row.slot == ""
            seen.append((fields["n"], fields["previous"]))
    box.close()
    assert [n for n, _ in seen] == [1, 2, 3, 4, 5, 6]
    assert seen[0][1] == ""
    assert len({previous for _, previous in seen}) == 6


VERSION_1 = """
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), epoch TEXT NOT NULL, last_seq INTEGER NOT NULL,
                    depth INTEGER NOT NULL, bytes INTEGER NOT NULL, clean INTEGER NOT NULL);
CREATE TABLE rows (seq INTEGER PRIMARY KEY, slot TEXT NOT NULL, event INTEGER NOT NULL, made_us INTEGER NOT NULL,
                   crc INTEGER NOT NULL, payload BLOB NOT NULL);
CREATE TABLE gaps (first INTEGER PRIMARY KEY, last INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE dropped (reason TEXT PRIMARY KEY, n INTEGER NOT NULL);
PRAGMA user_version = 1;
"""
EPOCH = "0123456789abcdef"


def version_1(path: Path, made: list[Measurement], *, clean: bool) -> None:
    """Make a file as the first version wrote it: rows 11 to 10 + n, and a gap before."""
    payloads = [outbox_module.encode(m, seq) for seq, m in enumerate(made, 11)]
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(f"PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=WAL; {VERSION_1}")
        db.executemany(
            "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)",
            [
                (seq, m.slot, m.start_us == m.end_us, m.end_us, crc32(payload), payload)
                for seq, (m, payload) in enumerate(zip(made, payloads, strict=True), 11)
            ],
        )
        db.execute("INSERT INTO gaps VALUES (3, 10, 'outbox full')")
        db.execute("INSERT INTO dropped VALUES ('outbox full', 10)")
        size = sum(len(payload) + ROW_OVERHEAD for payload in payloads)
        db.execute("INSERT INTO state VALUES (1, ?, ?, ?, ?, ?)", (EPOCH, 10 + len(made), len(made), size, clean))


@pytest.mark.parametrize("clean", [True, False])
def test_a_file_of_version_1_goes_on(path: Path, *, clean: bool) -> None:
    made = [measurement(n, event=n % 3 == 0) for n in range(50)]
    version_1(path, made, clean=clean)
    box = Outbox(path)
    assert (box.epoch, box.state().durable_seq, box.state().depth) == (EPOCH, 60, 50)
    assert box.gaps() == [Gap(3, 10, OUTBOX_FULL)]
    assert box.state().dropped == {OUTBOX_FULL: 10}
    assert box.classes()["unknown"]["dropped"] == {OUTBOX_FULL: 10}
    box.append([measurement(50)])
    assert box.flush()
    found = box.read(0, 100)
    assert [row.seq for row in found] == list(range(11, 62))
    assert [row.rank for row in found] == [EVENT if n % 3 == 0 else METRIC for n in range(50)] + [METRIC]
    assert [row.payload for row in found[:50]] == [outbox_module.encode(m, n) for n, m in enumerate(made, 11)]
    box.close()
    again = OutboxFile(path)
    consistent(again)
    again.close(clean=True)
    assert not list(path.parent.glob("*.corrupt-*"))


def test_a_file_of_version_1_that_does_not_agree_with_itself_is_set_aside(path: Path) -> None:
    version_1(path, [measurement(n) for n in range(50)], clean=False)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("DELETE FROM rows WHERE seq = 20")
    box = Outbox(path)
    assert box.epoch != EPOCH
    assert box.aside == ["outbox.db.corrupt-1"]
    box.close()


def test_a_file_of_a_version_that_there_never_was_is_set_aside(path: Path) -> None:
    OutboxFile(path).close(clean=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version = 33554434")
    box = Outbox(path)
    assert box.state().set_aside == 1
    box.close()


def test_what_json_cannot_hold_leaves_the_chain_whole(path: Path) -> None:
    box = Outbox(path)
    for bad in (replace, 1):
        box.record(Record("audit", "start", START_US, {"bad": bad}))
    assert box.flush()
    assert [orjson.loads(row.payload)["n"] for row in box.read(0, 10)] == [1]
    assert box.gaps() == [Gap(1, 1, "not encodable")]
    assert box.classes()["audit"]["dropped"] == {"not encodable": 1}
    box.close()
