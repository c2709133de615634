"""Commands that a technician types with sudo: root does in the service's data folder what the service could do."""

from __future__ import annotations

import ast
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config.loader import load
from gateway.fleet.mosquitto import reload
from gateway.fleet.register import Register
from gateway.history.history import History
from gateway.machine.ownership import acting_as_owner_of
from tests.open_place import ROOT, SERVICE, as_root, open_place, service_folder, typed_by_root
from tests.servers import free_port

WARD = """\
[site]
data = "{place}/data"
[broker]
embedded = false
port = {port}
[dashboard]
users_file = "{place}/data/users.jsonl"
[backup]
folder = "{place}/backups"
key_file = "{place}/secret"
"""
SECRET = "nobody-reads-this-of-root"  # noqa: S105 - of nobody
STAY_ROOT = {
    "fleet.py": "the desk's have root tell mosquitto, 'join' and 'agent' are of root's agent: each acts for the data",
    "setup.py": "certificates and keys are root's; beds are made by the data folder's owner",
    "installing.py": "backups, certificates and bundles have root's files, too: each acts for the data",
    "looking_back.py": "a report is written where somebody says",
    "main.py": "'broker-acl' writes what is mosquitto's; 'replay' is the owner of the recording's folder",
    "examining.py": "'decode' reads what somebody names, and nothing of the data",
}
"""Files of commands that load a configuration and stay root, and why they may."""

pytestmark = as_root


@pytest.fixture
def place() -> Iterator[Path]:
    """``ward.toml`` of root's, ``data`` of the service's with a history, ``secret`` that root alone may read."""
    with open_place() as made:
        (made / "ward.toml").write_text(WARD.format(place=made, port=free_port()), "utf-8")
        with acting_as_owner_of(service_folder(made / "data")), closing(History(made / "data/history.db")):
            pass
        (made / "secret").write_text(SECRET)
        (made / "secret").chmod(0o600)
        (made / "backups").mkdir(mode=0o700)
        yield made


def commands(place: Path) -> list[tuple[str, ...]]:
    """Return commands that read or write the data, as they are typed."""
    ward = str(place / "ward.toml")
    return [
        ("user", "add", str(place / "data/users.jsonl"), "anna", "--role", "admin"),
        ("ward", "add-bed", ward, "bay-1"), ("ward", "admit", ward, "p-1", "bay-1"), ("ward", "import", ward),
        ("ward", "show", ward), ("accept", ward),
        ("token", "add", ward, "pager", "--role", "viewer"), ("token", "list", ward),
        ("history", "export", ward, "p-1"), ("history", "erase", ward, "p-1", "--yes"), ("history", "verify", ward),
        ("audit", ward), ("access-log", ward), ("status", ward), ("check", ward), ("doctor", ward),
        ("support-bundle", ward, str(place / "support.zip")),
    ]  # fmt: skip


def test_what_a_command_makes_is_the_service_s(place: Path) -> None:
    for words in commands(place):
        done = typed_by_root(*words, stdin="kettle orbit plum sandal\n")
        assert not {"defect", "denied"} & set(done.stderr.lower().split()), done.stderr
    data = place / "data"
    made = {path.relative_to(data) for path in data.rglob("*")}
    assert made > {Path(name) for name in ("ward.db", "users.jsonl", "tokens.jsonl", "history.db")}
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in (data, *data.rglob("*"))} == {(SERVICE, SERVICE)}


def test_set_up_by_root_is_whole(place: Path) -> None:
    answers = place / "answers.toml"
    answers.write_text('[admin]\npassword = "kettle orbit plum sandal"\n[certificate]\nnames = ["localhost"]\n')
    done = typed_by_root("setup", "--answers", answers, "--folder", place / "etc", "--data", place / "data")
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in (place / "etc").rglob("*")} == {0}
    assert {path.stat().st_uid for path in (place / "data").rglob("*")} == {SERVICE}
    done = typed_by_root("certificate", "renew", place / "etc/ward.toml", "--now")
    assert done.returncode == 0, done.stderr


