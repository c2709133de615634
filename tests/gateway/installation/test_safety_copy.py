"""Copies of before an upgrade: root makes them in a folder of the gateway's user, who may put links there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from config.settings import Historian, Settings, Site
from gateway.installation.forms import forms_here
from gateway.installation.journal import Change
from gateway.installation.safety_copy import FOLDER, keep
from gateway.installation.way_back import close_way_back, is_open, open_way_back
from gateway.machine.ownership import acting_as_owner_of
from tests.open_place import SERVICE, as_root, open_place, service_folder

pytestmark = as_root


@pytest.fixture
def place() -> Iterator[Path]:
    """``data`` of the gateway's user with a database, ``etc`` of root with two files, of which that user reads one."""
    with open_place() as made:
        data = service_folder(made / "data")
        with acting_as_owner_of(data), closing(sqlite3.connect(data / "ward.db")) as db:
            db.execute("CREATE TABLE t (n INTEGER)")
        (made / "etc").mkdir()
        (made / "etc/ward.toml").write_text("[site]\n")
        (made / "etc/root.key").write_text("secret")
        (made / "etc/root.key").chmod(0o600)
        yield made


def test_copies_are_the_data_owner_s_and_what_that_user_may_not_read_is_left_out_and_named(place: Path) -> None:
    said: list[str] = []
    kept = keep(place / "data", place / "data/history.db", place / "etc/ward.toml", said.append)
    copies = {str(path.relative_to(kept)) for path in kept.rglob("*")}
    assert copies == {"ward.db", "configuration", "configuration/ward.toml"}
    assert {path.stat().st_uid for path in (kept, *kept.rglob("*"))} == {SERVICE}
    assert said == [f"  {place / 'etc/root.key'}: left out, the gateway's user may not read it"]


def test_a_configuration_that_the_data_owner_may_not_list_is_left_out_and_named(place: Path) -> None:
    (place / "etc").chmod(0o711)
    said: list[str] = []
    kept = keep(place / "data", place / "data/history.db", place / "etc/ward.toml", said.append)
    assert {str(path.relative_to(kept)) for path in kept.rglob("*")} == {"ward.db", "configuration"}
    assert said == [f"  {place / 'etc'}: left out, the gateway's user may not read it"]


def test_a_history_that_the_data_owner_may_not_read_is_left_out_and_named(place: Path) -> None:
    history = place / "elsewhere/history.db"
    history.parent.mkdir(mode=0o700)
    history.write_bytes(b"SQLite format 3\x00")
    said: list[str] = []
    kept = keep(place / "data", history, place / "etc/ward.toml", said.append)
    assert not (kept / "history.db").exists()
    assert f"  {history}: left out, the gateway's user may not read it" in said
    settings = Settings(site=Site(data=place / "data"), historian=Historian(database=history))
    assert "history" not in forms_here(settings)


def test_what_a_version_of_before_left_half_done_as_root_s_is_in_nobody_s_way(place: Path) -> None:
    part = place / f"data/.{FOLDER}.part"
    (part / "configuration").mkdir(parents=True)
    (part / "ward.db").write_text("half")
    part.chmod(0o750)
    kept = keep(place / "data", place / "data/history.db", place / "etc/ward.toml", lambda _: None)
    assert (kept / "configuration/ward.toml").read_text() == "[site]\n"
    assert not part.exists()


def test_a_link_in_the_place_of_what_was_left_half_done_leads_root_nowhere(place: Path) -> None:
    foreign = place / "foreign"
    foreign.mkdir()
    (foreign / "file").write_text("stays")
    (place / f"data/.{FOLDER}.part").symlink_to(foreign)
    with pytest.raises(OSError, match="exists"):
        keep(place / "data", place / "data/history.db", place / "etc/ward.toml", lambda _: None)
    assert (foreign / "file").read_text() == "stays"


def test_a_folder_that_is_exchanged_for_a_link_meanwhile_leads_root_nowhere(place: Path) -> None:
    foreign = place / "foreign"
    (foreign / "configuration").mkdir(parents=True)
    part = place / f"data/.{FOLDER}.part"

    def exchange(words: str) -> None:
        if "root.key" in words:  # the folder is made, and the configuration is about to be copied
            part.rename(place / "data/away")
            part.symlink_to(foreign)

    with pytest.raises(PermissionError):
        keep(place / "data", place / "data/history.db", place / "etc/ward.toml", exchange)
    assert [*(foreign / "configuration").iterdir()] == []


def test_the_marker_of_the_way_back_is_the_data_owner_s(place: Path) -> None:
    data = place / "data"
    open_way_back(Change(kind="upgrade", old="1.0.0", new="1.1.0", at_us=1, data=str(data)))
    assert is_open(data)
    assert {path.stat().st_uid for path in data.iterdir()} == {SERVICE}
    close_way_back(data)
    assert not is_open(data)
