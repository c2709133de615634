from __future__ import annotations

import json
import logging
import random
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.model.measurement import Measurement
from gateway.model.row import Gap, Row
from gateway.outbox import pending as pending_module
from gateway.outbox import writer
from gateway.outbox.file import OutboxFile, set_aside
from gateway.outbox.outbox import OUTBOX_FULL, Outbox
from tests.gateway.damage import connections_made, run_sql
from tests.gateway.samples import measurement, ward


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    box = Outbox(path, commit_s=0.01)
    yield box
    box.close()


def everything(box: Outbox) -> list[Row]:
    rows: list[Row] = []
    while more := box.read(rows[-1].seq if rows else 0, 1000):
        rows += more
    return rows


def decoded(row: Row) -> Measurement:
    fields = json.loads(row.payload)
    assert fields.pop("seq") == row.seq
    return Measurement.from_dict(fields)


def test_rows_come_back_in_order_with_numbers_and_every_field(outbox: Outbox) -> None:
    made = ward(250)
    outbox.append(made[:100])
    outbox.append(made[100:], urgent=True)
    assert outbox.flush()
    rows = everything(outbox)
    assert [row.seq for row in rows] == list(range(1, 251))
    assert [decoded(row) for row in rows] == made
    assert [row.slot for row in rows] == [m.slot for m in made]
    assert [row.urgent for row in rows] == [m.start_us == m.end_us for m in made]
    assert outbox.read(248, 1)[0].seq == 249


def test_listener_hears_of_rows_only_when_they_can_be_read(path: Path) -> None:
    committed = threading.Event()
    box = Outbox(path, commit_s=0.01, on_commit=committed.set)
    box.append([measurement()])
    assert committed.wait(5)
    assert [row.seq for row in box.read(0, 10)] == [1]
    box.close()


def test_numbers_and_epoch_go_on_over_a_restart_even_when_all_is_released(path: Path) -> None:
    box = Outbox(path)
    epoch = box.epoch
    assert len(epoch) == 16
    box.append(ward(10))
    assert box.flush()
    box.release(epoch, 10)
    box.append(ward(1))
    assert box.flush()
    box.release(epoch, 11)
    box.close()
    box = Outbox(path)
    assert box.epoch == epoch
    box.append(ward(1))
    assert box.flush()
    assert everything(box)[-1].seq == 12
    box.close()


def test_close_writes_what_is_pending(path: Path) -> None:
    box = Outbox(path, commit_s=60)
    box.append(ward(20))
    box.close()
    box = Outbox(path)
    assert len(everything(box)) == 20
    box.close()


def wait_for(box: Outbox, released: int) -> None:
    done = threading.Event()

    def look() -> None:
        if box.state().released_seq >= released:
            done.set()

    box.subscribe(look)
    look()
    assert done.wait(5)


def test_receipt_trims_rows_and_bytes_fall(outbox: Outbox, path: Path) -> None:
    outbox.append(ward(5000))
    assert outbox.flush()
    before = outbox.state()
    run_sql(outbox.path, "PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    outbox.release(outbox.epoch, 4990)
    wait_for(outbox, 4990)
    after = outbox.state()
    assert [row.seq for row in everything(outbox)] == list(range(4991, 5001))
    assert (before.depth, after.depth) == (5000, 10)
    assert after.bytes < before.bytes / 100
    outbox.release(outbox.epoch, 5000)
    wait_for(outbox, 5000)
    assert outbox.state().depth == outbox.state().bytes == 0
    outbox.append(ward(1))
    outbox.close()
    assert path.stat().st_size < size * 0.6


def test_receipt_of_another_epoch_is_ignored(outbox: Outbox) -> None:
    outbox.append(ward(10))
    assert outbox.flush()
    outbox.release("0" * 16, 10)
    outbox.append(ward(1))
    assert outbox.flush()
    assert outbox.state().depth == 11


def test_receipt_beyond_what_was_sent_releases_no_row_to_come(outbox: Outbox) -> None:
    outbox.append(ward(3))
    assert outbox.flush()
    outbox.release(outbox.epoch, 1_000_000)
    wait_for(outbox, 3)
    outbox.append(ward(2))
    assert outbox.flush()
    assert [row.seq for row in everything(outbox)] == [4, 5]


def metrics(n: int) -> list[Measurement]:
    return [measurement(i) for i in range(n)]


def test_cap_drops_the_oldest_and_keeps_the_gap_until_a_receipt_covers_it(path: Path) -> None:
    box = Outbox(path, max_bytes=100_000)
    for _ in range(10):
        box.append(metrics(100))
        assert box.flush()
    state = box.state()
    rows = everything(box)
    assert state.bytes <= 100_000
    assert rows[-1].seq == 1000
    assert len(rows) == state.depth == 1000 - state.dropped[OUTBOX_FULL]
    lost = rows[0].seq - 1
    assert box.gaps() == [Gap(1, lost, OUTBOX_FULL)]
    box.close()

    box = Outbox(path, max_bytes=100_000)
    assert box.gaps() == [Gap(1, lost, OUTBOX_FULL)]
    assert box.state().dropped == {OUTBOX_FULL: lost}
    box.release(box.epoch, 10)
    wait_for(box, 10)
    assert box.gaps() == [Gap(11, lost, OUTBOX_FULL)]
    box.release(box.epoch, lost)
    wait_for(box, lost)
    assert box.gaps() == []
    box.close()


def test_memory_is_bounded_while_the_disk_hangs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending_module, "PENDING_MAX", 50)
    box = Outbox(path, commit_s=60)
    made = metrics(80)
    box.append(made)
    assert box.state().last_seq == 80
    assert box.flush()
    assert box.gaps() == [Gap(1, 30, "disk slow")]
    assert [decoded(row) for row in everything(box)] == made[30:]
    assert box.state().dropped == {"disk slow": 30}
    box.close()