def test_a_ward_that_set_up_may_not_write_costs_no_secret_that_is_shown_once(place: Path) -> None:
    answers = place / "answers.toml"
    answers.write_text('[admin]\npassword = "kettle orbit plum sandal"\n[certificate]\nnames = ["localhost"]\n')
    (place / "data/ward.db").symlink_to(place / "secret")
    done = typed_by_root("setup", "--answers", answers, "--folder", place / "etc", "--data", place / "data")
    assert done.returncode == 0, done.stderr
    assert "no beds were made" in done.stdout
    assert "key of the backups" in done.stdout


def test_an_answer_that_is_too_large_is_said_and_not_cut_off(place: Path) -> None:
    with (place / "answer.pem").open("wb") as answer:
        answer.write(b"x" * 1_000_001)
    file = place / "ward.toml"
    file.write_text(file.read_text().replace("[backup]", f'cert_file = "{place}/a"\nkey_file = "{place}/b"\n[backup]'))
    done = typed_by_root("certificate", "install", file, place / "answer.pem")
    assert done.returncode == 1
    assert "answer.pem is too large to be a certificate: it has more than 1000000 bytes. Nothing was" in done.stderr


def test_a_certificate_in_the_data_folder_is_put_there_as_its_owner(place: Path) -> None:
    """The copy of the one before had a name that could be known before: root wrote through a link in its place."""
    data, etc = place / "data", place / "etc"
    answers = place / "answers.toml"
    answers.write_text('[admin]\npassword = "kettle orbit plum sandal"\n[certificate]\nnames = ["localhost"]\n')
    assert typed_by_root("setup", "--answers", answers, "--folder", etc, "--data", data).returncode == 0
    certificates = data / "certificates"
    (etc / "certificates").rename(certificates)
    for path in (certificates, *certificates.iterdir()):
        os.chown(path, SERVICE, SERVICE)
    text = (etc / "ward.toml").read_text().replace(f"{etc}/certificates", str(certificates))
    (etc / "ward.toml").write_text(text)
    done = typed_by_root("certificate", "renew", etc / "ward.toml", "--now")
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in certificates.iterdir()} == {SERVICE}


def test_a_link_in_the_data_folder_leads_root_nowhere(place: Path) -> None:
    """Whoever has the service's user would have root read and write by it what is root's alone."""
    names = ("ward.db", "ward.db.lock", "tokens.jsonl", "tokens.jsonl.lock", "users.jsonl", "known-devices.json",
             "history.db", "access.db", "run.log", "backup.json", "receipt.key", "pins.jsonl")  # fmt: skip
    for name in names:
        (place / "data" / name).unlink(missing_ok=True)
        (place / "data" / name).symlink_to(place / "secret")
    before = (place / "secret").stat()
    for words in commands(place):
        done = typed_by_root(*words, stdin="kettle orbit plum sandal\n")
        assert SECRET not in done.stderr + done.stdout, words
        assert "defect" not in done.stderr + done.stdout, (words, done.stderr)
    now = (place / "secret").stat()
    assert (place / "secret").read_text() == SECRET
    assert (now.st_uid, now.st_mode, now.st_mtime_ns) == (0, before.st_mode, before.st_mtime_ns)
    assert SECRET.encode() not in (place / "support.zip").read_bytes()


def test_what_root_has_made_there_the_doctor_of_root_sees_too(place: Path) -> None:
    """It is root that types it, and the services that could not go on."""
    (place / "data/outbox.db").write_bytes(b"")
    (place / "data/outbox.db").chmod(0o640)
    done = typed_by_root("doctor", place / "ward.toml")
    assert f"{place}/data/outbox.db may not be written by this user" in done.stdout
    assert f"sudo chown {SERVICE} {place}/data/outbox.db" in done.stdout


