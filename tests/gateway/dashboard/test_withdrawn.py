"""Lines that were taken out of a private file are known when a copy brings them back, also after a restart."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from gateway.dashboard import tokens
from gateway.dashboard.tokens import FILE_NAME, Tokens
from gateway.dashboard.users import User, Users, save
from gateway.dashboard.withdrawn import MOST, Withdrawn

ANNA, BEN = User("anna", "clinician", "$argon2id$one"), User("ben", "admin", "$argon2id$two")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    save(tmp_path / "users.jsonl", [ANNA, BEN])
    return tmp_path / "users.jsonl"


def test_an_older_users_file_is_known_as_such_by_a_dashboard_that_was_started_again(
    file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data, before = tmp_path / "var", file.read_bytes()
    assert Users(file, data).problem == ""
    save(file, [BEN])  # while no dashboard runs
    assert Users(file, data).problem == ""
    file.write_bytes(before)
    again = Users(file, data)
    assert "put back to an older state: anna may come in" in again.problem
    assert ["anna" in record.getMessage() for record in caplog.records] == [True]
    save(file, [BEN])
    assert again.problem == ""


def test_whoever_is_added_anew_is_nobody_who_was_put_back(file: Path, tmp_path: Path) -> None:
    data = tmp_path / "var"
    Users(file, data)
    save(file, [BEN])
    Users(file, data)
    save(file, [User("anna", "viewer", "$argon2id$three"), BEN])
    assert Users(file, data).problem == ""


def test_a_file_that_could_not_be_read_has_taken_nobody_out(file: Path, tmp_path: Path) -> None:
    users, before = Users(file, tmp_path), file.read_bytes()
    file.write_text("no user\n")
    assert "nobody can sign in" in users.problem
    file.write_bytes(before)
    assert users.problem == ""
    assert users.get("anna") == ANNA


def test_a_token_that_was_revoked_and_put_back_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / FILE_NAME
    token, secret = tokens.make("report-tool", "viewer", days=1, now_s=time.time())
    tokens.save(path, [token])
    before = path.read_bytes()
    assert (Tokens(path).find(secret), Tokens(path).problem) == (token, "")
    tokens.save(path, [])
    known = Tokens(path)
    assert (known.find(secret), known.problem) == (None, "")
    path.write_bytes(before)
    for one in (known, Tokens(path)):  # while it runs, and at the next start
        assert "report-tool may come in as before the change" in one.problem
    assert all("report-tool" in record.getMessage() for record in caplog.records)


def test_what_is_kept_is_bounded_says_no_name_and_is_done_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = tmp_path / "kept.jsonl"
    known = Withdrawn(tmp_path / "users.jsonl", kept)
    for round_ in range(2):
        known.look({f"{round_} {n}": f"anna {round_} {n}" for n in range(MOST)})
    known.look({})
    assert len(kept.read_bytes().splitlines()) == MOST
    assert b"anna" not in kept.read_bytes()
    assert kept.stat().st_mode & 0o077 == 0
    kept.write_bytes(b"\xff[1]\n{}\n")
    assert Withdrawn(tmp_path / "users.jsonl", kept).look({"anna": "line"}) == ""
    (tmp_path / "taken").write_bytes(b"")
    assert Withdrawn(tmp_path / "users.jsonl", tmp_path / "taken" / "kept.jsonl").look({"anna": "line"}) == ""
    assert "cannot be kept" in caplog.text
