"""WitMotion on a serial port: packets at any cut, cycles that belong together, and nothing that is saved."""

from __future__ import annotations

import random
import struct
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverContract, decoded
from drivers.errors import MalformedFrameError
from drivers.packet import Flag, Frame
from drivers.registry import make_driver
from drivers.witmotion_serial.driver import WitMotionSerial
from drivers.witmotion_serial.packet import NO_PACKET, parse_packet
from tests.drivers.told import Told
from tests.drivers.wires import cut

G = 9.80665
UNLOCK, SAVE, READ_RATE = bytes.fromhex("ffaa6988b5"), bytes.fromhex("ffaa000000"), bytes.fromhex("ffaa270300")


def packet(kind: int, *words: int) -> bytes:
    body = struct.pack("<BB4h", 0x55, kind, *[*words, 0, 0, 0, 0][:4])
    return body + bytes([sum(body) & 0xFF])


def cycle(k: int = 0, *more: bytes) -> bytes:
    return packet(0x51, k, -k, 2048, 2500) + packet(0x52, 10, 20, k) + packet(0x53, 100, -200, 300) + b"".join(more)


def data(*pieces: bytes) -> list[Frame]:
    return [Frame(10_000_000 * k, "data", piece) for k, piece in enumerate(pieces)]


class TestContract(DriverContract):
    name = "witmotion_serial"
    main_stream = "imu"
    lost_at_end = 1  # a cycle ends where the next one begins
    allowed = (("", READ_RATE),)
    forbidden = (
        ("", SAVE),
        ("", UNLOCK),  # no rate is configured: nothing is to be set
        ("", bytes.fromhex("ffaa030900")),
        ("", bytes.fromhex("ffaa040200")),  # another baud rate: nobody would find it again
        ("", bytes.fromhex("ffaa010100")),  # calibrate
        ("", bytes.fromhex("ffaa020e00")),  # what is sent
        ("0000ffe9-0000-1000-8000-00805f9a34fb", READ_RATE),
    )

    def announced(self) -> list[Frame]:
        return [Frame(0, "inquiry", packet(0x5F, 9))]

    def streamed(self, count: int) -> list[Frame]:
        return data(*(cycle(k + 1) for k in range(count)))

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return data(*cut(b"".join(frame.data for frame in frames), cuts))

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return len(cut) % 11 == 0  # packets that did not come


def test_units_are_si_and_each_cycle_is_one_sample() -> None:
    more = (packet(0x54, 360, 105, -122), packet(0x59, 16384, 0, -16384, 8192))
    packets = decoded(WitMotionSerial().decoder(), [data(cycle(2048, *more), cycle(0))])
    turn = 2000 / 32768 * np.pi / 180
    assert packets["imu"].samples[0] == pytest.approx([G, -G, G, 10 * turn, 20 * turn, 2048 * turn])
    angles = np.array([100, -200, 300]) * np.pi / 32768
    assert packets["orientation"].samples[0] == pytest.approx([*angles, 0.5, 0.0, -0.5, 0.25])
    assert packets["magnetic_field"].samples[0] == pytest.approx([36.0, 10.5, -12.2])
    assert packets["sensor_temperature"].samples.tolist() == [[25.0]]
    assert {flag for found in packets.values() for flag in found.flags.tolist()} == {Flag.LOSS_UNKNOWN}


def test_angles_alone_leave_the_quaternion_open() -> None:
    samples = decoded(WitMotionSerial().decoder(), [data(cycle(1), cycle(2))])["orientation"].samples
    assert np.isnan(samples[:, 3:]).all()
    assert np.isfinite(samples[:, :3]).all()


def test_the_temperature_is_told_once_a_second() -> None:
    frames = data(*(cycle(k) for k in range(301)))  # three seconds
    assert len(decoded(WitMotionSerial().decoder(), [frames[:77], frames[77:]])["sensor_temperature"]) == 3


def test_acceleration_is_never_paired_with_the_rate_of_turn_of_another_instant() -> None:
    spoilt = bytearray(cycle(1))
    spoilt[15] ^= 0x10  # in its rate of turn
    other = bytearray(cycle(2))
    other[3] ^= 0x10  # in the acceleration of the next
    decoder = WitMotionSerial().decoder()
    wire = bytes(spoilt[:22]) + bytes(other)  # without angles between the two
    samples = decoded(decoder, [data(wire, cycle(3), cycle(4))])["imu"].samples
    assert samples[:, 0] == pytest.approx([3 * 16 / 32768 * G])
    assert decoder.faults[NO_PACKET] == 22


@pytest.mark.parametrize("cut", range(1, 66))
def test_the_bytes_may_be_cut_anywhere(cut: int) -> None:
    wire = cycle(1) + cycle(2) + packet(0x51)
    decoder = WitMotionSerial().decoder()
    assert len(decoded(decoder, [data(wire[:cut]), data(wire[cut:])])["imu"]) == 2
    assert not decoder.faults


@given(st.binary(max_size=120))
def test_garbage_before_costs_at_most_two_cycles(junk: bytes) -> None:
    packets = WitMotionSerial().decoder().decode(data(junk + b"".join(cycle(k) for k in range(7))))
    assert len(next(found for found in packets if found.stream == "imu")) >= 4


