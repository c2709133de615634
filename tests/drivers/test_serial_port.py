"""A serial device behind a real pseudo-terminal, supervised."""

from __future__ import annotations

import asyncio
import fcntl
import os
import tty
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest

from drivers.registry import make_driver
from drivers.shimmer3.driver import Shimmer3
from simulators.devices.shimmer3 import Shimmer3 as SimulatedShimmer3
from simulators.motion.timeline import Timeline
from simulators.motion.wearer import Wearer
from tests.drivers.test_shimmer3 import CALIBRATION, INQUIRY, stream
from tests.drivers.watching import watching
from tests.simulators.helpers import Counting


class QuickShimmer3(Shimmer3):
    """The real driver, sooner impatient."""

    silence_s: ClassVar[float] = 0.4


class Answers:
    """A Shimmer3 of few words at the other end of a pty: what it answers to each command, for as long as it likes.

    Attributes:
        path: The tty.
        got: Commands received.
    """

    def __init__(self, replies: dict[int, bytes]) -> None:
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self._slave = slave  # kept open, so that the port survives the gateway's closing it
        self.path = Path(os.ttyname(slave))
        self.got = bytearray()
        self.replies = replies
        asyncio.get_running_loop().add_reader(self._master, self._read)

    def _read(self) -> None:
        for command in os.read(self._master, 100):
            self.got.append(command)
            self.send(self.replies.get(command, b""))

    def send(self, data: bytes) -> None:
        os.write(self._master, data)

    def hang_up(self) -> None:
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._slave)
        os.close(self._master)
        self._master = -1

    def close(self) -> None:
        if self._master >= 0:
            self.hang_up()


GOOD = {
    0x20: b"\xff",
    0x3F: b"\xff\x25\x03",
    0x7B: b"\xff\x7a\x04back",
    0x3E: bytes.fromhex("ff3d0102030405060708"),
    0x2E: bytes.fromhex("ff2f030000000b00"),
    0x01: b"\xff" + INQUIRY,
    0x2C: b"\xff" + CALIBRATION,
    0x95: bytes.fromhex("ff8a94300b80"),
    0x07: b"\xff" + stream(5),  # the first samples come together with the acknowledgement
}


@pytest.fixture
async def device() -> AsyncIterator[Answers]:
    answers = Answers(dict(GOOD))
    yield answers
    answers.close()


async def test_dialogue_then_stream_then_stop(device: Answers) -> None:
    async with watching(make_driver("shimmer3"), port=device.path) as watched:
        await watched.until(lambda: watched.samples("imu") == 4)
        device.send(stream(10, first=5 * 640))
        await watched.until(lambda: watched.samples("imu") == 14)
    assert watched.names == ["searching", "connecting", "starting", "streaming", "stopped"]
    assert [frame.channel for frame in watched.frames[:4]] == ["firmware", "inquiry", "calibration", "battery"]
    assert bytes(device.got) == bytes.fromhex("20 3f 7b 3e 2e 01 2c 95 07 20")
    assert not watched.faults
    ticks = [tick for packet in watched.packets if packet.stream == "imu" for tick in packet.ticks.tolist()]
    assert ticks == [640 * i for i in range(14)]


async def test_a_device_left_streaming_is_stopped_first(device: Answers) -> None:
    device.send(stream(40))
    async with watching(make_driver("shimmer3"), port=device.path) as watched:
        await watched.until(lambda: watched.samples("imu") == 4)
    assert not watched.faults


async def test_a_stream_that_falls_silent_is_started_again(device: Answers) -> None:
    async with watching(QuickShimmer3(), port=device.path) as watched:
        silent = await watched.until_state("silent")
        await watched.until_state("streaming", count=2)
        error = silent.error, silent.advice
        assert error == (
            "no sample for 0.4 s",
            "The gateway starts the stream again; if it repeats, switch the device off and on.",
        )
        assert watched.states[-1].error == ""
    assert watched.names.count("waiting") == 0, "the first time at once"
    assert device.got.count(0x07) == 2


async def test_a_port_that_vanishes_is_searched_for(tmp_path: Path) -> None:
    port = tmp_path / "tty"
    first = Answers(dict(GOOD))
    port.symlink_to(first.path)
    async with watching(make_driver("shimmer3"), port=port) as watched:
        await watched.until_state("streaming")
        port.unlink()
        first.hang_up()
        await watched.until_state("searching", count=2)
        assert "lost" in watched.states[-1].error
        second = Answers(dict(GOOD))
        port.symlink_to(second.path)
        await watched.until_state("streaming", count=2)
    second.close()