def test_a_database_of_root_s_is_not_read_through_a_link(place: Path) -> None:
    with closing(sqlite3.connect(place / "other.db")) as db:
        db.execute("CREATE TABLE t (n)")
    (place / "other.db").chmod(0o600)
    (place / "data/ward.db").symlink_to(place / "other.db")
    done = typed_by_root("ward", "show", place / "ward.toml")
    assert done.returncode == 1
    assert "unable to open database file" in done.stderr
    assert sorted(path.name for path in place.iterdir()) == ["backups", "data", "other.db", "secret", "ward.toml"]


def test_what_is_typed_at_the_desk_of_a_fleet_is_done_as_the_desk(place: Path) -> None:
    """A package that is rolled out lies where only its administrator comes, and is read by whoever named it."""
    desk, fleet = place / "ward.toml", place / "data/fleet"
    assert typed_by_root("fleet", "init", desk, "--host", "127.0.0.1").returncode == 0
    assert typed_by_root("fleet", "invite", desk, "ward-7").returncode == 0
    with acting_as_owner_of(fleet), closing(Register(fleet)) as books:
        used = books.invitation("ward-7")
        assert used is not None
        books.admit(used, "", b"", [], 1.0)
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    (closed / "pager.toml").write_text("[notices]\n")
    words = ("fleet", "roll-out", desk, closed / "pager.toml", "--rings", "all", "--no-wait")
    (fleet / "bundles").symlink_to(closed)
    done = typed_by_root(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Permission denied" in done.stderr
    (fleet / "bundles").unlink()
    done = typed_by_root(*words)
    assert done.returncode == 0, done.stderr
    assert (fleet / "bundles").is_dir()
    assert {path.lstat().st_uid for path in fleet.rglob("*")} == {SERVICE}


def test_mosquitto_is_told_by_root_what_the_desk_has_written(place: Path) -> None:
    with acting_as_owner_of(place / "data"):
        assert reload(["sh", "-c", f"id -u > {place}/told"]) == ""
        assert os.geteuid() == SERVICE
    assert (place / "told").read_text().split() == ["0"]


def test_a_history_elsewhere_is_acted_on_as_its_owner(place: Path) -> None:
    other = place / "elsewhere"
    other.mkdir(mode=0o750)
    os.chown(other, SERVICE + 1, SERVICE + 1)
    with acting_as_owner_of(other), closing(History(other / "history.db")):
        pass
    file = place / "ward.toml"
    file.write_text(f'{file.read_text()}[historian]\ndatabase = "{other}/history.db"\n')
    done = typed_by_root("history", "verify", file)
    assert done.returncode == 0, done.stderr
    assert {path.stat().st_uid for path in other.iterdir()} == {SERVICE + 1}


def test_a_program_that_the_service_may_not_read_is_said_before_anything_is_done(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    (closed / "part.py").touch()
    start = (
        "import runpy, sys, gateway.machine.ownership as ownership; ownership.__file__ = sys.argv.pop(1)\n"
        "runpy.run_module('gateway', run_name='__main__')"
    )  # as if this part of the program lay there
    command: list[str | Path] = [sys.executable, "-c", start, closed / "part.py", "ward", "show", place / "ward.toml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 1
    assert f"root does this as user {SERVICE}, whose {place}/data is, and who may not read /" in done.stderr
    assert "Use the package's" in done.stderr


def test_whatever_stays_root_says_why() -> None:
    """A new command is the data's owner, unless it is entered here."""
    stay = set()
    for path in (ROOT / "gateway/cli").rglob("*.py"):
        names = {node.id for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Name)}
        if "read_configuration" in names:
            stay.add(path.name)
    assert stay - {"options.py"} == set(STAY_ROOT)


def test_the_configuration_of_these_tests_is_one(place: Path) -> None:
    assert load(place / "ward.toml").site.data == place / "data"