@pytest.mark.parametrize("field", [{"session": object()}, {"n": float("nan")}, {"value": (1.0, 2.0)}])
def test_measurement_that_json_cannot_hold_becomes_a_gap(outbox: Outbox, field: dict[str, Any]) -> None:
    bad = replace(measurement(1), **field)
    outbox.append([measurement(0), bad, measurement(2)])
    assert outbox.flush()
    assert [row.seq for row in everything(outbox)] == [1, 3]
    assert outbox.gaps() == [Gap(2, 2, "not encodable")]


def test_full_disk_keeps_measurements_in_memory_until_there_is_room(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer, "RETRY_S", 0.05)
    connections = connections_made(monkeypatch)
    box = Outbox(path, commit_s=0.01)
    write = connections[0]
    pages = write.execute("PRAGMA page_count").fetchone()[0]
    write.execute(f"PRAGMA max_page_count={pages + 4}")
    box.append(ward(200))
    assert not box.flush(0.3)
    assert "full" in box.state().error
    assert box.state().durable_seq == 0
    assert box.state().depth == 200
    write.execute("PRAGMA max_page_count=1000000")
    assert box.flush()
    assert box.state().error == ""
    assert [row.seq for row in everything(box)] == list(range(1, 201))
    box.close()
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.9])
def test_torn_file_is_set_aside_and_a_new_epoch_begins(path: Path, keep: float) -> None:
    box = Outbox(path)
    epoch = box.epoch
    box.append(ward(500))
    box.close()
    # As after a crash: not marked as closed in good order.
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE state SET clean = 0")
    db.close()
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    box = Outbox(path)
    assert box.state().set_aside == (keep > 0)  # an empty file is a new one
    assert box.epoch != epoch
    box.append(ward(3))
    assert box.flush()
    assert [row.seq for row in everything(box)] == [1, 2, 3]
    box.close()
    if keep:
        assert (path.parent / "outbox.db.corrupt-1").stat().st_size == int(len(whole) * keep)


def test_spoilt_row_becomes_a_gap_and_its_neighbours_stay(outbox: Outbox) -> None:
    outbox.append(ward(20))
    assert outbox.flush()
    run_sql(outbox.path, "UPDATE metrics SET payload = substr(payload, 2) WHERE seq = 7")
    assert [row.seq for row in everything(outbox)] == [*range(1, 7), *range(8, 21)]
    outbox.append(ward(1))
    assert outbox.flush()
    assert outbox.gaps() == [Gap(7, 7, "corrupt")]
    assert outbox.state().depth == 20
    assert [(incident.what, incident.fields["numbers"]) for incident in outbox.incidents.drain()] == [
        ("outbox-spoilt", 1)
    ]


def test_any_bytes_in_the_file_never_stop_the_start(path: Path) -> None:
    box = Outbox(path)
    box.append(ward(300))
    box.close()
    whole = path.read_bytes()
    rng = random.Random(3)
    for _ in range(12):
        broken = bytearray(whole)
        for _ in range(20):
            broken[rng.randrange(len(broken))] = rng.randrange(256)
        path.write_bytes(broken)
        box = Outbox(path)
        box.append(ward(5))
        box.release(box.epoch, 100)
        assert box.flush()
        everything(box)
        assert box.flush()
        box.close()


def test_file_that_asks_for_more_memory_than_there_is_is_set_aside(path: Path) -> None:
    """Spoilt lengths in the schema: found by the fuzzer."""
    box = Outbox(path, commit_s=0.01)
    epoch = box.epoch
    box.close()
    whole = bytearray(path.read_bytes())
    whole[3058:3108] = b"\xbf" + b"\xff" * 49
    path.write_bytes(whole)
    again = Outbox(path, commit_s=0.01)
    assert again.state().set_aside == 1
    assert again.epoch not in {"", epoch}
    again.append(ward(3), urgent=True)
    assert again.flush()
    again.close()


def test_damage_found_while_running_starts_a_new_epoch_and_keeps_what_is_in_memory(path: Path) -> None:
    box = Outbox(path, commit_s=0.01)
    epoch = box.epoch
    box.append(ward(50))
    assert box.flush()
    run_sql(box.path, "DROP TABLE metrics")
    made = ward(7, seed=9)
    box.append(made)
    assert box.flush()
    assert box.epoch != epoch
    assert [decoded(row) for row in everything(box)] == made
    assert box.state().set_aside == 1
    assert box.state().error == ""
    box.close()


