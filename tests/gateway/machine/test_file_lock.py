from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.dashboard.users import load, make, save
from gateway.machine.file_lock import FileLock, HeldError, LockError, beside, command_line
from gateway.outbox.outbox import Outbox
from tests.servers import wait_until

HOLDER = """
import sys
from pathlib import Path
from gateway.machine.file_lock import FileLock
lock = FileLock(Path(sys.argv[1]), gateway="ward-7")
print("held", flush=True)
sys.stdin.read()
"""


def holding(path: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout
    assert process.stdout.readline() == b"held\n"
    return process


def ended(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def test_who_is_refused_learns_by_whom(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    process = holding(path)
    try:
        with pytest.raises(HeldError, match=rf"outbox\.db: .* of gateway ward-7 \(pid {process.pid}\) since 20\d\d-"):
            FileLock(path)
    finally:
        ended(process)


def test_every_spelling_and_link_is_one_file(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    (tmp_path / "other.db").symlink_to(tmp_path / "data" / "outbox.db")
    with FileLock(tmp_path / "data" / "outbox.db"):
        for spelling in ("link/outbox.db", "data/../data/./outbox.db", "other.db"):
            with pytest.raises(HeldError):
                FileLock(tmp_path / spelling)


def test_a_kill_lets_go(tmp_path: Path) -> None:
    process = holding(tmp_path / "outbox.db")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    FileLock(tmp_path / "outbox.db").release()


def test_the_lock_outlives_the_file_it_is_about(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    path.write_text("old")
    with FileLock(path):
        path.rename(tmp_path / "elsewhere")
        path.write_text("new")
        with pytest.raises(HeldError):
            FileLock(path)


def test_a_lock_file_that_was_removed_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with FileLock(path) as lock:
        beside(path).unlink()
        lock.renew()
        with pytest.raises(HeldError):
            FileLock(path)


def test_a_lock_whose_folder_was_moved_away_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "data" / "outbox.db"
    path.parent.mkdir()
    with FileLock(path) as lock:
        path.parent.rename(tmp_path / "away")
        lock.renew()
        with pytest.raises(HeldError):
            FileLock(path)


def test_a_lock_file_that_another_took_after_it_was_removed_is_his(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with FileLock(path) as lock:
        beside(path).unlink()
        with FileLock(path), pytest.raises(HeldError):
            lock.renew()


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"[]", b'{"pid": "\\u001b[2J", "command": 7}', b"{" * 5000])
def test_whatever_a_lock_file_says_is_no_command_to_a_terminal(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "outbox.db"
    with FileLock(path):
        beside(path).write_bytes(content)
        with pytest.raises(HeldError) as refused:
            FileLock(path)
    assert str(refused.value).isprintable()


def test_a_folder_that_is_not_there_is_reported(tmp_path: Path) -> None:
    with pytest.raises(LockError, match=r"none/outbox\.db\.lock"):
        FileLock(tmp_path / "none" / "outbox.db")


def test_the_lock_file_is_closed_to_others(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with FileLock(tmp_path / "outbox.db") as lock:
            assert lock.lock_path.stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_a_second_outbox_is_refused_before_anything_is_touched(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    first = Outbox(path)
    before = {piece.name: piece.stat().st_mtime_ns for piece in tmp_path.iterdir()}
    with pytest.raises(HeldError):
        Outbox(path)
    assert {piece.name: piece.stat().st_mtime_ns for piece in tmp_path.iterdir()} == before
    first.close()
    Outbox(path).close()


COMMANDS = {
    "run": '[[slot]]\nid = "bed-1"\nsubject = "p-1"\n[[slot.device]]\nid = "strap"\ndriver = "heart_rate"\n'
    'placement = "chest"\naddress = "D4:22:CD:00:01:00"\n',
    "historian": "",
}


@pytest.mark.parametrize(("command", "file"), [("run", "outbox.db"), ("historian", "history.db")])
def test_a_second_process_is_refused_in_a_sentence(tmp_path: Path, command: str, file: str) -> None:
    (tmp_path / "data").mkdir()
    config = tmp_path / "ward.toml"
    config.write_text(f'[site]\ndata = "{tmp_path}/data"\ngateway = "other"\n{COMMANDS[command]}')
    process = holding(tmp_path / "data" / file)
    try:
        second = subprocess.run(
            [sys.executable, "-m", "gateway", command, str(config)], capture_output=True, text=True, check=False
        )
    finally:
        ended(process)
    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert f"another process writes {tmp_path}/data/{file}" in line
    assert f"of gateway ward-7 (pid {process.pid})" in line
    assert "site.data" in line
    assert [piece.name for piece in (tmp_path / "data").iterdir()] == [f"{file}.lock"]


def test_users_who_are_added_at_once_are_all_there(tmp_path: Path) -> None:
    file = tmp_path / "users.jsonl"
    save(file, [make("first", "viewer", "three quiet herons wading")])
    adding = [
        subprocess.Popen(
            [sys.executable, "-m", "gateway", "user", "add", str(file), f"user-{n}", "--role", "viewer"],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for n in range(4)
    ]  # fmt: skip
    for process in adding:
        process.communicate(b"four words that do not belong\n")
    assert [process.returncode for process in adding] == [0] * 4
    assert sorted(load(file)) == ["first", *(f"user-{n}" for n in range(4))]


def test_a_simulator_leaves_the_socket_of_another_alone(tmp_path: Path) -> None:
    simulate = [
        sys.executable, "-m", "gateway", "simulate", "ward", "--beds", "1", "--socket", str(tmp_path / "radio.sock"),
        "--ports", str(tmp_path / "ports"), "--write-config", str(tmp_path / "site.toml"),
    ]  # fmt: skip
    first = subprocess.Popen(simulate, stdout=subprocess.DEVNULL)
    try:
        wait_until((tmp_path / "radio.sock").exists, 30.0)
        before = (tmp_path / "radio.sock").stat().st_ino, (tmp_path / "site.toml").stat().st_mtime_ns
        second = subprocess.run(simulate, capture_output=True, text=True, check=False)
        after = (tmp_path / "radio.sock").stat().st_ino, (tmp_path / "site.toml").stat().st_mtime_ns
    finally:
        first.terminate()
        first.wait()
    assert second.returncode == 1
    assert "another simulator serves there" in second.stderr
    assert before == after


@pytest.mark.parametrize("word", ["x" * 5000, "a\0b", "/root/\udcff"])
def test_a_command_line_with_what_is_no_path_is_a_command_line(monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/rehab-gateway", "session", "mark", __file__, word])
    assert command_line() == f"rehab-gateway session {__file__}"
