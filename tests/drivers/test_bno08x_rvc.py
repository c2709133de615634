"""BNO08x in UART-RVC mode: published bytes, any cut, its counter, and that nothing is written."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.bno08x_rvc.driver import Bno08xRvc
from drivers.bno08x_rvc.message import parse_message
from drivers.contract import DriverContract, decoded
from drivers.errors import MalformedFrameError
from drivers.fixed_frames import STRAY
from drivers.packet import Frame
from tests.drivers.wires import Noted, cut, frames_of

PUBLISHED = bytes.fromhex("aaaade010092ff25088dfeecffd103000000e7")  # datasheet 1000-3927, section 1.3.5.2


def message(index: int, *values: int) -> bytes:
    body = struct.pack("<B6h3x", index & 0xFF, *(values or (100 + index, -200, 300, -400, 500, 981)))
    return b"\xaa\xaa" + body + bytes([sum(body) & 0xFF])


class TestContract(DriverContract):
    name = "bno08x_rvc"
    main_stream = "orientation"
    lost_at_end = 1  # the newest waits for the mark of the next
    forbidden = (("", b""), ("", b"\xaa\xaa"), *(("", bytes([n])) for n in range(256)))

    def announced(self) -> list[Frame]:
        return []

    def streamed(self, count: int) -> list[Frame]:
        return frames_of(*(message(250 + k) for k in range(count)))  # over the end of the counter

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return frames_of(*cut(b"".join(frame.data for frame in frames), cuts))

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        del whole
        return not cut  # a message that did not come


def test_the_published_message_is_read_in_si_units() -> None:
    decoder = Bno08xRvc().decoder()
    packets = decoded(decoder, [frames_of(PUBLISHED)])
    assert packets["orientation"].samples[0] == pytest.approx(np.radians([0.01, -1.1, 20.85]))
    assert packets["acceleration"].samples[0] == pytest.approx(np.array([-0.371, -0.020, 0.977]) * 9.80665)
    assert packets["orientation"].ticks.tolist() == packets["acceleration"].ticks.tolist() == [222]
    assert not decoder.faults


@pytest.mark.parametrize("size", range(19))
def test_a_message_that_is_cut_is_refused(size: int) -> None:
    with pytest.raises(MalformedFrameError):
        parse_message(PUBLISHED[:size])


@pytest.mark.parametrize("at", range(19))
def test_a_message_with_one_byte_changed_is_refused(at: int) -> None:
    spoilt = bytearray(PUBLISHED)
    spoilt[at] ^= 0x40
    with pytest.raises(MalformedFrameError):
        parse_message(bytes(spoilt))


@given(st.integers(0, 255), st.lists(st.integers(-32768, 32767), min_size=6, max_size=6))
def test_every_number_comes_back(index: int, values: list[int]) -> None:
    read = parse_message(message(index, *values))
    assert read.index == index
    assert [read.yaw_deg, read.pitch_deg, read.roll_deg] == pytest.approx([v / 100 for v in values[:3]])
    assert list(read.acc_mg) == values[3:]


@given(st.binary(max_size=60))
def test_garbage_before_costs_at_most_two_messages(junk: bytes) -> None:
    packets = {p.stream: p for p in Bno08xRvc().decoder().decode(frames_of(junk + b"".join(map(message, range(8)))))}
    assert packets["orientation"].ticks.tolist()[-4:] == [3, 4, 5, 6]


def test_a_loss_shows_in_the_counter_which_is_the_clock_of_both_streams() -> None:
    wire = b"".join(message(k) for k in (253, 254, 2, 3, 4))
    decoder = Bno08xRvc().decoder()
    packets = decoded(decoder, [frames_of(wire)])
    for name, packet in packets.items():
        spec = decoder.streams[name]
        assert (spec.rate_hz, spec.tick_hz, spec.tick_bits) == (100.0, 100.0, 8)
        assert packet.ticks.tolist() == [253, 254, 2, 3]


def test_garbage_between_is_counted_and_the_next_message_is_read() -> None:
    decoder = Bno08xRvc().decoder()
    packets = decoded(decoder, [frames_of(message(1) + b"\xaa\xaa\xaa\x01" + message(2) + message(3))])
    assert packets["orientation"].ticks.tolist() == [1, 2]
    assert decoder.faults == {STRAY: 4}


async def test_no_dialogue_writes_anything() -> None:
    link, driver = Noted(), Bno08xRvc()
    await driver.identify(link)
    await driver.start(link)
    await driver.refresh(link)
    await driver.stop(link)
    assert not link.written


def test_a_rotation_of_a_whole_turn_is_in_radians() -> None:
    (packet, _) = Bno08xRvc().decoder().decode(frames_of(message(0, 18000, -9000, -18000, 0, 0, 1000)))
    assert packet.samples[0] == pytest.approx([math.pi, -math.pi / 2, -math.pi])
