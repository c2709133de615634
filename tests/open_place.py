"""A place that every user of the machine may enter, as /etc and /var/lib are: pytest's own folders are its user's."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVICE = 41_236
"""User and group of a service that owns its data folder; no machine has one of this number."""
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
