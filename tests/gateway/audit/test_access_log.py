"""The log of who looked at what: whole, or it says where not; durable, bounded, and without whoever was erased."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.access_log import AccessLog, Person, delete_older, erase_subject, erase_unknown, read
from gateway.dashboard.looks import LISTED_MOST, REPEAT_S, TRIES_MOST, Looks
from gateway.model.usage import UsageError

ANNA: dict[str, Any] = {"user": "anna", "role": "clinician", "address": "203.0.113.7"}
ADA, BEA = Person("bay-1", "p-017", "s-1"), Person("bay-2", "p-018", "s-2")


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def open_log(path: Path, clock: Clock | None = None) -> AccessLog:
    return AccessLog(path, keep_days=365, keep_people_days=365, now=clock or Clock())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a log of three entries."""
    log = open_log(tmp_path / "access.db")
    log.write("signed-in", **ANNA)
    log.write("look", [ADA], **ANNA, page="patient")
    log.write("look", [ADA, BEA], **ANNA, page="ward")
    log.close()
    return tmp_path / "access.db"


def troubles(path: Path) -> list[str]:
    return [entry.trouble for entry in read(path) if entry.trouble]


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as file, file:
        for statement in statements:
            file.execute(statement)
    file.close()


def test_what_was_written_is_read_in_order_and_whole(path: Path) -> None:
    entries = list(read(path))
    assert [(entry.n, entry.fields["what"], list(entry.people)) for entry in entries] == [
        (1, "signed-in", []), (2, "look", [ADA]), (3, "look", [ADA, BEA]),
    ]  # fmt: skip
    assert entries[1].fields.items() >= ANNA.items()
    assert troubles(path) == []


def test_only_the_service_and_its_group_may_read_it(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) & ~0o640 == 0
    path.chmod(0o666)
    open_log(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM entries WHERE n = 2", "entries 2 to 2 are missing"),
        ("DELETE FROM entries WHERE n = 1", "entries 1 to 1 are missing"),
        ("DELETE FROM entries WHERE n = 3", "cut off"),
        ("UPDATE entries SET body = replace(body, 'anna', 'bert') WHERE n = 2", "entry 2 is not the one"),
        ("UPDATE entries SET body = 'x' WHERE n = 2", "not as it was written"),
        ("UPDATE people SET subject = 'p-099' WHERE n = 2", "about somebody else"),
        ("DELETE FROM people WHERE n = 2", "nobody has erased"),
        ("INSERT INTO people VALUES (1, 0, 'bay-9', 'p-099', 's', 'x')", "about somebody else"),
    ],
)
def test_a_hand_in_it_shows(path: Path, statement: str, reason: str) -> None:
    change(path, statement)
    assert any(reason in trouble for trouble in troubles(path))


def test_who_is_erased_is_in_no_byte_of_it_and_the_chain_is_whole(path: Path) -> None:
    assert erase_subject(path, ADA.subject) == 2
    assert erase_subject(path, ADA.subject) == 0
    assert ADA.subject.encode() not in b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert [list(entry.people) for entry in read(path)] == [[], [], [BEA], []]
    assert [*read(path)][-1].fields["people_erased"] == 2
    assert troubles(path) == []


def test_who_is_not_known_any_more_is_erased(path: Path) -> None:
    assert erase_unknown(path, {BEA.subject}) == 2
    assert [list(entry.people) for entry in read(path)] == [[], [], [BEA], []]
    assert erase_unknown(path.with_name("none.db"), set()) == erase_subject(path.with_name("none.db"), "x") == 0


