"""A fleet for the tests of its room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.fleet.hospital import Hospital, hospital_in


@pytest.fixture
def hospital(tmp_path: Path) -> Iterator[Hospital]:
    """A fleet with nobody in it, around a real mosquitto."""
    with hospital_in(tmp_path) as made:
        yield made