def test_a_false_mark_is_told_by_its_sum() -> None:
    inside = packet(0x51, 0x5155, 0x5255, 0x5155, 0x5355) + packet(0x52, 0x5155, 0x5255, 0x5355)
    decoder = WitMotionSerial().decoder()
    for begin in range(1, 11):
        decoder.decode(data(inside[begin:] + inside * 2 + packet(0x51)))
    assert set(decoder.faults) == {NO_PACKET}
    assert len(decoded(WitMotionSerial().decoder(), [data(inside * 5)])["imu"]) == 4


@pytest.mark.parametrize("flood", [b"\x55" * 200_000, (b"\x55\x51" + bytes(9)) * 20_000, bytes(200_000)])
def test_a_flood_of_marks_ends_soon(flood: bytes) -> None:
    decoder = WitMotionSerial().decoder()
    begun = time.process_time()
    decoder.decode(data(flood, cycle(1), cycle(2)))
    assert time.process_time() - begun < 10.0
    assert decoder.faults


def test_bytes_at_random_and_spoilt_packets_end_there() -> None:
    chance = random.Random(7)
    decoder = WitMotionSerial().decoder()
    for _ in range(5_000):
        wire = bytearray(cycle(chance.randrange(9000)) if chance.random() < 0.8 else chance.randbytes(70))
        for _ in range(chance.randrange(3)):
            wire[chance.randrange(len(wire))] = chance.randrange(256)
        for found in decoder.decode(data(bytes(wire))):
            assert not np.isinf(found.samples).any()
    assert set(decoder.faults) == {NO_PACKET}


def test_packets_of_each_kind_are_read() -> None:
    stamp = struct.pack("<BB6BH", 0x55, 0x50, 26, 3, 12, 9, 30, 59, 987)
    assert parse_packet(stamp + bytes([sum(stamp) & 0xFF]))["time"] == [2026, 3, 12, 9, 30, 59, 987]
    assert parse_packet(packet(0x51, 2048, 0, -2048, 2512)) == {
        "type": 0x51, "acc_g": [1.0, 0.0, -1.0], "temperature_c": pytest.approx(25.12)
    }  # fmt: skip
    assert parse_packet(packet(0x52, 16384, 0, -16384, 500))["gyro_dps"] == [1000.0, 0.0, -1000.0]
    assert parse_packet(packet(0x53, 16384, 8192, -16384, 7)) == {
        "type": 0x53, "roll_deg": 90.0, "pitch_deg": 45.0, "yaw_deg": -90.0, "angle_deg": [90.0, 45.0, -90.0],
        "version": 7,
    }  # fmt: skip
    assert parse_packet(packet(0x54, 1, 2, 3))["mag_raw"] == [1, 2, 3]
    assert parse_packet(packet(0x59, -32768, 16384, 0, 0))["quat_wxyz"] == [-1.0, 0.5, 0.0, 0.0]
    assert parse_packet(packet(0x56, 1, 2, 3, 4))["values"] == [1, 2, 3, 4]


def test_a_packet_that_is_cut_or_changed_is_refused() -> None:
    whole = packet(0x51, 1, 2, 3, 4)
    for size in range(11):
        with pytest.raises(MalformedFrameError):
            parse_packet(whole[:size])
    for at in range(11):
        changed = bytearray(whole)
        changed[at] ^= 0x40
        with pytest.raises(MalformedFrameError):
            parse_packet(bytes(changed))


@pytest.mark.parametrize("rate", [0, 3, "fast", True])
def test_an_impossible_rate_is_refused_with_the_known_ones(rate: object) -> None:
    with pytest.raises(ValueError, match=r"has no rate_hz .* known are 1, 2, 5, 10, 20, 50, 100, 200"):
        make_driver("witmotion_serial", {"rate_hz": rate})


@pytest.mark.parametrize("heard", [b"", b"\x55\x51garbage" * 3])
async def test_a_sensor_is_asked_for_its_rate_while_it_sends(heard: bytes) -> None:
    wire = heard + cycle(1) + packet(0x5F, 0x0B) + cycle(2) * 3
    link, driver = Told(heard=wire), WitMotionSerial()
    await driver.start(link)
    assert link.written == [("", READ_RATE)]
    decoder = driver.decoder()
    assert decoder.streams["imu"].rate_hz == 10.0
    decoder.decode(link.announced)
    assert decoder.streams["imu"].rate_hz == 200.0
    assert not decoder.faults


async def test_one_that_does_not_answer_is_taken_as_it_was_shipped_or_set() -> None:
    link, driver = Told(heard=cycle(1) * 5), WitMotionSerial(rate_hz=50)
    await driver.start(link)
    await driver.stop(link)
    assert link.written == [("", UNLOCK), ("", bytes.fromhex("ffaa030800")), ("", READ_RATE)]
    assert link.announced == []
    assert driver.decoder().streams["imu"].rate_hz == 50.0


@pytest.mark.parametrize("cut", range(13))
def test_bytes_that_belong_to_nothing_are_counted_alike_in_any_chunking(cut: int) -> None:
    junk = bytes(12)
    decoder = make_driver("witmotion_serial").decoder()
    decoder.decode([Frame(0, "data", junk[:cut])])
    decoder.decode([Frame(0, "data", junk[cut:])])
    assert sum(decoder.faults.values()) == len(junk)
