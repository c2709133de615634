"""Every file that outlives a restart, as a newer program would leave it: an older one does not touch it."""

from __future__ import annotations

import json
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from config.settings import Device
from drivers.identity import Identity
from gateway.audit.access_log import AccessLog
from gateway.history.history import History
from gateway.intake.known_devices import FILE as KNOWN_DEVICES
from gateway.intake.known_devices import KnownDevices
from gateway.machine.kept_forms import MARKER, KeptFormError
from gateway.machine.newer_file import NEWER, NewerFileError
from gateway.outbox.file import OutboxFile
from gateway.outbox.outbox import Outbox
from gateway.status import kept_notices
from gateway.status.kept_notices import Answer, KeptNotices
from gateway.ward.registry import Registry
from tests.gateway.old_histories import make_version_2
from tests.gateway.samples import measurement


def open_access_log(path: Path) -> None:
    AccessLog(path, keep_days=30, keep_people_days=30).close()


def open_outbox(path: Path) -> None:
    box = Outbox(path)
    box.append([measurement(n) for n in range(500)])
    box.close()


FILES: dict[str, Callable[[Path], None]] = {
    "outbox.db": open_outbox,
    "history.db": lambda path: History(path).close(),
    "ward.db": lambda path: Registry(path).close(),
    "access.db": open_access_log,
}


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return what lies in a folder; a lock file is nobody's data, and the index of a log is made anew at will."""
    return {p.name: p.read_bytes() for p in folder.iterdir() if not p.name.endswith((".lock", "-shm", "-wal"))}


def make_newer(path: Path) -> None:
    """Make a database what the next release might leave: another version, and a table that nobody knows here."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        db.execute("CREATE TABLE of_the_next_release (id INTEGER PRIMARY KEY)")
        db.execute(f"PRAGMA user_version={version + 1}")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@pytest.mark.parametrize("name", FILES)
def test_a_newer_database_is_refused_with_a_sentence_and_stays_as_it_is(tmp_path: Path, name: str) -> None:
    path, open_it = tmp_path / name, FILES[name]
    open_it(path)
    make_newer(path)
    before = bytes_of(tmp_path)
    for _ in range(2):
        with pytest.raises(NewerFileError, match=rf"{name} is of version \d+, which a newer rehab-gateway wrote"):
            open_it(path)
    assert bytes_of(tmp_path) == before


@pytest.mark.parametrize(("command", "name"), [("run", "outbox.db"), ("run", "ward.db"), ("historian", "history.db")])
def test_the_programs_end_with_a_status_of_their_own(tmp_path: Path, command: str, name: str) -> None:
    path = tmp_path / name
    FILES[name](path)
    make_newer(path)
    before = path.read_bytes()
    config = tmp_path / "ward.toml"
    config.write_text(
        f'[site]\ndata = "{tmp_path}"\n[broker]\nembedded = false\n[[slot]]\nid = "bay-a"\nsubject = "p-01"\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "gateway", command, str(config)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, "which a newer rehab-gateway wrote" in done.stderr) == (NEWER, True), done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_bytes() == before


def test_a_number_that_is_no_version_is_damage_and_none_is_refused_for_it(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    OutboxFile(path).close(clean=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA user_version={2 | 1 << 30}")  # one bit of it turned over
    box = Outbox(path)
    assert len(box.aside) == 1
    box.close()


def test_notices_of_a_newer_program_are_left_as_they_are(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / kept_notices.NAME
    path.write_text(json.dumps({"v": 2, "answers": {"other": "form"}}))
    before = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        assert kept_notices.read(path) == KeptNotices()
        kept_notices.write(path, KeptNotices(answers=(Answer(notice="n", since_us=1, by="anna", at_us=2),)))
    assert path.read_bytes() == before
    assert "is of a newer version" in caplog.text


def test_known_devices_of_a_newer_program_are_left_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / KNOWN_DEVICES
    path.write_text(json.dumps({"version": 2, "devices": ["another form"]}))
    before = path.read_bytes()
    known = KnownDevices(tmp_path)
    device = Device(id="hr-1", driver="heart_rate", placement="chest", address="C0:00:00:00:00:01")
    known.judge(device, Identity(serial="A1", address="C0:00:00:00:00:01"))
    assert list(known.read()) == ["hr-1"]  # for this run
    assert path.read_bytes() == before


def test_an_older_history_is_not_taken_on_while_there_is_a_way_back(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    make_version_2(path)
    (tmp_path / MARKER).write_text("{}")
    before = bytes_of(tmp_path)
    with pytest.raises(KeptFormError, match="is of version 2"):
        History(path)
    assert bytes_of(tmp_path) == before
    (tmp_path / MARKER).unlink()
    History(path).close()
