"""OpenBCI Cyton: published bytes, gains, both ways of sending acceleration, and the two letters that are written."""

from __future__ import annotations

import string
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverContract, decoded
from drivers.driver import Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.fixed_frames import STRAY
from drivers.openbci_cyton.driver import OpenBciCyton
from drivers.openbci_cyton.packet import parse_packet
from drivers.packet import Flag, Frame
from drivers.registry import make_driver
from tests.drivers.wires import Noted, cut, frames_of

# OpenBCI_Python, tests/test_parse.py
PUBLISHED = bytes.fromhex("a045000001000002000003000004000005000006000007000008000000010002c0")
G = 9.80665


def packet(
    number: int, *, counts: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8), aux: bytes = bytes(6), end: int = 0xC0
) -> bytes:
    wide = b"".join((1000 * number + count).to_bytes(3, "big", signed=True) for count in counts)
    return bytes([0xA0, number & 0xFF]) + wide + aux + bytes([end])


class TestContract(DriverContract):
    name = "openbci_cyton"
    main_stream = "emg"
    lost_at_end = 1  # the newest waits for the mark of the next
    allowed = (("", b"b"), ("", b"s"))
    forbidden = (
        *(("", letter.encode()) for letter in string.printable if letter not in "bs"),
        ("", b"bs"), ("", b"x1060110X"), ("", b"~6"), ("6e400002-b5a3-f393-e0a9-e50e24dcca9e", b"b"),
    )  # fmt: skip

    def announced(self) -> list[Frame]:
        return []

    def streamed(self, count: int) -> list[Frame]:
        return frames_of(*(packet(250 + k) for k in range(count)))

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return frames_of(*cut(b"".join(frame.data for frame in frames), cuts))

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        del whole
        return not cut


def test_the_published_packet_is_read() -> None:
    decoder = OpenBciCyton().decoder()
    packets = decoded(decoder, [frames_of(PUBLISHED)])
    assert packets["emg"].samples[0] == pytest.approx(np.arange(1, 9) * 4.5 / 24 / 8388607 * 1e3)
    assert packets["emg"].ticks.tolist() == [69]
    assert packets["acceleration"].samples[0] == pytest.approx(np.array([0.0, 0.000125, 0.00025]) * G)
    assert parse_packet(PUBLISHED)["accel_g"] == pytest.approx([0.0, 0.000125, 0.00025])


@pytest.mark.parametrize("gain", [1, 2, 4, 6, 8, 12, 24])
def test_the_gain_of_the_amplifier_is_an_option(gain: int) -> None:
    driver = make_driver("openbci_cyton", {"gain": gain})
    (emg, *_) = driver.decoder().decode(frames_of(packet(0, counts=(-8388608, 8388607, 0, 0, 0, 0, 0, 0))))
    assert emg.samples[0, :2] == pytest.approx([-4500 / gain, 4500 / gain])
    assert emg.flags.tolist() == [Flag.CLIPPED]


@pytest.mark.parametrize("options", [{"gain": 3}, {"gain": True}, {"gain": "24"}, {"gain": 0}])
def test_another_gain_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="gain is one of 1, 2, 4, 6, 8, 12, 24"):
        make_driver("openbci_cyton", options)


def test_zeros_are_no_new_acceleration() -> None:
    aux = struct.pack(">3h", 8000, -8000, 4000)
    wire = packet(1) + packet(2, aux=aux) + packet(3) + packet(4)
    packets = decoded(OpenBciCyton().decoder(), [frames_of(wire)])
    assert packets["emg"].ticks.tolist() == [1, 2, 3]
    assert packets["acceleration"].ticks.tolist() == [2]
    assert packets["acceleration"].samples[0] == pytest.approx([G, -G, G / 2])


def lettered(number: int, letter: str, byte: int) -> bytes:
    return packet(number, aux=letter.encode() + bytes([byte]) + (4 * number).to_bytes(4, "big"), end=0xC4)


