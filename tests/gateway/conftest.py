"""Real parts for the delivery tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Child, mosquitto_in, victoria_metrics_in


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Child]:
    """A real mosquitto that a test may kill and start again."""
    with mosquitto_in(tmp_path / "mosquitto") as child:
        yield child


@pytest.fixture
def victoria_metrics(tmp_path: Path) -> Iterator[Child]:
    """A real VictoriaMetrics with an empty store."""
    with victoria_metrics_in(tmp_path / "vm") as child:
        yield child
