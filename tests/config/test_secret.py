"""Secrets come from files and from systemd's credentials, and are in no message."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.loader import load
from config.secret import read_secret


def test_the_space_around_a_secret_is_not_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text(" two words \n")
    assert read_secret(path) == "two words"


@pytest.mark.parametrize("data", [b"", b" \n", b"\xff\xfe", b"a\0b", b"x" * 70_000])
def test_a_file_that_holds_no_secret_is_refused_without_its_words(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "password"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="holds no secret") as refused:
        read_secret(path)
    assert len(str(refused.value)) < len(str(path)) + 80


def test_a_device_holds_no_secret_and_a_pipe_is_not_waited_for() -> None:
    with pytest.raises(ValueError, match="a pipe or a device, and no file"):
        read_secret(Path("/dev/null"))  # a pipe would be waited for where this is not refused


def test_a_credential_of_systemd_lies_where_the_service_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "ward.toml"
    config.write_text('[broker]\nusername = "a"\npassword_file = "$CREDENTIALS_DIRECTORY/mqtt"\n')
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x.service")
    assert load(config).broker.password_file == Path("/run/credentials/x.service/mqtt")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert load(config).broker.password_file == tmp_path / "$CREDENTIALS_DIRECTORY/mqtt"


def test_no_other_variable_means_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "ward.toml"
    config.write_text('[broker]\nusername = "a"\npassword_file = "$HOME/mqtt"\n')
    monkeypatch.setenv("HOME", "/somewhere")
    assert load(config).broker.password_file == tmp_path / "$HOME/mqtt"