@pytest.mark.parametrize(
    ("command", "answer", "message"),
    [
        (0x07, b"\xfe", "command 07 was answered with fe"),
        (0x01, b"\xff\x02\x80\x02\1\2\3\4\x01\x01\xee", "inquiry reply: unknown channel"),
        (0x01, b"\xff\x02\x80\x02\1\2\3\4\x01\x01\x12", "no accelerometer, gyroscope or magnetometer"),
    ],
)
async def test_a_wrong_answer_is_reported_and_tried_again(
    device: Answers, command: int, answer: bytes, message: str
) -> None:
    device.replies[command] = answer
    async with watching(make_driver("shimmer3"), port=device.path) as watched:
        waiting = await watched.until_state("waiting")
        assert message in waiting.error
        assert "firmware" in waiting.advice
        assert waiting.attempts == 1
        device.replies[command] = GOOD[command]
        await watched.until_state("streaming")


async def test_a_port_that_is_not_there_is_waited_for(tmp_path: Path, device: Answers) -> None:
    port = tmp_path / "tty"
    async with watching(make_driver("shimmer3"), port=port) as watched:
        await watched.until_state("searching")
        port.symlink_to(device.path)
        await watched.until_state("streaming")


async def test_what_is_no_tty_is_reported(tmp_path: Path) -> None:
    port = tmp_path / "tty"
    port.write_text("not a tty")
    async with watching(make_driver("shimmer3"), port=port) as watched:
        assert "could not open" in (await watched.until_state("waiting")).error


async def test_a_write_outside_the_allow_list_is_given_up(device: Answers) -> None:
    class Careless(Shimmer3):
        def allows(self, characteristic: str, data: bytes) -> bool:
            return data != b"\x07" and super().allows(characteristic, data)

    async with watching(Careless(), port=device.path) as watched:
        failed = await watched.until_state("failed")
    assert failed.error == "driver 'shimmer3' may not write 07 to the port"
    assert 0x07 not in device.got
    assert watched.names[-1] == "failed"


async def test_a_simulated_sensor_with_its_own_clock_and_losses(tmp_path: Path) -> None:
    port = tmp_path / "shimmer"
    source = Counting(100.0, lose=7, clock_s=511.5)  # not a whole divisor, and the stamp wraps after half a second
    sensor = SimulatedShimmer3(name="back", timeline=Timeline(), path=port, source=source)
    sensor.wearer = Wearer()  # the samples begin with the stream, however long the dialogue takes before
    await sensor.start()
    try:
        async with watching(make_driver("shimmer3"), port=port) as watched:
            await watched.until(lambda: watched.samples("imu") > 120)
        assert not watched.faults
        assert sensor.counts.lost > 0
        ticks = [tick for packet in watched.packets if packet.stream == "imu" for tick in packet.ticks.tolist()]
        assert any(b < a for a, b in pairwise(ticks)), "wrapped"
    finally:
        await sensor.stop()


async def test_a_shimmer_of_another_kind_is_reported_and_not_read(device: Answers) -> None:
    """Its inquiry, too, is another one: nothing of it may be taken for a Shimmer3's."""
    device.replies[0x3F] = b"\xff\x25\x3a"
    async with watching(make_driver("shimmer3"), port=device.path) as watched:
        failed = await watched.until_state("failed")
        assert failed.error == "this is a Shimmer of hardware version 58, which this driver does not know"
        assert failed.advice == "Connect a Shimmer3 or Shimmer3R with LogAndStream firmware to this port."
        assert failed.problem == "other-device"
        assert 0x07 not in device.got
        assert not watched.frames
        device.replies[0x3F] = GOOD[0x3F]
        await watched.until_state("streaming")


async def test_firmware_that_does_not_know_what_hardware_it_is_streams(device: Answers) -> None:
    device.replies[0x3F] = device.replies[0x7B] = b""
    async with watching(make_driver("shimmer3"), port=device.path) as watched:
        assert (await watched.until_state("streaming")).identity.tag == ""


async def test_one_tty_is_not_given_to_two_devices_by_two_names(tmp_path: Path, device: Answers) -> None:
    other = tmp_path / "by-id"
    other.symlink_to(device.path)
    async with watching(make_driver("shimmer3"), port=device.path) as one:
        await one.until_state("streaming")
        async with watching(make_driver("shimmer3"), port=other) as two:
            waiting = await two.until_state("waiting")
            assert waiting.error == f"{other} is the tty of another device of this gateway"
            assert waiting.advice.startswith("End the other program")
            assert not two.frames
        device.send(stream(10, first=5 * 640))
        await one.until(lambda: one.samples("imu") >= 14)


async def test_a_tty_that_another_program_reads_is_not_read_beside_it(device: Answers) -> None:
    with device.path.open("rb+", buffering=0) as elsewhere:
        fcntl.flock(elsewhere, fcntl.LOCK_EX)
        async with watching(make_driver("shimmer3"), port=device.path) as watched:
            waiting = await watched.until_state("waiting")
            assert waiting.error == f"{device.path} is in use by another program on this computer"
            fcntl.flock(elsewhere, fcntl.LOCK_UN)
            await watched.until_state("streaming")


async def test_the_name_that_its_owner_gave_it_is_reported(device: Answers) -> None:
    async with watching(make_driver("shimmer3"), port=device.path) as watched:
        assert (await watched.until_state("streaming")).identity.tag == "back"
