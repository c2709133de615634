"""A history of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.history.history import History
from tests.gateway.history.summing import every_sum_is_right

__all__ = ["every_sum_is_right", "history", "path"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the history is."""
    return tmp_path / "history.db"


@pytest.fixture
def history(path: Path) -> Iterator[History]:
    """Return the history, open."""
    made = History(path)
    yield made
    made.close()
