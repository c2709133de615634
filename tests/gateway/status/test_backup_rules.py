"""Notices of backups: none yet, one that failed, one that is too old; and nothing where none are configured."""

from __future__ import annotations

import os
from pathlib import Path

from config.settings import Backup, Settings, Site
from gateway.status.backup_rules import backup_findings
from gateway.status.backup_state import (
    LOOK_EVERY_S,
    MICRO,
    BackupState,
    BackupWatch,
    read_backup_state,
    write_backup_state,
)

NOW_S = 2_000_000_000.0


def told(settings: Settings, *, clock_s: float = 0.0) -> list[tuple[str, str]]:
    watch = BackupWatch(settings, clock=lambda: clock_s, wall=lambda: NOW_S)
    return [(finding.rule.code, finding.text) for finding in backup_findings({"backup": watch.status()})]


def with_backups(data: Path) -> Settings:
    backup = Backup(folder=data / "backups", key_file=data / "key", most_hours=30)
    return Settings(site=Site(data=data), backup=backup)


def test_where_no_backups_are_configured_nothing_is_said(tmp_path: Path) -> None:
    assert told(Settings(site=Site(data=tmp_path))) == []
    assert list(backup_findings({})) == []


def test_none_yet_one_that_failed_and_one_that_is_old(tmp_path: Path) -> None:
    settings = with_backups(tmp_path)
    assert told(settings) == [("backup-old", "No backup has been made yet")]
    hour = 3600 * MICRO
    now = int(NOW_S) * MICRO
    write_backup_state(tmp_path, BackupState(now - 29 * hour, "a", now, ""))
    assert told(settings) == []
    write_backup_state(tmp_path, BackupState(now - 31 * hour, "a", now, ""))
    assert told(settings) == [("backup-old", "The newest backup is 31 hours old")]
    write_backup_state(tmp_path, BackupState(now - hour, "a", now, "No space left on device"))
    assert told(settings) == [("backup-failed", "The last backup failed: No space left on device")]


def test_the_file_is_looked_at_once_a_minute(tmp_path: Path) -> None:
    now_s = [0.0]
    watch = BackupWatch(with_backups(tmp_path), clock=lambda: now_s[0], wall=lambda: NOW_S)
    assert watch.status()["age_h"] is None
    write_backup_state(tmp_path, BackupState(int(NOW_S) * MICRO, "a", 0, ""))
    assert watch.status()["age_h"] is None
    now_s[0] = LOOK_EVERY_S
    assert watch.status()["age_h"] == 0.0


def test_a_file_that_is_none_is_no_backup(tmp_path: Path) -> None:
    for text in (b"", b"{}", b"[]", b'{"made_us": "x"}', os.urandom(64)):
        (tmp_path / "backup.json").write_bytes(text)
        assert read_backup_state(tmp_path) == BackupState()
