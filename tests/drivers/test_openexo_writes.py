"""No path of the product writes to an OpenExo: what is walked here is every write that there is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.driver import Driver, Link
from drivers.errors import DialogueError, ForbiddenWriteError
from drivers.openexo import driver as module
from drivers.openexo.driver import OpenExo
from drivers.packet import Frame
from drivers.transport.ble import BleConnection

ROOT = Path(__file__).parents[2]
COMMANDS = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
# What its own program sends: start, stop, calibrations, motors on and off, torques, reset, assist and resist, mark.
LETTERS = "EGHLxwfRZcSN"


class Watching(Link):
    """A link that notes all that is done to a device; it refuses what it is told to."""

    def __init__(self, refused: tuple[str, ...] = ()) -> None:
        self.done: list[tuple[str, str]] = []
        self.written: list[tuple[str, bytes]] = []
        self._refused = refused

    def _do(self, what: str, where: str) -> None:
        self.done.append((what, where))
        if where in self._refused:
            raise DialogueError("refused")

    async def subscribe(self, channel: str, characteristic: str) -> None:
        del channel
        self._do("subscribe", characteristic)

    async def read(self, characteristic: str) -> bytes:
        self._do("read", characteristic)
        return b"EXOBLE_0A1B2C"

    async def write(self, characteristic: str, data: bytes) -> None:
        self.written.append((characteristic, data))

    async def receive(self, count: int, *, timeout_s: float = 2.0) -> bytes:
        raise DialogueError(f"no {count} bytes within {timeout_s} s")

    def announce(self, channel: str, data: bytes) -> None:
        del channel, data


@pytest.mark.parametrize("refused", [(), (module.ERRORS,), (module.DEVICE_NAME,), (module.ERRORS, module.DEVICE_NAME)])
async def test_no_dialogue_writes(refused: tuple[str, ...]) -> None:
    link, driver = Watching(refused), OpenExo(joints="ankle")
    identity = await driver.identify(link)
    assert identity.tag == ("" if module.DEVICE_NAME in refused else "EXOBLE_0A1B2C")
    await driver.start(link)
    await driver.refresh(link)
    await driver.stop(link)
    assert link.written == []
    assert {where for _, where in link.done} == {module.TELEMETRY, module.ERRORS, module.DEVICE_NAME}


@given(st.text(max_size=40) | st.just(COMMANDS) | st.just(COMMANDS.upper()), st.binary(max_size=20))
def test_the_allow_list_is_empty(characteristic: str, data: bytes) -> None:
    assert not OpenExo().allows(characteristic, data)


@pytest.mark.parametrize("characteristic", [COMMANDS, module.TELEMETRY, module.ERRORS, module.DEVICE_NAME, ""])
async def test_a_connection_refuses_each_command_before_the_radio(characteristic: str) -> None:
    """The connection has no client at all: had anything gone on to it, this would end otherwise."""
    sent: list[Frame] = []
    connection = BleConnection(OpenExo(), sent.append, lambda: 0)
    for letter in LETTERS:
        with pytest.raises(ForbiddenWriteError, match="driver 'openexo' may not write"):
            await connection.write(characteristic, letter.encode())
    assert sent == []


def test_every_write_to_a_radio_stands_behind_the_allow_list() -> None:
    """The only calls in the product that reach a GATT client's write are those of one function, which asks first."""
    found = []
    for path in sorted((ROOT / "drivers").rglob("*.py")) + sorted((ROOT / "gateway").rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            body = ast.unparse(function)
            if re.search(r"\bwrite_gatt_(char|descriptor)\b", body):
                found.append((path.relative_to(ROOT).as_posix(), function.name))
                assert body.index("self._check_write(characteristic, data)") < body.index("write_gatt_char")
    assert found == [("drivers/transport/ble.py", "write")]


def test_the_driver_neither_calls_a_write_nor_knows_where_one_would_go() -> None:
    folder = ROOT / "drivers/openexo"
    constants, calls = [], []
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                constants.append(str(node.value).lower())
            if isinstance(node, ast.Attribute):
                calls.append(node.attr)
    assert not [text for text in constants if "6e400002" in text or "40000002" in text]
    assert not {"write", "write_gatt_char", "writes"} & set(calls)
    assert any(module.TELEMETRY in text for text in constants), "the walk sees constants"
    assert "subscribe" in calls, "and calls"


def test_nothing_else_in_the_product_has_the_command_characteristic_of_an_exoskeleton() -> None:
    """Whoever adds a driver of text devices over the same service asks for it by an option; see there."""
    for path in (ROOT / "gateway").rglob("*.py"):
        assert "6e400002" not in path.read_text("utf-8").lower(), path


def test_the_driver_keeps_the_base_class_of_all() -> None:
    assert issubclass(OpenExo, Driver)
    assert OpenExo.refresh is Driver.refresh
    assert OpenExo.service is None, "others offer the same service: it is found by name or address alone"
