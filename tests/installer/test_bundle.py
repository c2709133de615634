"""A stick for installing without a network: whole, signed, and refused where anything is missing or was changed."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.installation.signature import SIGNATURE, SUMS
from installer import bundle
from installer.build import NAME, version
from installer.bundle import BESIDE, main, part_of
from installer.debian import PROGRAMS
from installer.debian_packages import write_index
from tests.servers import missing

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs Debian's apt")


def make_deb(folder: Path, name: str, number: str = "1.0", *, architecture: str = "all", depends: str = "") -> Path:
    """Make a package with next to nothing in it."""
    tree, made = folder / "tree", folder / f"{name}_{number}_{architecture}.deb"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "DEBIAN").mkdir(parents=True)
    needs = f"Depends: {depends}\n" if depends else ""
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: {number}\nArchitecture: {architecture}\nMaintainer: tests\n{needs}"
        "Description: made for a test\n"
    )
    command = ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(made)]
    subprocess.run(command, check=True, capture_output=True)
    shutil.rmtree(tree)
    return made


class Workshop:
    """Packages as 'make package' leaves them, a key, and a source of Debian's packages."""

    def __init__(self, folder: Path) -> None:
        self.dist, self.stick, self.mirror = folder / "dist", folder / "stick", folder / "mirror"
        self.dist.mkdir()
        self.mirror.mkdir()
        for kind in bundle.KINDS:
            part = part_of(kind, self.dist)
            needs = f"python3 (>= 3.11), {', '.join(PROGRAMS)}"
            number = f"{version()}+deb{part.release}"
            assert make_deb(self.dist, NAME, number, architecture=part.architecture, depends=needs) == part.package
            part.bill.write_text("{}")
        self.list_sums()
        for name in ("python3", *PROGRAMS, *BESIDE):
            make_deb(self.mirror, name, "3.11" if name == "python3" else "1:1.0", depends="libwhatever")
        make_deb(self.mirror, "libwhatever")
        self.index()
        self.sources = folder / "sources"
        self.sources.write_text(f"deb [trusted=yes] file:{self.mirror} ./\n")
        self.key, self.work = folder / "release.key", folder / "work"
        subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(self.key)], check=True)

    def list_sums(self, folder: Path | None = None) -> None:
        folder = folder or self.dist
        lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in folder.glob("*.deb")]
        (folder / SUMS).write_text("".join(lines))

    def index(self) -> None:
        write_index(self.mirror, sorted(self.mirror.glob("*.deb")))

    def make(self, *more: str, key: bool = True) -> int:
        signing = ["--key", str(self.key)] if key else []
        places = {"--dist": self.dist, "--sources": self.sources, "--work": self.work}
        return main([str(self.stick), *(str(word) for pair in places.items() for word in pair), *signing, *more])


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    if shutil.which("openssl") is None:
        missing("openssl")
    return Workshop(tmp_path)


def check(stick: Path) -> int:
    return main([str(stick), "--check"])