def test_old_entries_go_and_what_stays_is_whole(tmp_path: Path) -> None:
    clock = Clock()
    log = open_log(tmp_path / "access.db", clock)
    for n in range(10):
        clock.now += 10
        log.write("look", [ADA], **ANNA, page=f"page-{n}")
    log.close()
    middle = int((clock.now - 45) * 1e6)
    assert delete_older(tmp_path / "access.db", middle, middle + 20_000_000) == (5, 2)
    left = list(read(tmp_path / "access.db"))
    assert [entry.n for entry in left] == list(range(6, 13))
    assert [len(entry.people) for entry in left] == [0, 0, 1, 1, 1, 0, 0]
    assert troubles(tmp_path / "access.db") == []
    log = open_log(tmp_path / "access.db", clock)
    log.write("look", [BEA], **ANNA)
    log.close()
    assert troubles(tmp_path / "access.db") == []


def test_a_clock_that_runs_ahead_deletes_nothing(path: Path) -> None:
    clock = Clock()
    clock.now += 400 * 86400
    log = open_log(path, clock)
    log.write("look", [BEA], **ANNA)
    log.close()
    assert [entry.n for entry in read(path)] == [1, 2, 3, 4]


def test_two_dashboards_write_to_one_file(path: Path) -> None:
    logs = [open_log(path) for _ in range(2)]

    def fill(log: AccessLog) -> None:
        for _ in range(40):
            log.write("look", [ADA], **ANNA)
        log.close()

    threads = [threading.Thread(target=fill, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(read(path))) == 83
    assert troubles(path) == []


def test_what_is_on_disk_survives_a_kill(tmp_path: Path) -> None:
    program = (
        "import sys, os, pathlib, time; from gateway.audit.access_log import AccessLog, read\n"
        "p = pathlib.Path(sys.argv[1]); log = AccessLog(p, keep_days=9, keep_people_days=9)\n"
        "log.write('look', user='anna')\n"
        "while not list(read(p)): time.sleep(0.01)\n"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", program, tmp_path / "access.db"], check=False, timeout=60)
    assert [entry.fields["user"] for entry in read(tmp_path / "access.db")] == ["anna"]


def test_a_log_that_is_removed_begins_anew_and_says_so(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log = open_log(path)
    path.unlink()
    log.write("look", [ADA], **ANNA)
    log.close()
    assert [entry.fields["what"] for entry in read(path)] == ["begun-anew", "look"]
    assert "a new log begins" in caplog.text


def test_a_damaged_log_is_kept_and_a_new_one_begins(path: Path) -> None:
    path.write_bytes(os.urandom(8192))
    open_log(path).close()
    assert path.with_name("access.db.corrupt-1").exists()
    assert troubles(path) == []


def test_what_cannot_be_written_is_counted_and_reported_later(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = open_log(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder, holder:
        monkeypatch.setattr("gateway.audit.access_log.BUSY_S", 0.05)
        holder.execute("BEGIN EXCLUSIVE")
        log.write("look", [ADA], **ANNA)
        while not log.lost:
            pass
        holder.execute("ROLLBACK")
    log.write("look", [BEA], **ANNA)
    log.close()
    assert [entry.fields.get("entries") for entry in read(path)][-1] == 1
    assert troubles(path) == []


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be opened"):
        open_log(tmp_path / "file" / "access.db")


class Ear(AccessLog):
    """A log that also keeps what it was told."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, keep_days=9, keep_people_days=9)
        self.heard: list[tuple[str, object]] = []

    def write(self, what: str, people: object = (), **fields: object) -> None:
        self.heard.append((what, fields.get("times", fields.get("page"))))


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[Ear]:
    made = Ear(tmp_path / "ear.db")
    yield made
    made.close()


def test_the_same_look_is_reported_once_and_then_how_often(ear: Ear) -> None:
    clock = Clock()
    looks = Looks(ear, clock=clock)
    for _ in range(50):
        looks.repeat("look", [ADA], **ANNA, page="patient")
    looks.repeat("look", [BEA], **ANNA, page="patient")
    looks.flush()
    assert ear.heard == [("look", "patient"), ("look", "patient")]
    clock.now += REPEAT_S
    looks.flush()
    assert ear.heard[2:] == [("look-again", 49)]
    looks.repeat("look", [ADA], **ANNA, page="patient")
    assert ear.heard[3:] == [("look", "patient")]


def test_nobody_fills_the_disk_with_looks_or_tries(ear: Ear) -> None:
    looks = Looks(ear, clock=Clock())
    for n in range(5 * LISTED_MOST):
        looks.repeat("refused", user="", address=f"2001:db8::{n:x}", why="wrong")
    assert len(ear.heard) == TRIES_MOST
    looks.repeat("look", [ADA], **ANNA, page="patient")  # a flood of tries takes no place of looks
    assert ("look", "patient") in ear.heard
    for n in range(5 * LISTED_MOST):
        looks.repeat("look", [Person(str(n), "", "")], **ANNA)
    looks.flush()
    assert len(ear.heard) == TRIES_MOST + LISTED_MOST + 1
    assert ear.heard[-1][0] == "unlisted"


def test_the_command_prints_and_verifies(path: Path, tmp_path: Path) -> None:
    config = tmp_path / "ward.toml"
    config.write_text(f'[site]\ndata = "{tmp_path}"\n')

    def shown(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "gateway", "access-log", str(config), *options],
            capture_output=True, text=True, check=False, timeout=60, env={**os.environ, "COLUMNS": "160"},
        )  # fmt: skip

    done = shown()
    assert done.returncode == 0
    assert "bay-1: p-017" in done.stdout
    assert "The log is whole." in done.stdout
    lines = [json.loads(line) for line in shown("--json", "--subject", "p-018").stdout.splitlines()]
    assert [(line["n"], line["page"]) for line in lines] == [(3, "ward")]
    change(path, "DELETE FROM entries WHERE n = 2")
    done = shown("--user", "nobody")
    assert (done.returncode, "entries 2 to 2 are missing" in done.stdout) == (1, True)


def add(path: Path, what: str) -> None:
    log = open_log(path)
    log.write(what, **ANNA)
    log.close()


def test_an_older_copy_that_is_put_back_is_told_by_the_check_and_by_the_next_entry(path: Path) -> None:
    older = path.read_bytes()
    add(path, "export")
    assert troubles(path) == []
    path.write_bytes(older)
    assert troubles(path) == ["an older copy was put back, or it was cut off: entries 4 to 4 are not here"]
    add(path, "signed-out")
    assert [(entry.fields["what"], entry.fields.get("entries")) for entry in read(path)][-2:] == [
        ("put-back", "4 to 4"), ("signed-out", None),
    ]  # fmt: skip
    assert troubles(path) == []


def test_a_copy_that_went_on_elsewhere_is_told(path: Path) -> None:
    older = path.read_bytes()
    add(path, "export")
    add(path, "export")
    mine = (path.parent / "access.db.mark").read_bytes()
    path.write_bytes(older)
    (path.parent / "access.db.mark").unlink()
    for _ in range(3):
        add(path, "signed-out")
    (path.parent / "access.db.mark").write_bytes(mine)
    assert troubles(path) == [
        "an older copy was put back, or it was cut off: entries up to 5, some or all are not here"
    ]


def test_entries_cut_off_with_all_that_the_file_knows_of_them_are_told(path: Path) -> None:
    change(path, "DELETE FROM people", "DELETE FROM entries WHERE n > 1", "UPDATE sqlite_sequence SET seq = 1")
    assert troubles(path) == ["an older copy was put back, or it was cut off: entries 2 to 3 are not here"]


def test_a_log_that_was_removed_between_two_runs_is_told(path: Path) -> None:
    path.unlink()
    add(path, "signed-in")
    assert [entry.fields["what"] for entry in read(path)] == ["put-back", "signed-in"]


@pytest.mark.parametrize("mark", [b"", b"[]", b'{"n": "x", "sum": 3}', b'{"n": 1e400}', b'{"n": 18446744073709551615}'])
def test_a_mark_that_is_spoilt_says_nothing(path: Path, mark: bytes) -> None:
    (path.parent / "access.db.mark").write_bytes(mark)
    assert troubles(path) == []
    add(path, "signed-out")
    assert (path.parent / "access.db.mark").read_bytes() != mark
