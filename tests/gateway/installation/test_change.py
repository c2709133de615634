"""How a change of version goes, step by step, where nothing runs yet: real packages, and what is on disk after each."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.installation import change as change_module
from gateway.installation.change import PACKAGE, Changer, Wish
from gateway.installation.errors import OlderError, RefusedError
from gateway.installation.journal import Change, Journal, Step
from gateway.installation.versions import CURRENT, Versions
from gateway.installation.way_back import open_way_back
from gateway.machine.kept_forms import MARKER, change_of_version

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs Debian's dpkg")

FIRST = "0.1.0"


class Place:
    """A folder of versions, and packages for it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.versions = Versions(folder / "opt")
        self.journal = Journal(self.versions.home)
        self.said: list[str] = []
        self.changer = Changer(self.versions, self.said.append)
        self.wish = Wish(folder / "absent.toml", unsigned="made for a test")
        lay_out(self.versions.folder(FIRST))
        self.versions.switch(FIRST)

    def package(self, version: str, *, size: str = "4", program: str = "rehab-gateway") -> Path:
        tree = self.folder / f"tree-{version}"
        lay_out(tree / "opt/rehab-gateway" / version, program)
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN/control").write_text(
            f"Package: rehab-gateway\nVersion: {version}+deb12\nArchitecture: all\nMaintainer: tests\n"
            f"Installed-Size: {size}\nDescription: made for a test\n"
        )
        made = self.folder / f"{version}.deb"
        build = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(made)]
        subprocess.run(build, check=True, capture_output=True)
        return made

    def left_over(self) -> list[str]:
        """Return what stays of a change that it should not."""
        kept = {*self.versions.installed(), CURRENT, "changes.jsonl", "change.lock"}
        return sorted(path.name for path in self.versions.home.iterdir() if path.name not in kept)


def lay_out(environment: Path, program: str = "rehab-gateway") -> None:
    (environment / "bin").mkdir(parents=True)
    command = environment / "bin" / program
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_versions_older_than_the_one_before_go(place: Place) -> None:
    for version in ("0.2.0", "0.10.0"):
        place.changer.upgrade(place.package(version), {}, place.wish)
    assert (place.versions.current(), place.versions.installed()) == ("0.10.0", ["0.2.0", "0.10.0"])
    assert place.left_over() == []
    assert "no service ran, so none is started: that the new version works is not tried" in place.said
    place.changer.rollback("0.2.0", place.wish)
    assert (place.versions.current(), place.versions.installed()) == ("0.2.0", ["0.2.0", "0.10.0"])
    with pytest.raises(RefusedError, match=r"version 0\.1\.0 is not here; there is: 0\.2\.0, 0\.10\.0"):
        place.changer.rollback(FIRST, place.wish)


def test_an_older_version_comes_only_for_a_reason_which_is_kept(place: Place) -> None:
    place.changer.upgrade(place.package("0.10.0"), {}, place.wish)
    older = place.package("0.9.9")
    with pytest.raises(OlderError, match=r"version 0\.9\.9 is older than 0\.10\.0, which runs"):
        place.changer.upgrade(older, {}, place.wish)
    assert (place.versions.current(), place.left_over()) == ("0.10.0", [])
    with pytest.raises(OlderError):  # before a release comes what is a candidate for it
        place.changer.upgrade(place.package("0.10.0~rc1"), {}, place.wish)
    why = "0.10.0 loses its radio each night"
    place.changer.upgrade(older, {}, replace(place.wish, older=why))
    assert place.versions.current() == "0.9.9"
    assert place.journal.past()[-1]["older"] == why
    place.changer.upgrade(place.package("0.11.0"), {}, replace(place.wish, older=why))
    assert place.journal.past()[-1]["older"] == ""  # it was none


def test_the_reason_is_in_the_marker_that_the_audit_reads(tmp_path: Path) -> None:
    why = "0.2.0 loses its radio each night"
    open_way_back(Change(kind="upgrade", old="0.2.0", new="0.1.0", at_us=1, data=str(tmp_path), older=why))
    assert change_of_version(tmp_path) == {"from": "0.2.0", "older": why}


@pytest.mark.parametrize(
    ("step", "linked", "runs"),
    [
        ("begun", FIRST, FIRST), ("changed", FIRST, FIRST), ("changed", "0.2.0", FIRST), ("back", "0.2.0", FIRST),
        ("back", FIRST, FIRST), ("kept", "0.2.0", "0.2.0"),
    ],
)  # fmt: skip
def test_what_is_broken_off_is_finished(place: Place, tmp_path: Path, step: Step, linked: str, runs: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / MARKER).write_text("{}")
    lay_out(place.versions.folder("0.2.0"))
    (place.versions.home / PACKAGE).touch()
    (place.versions.home / ".unpacking").mkdir()
    change = Change(kind="upgrade", old=FIRST, new="0.2.0", at_us=1, unpacked=True, data=str(tmp_path / "data"))
    place.journal.write(change, step)
    place.versions.set_finisher(FIRST)
    place.versions.switch(linked)
    with pytest.raises(RefusedError, match="was broken off and is not finished"):
        place.changer.upgrade(place.package("0.3.0"), {}, place.wish)
    assert f"version {runs}" in place.changer.resume() or runs in place.changer.resume()
    assert place.versions.current() == runs
    assert place.left_over() == []
    assert place.versions.installed() == ([FIRST] if runs == FIRST else [FIRST, "0.2.0"])
    assert (tmp_path / "data" / MARKER).exists() == (step in {"kept", "begun"})
    assert place.changer.resume() == ""
    place.changer.upgrade(place.package("0.4.0"), {}, place.wish)


