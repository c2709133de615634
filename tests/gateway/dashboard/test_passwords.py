"""Passwords that anybody would try first are refused, and those that nobody would are taken."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.user import user as command
from gateway.dashboard.passwords import reason_against
from gateway.dashboard.private_lines import BOM
from gateway.dashboard.users import Users, load
from gateway.model.usage import UsageError

GOOD = "purple kettle wanders"  # of somebody who does not exist


@pytest.mark.parametrize(
    "password",
    ["password1234", "Password123!!", "P@ssw0rd2026", "P@ssw0rdP@ssw0rd", "123456789012", "210987654321",
     "qwertyuiop12", "qwertyuiopasdf", "1q2w3e4r5t6y", "zaq12wsxcde3", "1qaz2wsx3edc", "aaaaaaaaaaaa", "abababababab",
     "abcabcabcabc", "abcdefghijkl", "rehab-gateway", "RehabGateway1!", "welcome-ward-7", "letmeinletmein",
     "Summer2026!Summer", "dogdogdogdog", "hospital ward nurse", "20260101202601", "anna-anna-anna", "Anna.Schmidt1",
     "annaschmidt2026", "aaaaaaaaaaab", "passwordpasswordpassword", "admin@hospital.nhs", "November2026",
     "            "],
)  # fmt: skip
def test_what_everybody_tries_first_is_refused_in_a_sentence(password: str) -> None:
    reason = reason_against(password, "anna.schmidt")
    assert reason.endswith(".")
    assert password not in reason


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "three words that", GOOD, "monkey sunshine umbrella", "gähnende Löwen tanzen",
     "x7$kQ9vL2#mPz", "Tr0ub4dor&3xyzw", "пароль-длинный-очень", "q7w9e2-k4j8h1", "8f3a91c7d2e4b605",
     "forward motion kettle"],
)  # fmt: skip
def test_what_nobody_tries_is_taken(password: str) -> None:
    assert reason_against(password, "anna.schmidt") == ""


@given(st.text(max_size=300), st.from_regex(r"[a-z0-9][a-z0-9._-]{0,31}", fullmatch=True))
def test_any_text_is_taken_or_refused(password: str, name: str) -> None:
    reason_against(password, name)


class Input(io.StringIO):
    """Standard input with the bytes of a file."""

    def __init__(self, data: bytes) -> None:
        super().__init__("")
        self.buffer = io.BytesIO(data)  # type: ignore[misc]


@pytest.mark.parametrize(
    "data",
    [GOOD.encode(), f"{GOOD}\n".encode(), f"{GOOD}\r\n".encode(), BOM + f"{GOOD}\r\n".encode(),
     f"\r\n\n{GOOD}\nnot this\n".encode(), BOM + f"\r\n{GOOD}".encode()],
)  # fmt: skip
def test_a_password_from_a_file_of_any_editor_signs_in(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Input(data))
    command("add", tmp_path / "users.jsonl", "anna", "clinician")
    assert Users(tmp_path / "users.jsonl").verify("anna", GOOD) is not None


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "is empty"), (b"\r\n \r\n", "is empty"), (GOOD.encode("utf-16"), "UTF-8"),
     (GOOD.encode("utf-16-le"), "UTF-8"),
     ("geh\xe4ssige L\xf6wen".encode("latin-1"), "UTF-8"), (f"{GOOD} \n".encode(), "a blank"),
     (f"{GOOD}\t\n".encode(), "a blank"), (b"password1234", "tries first")],
)  # fmt: skip
def test_a_file_that_holds_no_good_password_is_refused_in_a_sentence(
    data: bytes, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Input(data))
    with pytest.raises(UsageError, match=reason):
        command("add", tmp_path / "users.jsonl", "anna", "clinician")
    assert not (tmp_path / "users.jsonl").exists()


def test_a_users_file_may_have_been_saved_on_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "users.jsonl"
    monkeypatch.setattr(sys, "stdin", Input(GOOD.encode()))
    command("add", path, "anna", "clinician")
    path.write_bytes(BOM + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert list(load(path)) == ["anna"]
