"""Whose files are: root does nothing in a folder of somebody else that they could lead elsewhere by a link."""

from __future__ import annotations

import grp
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.machine import ownership
from gateway.machine.ownership import (
    NoFolderError,
    NotAllowedError,
    acting_as_owner_of,
    folder_of,
    refuse_to_make,
    who_else_may_change,
)
from tests.open_place import ROOT, SERVICE, as_root, open_place, python_of_all, service_folder

pytestmark = as_root


@pytest.fixture
def place() -> Iterator[Path]:
    with open_place() as made:
        yield made


def test_what_is_root_s_down_to_the_last_folder_is_nobody_else_s_to_change(place: Path) -> None:
    (place / "a").mkdir()
    (place / "a/file").write_text("x")
    (place / "link").symlink_to("a/../a/file")
    for path in (
        Path("/"),
        place,
        place / "a/file",
        place / "link",
    ):  # /tmp lies on the way: only its owner removes there
        assert who_else_may_change(path) == ""


def test_whoever_else_may_change_it_is_named_with_the_folder(place: Path) -> None:
    (place / "a/b").mkdir(parents=True)
    (place / "a/b/file").write_text("x")
    for path, mode, words in (
        (place / "a/b/file", 0o666, "may be written by everybody"),
        (place / "a/b/file", 0o660, "may be written by its group"),
        (place / "a/b", 0o770, "may be written by its group"),
        (place / "a", 0o757, "may be written by everybody"),
    ):
        before = path.stat().st_mode
        path.chmod(mode)
        assert who_else_may_change(place / "a/b/file") == f"{path} {words}"
        path.chmod(before)
    (place / "a/b").chmod(0o1777)
    assert who_else_may_change(place / "a/b/file") == ""
    assert who_else_may_change(place / "a/b") == f"{place / 'a/b'} may be written by everybody"
    os.chown(place / "a", SERVICE, -1)
    assert who_else_may_change(place / "a/b/file") == f"{place / 'a'} belongs to user {SERVICE}, and not to root"


def test_a_link_is_as_good_as_the_folders_that_it_leads_through(place: Path) -> None:
    (place / "own").mkdir()
    theirs = service_folder(place / "theirs")
    (theirs / "back").symlink_to(place / "own")
    (place / "through").symlink_to(theirs / "back")
    assert who_else_may_change(place / "through") == f"{theirs} belongs to user {SERVICE}, and not to root"
    assert who_else_may_change(place / "own/../theirs").startswith(str(theirs))
    (place / "round").symlink_to("round")
    assert who_else_may_change(place / "round").endswith("is a link that leads in a circle")
    with pytest.raises(FileNotFoundError):
        who_else_may_change(place / "absent")


def test_as_the_owner_of_a_folder_root_reads_and_writes_what_that_user_may_and_is_root_again(place: Path) -> None:
    theirs = service_folder(place / "theirs")
    (place / "secret").write_text("root's")
    (place / "secret").chmod(0o600)
    (theirs / "secret").symlink_to(place / "secret")
    before = os.geteuid(), os.getegid(), os.getgroups()
    with acting_as_owner_of(theirs):
        (theirs / "made").write_text("x")
        with pytest.raises(PermissionError):
            (theirs / "secret").read_text()
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before
    made = (theirs / "made").stat()
    assert (made.st_uid, made.st_gid) == (SERVICE, SERVICE)
    with acting_as_owner_of(place):  # root's own
        assert os.geteuid() == 0


