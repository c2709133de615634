"""The sum of a file is the one that ``sha256sum`` writes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gateway.machine.file_sum import sum_of_file


@pytest.mark.parametrize("size", [0, 1, 1 << 18, (1 << 20) + 1])
def test_it_is_what_sha256sum_says(tmp_path: Path, size: int) -> None:
    path = tmp_path / "package.deb"
    path.write_bytes(bytes(number % 251 for number in range(size)))
    said = subprocess.run(["sha256sum", str(path)], check=True, text=True, capture_output=True).stdout
    assert f"{sum_of_file(path)}  {path}\n" == said


def test_a_file_that_is_not_there_has_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sum_of_file(tmp_path / "package.deb")
