"""Copies of before an upgrade: root makes them in a folder of the gateway's user, who may put links there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

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
