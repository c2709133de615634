"""The locks: what a ward installs is a part of what the tests ran with, hash by hash."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
ENTRY = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>\S+)(?P<rest>(?:[^\n]*\\\n)*[^\n]*)", re.MULTILINE)


def entries(name: str) -> dict[tuple[str, str], frozenset[str]]:
    """Return the hashes of each package and version of a lock."""
    text = (ROOT / "requirements" / name).read_text("utf-8")
    return {
        (match["name"], match["version"]): frozenset(re.findall(r"sha256:[0-9a-f]{64}", match["rest"]))
        for match in ENTRY.finditer(text)
    }


def needed() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return [Requirement(text) for text in project["dependencies"]]


def test_the_runtime_lock_is_a_part_of_the_developers() -> None:
    runtime, developers = entries("runtime.lock"), entries("dev.lock")
    assert len(runtime) > len(needed())
    assert all(runtime.values())
    assert {key: hashes for key, hashes in runtime.items() if developers.get(key) != hashes} == {}
    assert {name for name, _ in developers} - {name for name, _ in runtime} >= {"pytest", "ruff", "mypy", "bumble"}


def test_the_package_has_what_runs_and_the_simulators_and_no_more_than_the_developers_have() -> None:
    package, runtime, developers = entries("package.lock"), entries("runtime.lock"), entries("dev.lock")
    assert {key: hashes for key, hashes in package.items() if developers.get(key) != hashes} == {}
    assert {key: hashes for key, hashes in runtime.items() if package.get(key) != hashes} == {}
    assert "bumble" in {name for name, _ in package}


def test_the_runtime_lock_has_every_dependency_in_a_version_that_will_do() -> None:
    locked: dict[str, list[str]] = {}
    for name, version in entries("runtime.lock"):
        locked.setdefault(name, []).append(version)
    for requirement in needed():
        versions = locked.get(canonicalize_name(requirement.name), [])
        assert versions, requirement
        assert all(requirement.specifier.contains(version) for version in versions), requirement


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_locked_versions_are_those_that_these_tests_run_with() -> None:
    """An environment of the runtime lock would have what is installed here, and lack nothing of it."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--dry-run", "--no-deps", "--no-index",
         "--quiet", "--report", "-", "--no-build-isolation", "-r", str(ROOT / "requirements/runtime.lock")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert listed.returncode == 0, listed.stderr
    assert '"install": []' in listed.stdout, listed.stdout
