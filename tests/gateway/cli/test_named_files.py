"""Whatever file a command is given: a pipe, or a device without an end, in its place is said, and not waited for."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from typer.testing import CliRunner

from gateway.cli.main import app

WITHIN_S = 20.0
WARD = Path(__file__).parents[3] / "config/examples/ward.toml"
COLUMNS = """
[exoskeleton.columns]
left_knee_angle = "a"
"""
COMMANDS = (
    "check FILE", "run FILE", "historian FILE", "dashboard FILE", "doctor FILE", "status FILE", "audit FILE",
    "ward import FILE", "ward show FILE", "session show FILE", "history show FILE p-0151", "certificate show FILE",
    "replay FILE", "replay --offsets FILE", "replay REAL --config FILE", "replay REAL --against FILE",
    "import exoskeleton FILE --columns COLUMNS -o OUT", "import exoskeleton REAL --columns FILE -o OUT",
    "user list FILE", "user add FILE anna --role viewer", "restore FILE --look", "setup --answers FILE --folder OUT",
    "decode heart_rate --file FILE", "decode declared_serial --capture FILE",
    "simulate --ward FILE", "simulate --ward WARD --events FILE", "backup FILE", "support-bundle FILE OUT",
    "token list FILE", "fleet list FILE", "devices scan FILE", "notices resume FILE bed-1", "days FILE p-0151",
)  # fmt: skip


class HungError(Exception):
    """It was still waiting."""


@pytest.fixture(autouse=True)
def _not_for_ever() -> Iterator[None]:
    def hung(number: int, frame: FrameType | None) -> None:
        raise HungError

    before = signal.signal(signal.SIGALRM, hung)
    signal.setitimer(signal.ITIMER_REAL, WITHIN_S)
    yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_pipe_in_the_place_of_a_file_is_said(tmp_path: Path, command: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    real = tmp_path / "real"
    real.write_bytes(b"")
    columns = tmp_path / "columns.toml"
    columns.write_text(COLUMNS)
    places = {"FILE": tmp_path / "pipe", "REAL": real, "WARD": WARD, "COLUMNS": columns, "OUT": tmp_path / "out"}
    words = {name: str(path) for name, path in places.items()}
    done = CliRunner().invoke(app, [words.get(word, word) for word in command.split()])
    assert not isinstance(done.exception, HungError), f"'{command}' waits for ever"
    assert done.exit_code != 0
    said = " ".join(
        f"{done.output} {done.exception} {getattr(done.exception, 'problems', '')}".replace("│", " ").split()
    )
    assert "is a pipe or a device, and no file" in said or "there is no such history" in said, said


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_no_configuration(device: str) -> None:
    done = CliRunner().invoke(app, ["check", device])
    assert "is a pipe or a device, and no file" in str(done.exception)
