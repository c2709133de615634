"""The rules of the house: what may be in the repository, and where it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from config.pseudonym import nhs_numbers
from drivers.registry import driver_names

ROOT = Path(__file__).parents[1]

TOP = {
    ".ci", ".gitignore", "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "SECURITY.md", "benchmarks", "config",
    "docs", "drivers", "dsp", "gateway", "hatch_build.py", "importers", "installer", "pyproject.toml", "requirements",
    "simulators", "tests",
}  # fmt: skip
LARGEST_BYTES = 1 << 20  # of a tracked file: recordings, wheels and builds are larger, pictures need not be

REGISTRIES = re.compile(
    r"pypi\.org|pythonhosted\.org|npmjs\.(org|com)|^\s*--(extra-)?index-url|^\s*--find-links", re.MULTILINE
)
MACHINES = re.compile(r"/(work|root)/[a-z]|/home/(?!pi\b)[a-z]|/opt/pypi|[A-Z]:\\Users")
FOREIGN = re.compile(r"@license|Copyright \(c\)|SPDX-License-Identifier|GNU (Affero )?General Public", re.IGNORECASE)


@cache
def tracked() -> tuple[Path, ...]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def texts() -> dict[str, str]:
    found = {}
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data:
            found[str(path.relative_to(ROOT))] = data.decode("utf-8")
    return found


def with_match(pattern: re.Pattern[str], *, but: tuple[str, ...] = ()) -> dict[str, str]:
    return {name: match[0] for name, text in texts().items() if name not in but and (match := pattern.search(text))}


def test_the_top_level_is_as_designed() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} == TOP


def test_no_registry_address_in_any_file() -> None:
    assert with_match(REGISTRIES, but=("tests/test_house.py",)) == {}


def test_no_path_of_somebodys_machine() -> None:
    assert with_match(MACHINES, but=("tests/test_house.py",)) == {}


def test_the_patterns_recognise_what_they_are_for() -> None:
    host = "pypi" + ".org"
    assert REGISTRIES.search(f"https://{host}/simple")
    assert REGISTRIES.search("a==1\n--index-url x")
    assert not REGISTRIES.search("uv pip compile --no-emit-index-url")
    assert MACHINES.search("see /" + "work/main")
    assert not MACHINES.search("/var/lib/rehab-gateway and network/root.pem")
    assert FOREIGN.search("/*! @" + "license MIT */")


def test_no_code_of_others_is_committed() -> None:
    """Libraries come from a registry, locked by hash; the plotting library comes at build time."""
    names = [str(path.relative_to(ROOT)) for path in tracked()]
    assert [
        n for n in names if re.search(r"(^|/)(vendor|node_modules|third_party)/|\.min\.|\.(whl|so|pyc|npz)$", n)
    ] == []
    assert with_match(FOREIGN, but=("LICENSE", "tests/test_house.py")) == {}
    assert [n for n in names if (ROOT / n).stat().st_size > LARGEST_BYTES] == []


def test_no_number_that_names_a_person() -> None:
    assert {name: numbers for name, text in texts().items() if (numbers := nhs_numbers(text))} == {}


def test_decision_records_state_what_is_and_what_is_not() -> None:
    records = sorted((ROOT / "docs/decisions").glob("*.md"))
    assert [record.name[:4] for record in records] == [f"{n:04}" for n in range(1, len(records) + 1)]
    for record in records:
        assert re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", record.name)
        lines = record.read_text("utf-8").splitlines()
        assert re.match(rf"# {record.name[:4]} .+", lines[0]), record.name
        assert [line for line in lines if line.startswith("## ")] == ["## Objective", "## Is", "## Is not"], record.name


@pytest.mark.parametrize("name", driver_names())
def test_every_driver_has_its_twins(name: str) -> None:
    """A driver comes with a simulator that speaks its protocol, and with tests of its own."""
    assert (ROOT / "drivers" / name / "driver.py").is_file()
    assert (ROOT / "simulators/devices" / f"{name}.py").is_file()
    assert (ROOT / "tests/drivers" / f"test_{name}.py").is_file()


@pytest.mark.parametrize(
    ("ci", "status", "summary"), [("true", 1, "1 failed, 1 passed, 1 error"), ("", 0, "1 passed, 2 skipped")]
)
def test_in_ci_a_skip_is_a_failure(tmp_path: Path, ci: str, status: int, summary: str) -> None:
    skips = 'import pytest\ndef test_it(): pytest.skip("no broker here")\ndef test_other(): pass\n'
    (tmp_path / "test_skips.py").write_text(skips, "utf-8")
    file = 'import pytest\npytest.skip("no store here", allow_module_level=True)\n'
    (tmp_path / "test_skipped.py").write_text(file, "utf-8")
    (tmp_path / "conftest.py").write_text((ROOT / "tests/conftest.py").read_text("utf-8"), "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", "-q", "--continue-on-collection-errors"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "CI": ci}, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == status, done.stdout
    assert summary in done.stdout
    assert "no broker here" in done.stdout
    assert "no store here" in done.stdout