def test_a_stick_has_all_that_a_technician_needs_for_each_kind_of_computer(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert workshop.make() == 0, capsys.readouterr().err
    assert "is whole" in (said := capsys.readouterr().out)
    stick = workshop.stick
    assert {path.name for path in stick.iterdir()} == {
        "install", "INSTALL.md", "READ-ME.txt", "LICENSE", "docs", "trusted-keys", SUMS, SIGNATURE,
        *(f"debian-{kind}" for kind in bundle.KINDS),
    }  # fmt: skip
    (key,) = (stick / "trusted-keys").iterdir()
    assert f"signed by {key.stem}: give that id to the technician on paper" in said
    assert f"Signed by: {key.stem}" in (words := (stick / "READ-ME.txt").read_text())
    assert "@" not in words
    for kind in bundle.KINDS:
        folder = stick / f"debian-{kind}"
        names = {path.name.partition("_")[0] for path in (folder / "debian-packages").iterdir()}
        assert names == {"python3", *PROGRAMS, *BESIDE, "libwhatever"}
        assert not [path for path in folder.rglob("*") if ":" in path.name]  # which a stick cannot have
        assert (folder / part_of(kind, workshop.dist).bill.name).is_file()
    assert not workshop.work.exists()


def test_packages_of_other_machines_lie_in_folders_of_their_own(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    made = part_of("13-amd64", workshop.dist)
    (folder := workshop.dist / "13-amd64").mkdir()
    for path in (made.package, made.bill):
        path.rename(folder / path.name)
    workshop.list_sums()
    assert workshop.make("--for", "12-amd64,13-amd64") == 1
    assert "cannot be used: " in capsys.readouterr().err
    workshop.list_sums(folder)
    assert workshop.make("--for", "12-amd64,13-amd64") == 0, capsys.readouterr().err
    assert (workshop.stick / "debian-13-amd64" / made.package.name).is_file()


def test_the_lines_on_the_stick_check_it_without_us(workshop: Workshop) -> None:
    workshop.make("--for", "12-amd64")
    (stick := workshop.stick).chmod(0o755)
    (key,) = (stick / "trusted-keys").iterdir()
    text = (stick / "READ-ME.txt").read_text().partition("Check it on another computer\n")[2]
    lines = [line.partition("     (")[0].strip() for line in text.splitlines() if line.startswith("  ")]
    script = "\n".join(lines).replace("ID.pem", key.name)
    done = subprocess.run(["sh", "-euxc", script], cwd=stick, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Signature Verified Successfully" in done.stdout


def without_package(workshop: Workshop) -> str:
    part_of("13-arm64", workshop.dist).package.unlink()
    return "no package rehab-gateway_.*deb13_arm64.deb.*on a Debian 13 makes it, or 'tests/bare/arm64 trixie'"


def without_bill(workshop: Workshop) -> str:
    part_of("12-amd64", workshop.dist).bill.unlink()
    return "no bill of materials"


def with_another_package(workshop: Workshop) -> str:
    with part_of("12-amd64", workshop.dist).package.open("ab") as file:
        file.write(b"more")
    return "is not the one that SHA256SUMS beside it lists"


def without_sums(workshop: Workshop) -> str:
    (workshop.dist / SUMS).unlink()
    return "cannot be used: .*SHA256SUMS"


def with_a_full_stick(workshop: Workshop) -> str:
    workshop.stick.mkdir()
    (workshop.stick / "photo.jpg").touch()
    return "has something in it"


def without_one_of_debians(workshop: Workshop) -> str:
    next(workshop.mirror.glob("libwhatever_*")).unlink()
    workshop.index()
    return "libwhatever"


@pytest.mark.parametrize(
    "lack",
    [without_package, without_bill, with_another_package, without_sums, with_a_full_stick, without_one_of_debians],
)
def test_where_anything_is_missing_nothing_is_laid_out(
    workshop: Workshop, capsys: pytest.CaptureFixture[str], lack: Callable[[Workshop], str]
) -> None:
    words = lack(workshop)
    assert workshop.make() == 1
    assert re.search(words, capsys.readouterr().err)
    left = [path.name for path in workshop.stick.iterdir()] if workshop.stick.exists() else []
    assert left in ([], ["photo.jpg"])


def test_nobody_signs_only_for_a_reason_and_that_stands_on_the_stick(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert workshop.make("--for", "12-amd64", key=False) == 1
    assert "no key that signs" in capsys.readouterr().err
    assert workshop.make("--for", "12-amd64", "--unsigned", "for a bench, without patients", key=False) == 0
    assert "Signed by: nobody, because: for a bench, without patients" in (workshop.stick / "READ-ME.txt").read_text()
    assert "signed by nobody" in capsys.readouterr().out


def test_what_was_changed_on_a_stick_is_named(workshop: Workshop, capsys: pytest.CaptureFixture[str]) -> None:
    workshop.make("--for", "12-amd64")
    stick = workshop.stick
    (stick / "System Volume Information").mkdir()  # a stick's own
    assert check(stick) == 0
    capsys.readouterr()
    folder = stick / "debian-12-amd64"
    (gone := next((folder / "debian-packages").glob("chrony_*"))).unlink()
    with (changed := next(folder.glob("rehab-gateway_*.deb"))).open("ab") as file:
        file.write(b"x")
    (folder / "debian-packages/evil_1.0_all.deb").touch()
    assert check(stick) == 1
    said = capsys.readouterr().err
    for words in (
        f"missing: debian-12-amd64/debian-packages/{gone.name}",
        f"another sum: debian-12-amd64/{changed.name}",
        "not in the list: debian-12-amd64/debian-packages/evil_1.0_all.deb",
        "is not the package that was signed",
    ):
        assert words in said
    (stick / SUMS).write_text((stick / SUMS).read_text().replace("INSTALL.md", "INSTALL.mb"))
    assert check(stick) == 1
    assert "does not fit the list of sums" in capsys.readouterr().err