def test_other_users_can_start_it_whatever_the_umask_is(place: Place) -> None:
    package = place.package("0.2.0")
    before = os.umask(0o027)
    try:
        place.changer.upgrade(package, {}, place.wish)
    finally:
        os.umask(before)
    folder = place.versions.folder("0.2.0")
    assert {path.stat().st_mode & 0o777 for path in (folder, folder / "bin", folder / "bin/rehab-gateway")} == {0o755}
    assert (place.versions.home / "changes.jsonl").stat().st_mode & 0o777 == 0o644  # for whoever asks for 'versions'


def test_a_link_to_a_finisher_without_a_change_is_taken_away(place: Place) -> None:
    place.versions.set_finisher(FIRST)
    assert place.changer.resume() == ""
    assert place.left_over() == []


def test_one_change_at_a_time(place: Place) -> None:
    package = place.package("0.2.0")
    with place.journal.held(), pytest.raises(RefusedError, match="another change of version is under way"):
        Changer(place.versions, place.said.append).upgrade(package, {}, place.wish)


def test_without_room_nothing_is_begun(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(change_module, "SPARE", 1 << 60)
    with pytest.raises(RefusedError, match=r"MB free, and this takes \d+ MB: make room"):
        place.changer.upgrade(place.package("0.2.0"), {}, place.wish)
    assert place.left_over() == []


def test_a_package_that_ends_too_early_leaves_nothing(place: Place) -> None:
    package = place.package("0.2.0")
    shutil.rmtree(tree := place.folder / "tree-0.2.0/opt/rehab-gateway/0.2.0")
    tree.mkdir()
    (place.folder / "tree-0.2.0/opt/rehab-gateway/0.2.1").mkdir()
    tree.rmdir()
    build = ["dpkg-deb", "--root-owner-group", "--build", str(place.folder / "tree-0.2.0"), str(package)]
    subprocess.run(build, check=True, capture_output=True)
    with pytest.raises(RefusedError, match="cannot be unpacked"):
        place.changer.upgrade(package, {}, place.wish)
    assert (place.versions.current(), place.left_over()) == (FIRST, [])
    assert place.journal.past()[-1]["result"] == "given up"


@pytest.mark.parametrize("size", ["much", "-4", "9" * 30])
def test_a_size_that_is_none_is_refused(place: Place, size: str) -> None:
    made = place.package("0.2.0", size=size)
    with pytest.raises(RefusedError):
        place.changer.upgrade(made, {}, place.wish)
    assert (place.versions.current(), place.left_over()) == (FIRST, [])


def test_a_package_without_its_program_takes_no_version_s_place(place: Place) -> None:
    made = place.package("0.2.0", program="rehab-gatevay")
    with pytest.raises(RefusedError, match="no program"):
        place.changer.upgrade(made, {}, place.wish)
    assert (place.versions.current(), place.left_over()) == (FIRST, [])


def test_what_a_package_links_to_elsewhere_is_not_written_through(place: Place) -> None:
    """A link out of the version's folder, and a file behind it, as an archive may have and a folder cannot."""
    outside = place.folder / "outside"
    outside.mkdir()
    archive = place.folder / "data.tar"
    inside = "./opt/rehab-gateway/0.2.0"
    with tarfile.open(archive, "w") as made:
        for name, link in ((f"{inside}/out", str(outside)), (f"{inside}/up", "../../../outside")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, link
            made.addfile(info)
        for name in ("out/evil", "up/evil", "../evil", "../../../../evil"):
            info = tarfile.TarInfo(f"{inside}/{name}")
            info.size = 4
            made.addfile(info, io.BytesIO(b"evil"))
    package = place.package("0.2.0")
    subprocess.run(["ar", "x", package.name], cwd=place.folder, check=True)
    (old,) = place.folder.glob("data.tar.*")
    old.unlink()
    (control,) = place.folder.glob("control.tar*")
    members = ["debian-binary", control.name, archive.name]
    subprocess.run(["ar", "rc", "evil.deb", *members], cwd=place.folder, check=True)
    before = {path for path in place.folder.rglob("*") if "opt" not in path.parts}
    with pytest.raises(RefusedError, match="cannot be unpacked"):
        place.changer.upgrade(place.folder / "evil.deb", {}, place.wish)
    assert not list(outside.iterdir())
    assert {path for path in place.folder.rglob("*") if "opt" not in path.parts} == before
    assert (place.versions.current(), place.versions.installed(), place.left_over()) == (FIRST, [FIRST], [])


@pytest.mark.parametrize("name", ["../outside", "..", ".", "", "current", "0.1.0/..", "/etc", "0.9.9", "0.1.0\n"])
def test_a_rollback_to_what_is_no_version_changes_nothing(place: Place, name: str) -> None:
    with pytest.raises(RefusedError, match="is not here"):
        place.changer.rollback(name, place.wish)
    assert (place.versions.current(), place.left_over()) == (FIRST, [])
