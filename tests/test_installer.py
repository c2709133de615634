"""The Debian package: what it says of itself, without making it; `tests/bare/install` installs one in a bare Debian."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from installer import build

pytestmark = pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs Debian's dpkg")

SCRIPTS = ("postinst", "prerm", "postrm")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Lay out all but the environment."""
    made = tmp_path / "tree"
    (made / "opt").mkdir(parents=True)
    build.lay_out_system(made, "0.1.0+deb12")
    return made


def test_the_unit_runs_the_version_that_the_link_names_and_nothing_of_a_checkout(tree: Path) -> None:
    unit = (tree / "usr/lib/systemd/system/rehab-gateway@.service").read_text("utf-8")
    assert "ExecStart=/opt/rehab-gateway/current/bin/rehab-gateway %i" in unit
    assert ".venv" not in unit


def test_configurations_are_samples_and_no_file_of_the_administrator_is_in_the_package(tree: Path) -> None:
    top = {path.relative_to(tree).parts[0] for path in tree.rglob("*")}
    assert top == {"DEBIAN", "opt", "usr"}
    assert not (tree / "DEBIAN/conffiles").exists()
    assert (tree / "usr/share/doc/rehab-gateway/examples/ward.toml").is_file()


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_shell_and_cannot_fail_for_want_of_a_network(tree: Path, name: str) -> None:
    path = tree / "DEBIAN" / name
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
    words = path.read_text("utf-8")
    assert path.stat().st_mode & 0o111
    assert not any(tool in words for tool in ("pip ", "curl", "wget", "apt", "npm"))
    assert "@VERSION@" not in words


def test_the_package_manager_understands_what_is_said(tree: Path) -> None:
    built = tree.parent / "empty.deb"
    make, show = (
        ["dpkg-deb", "--root-owner-group", "--build", str(tree), str(built)],
        ["dpkg-deb", "--field", str(built)],
    )
    done = subprocess.run(make, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    fields = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    assert "Version: 0.1.0+deb12\n" in fields
    assert "mosquitto, bluez, ca-certificates" in fields


def test_no_trace_of_the_folder_of_making_stays(tmp_path: Path) -> None:
    home, installed = tmp_path / "env", Path("/opt/rehab-gateway/0.1.0")
    (home / "bin").mkdir(parents=True)
    script = home / "bin" / "rehab-gateway"
    script.write_text(f"#!{home}/bin/python\n")
    (home / "pyvenv.cfg").write_text(f"command = python3 -m venv {home}\n")
    build.forget_this_machine(home, installed)
    assert script.read_text() == f"#!{installed}/bin/python\n"
    assert str(home) not in (home / "pyvenv.cfg").read_text()


def test_the_timers_and_what_they_start_are_in_the_package(tree: Path) -> None:
    units = tree / "usr/lib/systemd/system"
    for name in ("backup", "certificate"):
        assert (units / f"rehab-gateway-{name}.timer").is_file()
        unit = (units / f"rehab-gateway-{name}.service").read_text("utf-8")
        assert "ExecStart=/opt/rehab-gateway/current/bin/rehab-gateway " in unit
        assert ".venv" not in unit
