"""What hands, backup tools and other programs do to the file of an outbox: nothing is lost, and it is said."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from gateway.model.row import Gap
from gateway.outbox.file import OutboxFile
from gateway.outbox.outbox import OtherGatewayError, Outbox
from tests.gateway.samples import ward
from tests.servers import wait_until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "outbox.db"


def numbers(box: Outbox) -> list[int]:
    found: list[int] = []
    while rows := box.read(found[-1] if found else 0, 1000):
        assert all(orjson.loads(row.payload)["seq"] == row.seq for row in rows)
        found += [row.seq for row in rows]
    return found


def flush_and_wait(box: Outbox) -> None:
    wait_until(lambda: box.earlier.settled)


def incidents(box: Outbox) -> list[str]:
    return [incident.what for incident in box.incidents.drain()]


def remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def replace_by_empty(path: Path) -> None:
    beside = path.with_name("beside.db")
    OutboxFile(beside).close(clean=True)
    beside.replace(path)


def replace_by_nonsense(path: Path) -> None:
    beside = path.with_name("beside.db")
    beside.write_bytes(b"nonsense" * 1000)
    beside.replace(path)


def remove_the_log(path: Path) -> None:
    path.with_name("outbox.db-wal").unlink()


def remove_the_file_alone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("harm", [remove, remove_the_file_alone, remove_the_log, replace_by_empty, replace_by_nonsense])
def test_a_file_that_is_taken_away_while_it_is_in_use_is_written_anew(path: Path, harm: Callable[[Path], None]) -> None:
    box = Outbox(path, commit_s=0.01)
    box.append(ward(300))
    assert box.flush()
    epoch = box.epoch
    harm(path)
    box.append(ward(20))
    assert box.flush()
    assert numbers(box) == list(range(1, 321))
    assert incidents(box) == ["outbox-removed"]
    box.close()
    again = Outbox(path)
    assert (again.epoch, numbers(again), again.gaps()) == (epoch, list(range(1, 321)), [])
    again.close()


def test_a_file_that_is_taken_away_from_an_idle_outbox_is_noticed(path: Path) -> None:
    box = Outbox(path, commit_s=0.01)
    box.append(ward(10))
    assert box.flush()
    remove(path)
    wait_until(path.exists)
    box.close()
    again = Outbox(path)
    assert numbers(again) == list(range(1, 11))
    again.close()


def test_numbers_that_another_gave_meanwhile_are_no_damage(path: Path) -> None:
    """A program that knows nothing of the lock, such as an earlier version of this one."""
    box = Outbox(path, commit_s=0.01)
    box.append(ward(10))
    assert box.flush()
    epoch = box.epoch
    shutil.copy(path, path.with_name("copy.db"))
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO metrics SELECT 11, slot, made_us, crc, payload FROM metrics UNION ALL"
            " SELECT 11, slot, made_us, crc, payload FROM events LIMIT 1"
        )
        db.execute("INSERT INTO events SELECT 11, slot, made_us, crc, payload FROM metrics WHERE seq = 11")
    box.append(ward(30), urgent=True)
    assert box.flush()
    state = box.state()
    assert (state.epoch, state.error, state.set_aside) == (epoch, "", 0)
    assert not list(path.parent.glob("*.corrupt-*"))
    assert state.last_seq == 41
    assert incidents(box) == ["outbox-collision"]
    box.close()


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY])
def test_a_file_that_is_locked_by_another_is_no_damage(path: Path, code: int) -> None:
    del code
    box = Outbox(path, commit_s=0.01)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        box.append(ward(10), urgent=True)
        wait_until(lambda: box.state().error)
        db.execute("ROLLBACK")
    assert box.flush()
    assert box.state().set_aside == 0
    assert numbers(box) == list(range(1, 11))
    box.close()


def spoilt(path: Path, *, page: int) -> None:
    whole = bytearray(path.read_bytes())
    whole[page * 4096 : (page + 1) * 4096] = b"\xa5" * 4096
    path.write_bytes(whole)


def test_what_was_set_aside_is_brought_over_as_far_as_it_can_be_read(path: Path) -> None:
    box = Outbox(path, commit_s=0.01)
    for _ in range(10):
        box.append(ward(200))
        assert box.flush()
    epoch = box.epoch
    box.close()
    spoilt(path, page=60)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE state SET clean = 0")
    box = Outbox(path, commit_s=0.01)
    assert box.aside == ["outbox.db.corrupt-1"]
    assert box.epoch != epoch
    wait_until(lambda: box.earlier.settled and box.earlier.outboxes)
    (left,) = box.earlier.outboxes
    assert left.epoch == epoch
    there = numbers(left)
    lost = [number for gap in left.gaps() for number in range(gap.first, gap.last + 1)]
    assert sorted(there + lost) == list(range(1, 2001))
    assert 0 < len(lost) < 50
    assert box.state().earlier == len(there)
    assert incidents(box) == ["set-aside-imported"]
    box.close()
    assert (path.parent / "outbox.db.corrupt-1").exists()
    assert orjson.loads((path.parent / "outbox.db.corrupt-1.imported").read_bytes())["rows"] == len(there)

    again = Outbox(path)
    wait_until(lambda: again.earlier.settled)
    assert [numbers(left) for left in again.earlier.outboxes] == [there]
    assert incidents(again) == []
    again.close()


def test_a_healthy_file_that_an_earlier_program_set_aside_is_brought_over_whole(path: Path) -> None:
    box = Outbox(path, commit_s=0.01)
    box.append(ward(662))
    box.close()
    path.rename(path.with_name("outbox.db.corrupt-1"))
    box = Outbox(path, commit_s=0.01)
    wait_until(lambda: box.earlier.settled and box.earlier.outboxes)
    assert numbers(box.earlier.outboxes[0]) == list(range(1, 663))
    assert box.earlier.outboxes[0].gaps() == []
    box.close()


def test_what_cannot_be_read_at_all_is_reported_once(path: Path) -> None:
    path.with_name("outbox.db.corrupt-1").write_bytes(b"nonsense" * 1000)
    for expected in (["set-aside-unreadable"], []):
        box = Outbox(path)
        flush_and_wait(box)
        assert incidents(box) == expected
        box.close()


def test_what_an_earlier_program_has_set_aside_as_another_version_is_sent_after_all(path: Path) -> None:
    box = Outbox(path)
    box.append(ward(20))
    box.close()
    path.rename(path.with_name("outbox.db.version-1"))
    box = Outbox(path)
    wait_until(lambda: box.earlier.settled and box.earlier.outboxes)
    assert numbers(box.earlier.outboxes[0]) == list(range(1, 21))
    box.close()


def test_a_receipt_for_what_was_never_given_begins_a_new_life_and_drops_nothing(path: Path) -> None:
    box = Outbox(path, commit_s=0.01)
    box.append(ward(100))
    box.close()
    # Restored to here: the history has numbers up to 500 of later days. Then 50 more are given.
    box = Outbox(path, commit_s=0.01)
    old = box.epoch
    box.append(ward(50), urgent=True)
    assert box.flush()
    box.contradicted(old, 500, given=100)
    wait_until(lambda: box.epoch != old)
    wait_until(lambda: box.earlier.settled and box.earlier.outboxes)
    # With the entry of the audit in the same commit: killed now, it has told what is in doubt.
    assert numbers(box) == list(range(1, 52))
    entry = orjson.loads(box.read(50, 1)[0].payload)
    assert (entry["kind"], entry["what"], entry["moved"], entry["n"]) == ("audit", "outbox-restored", 50, 1)
    assert numbers(box.earlier.outboxes[0]) == list(range(1, 151))
    assert box.facts.get(f"moved {old}") == "100 150"
    (incident,) = box.incidents.drain()
    assert (incident.what, incident.audited) == ("outbox-restored", True)
    assert incident.fields == {"epoch": old, "gave": 100, "stored": 500, "moved": 50, "new": box.epoch}
    box.close()


def test_a_power_cut_while_a_new_life_begins_leaves_one_of_both(path: Path) -> None:
    box = Outbox(path, commit_s=0.01)
    box.append(ward(10))
    box.close()
    fresh = path.with_name("outbox.db.new")
    shutil.copy(path, fresh)
    Outbox(path).close()
    assert not fresh.exists()  # the old one still had everything
    path.rename(path.with_name(f"outbox.db.left-{'a' * 16}"))
    OutboxFile(fresh, epoch="b" * 16).close(clean=True)
    box = Outbox(path)
    assert box.epoch == "b" * 16
    wait_until(lambda: box.earlier.settled and box.earlier.outboxes)
    assert numbers(box.earlier.outboxes[0]) == list(range(1, 11))
    box.close()


def test_another_gateways_outbox_is_not_sent_as_ours(path: Path) -> None:
    box = Outbox(path, gateway="ward-7")
    box.append(ward(10))
    box.close()
    with pytest.raises(OtherGatewayError, match="10 rows that gateway ward-7 has not sent yet"):
        Outbox(path, gateway="ward-8")
    box = Outbox(path, gateway="ward-7")
    epoch = box.epoch
    box.release(epoch, 10)
    wait_until(lambda: box.state().depth == 0)
    box.close()
    box = Outbox(path, gateway="ward-8")
    assert box.epoch != epoch
    assert box.state().last_seq == 0
    box.close()


def test_an_older_copy_of_the_present_life_is_not_sent_again(path: Path) -> None:
    box = Outbox(path, commit_s=0.01)
    box.append(ward(10))
    box.close()
    shutil.copy(path, path.with_name("outbox.db.replaced-1"))
    box = Outbox(path)
    wait_until(lambda: box.earlier.settled)
    assert box.earlier.outboxes == []
    assert box.gaps() == []
    box.close()


def test_files_are_closed_to_others_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        box = Outbox(path, commit_s=0.01)
        box.append(ward(10))
        assert box.flush()
        modes = {piece.name: piece.stat().st_mode & 0o777 for piece in path.parent.iterdir()}
        box.close()
    finally:
        os.umask(before)
    assert set(modes) == {"outbox.db", "outbox.db-wal", "outbox.db-shm", "outbox.db.lock"}
    assert set(modes.values()) == {0o640}


def test_a_file_that_an_earlier_version_left_open_to_others_is_closed(path: Path) -> None:
    Outbox(path).close()
    path.chmod(0o644)
    Outbox(path).close()
    assert path.stat().st_mode & 0o777 == 0o640


def test_gaps_of_what_was_set_aside_keep_their_reason(path: Path) -> None:
    box = Outbox(path, commit_s=0.01, max_bytes=60_000)
    for _ in range(10):
        box.append(ward(100))
        assert box.flush()
    gaps = box.gaps()
    assert gaps
    box.close()
    path.rename(path.with_name("outbox.db.corrupt-1"))
    box = Outbox(path)
    wait_until(lambda: box.earlier.settled and box.earlier.outboxes)
    assert [Gap(g.first, g.last, g.reason) for g in box.earlier.outboxes[0].gaps()] == gaps
    box.close()
