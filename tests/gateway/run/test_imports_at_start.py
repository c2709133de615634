"""What a gateway loads before it knows what its ward wears: the radios wait for it, and so does who restarts it."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = "import sys, gateway.run.run; print(*sys.modules)"


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """Return the modules of a process that has imported all that runs a gateway."""
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, check=True, text=True)
    return set(done.stdout.split())


def test_no_operator_of_movement_is_loaded_before_somebody_wears_a_motion_sensor(loaded: set[str]) -> None:
    rooms = ("dsp.orientation.", "dsp.foot.", "dsp.shank.", "dsp.lower_back.", "dsp.mounting.", "dsp.gait.")
    assert [name for name in loaded if name.startswith(rooms)] == []
    assert "gateway.analysis.movement" not in loaded


@pytest.mark.parametrize(
    "name", ["typer", "rich", "aiohttp", "influxdb_client", "dbus_fast", "gateway.status.prometheus"]
)
def test_what_belongs_to_other_commands_or_was_not_asked_for_is_not_loaded(loaded: set[str], name: str) -> None:
    assert name not in loaded
