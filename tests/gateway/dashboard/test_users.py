"""The users file, its command, sessions and the limiter."""

from __future__ import annotations

import io
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.user import user as command
from gateway.dashboard.access import Role
from gateway.dashboard.passwords import reason_against
from gateway.dashboard.sessions import (
    FORGET_S,
    FREE_FAILURES,
    KNOWN,
    LONGEST_S,
    MOST_WAIT_S,
    SESSIONS,
    Limiter,
    Sessions,
)  # fmt: skip
from gateway.dashboard.users import ALGORITHM, HASHER, NAME, User, Users, known_as, load, make, save
from gateway.model.usage import UsageError

PASSWORD = "three words that"  # noqa: S105 - of people who do not exist
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)


def somebody(name: str = "anna", role: Role = "clinician") -> User:
    return User(name, role, CHEAP)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "users.jsonl"
    save(path, [somebody(), somebody("wall-1", "viewer")])
    return path


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_file_is_read_as_written_and_only_by_its_owner(file: Path) -> None:
    assert load(file) == {"anna": somebody(), "wall-1": somebody("wall-1", "viewer")}
    assert file.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in file.read_text()


def test_what_is_no_file_lets_nobody_in_and_is_not_waited_for(file: Path) -> None:
    users = Users(file)
    file.unlink()
    file.symlink_to("/dev/null")  # a pipe would be waited for where this is not refused
    with pytest.raises(UsageError, match="is a pipe or a device, and no file"):
        load(file)
    assert users.get("anna") is None
    assert "nobody can sign in" in users.problem


def test_a_file_that_others_may_read_is_refused(file: Path) -> None:
    file.chmod(0o604)
    with pytest.raises(UsageError, match="chmod 600"):
        load(file)


