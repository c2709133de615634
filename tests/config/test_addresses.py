from __future__ import annotations

from pathlib import Path

import pytest

from config.errors import ConfigError
from config.loader import load
from config.secret import read_secret


def problems_of(folder: Path, text: str) -> str:
    """Return what a configuration is refused with; nothing where it is taken."""
    path = folder / "ward.toml"
    path.write_text(text, "utf-8")
    try:
        load(path)
    except ConfigError as error:
        return "\n".join(map(str, error.problems))
    return ""


def store(url: str, more: str = "") -> str:
    return f'[historian.store]\nkind = "victoriametrics"\nurl = "{url}"\n{more}'


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8428",
        "http://127.0.0.1:8428/",
        "https://store.example.org",
        "http://[::1]:8428",
        "http://vm:1",
    ],
)
def test_an_address_of_a_store_is_taken(tmp_path: Path, url: str) -> None:
    assert problems_of(tmp_path, store(url)) == ""


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:8428/api/v2/write", "has a path: the address alone is wanted, http://127.0.0.1:8428"),
        ("http://127.0.0.1:8086/?db=rehab", "has a path"),
        ("https://vm/#x", "has a path"),
        ("http://", "is not an address"),
        ("http://vm:port", "is not an address"),
        ("http://[::1", "is not an address"),
        ("http://a b", "is not an address"),
        ("http://vm\\n", "is not an address"),
        ("vm:8428", "must begin with http:// or https://"),
        ("HTTP/vm", "must begin with http:// or https://"),
    ],
)
def test_a_wrong_address_of_a_store_is_refused(tmp_path: Path, url: str, reason: str) -> None:
    assert reason in problems_of(tmp_path, store(url))


@pytest.mark.parametrize(
    "url",
    [
        "http://anna:secret@vm:8428", "https://anna:secret@vm", "https://secret@vm", "anna:secret@vm",
        "ftp://anna:secret@vm", "http://anna:se/secret@vm", "http://anna:secret@@vm", "https://:secret@vm/path",
    ],
)  # fmt: skip
def test_a_password_in_an_address_is_refused_and_not_shown(tmp_path: Path, url: str) -> None:
    answer = problems_of(tmp_path, store(url))
    assert "put the token into token_file" in answer
    assert "secret" not in answer


@pytest.mark.parametrize("embedded", ["true", "false"])
@pytest.mark.parametrize("host", ["mqtt://anna:secret@broker", "anna:secret@broker", "mqtt://broker", "", "a b"])
def test_a_host_is_a_name_alone(tmp_path: Path, host: str, embedded: str) -> None:
    answer = problems_of(tmp_path, f'[broker]\nembedded = {embedded}\nhost = "{host}"\n')
    assert "broker.host is a name or an address and nothing else" in answer
    assert "secret" not in answer


HERE = ["localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1"]
ELSEWHERE = ["broker.example.org", "192.168.1.7", "::ffff:10.0.0.1", "fe80::1", "localhost.example.org"]


@pytest.mark.parametrize("host", ELSEWHERE)
def test_a_password_does_not_leave_this_machine_in_clear_text(tmp_path: Path, host: str) -> None:
    broker = f'[broker]\nembedded = false\nhost = "{host}"\nusername = "g"\npassword_file = "p"\n'
    assert f"broker.password_file would go to {host} in clear text" in problems_of(tmp_path, broker)
    assert problems_of(tmp_path, f'{broker}clear_text = "accepted"\n') == ""
    assert problems_of(tmp_path, f'{broker}ca_file = "ca.pem"\n') == ""


@pytest.mark.parametrize("host", HERE)
def test_on_this_machine_a_password_needs_no_tls(tmp_path: Path, host: str) -> None:
    broker = f'[broker]\nembedded = false\nhost = "{host}"\nusername = "g"\npassword_file = "p"\n'
    assert problems_of(tmp_path, broker) == ""
    named = f"[{host}]" if ":" in host else host
    assert problems_of(tmp_path, store(f"http://{named}:8428", 'token_file = "t"\n')) == ""


@pytest.mark.parametrize("host", ["vm.example.org", "10.0.0.1:8428", "[fe80::1]:8428", "127.0.0.1.example.org"])
def test_a_token_does_not_leave_this_machine_in_clear_text(tmp_path: Path, host: str) -> None:
    named = 'token_file = "t"\n'
    assert "historian.store.token_file would go to " in problems_of(tmp_path, store(f"http://{host}", named))
    assert problems_of(tmp_path, store(f"http://{host}", f'{named}clear_text = "accepted"\n')) == ""
    assert problems_of(tmp_path, store(f"https://{host}", named)) == ""
    assert problems_of(tmp_path, store(f"http://{host}")) == ""


@pytest.mark.parametrize("text", ["s3cret", "s3cret\n", " s3cret \r\n"])
def test_a_secret_saved_by_an_editor_of_windows_is_the_same_secret(tmp_path: Path, text: str) -> None:
    path = tmp_path / "token"
    path.write_text(text, "utf-8-sig")
    assert read_secret(path) == "s3cret"


def postgres(url: str, more: str = "") -> str:
    return f'[historian.store]\nkind = "postgresql"\nurl = "{url}"\n{more}'


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:5432", "postgresql://db.example", "postgresql://[::1]:5432/"])
def test_an_address_of_postgresql_is_taken(tmp_path: Path, url: str) -> None:
    assert problems_of(tmp_path, postgres(url, 'username = "rehab"\nca_file = "ca.pem"\n')) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (postgres("http://127.0.0.1:5432"), "must begin with postgresql://"),
        (postgres("postgresql://127.0.0.1:5432/rehab"), "the address alone is wanted, postgresql://127.0.0.1:5432"),
        (postgres("postgresql://u:secret@db"), "names a user or a password"),
        (postgres("postgresql://"), "such as postgresql://127.0.0.1:5432"),
        (store("postgresql://db"), "must begin with http:// or https://"),
        (store("http://vm:1", 'username = "rehab"\n'), "historian.store.username is for kind = 'postgresql' alone"),
        (store("http://vm:1", 'ca_file = "ca.pem"\n'), "historian.store.ca_file is for kind = 'postgresql' alone"),
    ],
)
def test_what_is_wrong_with_a_store_of_this_kind_is_said(tmp_path: Path, text: str, reason: str) -> None:
    found = problems_of(tmp_path, text)
    assert reason in found
    assert "secret" not in found