def test_set_aside_never_overwrites(path: Path) -> None:
    for n in (1, 2, 3):
        path.write_text(str(n))
        assert set_aside(path).name == f"outbox.db.corrupt-{n}"
    assert sorted(p.read_text() for p in path.parent.iterdir()) == ["1", "2", "3"]


APPENDER = """
import sys, threading
from pathlib import Path
from gateway.outbox.outbox import Outbox
from tests.gateway.damage import connections_made, run_sql
from tests.gateway.samples import ward
made = ward(100)
box = Outbox(Path(sys.argv[1]), commit_s=0.01)
box.subscribe(lambda: print(box.state().durable_seq, flush=True))
print(box.state().durable_seq, flush=True)
while True:
    box.append(made, urgent=True)
    box.flush()
"""


def test_kill_at_random_loses_nothing_that_was_reported_durable(path: Path) -> None:
    rng, confirmed = random.Random(5), 0
    for _ in range(4):
        child = subprocess.Popen([sys.executable, "-c", APPENDER, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout
        for _ in range(rng.randrange(1, 12)):
            confirmed = int(child.stdout.readline())
        threading.Event().wait(rng.random() * 0.02)  # the instant of the kill is the thing under test
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split("\n")[:-1]
        child.stdout.close()
        child.wait()
        confirmed = int(rest[-1]) if rest else confirmed
        file = OutboxFile(path)
        rows = file.read(0, 1_000_000)
        assert [row.seq for row in rows] == list(range(1, file.last_seq + 1))
        assert file.last_seq >= confirmed > 0
        assert file.depth == len(rows)
        file.close(clean=False)
    assert not list(path.parent.glob("*.corrupt-*"))


def test_rotten_log_never_gives_a_number_twice(path: Path) -> None:
    """SQLite forgets a log from its first bad page on, numbers that others have seen included."""
    box = Outbox(path, commit_s=0.01)
    for _ in range(20):
        box.append(ward(10), urgent=True)
        assert box.flush()
    epoch, seen = box.epoch, box.state().durable_seq
    log = path.with_name(path.name + "-wal")
    main, logged = path.read_bytes(), bytearray(log.read_bytes())
    box.close()
    # As a kill would have left it, with one bad byte in the middle of the log.
    logged[len(logged) // 2] ^= 1
    path.write_bytes(main)
    log.write_bytes(logged)
    path.with_name(path.name + "-shm").unlink(missing_ok=True)

    again = Outbox(path, commit_s=0.01)
    state = again.state()
    rows = [row.seq for row in again.read(0, 1000)]
    assert 0 < len(rows) < seen
    assert state.epoch == epoch
    assert state.last_seq >= seen
    assert [(gap.first, gap.last) for gap in again.gaps()] == [(len(rows) + 1, state.last_seq)]
    [incident] = again.incidents.drain()
    assert (incident.what, incident.fields["numbers"]) == ("outbox-spoilt", state.last_seq - len(rows))
    again.append(ward(1), urgent=True)
    assert again.flush()
    assert again.read(state.last_seq, 10)[0].seq == state.last_seq + 1
    again.close()


def test_kill_at_the_begin_of_a_new_round_of_the_log_tells_no_gap(path: Path) -> None:
    """The header of the new round is there and its first frame is not: the old frames are in the database already."""
    box = Outbox(path, commit_s=0.01)
    for _ in range(5):
        box.append(ward(10), urgent=True)
        assert box.flush()
    seen = box.state().durable_seq
    log = path.with_name(path.name + "-wal")
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA wal_checkpoint(FULL)").fetchone()[0] == 0
    old_round = log.read_bytes()
    box.append(ward(1), urgent=True)
    assert box.flush()
    begun_round = log.read_bytes()[:32] + old_round[32:]
    assert begun_round[16:24] != old_round[16:24]
    main = path.read_bytes()
    box.close()
    path.write_bytes(main)
    log.write_bytes(begun_round)
    path.with_name(path.name + "-shm").unlink(missing_ok=True)

    again = Outbox(path, commit_s=0.01)
    assert again.state().durable_seq == seen
    assert again.gaps() == []
    assert [row.seq for row in again.read(0, 1000)] == list(range(1, seen + 1))
    again.close()


@pytest.mark.parametrize("spoil", ["payload = x''", "payload = 'text'", "slot = x'00'", "crc = 'x'"])
def test_a_row_of_another_kind_than_was_written_stops_nobody(outbox: Outbox, spoil: str) -> None:
    outbox.append(ward(20))
    assert outbox.flush()
    run_sql(outbox.path, f"UPDATE metrics SET {spoil} WHERE seq = (SELECT min(seq) FROM metrics)")  # noqa: S608
    assert len(everything(outbox)) == 19
    outbox.limits.max_bytes = 5_000
    outbox.append(ward(1))
    assert outbox.flush()
    assert outbox.state().error == ""
    assert outbox.state().bytes <= 5_000
