"""Set up unattended, measured, backed up under load, wiped, restored: the history is the same, and goes on whole."""

from __future__ import annotations

import shutil
import sqlite3
import urllib.parse
from contextlib import closing
from http.client import HTTPSConnection
from pathlib import Path
from typing import NamedTuple

import pytest

from gateway.history.reader import HistoryReader
from tests.gateway.installation.whole_ward import PASSWORD, WholeWard, command, new_ward
from tests.servers import accepts, wait_until

MEASURED = 60
"""Rows of a history before something is done: all sensors stream by then."""
MEASURED_WITHIN_S = 240.0  # where the kernels are not compiled yet
STORED_WITHIN_S = 120.0

Row = tuple[object, ...]
Key = tuple[str, int]

pytestmark = [pytest.mark.broker, pytest.mark.timeout(2 * MEASURED_WITHIN_S + 2 * STORED_WITHIN_S)]


class Life(NamedTuple):
    """What was seen of a ward: its history when the backup was made or later, and after the end."""

    ward: WholeWard
    backup: Path
    before: dict[Key, Row]
    restored: dict[Key, Row]
    after: dict[Key, Row]
    said: str
    page: tuple[int, str]
    old_epoch: str


def rows(history: Path) -> dict[Key, Row]:
    """Every row of a history, by its identity: epoch and number."""
    with closing(sqlite3.connect(f"{history.as_uri()}?mode=ro", uri=True)) as db:
        found = db.execute(
            "SELECT e.epoch, m.seq, s.slot, s.session, s.subject, s.metric, s.side, s.algorithm, m.start_us, m.end_us,"
            " m.value, m.n, m.quality, m.reason FROM measurements m JOIN epochs e ON e.id = m.epoch"
            " JOIN series s ON s.id = m.series ORDER BY e.epoch, m.seq"
        ).fetchall()
    known = {(row[0], row[1]): row[2:] for row in found}
    assert len(known) == len(found), "a number is there twice"
    return known


def count(ward: WholeWard) -> int:
    if not (ward.data / "history.db").exists():
        return 0
    with closing(HistoryReader(ward.data / "history.db")) as reader:
        return reader.count()


def sign_in(ward: WholeWard) -> tuple[int, str]:
    """Sign in as the administrator over TLS, as a browser that trusts the ward's authority does; return the page."""
    connection = HTTPSConnection("localhost", ward.port, context=ward.trusting(), timeout=30)
    form = urllib.parse.urlencode({"name": "sam", "password": PASSWORD, "next": "/"})
    here = {"Content-Type": "application/x-www-form-urlencoded", "Origin": f"https://localhost:{ward.port}"}
    connection.request("POST", "/login", form, here)
    answer = connection.getresponse()
    answer.read()
    cookies = "; ".join(value.partition(";")[0] for name, value in answer.getheaders() if name == "Set-Cookie")
    assert answer.status == 303, answer.status
    connection.request("GET", "/", headers={"Cookie": cookies})
    page = connection.getresponse()
    text = page.read().decode()
    connection.close()
    return page.status, text


