"""Files that are replaced whole: what is in them, who may read them, and whose they are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gateway.machine.durable import replace_file

SERVICE = 12_345
"""The number of a user that no machine has."""


def test_a_file_is_replaced_whole_with_the_mode_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "key"
    replace_file(path, b"first")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    replace_file(path, b"second", mode=0o640)
    assert path.read_bytes() == b"second"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_what_root_writes_belongs_to_whom_the_folder_is(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root makes files for others")
    folder = tmp_path / "of-a-service"
    folder.mkdir()
    os.chown(folder, SERVICE, SERVICE)
    replace_file(folder / "key", b"x")
    found = (folder / "key").stat()
    assert (found.st_uid, found.st_gid) == (SERVICE, SERVICE)
