"""``rehab-gateway simulate`` as a person and as the demo call it."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from config.loader import load
from config.settings import Settings
from drivers.registry import driver_names
from gateway.cli.options import known_drivers
from simulators.command import app
from simulators.devices.movella_dot import MovellaDot
from simulators.scenes.simulators import simulator_names
from simulators.scenes.single import single
from tests.simulators.helpers import PATIENCE_S, OneRadio
from tests.simulators.test_scene import made_recording

WARD = Path(__file__).parents[2] / "config/examples/ward.toml"
PROGRAM = "from simulators.command import app; app()"


class Running:
    """A simulator in its own process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def event(self) -> dict[str, Any]:
        """Return the next line that it says."""
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), 3 * PATIENCE_S)
        return dict(json.loads(line))


async def simulate(*arguments: str) -> Running:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, *arguments, stdout=asyncio.subprocess.PIPE
    )
    return Running(process)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_ward_says_when_it_is_ready_and_leaves_nothing_behind(tmp_path: Path, signum: signal.Signals) -> None:
    socket, ports, config = tmp_path / "radio", tmp_path / "ports", tmp_path / "site.toml"
    ward = await simulate(
        "ward", "--beds", "2", "--socket", str(socket), "--ports", str(ports), "--write-config", str(config)
    )
    ready = await ward.event()
    assert ready["event"] == "ready"
    assert ready["socket"] == str(socket)
    assert len(ready["devices"]) == 4 + 8
    site = Settings.model_validate(tomllib.loads(config.read_text()))
    assert [device.id for slot in site.slot for device in slot.device] == ready["devices"]
    assert sorted(port.name for port in ports.iterdir()) == ["bed-1-lower-back", "bed-2-lower-back"]
    radio = OneRadio(socket)
    await radio.start()
    for slot in site.slot:
        assert await radio.find(address=slot.device[-1].address, timeout_s=PATIENCE_S)
    ward.process.send_signal(signum)
    summary = await ward.event()
    assert summary["event"] == "summary"
    assert set(summary["devices"]) == set(ready["devices"])
    assert await asyncio.wait_for(ward.process.wait(), PATIENCE_S) == 0
    assert not socket.exists()
    assert not list(ports.iterdir())
    await radio.stop()


async def test_a_recording_ends_by_itself(tmp_path: Path) -> None:
    file = made_recording(tmp_path)
    running = await simulate(
        "recording", str(file), "--speed", "20", "--wait", "0.1",
        "--socket", str(tmp_path / "radio"), "--ports", str(tmp_path / "ports"),
    )  # fmt: skip
    assert (await running.event())["event"] == "ready"
    assert await running.event() == {"event": "begin", "complete": False}
    summary = await running.event()
    assert (summary["sent"], summary["lost"], summary["unsent"]) == (0, 0, 200)
    assert await asyncio.wait_for(running.process.wait(), PATIENCE_S) == 0


def test_what_can_be_simulated_is_listed() -> None:
    result = CliRunner().invoke(app, ["list"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()] == simulator_names() == driver_names()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["ward", "--fault", "nonsense"], "no fault"),
        (["ward", "--fault", "bed-9-chest:drop@3"], "no device"),
        (["ward", "--beds", "0"], "beds"),
        (["ward", "--speed", "0"], "speed"),
        (["recording", "nowhere.npz"], "nowhere.npz"),
    ],
)
def test_a_wrong_argument_is_one_sentence_and_nothing_starts(tmp_path: Path, arguments: list[str], reason: str) -> None:
    result = CliRunner().invoke(app, [*arguments, "--socket", str(tmp_path / "radio"), "--ports", str(tmp_path)])
    assert result.exit_code == 2
    assert reason in result.output
    assert "Traceback" not in result.output
    assert not list(tmp_path.iterdir())


async def test_a_device_whose_place_is_taken_is_in_the_next_bed(tmp_path: Path) -> None:
    drivers = sorted(simulator_names())
    scene = single(drivers, ports=tmp_path)
    path = tmp_path / "ward.toml"
    path.write_text(scene.configuration(tmp_path / "radio"))
    settings = load(path, known_drivers())  # which refuses two in one place
    worn = [[device.driver for device in slot.device] for slot in settings.slot]
    assert sorted(driver for each in worn for driver in each) == drivers
    assert "heart_rate" in worn[0]
    assert "polar" in worn[2]  # movesense came before it


async def test_devices_that_one_person_wears_are_on_one_body(tmp_path: Path) -> None:
    turned = []
    for drivers in (["movella_dot"], ["heart_rate", "movella_dot"]):
        dot = single(drivers, ports=tmp_path).devices[f"movella-dot-{len(drivers)}"]
        assert isinstance(dot, MovellaDot)
        motion = dot.source.read_until(12.0)
        assert motion is not None
        turned.append(motion.gyr)
    assert np.abs(turned[0]).max() > 1.0
    np.testing.assert_array_equal(turned[0], turned[1])


@pytest.mark.parametrize(
    ("command", "option"),
    [
        (["ward"], "--write-config"), (["health"], "--write-config"), (["device", "movella_dot"], "--write-config"),
        (["timed-tests"], "--write-config"), (["timed-tests"], "--write-truth"),
        (["recording", "x.npz"], "--write-config"), (["--ward", str(WARD)], "--write-config"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_of_a_simulator_is_left_and_nothing_starts(
    tmp_path: Path, command: list[str], option: str
) -> None:
    kept, places = tmp_path / "ward.toml", ["--socket", str(tmp_path / "radio"), "--ports", str(tmp_path / "ports")]
    kept.write_bytes(WARD.read_bytes())
    result = CliRunner().invoke(app, [*command, *places, option, str(kept)])
    assert result.exit_code == 2
    said = " ".join(result.output.replace("│", " ").split())
    assert "'simulate' did not write it: name another file" in said
    assert kept.read_bytes() == WARD.read_bytes()
    assert list(tmp_path.iterdir()) == [kept]


async def test_a_simulator_that_runs_again_writes_its_files_again(tmp_path: Path) -> None:
    config, truth = tmp_path / "site.toml", tmp_path / "truth.json"
    for beds in ("1", "2"):
        ward = await simulate(
            "timed-tests", "--beds", beds, "--only", "tug", "--socket", str(tmp_path / "radio"),
            "--ports", str(tmp_path / "ports"), "--write-config", str(config), "--write-truth", str(truth),
        )  # fmt: skip
        assert (await ward.event())["event"] == "ready"
        ward.process.terminate()
        assert await asyncio.wait_for(ward.process.wait(), PATIENCE_S) == 0
    assert len(tomllib.loads(config.read_text())["slot"]) == len(json.loads(truth.read_text())) == 2


@pytest.mark.parametrize("option", [["--speed", "2"], ["--fault", "x:drop@1"], ["--write-config", "sim.toml"]])
def test_an_option_that_would_say_nothing_is_refused(option: list[str]) -> None:
    result = CliRunner().invoke(app, [*option, "ward", "--beds", "1"])
    assert result.exit_code == 2
    assert f"{option[0]} before 'ward' would say" in result.output