def test_a_root_that_may_not_even_change_its_groups_says_so(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a unit without CAP_SETGID: the way back is closed, too, and needs none."""
    service_folder(place / "data")

    def refuse(groups: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "setgroups", refuse)
    with pytest.raises(NotAllowedError) as told, acting_as_owner_of(place / "data"):
        pytest.fail("it is nobody else")
    assert str(told.value) == (
        f"root does this as user {SERVICE}, whose {place}/data is, and may not become that user here"
    )
    assert "CAP_SETUID and CAP_SETGID" in told.value.advice
    assert os.geteuid() == 0


def test_a_root_that_may_not_become_somebody_else_stays_what_it_was(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a unit without CAP_SETUID: it would go on with the groups of the other."""
    service_folder(place / "data")
    become = os.seteuid

    def refuse(user: int) -> None:
        if user:
            raise PermissionError(1, "Operation not permitted")
        become(user)

    monkeypatch.setattr(os, "seteuid", refuse)
    before = os.geteuid(), os.getegid(), os.getgroups()
    with pytest.raises(NotAllowedError, match="and may not become that user here"), acting_as_owner_of(place / "data"):
        pytest.fail("it is nobody else")
    assert (os.geteuid(), os.getegid(), os.getgroups()) == before


def test_whoever_is_not_root_is_asked_for_nothing(place: Path) -> None:
    (place / "closed").mkdir(mode=0o700)
    with acting_as_owner_of(service_folder(place / "theirs")), acting_as_owner_of(place / "closed/data"):
        assert os.geteuid() == SERVICE


def test_the_owner_has_their_own_groups_whatever_group_the_folder_has(place: Path) -> None:
    """By the first of them the services read the configuration."""
    theirs, who = service_folder(place / "theirs"), pwd.getpwnam("daemon")
    os.chown(theirs, who.pw_uid, SERVICE)
    with acting_as_owner_of(theirs):
        assert os.getegid() == SERVICE
        assert who.pw_gid in os.getgroups()


def test_of_a_folder_that_is_not_there_the_owner_is_whoever_may_make_it(place: Path) -> None:
    theirs = service_folder(place / "theirs")
    with acting_as_owner_of(theirs / "a/b"):
        assert os.geteuid() == SERVICE
    with acting_as_owner_of(place / "a/b"):
        assert os.geteuid() == 0


def test_for_good_it_is_the_owner_s_with_groups_besides_and_nothing_leads_back(place: Path) -> None:
    theirs = service_folder(place / "theirs")
    words = f"""
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from gateway.machine.ownership import become_owner_of
become_owner_of(Path({str(theirs)!r}), ["dialout", "no-such-group"])
print(os.getresuid(), os.getresgid(), os.getgroups())
try:
    os.seteuid(0)
except PermissionError:
    print("no way back")
"""
    done = subprocess.run([python_of_all(), "-c", words], capture_output=True, text=True, check=True, cwd="/")
    group = grp.getgrnam("dialout").gr_gid
    assert done.stdout.splitlines() == [f"{(SERVICE,) * 3} {(SERVICE,) * 3} [{group}]", "no way back"]


def test_what_is_in_the_data_folder_is_its_owner_s_whatever_lies_on_the_way(place: Path) -> None:
    data = service_folder(place / "data")
    (place / "other").mkdir()
    (data / "sub").symlink_to(place / "other")
    (place / "way").symlink_to(data)
    for inside in (data / "a", data / "x/y/a", data / "sub/a", place / "way/a"):
        assert folder_of(inside, data) == data
    assert folder_of(place / "way/a", place / "way") == place / "way"
    for outside in (place / "a", place / "other/a", place / "database/a"):
        assert folder_of(outside, data) == outside.parent


def test_root_makes_no_data_folder_that_the_service_could_not_use(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ownership, "SYSTEMD", place)
    monkeypatch.setattr(ownership, "SERVICE", "root")  # a user that every machine has
    with pytest.raises(NoFolderError, match="make it for the service"):
        refuse_to_make(place / "data")
    refuse_to_make(place)
    monkeypatch.setattr(ownership, "SERVICE", "nobody-of-this-name")
    refuse_to_make(place / "data")  # a checkout, whoever runs it is whose it is
    monkeypatch.setattr(ownership, "SERVICE", "root")
    monkeypatch.setattr(ownership, "SYSTEMD", place / "none")
    refuse_to_make(place / "data")  # a container of root's