def test_an_acceleration_that_comes_byte_by_byte_is_put_together_and_one_with_a_loss_is_not() -> None:
    raw = struct.pack(">3h", 8000, -8000, 4000)
    one = [lettered(k, letter, byte) for k, (letter, byte) in enumerate(zip("XxYyZz", raw, strict=True))]
    wire = [*one, *one[:2], *one[3:], *one, packet(6)]
    decoder = OpenBciCyton().decoder()
    packets = decoded(decoder, [frames_of(*wire)])
    assert packets["acceleration"].samples.tolist() == [pytest.approx([G, -G, G / 2])] * 2
    assert packets["acceleration"].ticks.tolist() == [5, 5]
    assert parse_packet(one[3])["board_time_ms"] == 12


@pytest.mark.parametrize("end", range(0xC0, 0xC7))
def test_every_kind_of_packet_has_its_electrodes(end: int) -> None:
    wire = packet(7, aux=bytes([1, 2, 3, 4, 5, 6]), end=end)
    (emg, *_) = OpenBciCyton().decoder().decode(frames_of(wire))
    assert emg.ticks.tolist() == [7]
    assert ("board_time_ms" in parse_packet(wire)) == (end >= 0xC3)


@pytest.mark.parametrize(
    "spoilt", [PUBLISHED[:-1], PUBLISHED + b"\xa0", b"\xa1" + PUBLISHED[1:], PUBLISHED[:-1] + b"\xb0", b""]
)
def test_what_is_no_packet_is_refused(spoilt: bytes) -> None:
    with pytest.raises(MalformedFrameError):
        parse_packet(spoilt)


@given(st.binary(max_size=80))
def test_garbage_before_costs_at_most_a_few_packets(junk: bytes) -> None:
    wire = junk + b"".join(map(packet, range(8)))
    (emg, *_) = OpenBciCyton().decoder().decode(frames_of(wire))
    assert emg.ticks.tolist()[-2:] == [5, 6] or emg.ticks.tolist()[-2:] == [6, 7]


def test_a_mark_among_the_values_misleads_nobody() -> None:
    """After garbage the first A0 that a C0 follows at the right place stands among the values."""
    inner = (0xA0 << 16, 0, 0, 0, 0, 0, 0, 0)
    good = [
        bytes([0xA0, k]) + b"".join(c.to_bytes(3, "big") for c in inner) + bytes(4) + b"\xc0\x00\xc0" for k in range(8)
    ]
    decoder = OpenBciCyton().decoder()
    (emg, *_) = decoder.decode(frames_of(good[0][20:] + b"".join(good[1:])))
    assert emg.ticks.tolist() == list(range(1, 7)), "the newest waits"
    assert decoder.faults[STRAY] == len(good[0][20:])


async def test_it_is_told_to_end_and_to_begin_and_nothing_else() -> None:
    link, driver = Noted(gives=packet(1) + packet(2)[:9]), OpenBciCyton()
    await driver.identify(link)
    await driver.start(link)
    assert not link.gives, "what was still on the way"
    await driver.refresh(link)
    await driver.stop(link)
    assert link.written == [("", b"s"), ("", b"b"), ("", b"s")]


async def test_a_banner_is_heard_out_before_the_start() -> None:
    link = Noted(gives=b"OpenBCI V3 8-16 channel\r\nOn Board ADS1299 Device ID: 0x3E\r\nFirmware: v3.1.2\r\n$$$")
    await OpenBciCyton().start(link)
    assert not link.gives
    assert link.written[-1] == ("", b"b")


async def test_a_dongle_without_its_board_is_told_in_its_own_words() -> None:
    link = Noted(gives=b"Failure: Communications timeout - Device failed to poll Host$$$")
    with pytest.raises(
        DialogueError, match="the dongle says 'Failure: Communications timeout - Device failed to poll Host'"
    ):
        await OpenBciCyton().start(link)
    assert link.written == [("", b"s")]


class Endless(Noted):
    """A board that does not obey."""

    async def receive(self, count: int, *, timeout_s: float = 2.0) -> bytes:
        del timeout_s
        return b"\xa0" * count


async def test_a_board_that_never_ends_is_given_up() -> None:
    link: Link = Endless()
    with pytest.raises(DialogueError, match="does not stop streaming"):
        await OpenBciCyton().start(link)
