"""The ward on disk: what was answered is there, whatever happened to the process."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gateway.ward.changes import read_change
from gateway.ward.refusals import RefusedError
from gateway.ward.registry import Registry, RegistryError, read_state
from tests.gateway.ward.test_changes import NOW_US, WARD, Asked

WRITER = """
import sys
from pathlib import Path
from gateway.ward.changes import read_change
from gateway.ward.registry import Registry
registry = Registry(Path(sys.argv[1]))
number = registry.state.number
while True:
    number += 1
    registry.apply(read_change("add-bed", {"bed": f"bed-{number}"}), at_us=number, by="anna", source="test")
    print(number, flush=True)
"""


def test_changes_are_there_again_with_who_made_them(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "ward.db")
    for name, fields in WARD:
        registry.apply(read_change(name, fields), at_us=NOW_US, by="anna", source="command line")
    state = registry.state
    assert state.number == len(WARD)
    registry.close()
    again = Registry(tmp_path / "ward.db")
    assert again.state == state
    assert [(e.number, e.name, e.by, e.source) for e in again.entries(after=len(WARD) - 1)] == [
        (len(WARD), "add-device", "anna", "command line")
    ]
    again.close()


def test_a_refused_change_leaves_no_trace(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "ward.db")
    with pytest.raises(RefusedError):
        registry.apply(read_change("discharge", {"subject": "p-1"}), at_us=NOW_US, by="anna", source="test")
    assert registry.state.number == 0
    assert registry.entries() == []
    registry.close()


def test_a_kill_loses_no_acknowledged_change(tmp_path: Path) -> None:
    path = tmp_path / "ward.db"
    acknowledged = 0
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            for line in writer.stdout:
                acknowledged = int(line)
                if acknowledged % 40 == 0:
                    break
            os.kill(writer.pid, signal.SIGKILL)
            acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
        registry = Registry(path)
        assert registry.state.number >= acknowledged
        assert [e.number for e in registry.entries()] == list(range(1, registry.state.number + 1))
        assert len(registry.state.beds) == registry.state.number
        acknowledged = registry.state.number
        registry.close()


def test_what_a_kill_left_half_written_is_undone_by_whoever_reads(tmp_path: Path) -> None:
    path, killed = tmp_path / "ward.db", tmp_path / "killed.db"
    registry = Registry(path)
    before = registry.state
    registry.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA cache_size=2")  # pages, so that changes reach the file before they are whole
        db.execute("CREATE TABLE large (value BLOB)")
        db.executemany("INSERT INTO large VALUES (?)", [(bytes(4096),)] * 50)
        for end in ("", "-journal"):
            shutil.copy(f"{path}{end}", f"{killed}{end}")
    with (
        pytest.raises(sqlite3.OperationalError, match="readonly"),
        closing(sqlite3.connect(ro(killed), uri=True)) as db,
    ):
        db.execute("SELECT state FROM ward")
    assert read_state(killed) == before
    with closing(sqlite3.connect(ro(killed), uri=True)) as db:
        assert db.execute("SELECT count(*) FROM large").fetchone() == (0,)


def ro(path: Path) -> str:
    return f"{path.as_uri()}?mode=ro"


def test_another_version_and_a_damaged_file_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "ward.db"
    Registry(path).close()
    db = sqlite3.connect(path)
    db.execute("UPDATE ward SET state = '{'")
    db.commit()
    with pytest.raises(RegistryError, match="is damaged"):
        Registry(path)
    db.execute("PRAGMA user_version=9000")
    db.commit()
    db.close()
    with pytest.raises(RegistryError, match="version 9000"):
        Registry(path)


def test_somebody_who_has_left_can_be_forgotten_down_to_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "ward.db"
    registry = Registry(path)
    asked: list[Asked] = [
        *WARD,
        ("admit", {"subject": "p-secret", "bed": "bay-a"}),
        ("assign", {"device": "dot-1", "bed": "bay-a", "placement": "left_foot"}),
        ("session-start", {"subject": "p-secret", "protocol": "10mwt"}),
    ]
    for name, fields in asked:
        registry.apply(read_change(name, fields), at_us=NOW_US, by="anna", source="test")
    with pytest.raises(RefusedError, match="discharge them first"):
        registry.erase("p-secret")
    registry.apply(read_change("discharge", {"subject": "p-secret"}), at_us=NOW_US, by="anna", source="test")
    number = registry.state.number
    registry.erase("p-secret")
    assert (registry.state.sessions, registry.state.number) == ((), number)
    assert len(registry.entries()) == number
    registry.close()
    assert b"p-secret" not in path.read_bytes()
