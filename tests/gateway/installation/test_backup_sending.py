"""A backup that is sent: Debian's own sftp and sftp-server; only the ssh between the two is left out.

With ssh between them, from the service that is closed as it is: `tests/bare/services`.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from config.settings import Backup
from gateway.installation.backup_sending import PAUSES_S, SendError, send
from tests.servers import missing

SERVER = Path("/usr/lib/openssh/sftp-server")


class Away:
    """The computer that backups are sent to; what is said of sending, and the pauses."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "server"
        (self.home / "ward-7").mkdir(parents=True)
        self.programs = folder / "programs"
        self.programs.mkdir()
        self.file = folder / "ward-7-20261130T020000Z.rgbackup"
        self.file.write_bytes(os.urandom(300_000))
        self.said: list[str] = []
        self.paused: list[float] = []
        key = folder / "key"
        self.backup = Backup(folder=folder, key_file=key, sftp_to="backup@server:ward-7", sftp_key_file=key)
        self.answer(f"cd {self.home} && exec {SERVER}")

    def answer(self, ssh: str) -> None:
        """Say what is in the place of ssh."""
        for name, text in (("ssh", ssh), ("sftp", f'exec {shutil.which("sftp")} -S {self.programs}/ssh "$@"')):
            if name == "ssh" or not (self.programs / name).exists():
                (self.programs / name).write_text(f"#!/bin/sh\n{text}\n")
                (self.programs / name).chmod(0o755)

    def send(self) -> None:
        send(self.file, self.backup, say=self.said.append, pause=self.paused.append)

    def names(self) -> list[str]:
        return sorted(path.name for path in (self.home / "ward-7").iterdir())


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Away:
    if shutil.which("sftp") is None or not SERVER.exists():
        missing("sftp and sftp-server")
    made = Away(tmp_path)
    monkeypatch.setenv("PATH", f"{made.programs}:{os.environ['PATH']}")
    return made


def test_it_is_there_whole_and_under_its_own_name(away: Away) -> None:
    away.send()
    assert away.names() == [away.file.name]
    assert (away.home / "ward-7" / away.file.name).read_bytes() == away.file.read_bytes()
    assert away.said == ["sending it to backup@server:ward-7"]
    assert away.paused == []


def test_what_was_broken_off_is_begun_anew(away: Away) -> None:
    (away.home / "ward-7" / f"{away.file.name}.part").write_bytes(b"x" * 400_000)
    away.send()
    assert away.names() == [away.file.name]
    assert (away.home / "ward-7" / away.file.name).read_bytes() == away.file.read_bytes()


def test_a_computer_that_is_away_for_a_moment_is_waited_for(away: Away, monkeypatch: pytest.MonkeyPatch) -> None:
    away.answer("echo 'ssh: connect to host server port 22: No route to host' >&2; exit 255")

    def comes_back(pause_s: float) -> None:
        away.paused.append(pause_s)
        away.answer(f"cd {away.home} && exec {SERVER}")

    send(away.file, away.backup, say=away.said.append, pause=comes_back)
    assert away.names() == [away.file.name]
    assert away.paused == [PAUSES_S[0]]
    assert "No route to host" in away.said[1]


def test_one_that_stays_away_is_said(away: Away) -> None:
    away.answer("echo 'ssh: connect to host server port 22: No route to host' >&2; exit 255")
    with pytest.raises(SendError, match=r"could not be sent to backup@server:ward-7: .*No route to host"):
        away.send()
    assert away.paused == list(PAUSES_S)
    assert away.names() == []


def test_one_that_is_not_known_gets_nothing_and_is_not_asked_again(away: Away) -> None:
    away.answer("echo 'Host key verification failed.' >&2; exit 255")
    with pytest.raises(SendError, match="server is not the computer that /etc/ssh/ssh_known_hosts knows"):
        away.send()
    assert away.paused == []


def test_a_folder_that_is_not_there_is_said(away: Away) -> None:
    (away.home / "ward-7").rmdir()
    with pytest.raises(SendError, match="ward-7"):
        away.send()
    assert list(away.home.iterdir()) == []


def test_a_full_disk_there_leaves_nothing_that_looks_like_a_backup(away: Away) -> None:
    (away.home / "ward-7").rmdir()
    (away.home / "ward-7").mkdir()
    away.answer(f"ulimit -f 100; cd {away.home} && exec {SERVER}")  # blocks of 512 bytes
    with pytest.raises(SendError):
        away.send()
    assert away.file.name not in away.names()


def test_nothing_is_sent_where_nobody_asks_for_it(away: Away) -> None:
    send(away.file, Backup(), say=away.said.append, pause=away.paused.append)
    assert away.said == []
