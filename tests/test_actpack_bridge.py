"""The example bridge of the Dephy ActPack, with a stand-in for the maker's package: it reads, and never commands."""

from __future__ import annotations

import ast
import asyncio
import math
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from drivers.exo_frame.driver import serial_of
from drivers.exo_frame_udp.driver import ExoFrameUdp
from drivers.packet import Flag, Frame
from drivers.transport.udp import UdpTransport
from tests.drivers.test_udp import free_port
from tests.simulators.helpers import decoded, streaming, until

BRIDGE = Path(__file__).parents[1] / "docs/actpack_bridge.py"
USED = {"open", "start_streaming", "read", "close"}
WAIT_S = 30.0

# Every attribute that is asked for is noted, whatever it is.
STAND_IN = """
import pathlib, time
NOTES = pathlib.Path(__file__).with_name("notes.txt")
class Device:
    def __init__(self, **options):
        self._options, self._begun = options, time.monotonic()
    def __getattribute__(self, name):
        if not name.startswith("_"):
            with NOTES.open("a") as notes: notes.write(name + "\\n")
        return object.__getattribute__(self, name)
    def open(self):
        assert set(self._options) == {"port", "firmwareVersion"}, self._options
    def start_streaming(self, frequency):
        assert frequency == 100
    def read(self):
        ms = int((time.monotonic() - self._begun) * 1000) // 10 * 10
        return {"state_time": 5_000_000 + ms, "ank_ang": 1334, "ank_vel": -20, "mot_cur": -2500, "temperature": 41,
                "batt_volt": 36_420, "status_ex": 2 if ms > 200 else 0, "status_mn": 7, "status_re": 0}
    def close(self): pass
"""


@pytest.fixture
def there() -> tuple[str, int]:
    return free_port()


@pytest.fixture
def notes(tmp_path: Path, there: tuple[str, int]) -> Iterator[Path]:
    """Run the bridge with a stand-in; yield where that notes what was asked of it."""
    package = tmp_path / "flexsea"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "device.py").write_text(STAND_IN, "utf-8")
    command = [
        sys.executable, str(BRIDGE), "--port", "/dev/ttyACM0", "--firmware", "7.2.0", "--joint", "right_knee", "--to",
        f"{there[0]}:{there[1]}", "--serial", "11", "--degrees-a-count", "-0.02", "--zero-count", "1234",
        "--degrees-s-a-step", "0.5", "--nm-an-ampere", "1.1",
    ]  # fmt: skip
    process = subprocess.Popen(command, env={"PYTHONPATH": str(tmp_path)}, stderr=subprocess.PIPE)
    yield package / "notes.txt"
    process.terminate()
    _, said = process.communicate(timeout=WAIT_S)
    assert not said, said.decode()


async def heard(there: tuple[str, int], samples: int) -> list[Frame]:
    transport = UdpTransport(there, "127.0.0.1")
    async with streaming(transport, ExoFrameUdp()) as frames:
        await until(lambda: sum(frame.data[0] == 0x11 for frame in frames) >= samples, within_s=WAIT_S)
    begun = next(k for k, frame in enumerate(frames) if frame.data[0] == 0x12)
    return frames[begun:]


async def test_what_the_actuator_measures_arrives_and_nothing_is_asked_of_it_but_to_read(
    notes: Path, there: tuple[str, int]
) -> None:
    frames = await heard(there, 150)
    driver = ExoFrameUdp()
    decoder = driver.decoder()
    packets = {packet.stream: packet for packet in decoder.decode(frames)}
    channels = decoder.streams["exoskeleton"].channels
    row = dict(zip(channels, packets["exoskeleton"].samples[-1].tolist(), strict=True))
    assert {name: value for name, value in row.items() if not math.isnan(value)} == pytest.approx(
        {
            "right_gait_state": 0.0, "right_knee_angle": -2.0, "right_knee_velocity": -10.0,
            "right_knee_torque": -2.75, "right_knee_temperature": 41.0,
        }
    )  # fmt: skip
    assert packets["exoskeleton_state"].samples[-1, 3] == 36.42
    assert packets["exoskeleton_fault"].samples[-1, 0] == 1.0, "too hot, and no other bit of the maker's"
    asked = await asyncio.to_thread(notes.read_text, "utf-8")
    assert set(asked.split()) == {"open", "start_streaming", "read"}
    assert not decoder.faults
    assert {serial_of(frame.data) for frame in frames} == {None, "11"}


def test_what_was_not_read_shows_as_a_loss_and_what_was_read_twice_is_one(there: tuple[str, int]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind(there)
        port.settimeout(WAIT_S)
        with closing(bridge_of(there)) as bridge:
            new = [bridge.send({"state_time": 4_294_950 + ms}) for ms in (0, 10, 10, 20, 120, 130)]
        frames = [Frame(0, "measurement", port.recv(100)) for _ in range(6)]
    packet = decoded(ExoFrameUdp(), frames, "exoskeleton")
    assert new == [True, True, False, True, True, True]
    assert packet.flags.tolist() == [0, 0, 0, Flag.MISSING, 0]
    wrapped = 1 << 32
    assert packet.ticks.tolist() == [(4_294_950 + ms) * 1000 % wrapped for ms in (0, 10, 20, 120, 130)]
    assert np.isnan(packet.samples[:, 1:]).all(), "nothing that it did not say"


def test_an_actuator_of_which_nothing_new_comes_is_let_go(there: tuple[str, int]) -> None:
    class Stuck:
        asked: ClassVar[list[str]] = []

        def __getattr__(self, name: str) -> Callable[..., dict[str, int]]:
            self.asked.append(name)
            return lambda *_: {"state_time": 1}

    with closing(bridge_of(there)) as bridge:
        module().run(Stuck(), bridge, 100)
    assert set(Stuck.asked) == USED
    assert Stuck.asked[-1] == "close"


def module() -> Any:
    spec = spec_from_file_location("actpack_bridge", BRIDGE)
    assert spec is not None
    assert spec.loader is not None
    found = module_from_spec(spec)
    sys.modules[spec.name] = found
    spec.loader.exec_module(found)
    return found


def bridge_of(there: tuple[str, int]) -> Any:
    made = module()
    return made.Bridge(there, made.Joint("left_ankle", 0.02, 0.0, 1.0), 100, 0)


def test_no_word_of_it_is_a_command() -> None:
    """It calls four things of the maker's device, and hears nothing from the network."""
    tree = ast.parse(BRIDGE.read_text("utf-8"))
    called = {
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "device"
    }
    assert called == USED
    names = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not {name for name in names if name.startswith(("command", "set_", "stop_motor", "recv", "bind", "getattr"))}
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported <= set(sys.stdlib_module_names)
