"""A place that every user of the machine may enter, as /etc and /var/lib are: pytest's own folders are its user's."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SERVICE = 41_236
"""User and group of a service that owns its data folder; no machine has one of this number."""
SYSTEM = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
"""Debian's Python, which everybody may read: a developer's own may lie in a home that is closed."""
WITHIN_S = 100.0
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")


@contextmanager
def open_place() -> Iterator[Path]:
    """Have an empty folder of this user's that all others may enter and read."""
    with tempfile.TemporaryDirectory(prefix="rehab-gateway-") as name:
        place = Path(name).resolve()
        place.chmod(0o755)
        yield place


def service_folder(path: Path) -> Path:
    """Make a folder that belongs to the service."""
    path.mkdir(mode=0o750)
    os.chown(path, SERVICE, SERVICE)
    return path


@cache
def _program() -> Sequence[str]:
    """Return the command of a program that the service may read, too; empty where there is none."""
    for python in (sys.executable, SYSTEM):
        with suppress(OSError):
            done = subprocess.run(
                [python, "-c", "import gateway.cli.main"], env=_environment(), user=SERVICE, group=SERVICE,
                extra_groups=[], capture_output=True, check=False, cwd="/",
            )  # fmt: skip
            if not done.returncode:
                return python, "-m", "gateway"
    return ()


def _environment() -> dict[str, str]:
    paths = f"{ROOT}:{sysconfig.get_path('purelib')}"
    return {**os.environ, "PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "200"}


def no_program() -> Sequence[str]:
    """End a test where Python or this checkout lie in a folder that only root may enter: nothing is wrong there."""
    pytest.xfail("no Python here that other users may read, with what we need")


def python_of_all() -> str:
    """Return a Python that the service may run, with this program in it."""
    return (_program() or no_program())[0]


def typed_by_root(*words: str | Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command of ours as a technician types it with sudo."""
    program = _program() or no_program()
    return subprocess.run(
        [*program, *map(str, words)], input=stdin, capture_output=True, text=True, check=False, timeout=WITHIN_S,
        env=_environment(), cwd="/",
    )  # fmt: skip
