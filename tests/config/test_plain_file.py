"""What is no file is refused before it is opened; a pipe that a shell has opened is read where it will do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from config.plain_file import NoFileError, look, may_replace, read


def test_a_file_is_read_and_one_byte_more_tells_that_it_is_too_large(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"12345")
    assert (read(file, 5), read(file, 3), look(file).st_size) == (b"12345", b"1234", 5)
    link = tmp_path / "link"
    link.symlink_to(file)
    assert read(link, 5) == b"12345"
    with pytest.raises(IsADirectoryError):
        read(tmp_path, 5)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none", 5)


@pytest.mark.parametrize("or_pipe", [False, True])
def test_pipes_devices_and_sockets_are_no_files(tmp_path: Path, or_pipe: bool) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(NoFileError, match=f"{path} is a pipe or a device, and no file") as caught:
            read(path, 5, or_pipe=or_pipe)
        assert caught.value.strerror == "it is a pipe or a device, and no file"


def test_a_pipe_that_is_open_already_is_read_where_one_will_do_and_no_further_than_asked() -> None:
    reading, writing = os.pipe()
    try:
        os.write(writing, b"123456789")
        handed = Path(f"/dev/fd/{reading}")
        with pytest.raises(NoFileError):
            read(handed, 3)
        assert read(handed, 3, or_pipe=True)[:4] == b"1234"
    finally:
        os.close(reading)
        os.close(writing)


def test_only_what_begins_with_the_mark_may_be_replaced_or_has_nothing_to_lose(tmp_path: Path) -> None:
    file, mark = tmp_path / "file", "# Written by us"
    assert may_replace(file, mark)
    for text, may in (("", True), (f"{mark}\nabc", True), (mark[:-1], False), ("abc", False)):
        file.write_text(text)
        assert may_replace(file, mark) is may
    assert not may_replace(tmp_path, mark)
    assert not may_replace(Path("/dev/null"), mark)