@pytest.mark.parametrize(
    "line",
    ["{}", "[]", "x", '{"name":"Anna","role":"admin","hash":"$argon2id$"}',
     '{"name":"a","role":"king","hash":"$argon2id$"}',
     '{"name":"b","role":"admin","hash":"$1$md5"}', '{"name":"b","role":["admin"],"hash":"$argon2id$"}',
     '{"name":"anna","role":"admin","hash":"$argon2id$v=19$twice"}'],
)  # fmt: skip
def test_a_line_that_is_no_user_is_refused_with_its_number_and_without_its_words(file: Path, line: str) -> None:
    with file.open("a") as users:
        users.write(f"{line}\n")
    with pytest.raises(UsageError, match="line 3: is not a user") as refused:
        load(file)
    assert line not in str(refused.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_users_or_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("users") / "users.jsonl"
    path.touch(0o600)
    path.write_bytes(data)
    try:
        assert load(path) == {}
    except UsageError:
        return


@pytest.mark.parametrize("password", ["short", "", "x" * 257])
def test_a_password_is_long_enough_to_be_one(password: str) -> None:
    with pytest.raises(UsageError, match="12 to 256"):
        make("anna", "viewer", password)


def test_only_the_right_password_of_somebody_who_is_there(file: Path) -> None:
    users = Users(file)
    assert users.verify("anna", PASSWORD) == somebody()
    assert users.verify("anna", f"{PASSWORD} ") is None
    assert users.verify("bert", PASSWORD) is None
    assert users.verify("", "") is None


def test_a_password_is_the_same_however_a_keyboard_spells_its_letters(file: Path) -> None:
    one, two = "grüne-pässe-am-zaun", unicodedata.normalize("NFD", "grüne-pässe-am-zaun")
    assert one != two
    save(file, [make("anna", "clinician", two), User("bert", "viewer", HASHER.hash(two))])  # bert's is from before
    users = Users(file)
    assert [users.verify("anna", word) is not None for word in (one, two, f"{one}x")] == [True, True, False]
    assert users.verify("bert", two) is not None


@pytest.mark.parametrize("blank", ["\u00a0", "\u2007", "\u202f", "\u3000"])
def test_a_blank_is_a_blank_whatever_key_it_is_of(file: Path, blank: str) -> None:
    words = "lamp river seventeen".replace(" ", blank)
    save(file, [make("anna", "clinician", words), make("bert", "viewer", "lamp river seventeen")])
    users = Users(file)
    for name in ("anna", "bert"):
        assert users.verify(name, words) == users.verify(name, "lamp river seventeen") == users.get(name)
    assert users.verify("anna", "lamp\u200b river seventeen") is None  # nothing unseen is passed over


def test_a_password_is_as_long_as_it_is_in_its_one_spelling() -> None:
    short, long = "äöüßäöü-äöü", "äöü-" * 60
    with pytest.raises(UsageError, match="12 to 256"):
        make("anna", "viewer", unicodedata.normalize("NFD", short))
    assert len(unicodedata.normalize("NFD", long)) > 256
    assert "12 to 256" not in reason_against(unicodedata.normalize("NFD", long), "anna")


@pytest.mark.parametrize("typed", ["anna", "Anna", "ANNA", " anna ", "Anna\u00a0", "\uff41\uff4e\uff4e\uff41"])
def test_a_name_is_the_same_however_a_tablet_writes_it(typed: str) -> None:
    assert known_as(typed) == "anna"


@pytest.mark.parametrize("typed", ["\u0430nna", "an\u200bna", "\u202eanna", "anna\0", "ann\u0251", "an na"])
def test_a_name_that_only_looks_like_another_is_none(typed: str) -> None:
    assert NAME.fullmatch(known_as(typed)) is None
    with pytest.raises(UsageError, match="lower-case letters"):
        make(typed, "viewer", PASSWORD)


def test_a_file_that_goes_bad_lets_nobody_in_until_it_is_mended(file: Path) -> None:
    users, good = Users(file), file.read_bytes()
    file.write_bytes(b"nonsense")
    assert users.get("anna") is None
    assert users.unreadable
    file.write_bytes(good)
    assert users.get("anna") == somebody()
    assert not users.unreadable
    file.unlink()
    assert users.get("anna") is None


def test_the_command_adds_changes_lists_and_removes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "users.jsonl"
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{PASSWORD}\nnot this line\n"))
    command("add", path, "anna", "clinician")
    assert load(path)["anna"].hash.startswith(ALGORITHM)
    assert Users(path).verify("anna", PASSWORD) is not None
    command("list", path, "", "")
    assert capsys.readouterr().out.split() == ["name", "role", "anna", "clinician"]
    monkeypatch.setattr(sys, "stdin", io.StringIO(PASSWORD))
    command("add", path, "anna", "admin")
    assert {user.role for user in load(path).values()} == {"admin"}
    assert capsys.readouterr().out == "anna was there: new password, role admin instead of clinician.\n"
    command("remove", path, "anna", "")
    assert load(path) == {}


@pytest.mark.parametrize("action", ["list", "remove"])
def test_no_lock_is_left_beside_a_file_that_is_not_there(tmp_path: Path, action: str) -> None:
    with pytest.raises(UsageError, match="No such file"):
        command(action, tmp_path / "nosuch.jsonl", "anna", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("action", "name", "role", "reason"),
    [("ad", "x", "admin", "did you mean 'add'"), ("add", "x", "doctor", "choose one of|did you mean"),
     ("add", "", "admin", "whom"), ("remove", "bert", "", "no user 'bert'")],
)  # fmt: skip
def test_the_command_refuses_in_one_sentence(file: Path, action: str, name: str, role: str, reason: str) -> None:
    before = file.read_bytes()
    with pytest.raises(UsageError, match=reason):
        command(action, file, name, role)
    assert file.read_bytes() == before


def test_the_command_line_takes_no_password() -> None:
    output = subprocess.run(
        [sys.executable, "-m", "gateway", "user", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert "--password" not in output
    assert "standard input" in output


def test_a_session_ends_when_nobody_is_there_but_a_screen_on_a_wall_goes_on(file: Path) -> None:
    clock = Clock()
    sessions = Sessions(Users(file), idle_s=600, clock=clock)
    anna, wall = sessions.open(somebody()), sessions.open(somebody("wall-1", "viewer"))
    clock.now += 599
    assert sessions.get(anna)  # asking is no sign of a person: the pages ask all the time
    clock.now += 2
    assert sessions.get(anna) is None
    assert sessions.get(wall)


def test_a_person_who_moves_stays_for_a_shift_and_no_longer(file: Path) -> None:
    clock = Clock()
    sessions = Sessions(Users(file), idle_s=600, clock=clock)
    token = sessions.open(somebody())
    for _ in range(int(LONGEST_S // 500)):
        clock.now += 500
        sessions.touch(token)
        assert sessions.get(token)
    clock.now += 500
    sessions.touch(token)
    assert sessions.get(token) is None


def test_sessions_are_bounded(file: Path) -> None:
    sessions = Sessions(Users(file), idle_s=600)
    tokens = [sessions.open(somebody()) for _ in range(SESSIONS + 3)]
    assert [sessions.get(token) is None for token in tokens[:4]] == [True, True, True, False]


def test_a_wait_doubles_up_to_a_limit_and_is_forgotten() -> None:
    clock = Clock()
    limiter = Limiter(clock=clock)
    waits = []
    for _ in range(FREE_FAILURES + 10):
        waits.append(limiter.wait_s("a", "b"))
        limiter.failed("a")
    assert waits[: FREE_FAILURES + 4] == [0.0] * FREE_FAILURES + [2.0, 4.0, 8.0, 16.0]
    assert max(waits) == MOST_WAIT_S
    clock.now += FORGET_S + 1
    limiter.failed("a")
    assert limiter.wait_s("a") == 0.0


def test_the_limiter_remembers_a_bounded_number() -> None:
    limiter = Limiter()
    for n in range(KNOWN + 50):
        limiter.failed(f"name {n}")
    assert limiter.known == KNOWN


def test_a_file_that_is_removed_or_put_back_is_reported(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    users, before = Users(file), file.read_bytes()
    assert users.problem == ""
    save(file, [user for user in load(file).values() if user.name != "anna"])
    assert (users.get("anna"), users.problem) == (None, "")
    file.write_bytes(before)
    assert "anna may come in as before the change" in users.problem
    file.unlink()
    assert users.get("anna") is None
    assert "nobody can sign in" in users.problem
    assert [record.levelname for record in caplog.records] == ["WARNING", "ERROR"]