def outbox(ward: WholeWard) -> tuple[str, int]:
    """Epoch and rows of the present outbox."""
    with closing(sqlite3.connect(f"{(ward.data / 'outbox.db').as_uri()}?mode=ro", uri=True)) as db:
        epoch, waiting = db.execute("SELECT epoch, metrics + events + audits FROM state").fetchone()
    return str(epoch), int(waiting)


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    ward = new_ward(tmp_path_factory.mktemp("ward"))
    made = ward.set_up()
    assert made.returncode == 0, made.stderr
    with ward.running("simulate", "historian", "run", "dashboard"):
        wait_until(lambda: count(ward) >= MEASURED, MEASURED_WITHIN_S)
        wait_until(lambda: accepts(ward.port), 30)
        page = sign_in(ward)
        done = command("backup", ward.file)
        assert done.returncode == 0, done.stderr + done.stdout
        then = count(ward)
        wait_until(lambda: count(ward) > then + MEASURED // 2, 60)
    (backup,) = ward.backups.iterdir()
    before, old_epoch = rows(ward.data / "history.db"), outbox(ward)[0]
    key = (ward.etc / "secrets/backup-key").read_text()
    shutil.rmtree(ward.data)
    shutil.rmtree(ward.etc)
    (ward.root / "key.txt").write_text(key)
    put_back = command("restore", backup, "--key-file", ward.root / "key.txt")
    assert put_back.returncode == 0, put_back.stderr + put_back.stdout
    restored = rows(ward.data / "history.db")
    left = ward.data / f"outbox.db.left-{old_epoch}"
    assert left.exists()
    with ward.running("simulate", "historian", "run"):
        wait_until(lambda: not left.exists(), STORED_WITHIN_S)  # all that it had not delivered is stored
        wait_until(lambda: count(ward) >= len(restored) + MEASURED, MEASURED_WITHIN_S)
    return Life(ward, backup, before, restored, rows(ward.data / "history.db"), put_back.stdout, page, old_epoch)


def test_the_pages_are_open_over_tls_to_the_administrator_that_was_made(life: Life) -> None:
    status, text = life.page
    assert status == 200
    assert "<title>Ward" in text


def test_what_was_restored_is_the_history_row_by_row_up_to_the_backup(life: Life) -> None:
    assert len(life.restored) >= MEASURED
    assert {key: life.before.get(key) for key in life.restored} == life.restored
    newest = max(seq for epoch, seq in life.restored if epoch == life.old_epoch)
    assert {key for key in life.before if key[1] <= newest} == life.restored.keys()


def test_what_waited_in_the_outbox_came_afterwards_under_its_own_number(life: Life) -> None:
    old = {key: row for key, row in life.after.items() if key[0] == life.old_epoch}
    assert old.keys() >= life.restored.keys()
    assert {key: life.before.get(key) for key in old} == old
    assert {key for key in life.before if key[1] <= max(seq for _, seq in old)} == old.keys()


def test_it_goes_on_in_a_new_epoch_and_nothing_is_there_twice(life: Life) -> None:
    epochs = {epoch for epoch, _ in life.after}
    assert len(epochs) == 2
    with closing(sqlite3.connect(life.ward.data / "history.db")) as db:
        assert db.execute("SELECT count(*) FROM conflicts").fetchone() == (0,)
        told = db.execute("SELECT body FROM records WHERE what = 'outbox-restored'").fetchall()
    assert len(told) == 1
    assert life.old_epoch in told[0][0]


def test_people_and_certificates_are_back_with_their_rights(life: Life) -> None:
    etc = life.ward.etc
    assert (etc / "certificates/authority.key").stat().st_mode & 0o777 == 0o600
    assert (etc / "users.jsonl").stat().st_mode & 0o777 == 0o640
    assert command("check", life.ward.file).returncode == 0
    assert "after the backup is not in it" in life.said


def test_nothing_of_it_can_be_read_without_the_key(life: Life) -> None:
    data = life.backup.read_bytes()
    assert b"practice-1" not in data
    assert b"SQLite format" not in data
    wrong = life.ward.root / "wrong.txt"
    wrong.write_text("another key altogether")
    done = command("restore", life.backup, "--key-file", wrong, "--under", life.ward.root / "under")
    assert done.returncode == 1
    assert "the key is not its key" in done.stderr
    assert not (life.ward.root / "under").exists() or not list((life.ward.root / "under").rglob("*.db"))


def test_a_restore_refuses_to_write_over_what_is_there(life: Life) -> None:
    done = command("restore", life.backup, "--key-file", life.ward.root / "key.txt")
    assert done.returncode == 1
    assert "--replace" in done.stderr
    assert rows(life.ward.data / "history.db") == life.after
