"""The Debian package: what it says of itself, without making it; `tests/bare/install` installs one in a bare Debian."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from installer import build

pytestmark = pytest.mark.skipif(shutil.which("dpkg") is None, reason="needs Debian's dpkg")

SCRIPTS = ("preinst", "postinst", "prerm", "postrm")


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


def test_each_service_has_what_it_may_do_and_the_log_is_bounded(tree: Path) -> None:
    units = tree / "usr/lib/systemd/system"
    deploy = build.ROOT / "config/deploy"
    shipped = {str(path.relative_to(units)) for path in units.rglob("*") if path.is_file()}
    ours = [*deploy.glob("*.service"), *deploy.glob("*.timer"), *deploy.glob("*.d/*.conf")]
    fleets = [*deploy.glob("fleet/*.service")]
    assert shipped == {str(path.relative_to(deploy)) for path in ours} | {path.name for path in fleets}
    assert "SystemMaxUse=" in (tree / "usr/lib/systemd/journald.conf.d/rehab-gateway.conf").read_text("utf-8")


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_are_shell_and_cannot_fail_for_want_of_a_network(tree: Path, name: str) -> None:
    path = tree / "DEBIAN" / name
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
    words = path.read_text("utf-8")
    assert path.stat().st_mode & 0o111
    assert not any(tool in words for tool in ("pip ", "curl", "wget", "apt", "npm"))
    assert "@VERSION@" not in words


def test_what_is_in_the_package_has_the_time_of_the_commit_whenever_it_was_checked_out(tree: Path) -> None:
    build.make_alike(tree, 1_700_000_000)
    assert {path.lstat().st_mtime for path in tree.rglob("*")} == {1_700_000_000}
    sample = tree / "usr/share/doc/rehab-gateway/examples/ward.toml"
    assert sample.stat().st_mode & 0o777 == 0o644


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


def small_package(folder: Path, version: str) -> Path:
    """Make a package that has our scripts, and one file in its environment."""
    tree = folder / f"tree-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    program = tree / "opt/rehab-gateway" / version / "bin/rehab-gateway"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho {version}\n")
    program.chmod(0o755)
    (tree / "DEBIAN/control").write_text(
        f"Package: rehab-gateway\nVersion: {version}+deb12\nArchitecture: all\nMaintainer: tests\nDescription: a test\n"
    )
    for name in SCRIPTS:
        text = (build.ROOT / "installer/debian" / name).read_text("utf-8").replace("@VERSION@", version)
        (tree / "DEBIAN" / name).write_text(text, "utf-8")
        (tree / "DEBIAN" / name).chmod(0o755)
    made = folder / f"rehab-gateway_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", str(tree), str(made)], check=True, capture_output=True)
    return made


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root, and unshare")
def test_the_package_manager_leaves_the_version_before_beside_the_new_one(tmp_path: Path) -> None:
    admin = tmp_path / "admin"
    for name in ("updates", "info", "triggers"):
        (admin / name).mkdir(parents=True)
    (admin / "status").touch()
    old, new = small_package(tmp_path, "0.1.0"), small_package(tmp_path, "0.2.0")
    dpkg = f"dpkg --admindir={admin} --log={tmp_path / 'log'}"
    # /opt and /run are empty ones of this script's own: nothing of the machine is seen, nor changed.
    script = f"""set -e
        mount -t tmpfs none /opt; mount -t tmpfs none /run
        {dpkg} --install {old} && /opt/rehab-gateway/current/bin/rehab-gateway
        {dpkg} --install {new} && /opt/rehab-gateway/current/bin/rehab-gateway
        ls -A /opt/rehab-gateway; /opt/rehab-gateway/0.1.0/bin/rehab-gateway
        {dpkg} --remove rehab-gateway; ls -A /opt"""
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", script],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    if "mount" in done.stderr and "denied" in done.stderr:
        pytest.skip("needs a mount namespace")
    assert done.returncode == 0, done.stderr
    said = [
        line for line in done.stdout.splitlines() if not line.startswith(("(", "Selecting", "Preparing", "Setting"))
    ]
    said = [line for line in said if not line.startswith(("Unpacking", "Removing"))]
    assert said == ["0.1.0", "0.2.0", "0.1.0", "0.2.0", "current", "0.1.0"], done.stdout + done.stderr


def test_the_timers_and_what_they_start_are_in_the_package(tree: Path) -> None:
    units = tree / "usr/lib/systemd/system"
    for name in ("backup", "certificate"):
        assert (units / f"rehab-gateway-{name}.timer").is_file()
        unit = (units / f"rehab-gateway-{name}.service").read_text("utf-8")
        assert "ExecStart=/opt/rehab-gateway/current/bin/rehab-gateway " in unit
        assert ".venv" not in unit
