"""Recordings, byte vectors and scorers that lie beside the checkout and never in it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared_path(*parts: str) -> Path:
    """Return a path of the shared folder; skip the test where it is absent, fail it in CI."""
    path = SHARED.joinpath(*parts)
    if not path.exists():
        missing = f"needs {'/'.join(('..', 'shared', *parts))}, which is not beside this checkout"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return path
