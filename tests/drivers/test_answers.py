"""Answers that come as notifications, over a real radio and without one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bumble.gatt import Service

from drivers.errors import DialogueError, ForbiddenWriteError
from drivers.gatt.answers import MOST_WAITING, Answers
from drivers.gatt.looks import Looks
from drivers.packet import Frame
from drivers.polar.driver import CONTROL_POINT, Polar
from drivers.transport.ble import BleTransport
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, advertisement, characteristic
from tests.drivers.test_battery import Refusing
from tests.simulators.helpers import on_air

ADDRESS = "A0:9E:1A:00:02:00"
QUESTION = b"\x03\x00"


class Talkative(Peripheral):
    """A device that says something else first, twice, and then answers."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(
            name="talk", timeline=Timeline(), hub=hub, address=ADDRESS, local_name="T", advertised=advertisement("T")
        )
        self.silent = False
        self._point = characteristic(CONTROL_POINT, write=self._on_write, indicate=True)

    def services(self) -> list[Service]:
        return [Service("FB005C80-02E7-F387-1CAD-8ACD2D8DF0C8", [self._point])]

    def _on_write(self, data: bytes) -> None:
        for answer in () if self.silent else (b"else", b"else", b"\xf0" + data):
            self.indicate(self._point, answer)

    def _send(self, until_s: float) -> bool:
        del until_s
        return True


def meant(answer: bytes) -> bool:
    return answer == b"\xf0" + QUESTION


async def test_an_answer_is_heard_and_goes_to_the_gateway_too(tmp_path: Path) -> None:
    hub, frames, answers = Hub(), list[Frame](), Answers("control")
    device = Talkative(hub)
    async with on_air(hub, tmp_path / "r", device) as radio:
        transport = BleTransport(radio, address=ADDRESS)
        await transport.search()
        connection = await transport.connect(Polar(), frames.append, time.monotonic_ns)
        await connection.subscribe("control", CONTROL_POINT)
        answers.listen(connection)
        for _ in range(3):
            assert await answers.ask(connection, CONTROL_POINT, QUESTION, meant) == b"\xf0" + QUESTION
        with pytest.raises(ForbiddenWriteError):
            await answers.ask(connection, CONTROL_POINT, b"\x02\x09", meant)
        device.silent = True
        with pytest.raises(DialogueError, match=r"no answer on 'control' within 0.05 s"):
            await answers.ask(connection, CONTROL_POINT, QUESTION, meant, timeout_s=0.05)
        await connection.close()
    assert [(frame.channel, frame.data) for frame in frames][:3] == [
        ("control", b"else"), ("control", b"else"), ("control", b"\xf0" + QUESTION)
    ]  # fmt: skip


async def test_what_nobody_asked_for_is_kept_within_bounds_and_forgotten() -> None:
    class Echo(Refusing):
        heard: Callable[[bytes], None]

        def listen(self, channel: str, heard: Callable[[bytes], None]) -> None:
            assert channel == "control"
            self.heard = heard

        async def write(self, characteristic: str, data: bytes) -> None:
            self.heard(b"\xf0" + data)

    link, answers = Echo(), Answers("control", lambda data: data[:1] == b"\xf0")
    answers.listen(link)
    for _ in range(10 * MOST_WAITING):
        link.heard(b"\xf0" + QUESTION)
        link.heard(b"no answer")
    assert await answers.ask(link, "", b"\x01\x02", lambda data: True) == b"\xf0\x01\x02"


def test_a_link_that_hears_nothing_says_so() -> None:
    with pytest.raises(DialogueError, match="nothing can be heard on 'control'"):
        Answers("control").listen(Refusing())


def test_a_stream_is_silent_after_as_many_looks_as_it_is_given() -> None:
    looks, found = Looks(), []
    for _ in range(6):
        looks.came(1)
        found.append(looks.silent({1: 2, 2: 2, 3: 5}))
    assert found == [[], [2], [], [2], [3], [2]]
