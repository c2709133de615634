"""MetaMotion: messages of every module, ranges and rates as the device says them, and each command that is written."""

from __future__ import annotations

import random
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from drivers.contract import DriverContract, decoded
from drivers.errors import DialogueError, MalformedFrameError
from drivers.gatt.information import MODEL, SERIAL_NUMBER
from drivers.metamotion.driver import COMMAND, NOTIFIED, MetaMotion
from drivers.metamotion.message import SIGNALS, parse_configuration, parse_message
from drivers.packet import Flag, Frame
from drivers.registry import make_driver
from tests.drivers.told import Told

G = 9.80665
ACC_SET, GYR_SET = bytes.fromhex("0383a803"), bytes.fromhex("13832800")  # of a BMI270: 100 Hz, 16 g and 2000 deg/s

ON_A_BMI270 = (
    "030100 130100 03020001 13020001 030500 130500"  # whatever runs is ended
    " 0303a803 13032800 0383 1383 030501 130501 03020100 13020100 030101 130101"
)
ON_A_BMI160 = (
    "030100 130100 03020001 13020001 031c00 130700"
    " 0303280c 13032800 0383 1383 031c01 130701 03020100 13020100 030101 130101"
)


def triples(*values: tuple[int, int, int]) -> bytes:
    return b"".join(struct.pack("<3h", *each) for each in values)


def acc(k: int) -> bytes:
    return b"\x03\x05" + triples((k, -k, 2048), (k + 1, -k, 2048), (k + 2, -k, 2048))


def gyr(k: int) -> bytes:
    return b"\x13\x05" + triples((k, 164, 0), (k, 328, 0), (k, -164, 0))


def quaternion(*values: float) -> bytes:
    return b"\x19\x07" + struct.pack("<4f", *values)


def notified(*messages: bytes) -> list[Frame]:
    return [Frame(15_000_000 * k, "measurement", message) for k, message in enumerate(messages)]


class TestContract(DriverContract):
    name = "metamotion"
    main_stream = "acceleration"
    samples_a_frame = 3
    allowed = tuple((COMMAND, bytes.fromhex(command)) for command in {*ON_A_BMI270.split(" "), *ON_A_BMI160.split(" ")})
    forbidden = (
        (COMMAND, bytes.fromhex("fe01")),  # reset
        (COMMAND, bytes.fromhex("fe02")),  # to the boot loader
        (COMMAND, bytes.fromhex("fe05")),  # the power is cut after the next reset
        (COMMAND, bytes.fromhex("0b0101")),  # logging
        (COMMAND, bytes.fromhex("0b09ffff")),  # erase the log
        (COMMAND, bytes.fromhex("0f08")),  # erase the macros
        (COMMAND, bytes.fromhex("020101")),  # lamp
        (COMMAND, bytes.fromhex("1101016d")),  # name
        (COMMAND, bytes.fromhex("1109000001000000000000000000")),  # connection
        (COMMAND, bytes.fromhex("0303a802")),  # another range than the option says
        (COMMAND, bytes.fromhex("13060a0a0a")),  # offsets
        (NOTIFIED, bytes.fromhex("030101")),
    )

    def announced(self) -> list[Frame]:
        return [*notified(ACC_SET, GYR_SET), Frame(0, "battery", b"\x50")]

    def streamed(self, count: int) -> list[Frame]:
        wire = []
        for k in range(count):
            wire += [acc(3 * k)] + ([gyr(k)] if k % 2 else [])
        return notified(*wire)

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return frames

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return whole[:2] == b"\x13\x05" and len(cut) == 8  # a single one of a BMI160, under the same number


def test_acceleration_and_rate_of_turn_are_two_streams_in_si_units() -> None:
    decoder = MetaMotion().decoder()
    assert decoder.streams.keys() == {"acceleration", "rotation", "battery"}, "no imu is made of what cannot be paired"
    packets = decoded(decoder, [notified(acc(100), gyr(1640))])
    assert packets["acceleration"].samples[0] == pytest.approx([100 / 2048 * G, -100 / 2048 * G, G])
    assert packets["acceleration"].samples[:, 0] == pytest.approx(np.array([100, 101, 102]) / 2048 * G)
    turn = np.pi / 180
    assert packets["rotation"].samples == pytest.approx(
        np.array([[100 * turn, 10 * turn, 0], [100 * turn, 20 * turn, 0], [100 * turn, -10 * turn, 0]])
    )
    assert packets["rotation"].arrival_ns.tolist() == [15_000_000] * 3
    assert {flag for packet in packets.values() for flag in packet.flags.tolist()} == {Flag.LOSS_UNKNOWN}
    assert {len(packet.ticks) for packet in packets.values()} == {0}


@pytest.mark.parametrize(
    ("answer", "g", "rate_hz"),
    [
        ("03832703", 2.0, 50.0), ("03832805", 4.0, 100.0), ("03832908", 8.0, 200.0), ("0383250c", 16.0, 12.5),
        ("0383a700", 2.0, 50.0), ("0383a801", 4.0, 100.0), ("0383a902", 8.0, 200.0), ("0383a603", 16.0, 25.0),
    ],
)  # fmt: skip
def test_range_and_rate_of_the_accelerometer_are_those_that_it_says(answer: str, g: float, rate_hz: float) -> None:
    """BMI160 and BMI270 number their ranges otherwise: 3 is 2 g of one and 16 g of the other."""
    decoder = MetaMotion().decoder()
    packets = decoded(decoder, [notified(bytes.fromhex(answer), b"\x03\x04" + triples((16384, 0, 0)))])
    assert packets["acceleration"].samples[0, 0] == pytest.approx(g / 2 * G)
    assert decoder.streams["acceleration"].rate_hz == rate_hz


@pytest.mark.parametrize(("code", "dps"), list(enumerate([2000.0, 1000.0, 500.0, 250.0, 125.0])))
def test_range_and_rate_of_the_gyroscope_are_those_that_it_says(code: int, dps: float) -> None:
    decoder = MetaMotion().decoder()
    packets = decoded(decoder, [notified(bytes([0x13, 0x83, 0x27, code]), b"\x13\x04" + triples((16400, 0, 0)))])
    assert packets["rotation"].samples[0, 0] == pytest.approx(dps / 2 * np.pi / 180)
    assert decoder.streams["rotation"].rate_hz == 50.0


@pytest.mark.parametrize("answer", ["0383", "038328", "03832804", "0383a804", "03832000", "138328", "13832805"])
def test_a_setting_that_no_sensor_has_is_counted_and_changes_nothing(answer: str) -> None:
    decoder = MetaMotion().decoder()
    decoder.decode(notified(bytes.fromhex(answer)))
    assert sum(decoder.faults.values()) == 1
    assert decoder.streams["acceleration"].rate_hz == decoder.streams["rotation"].rate_hz == 100.0


def test_single_and_packed_messages_of_both_chips_are_read_in_order() -> None:
    wire = [
        b"\x03\x04" + triples((1, 0, 0)), b"\x03\x1c" + triples((2, 0, 0), (3, 0, 0), (4, 0, 0)),
        b"\x03\x05" + triples((5, 0, 0), (6, 0, 0), (7, 0, 0)), b"\x03\x04" + triples((8, 0, 0)),
    ]  # fmt: skip
    got = decoded(MetaMotion().decoder(), [notified(*wire)])["acceleration"]
    assert got.samples[:, 0] / G * 2048 == pytest.approx(range(1, 9))
    assert got.arrival_ns.tolist() == [0, *[15_000_000] * 3, *[30_000_000] * 3, 45_000_000]
    for register, count in ((0x04, 1), (0x05, 1), (0x05, 3), (0x07, 3)):
        message = bytes([0x13, register]) + triples(*[(164, 0, 0)] * count)
        assert len(decoded(MetaMotion().decoder(), [notified(message)])["rotation"]) == count


def test_what_the_device_makes_of_it_is_in_the_units_of_the_same_streams() -> None:
    fused = (
        b"\x19\x04" + struct.pack("<3fB", 1000.0, -500.0, 0.0, 3), b"\x19\x05" + struct.pack("<3fB", 180.0, 0, -90, 3),
        b"\x19\x06" + struct.pack("<3fB", 20.0, -30.0, 40.0, 2), quaternion(0.5, -0.5, 0.5, -0.5),
        b"\x19\x08" + struct.pack("<4f", 350.0, 20.0, -30.0, 350.0), b"\x19\x09" + bytes(12), b"\x19\x0a" + bytes(12),
        b"\x15\x05" + triples((320, -160, 16)),
    )  # fmt: skip
    packets = decoded(make_driver("metamotion", {"mode": "orientation"}).decoder(), [notified(*fused)])
    assert packets["acceleration"].samples[0] == pytest.approx([G, -G / 2, 0])
    assert packets["rotation"].samples[0] == pytest.approx([np.pi, 0, -np.pi / 2])
    assert packets["magnetic_field"].samples.tolist() == [[20.0, -30.0, 40.0], [20.0, -10.0, 1.0]]
    assert packets["orientation"].samples[0, :4].tolist() == [0.5, -0.5, 0.5, -0.5]
    assert np.isnan(packets["orientation"].samples[0, 4:]).all()
    assert packets["orientation"].samples[1, 4:] == pytest.approx(np.radians([-30.0, 20.0, 350.0]))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1.5])
def test_a_quaternion_that_is_none_is_left_out(value: float) -> None:
    decoder = MetaMotion(mode="orientation").decoder()
    got = decoded(decoder, [notified(quaternion(1, 0, 0, 0), quaternion(value, 0, 0, 0), quaternion(0, 1, 0, 0))])
    assert got["orientation"].samples[:, :2].tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert decoder.faults == {"impossible values": 1}


@pytest.mark.parametrize(("end", "clipped"), [(32767, True), (-32768, True), (32766, False)])
def test_the_end_of_a_range_is_flagged(end: int, clipped: bool) -> None:
    got = decoded(MetaMotion().decoder(), [notified(b"\x03\x05" + triples((0, 0, 0), (0, end, 0), (0, 0, 0)))])
    assert [bool(flag & Flag.CLIPPED) for flag in got["acceleration"].flags.tolist()] == [False, clipped, False]


@pytest.mark.parametrize("key", list(SIGNALS))
def test_a_message_of_another_length_is_counted(key: tuple[int, int]) -> None:
    signal = SIGNALS[key]
    for size in range(25):
        message = bytes(key) + bytes(size)
        decoder = MetaMotion().decoder()
        decoder.decode(notified(message))
        assert bool(decoder.faults) == (size not in signal.sizes)
        if size not in signal.sizes:
            with pytest.raises(MalformedFrameError):
                parse_message(message)


def test_messages_of_the_maker_s_own_tests_give_its_values() -> None:
    four_g = parse_message(bytes.fromhex("030416c494a22ad0"), range_g=4.0)
    assert four_g["g"] == pytest.approx([-1.872, -2.919, -1.495], abs=0.001)
    turn = parse_message(bytes.fromhex("13053e43ff7f0080"), range_dps=500.0)
    assert turn["dps"] == pytest.approx([262.409, 499.497, -499.512], abs=0.001)
    turned = parse_message(bytes.fromhex("19071b9b703f8c5e4dbd077f1dbe78029abe"))
    assert turned["wxyz"] == pytest.approx([0.940, -0.050, -0.154, -0.301], abs=0.001)
    linear = parse_message(bytes.fromhex("190a2fca394086d46141804c6ec0"))
    assert linear["g"] == pytest.approx([0.296, 1.439, -0.38], abs=0.001)


def test_answers_to_nobody_s_question_say_nothing() -> None:
    decoder = MetaMotion().decoder()
    assert decoder.decode(notified(bytes.fromhex("0b84000000"), bytes.fromhex("0180"), bytes.fromhex("fe01"))) == []
    assert not decoder.faults
    assert parse_configuration(bytes.fromhex("1583a803")) is None


def test_bytes_at_random_and_spoilt_messages_end_there() -> None:
    chance = random.Random(13)
    decoder = MetaMotion().decoder()
    for k in range(20_000):
        message = bytearray(chance.choice([acc(k % 9000), gyr(k % 9000), quaternion(1, 0, 0, 0), ACC_SET]))
        for _ in range(chance.randrange(3)):
            message[chance.randrange(len(message))] = chance.randrange(256)
        for packet in decoder.decode(notified(bytes(message))):
            assert not np.isinf(packet.samples).any()
    assert len(decoder.faults) < 5


def told(model: str) -> Told:
    return Told({MODEL: model.encode(), SERIAL_NUMBER: b"0587F1"})


@pytest.mark.parametrize(("model", "expected"), [("8", ON_A_BMI270), ("5", ON_A_BMI160)])
async def test_the_dialogue_is_that_of_the_chip_that_the_model_has(model: str, expected: str) -> None:
    link, driver = told(model), MetaMotion()
    assert (await driver.identify(link)).serial == "0587F1"
    await driver.start(link)
    assert [data.hex() for _, data in link.written] == expected.split(" ")
    assert {where for where, _ in link.written} == {COMMAND}
    assert ("measurement", NOTIFIED) in link.subscribed
    begun = len(link.written)
    await driver.refresh(link)
    await driver.stop(link)
    assert [data.hex() for _, data in link.written[begun:]] == expected.split(" ")[:6]
    assert all(driver.allows(*each) for each in link.written)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"rate_hz": 50, "range_g": 8, "range_dps": 1000}, ("0303a702", "13032701")),
        ({"rate_hz": 200, "range_g": 2, "range_dps": 125}, ("0303a900", "13032904")),
        ({"mode": "orientation"}, ("19020113", "19030800", "190101", "190701", "1504040e", "150306")),
    ],
)
async def test_options_are_what_is_written(options: Mapping[str, Any], expected: tuple[str, ...]) -> None:
    link, driver = told("8"), make_driver("metamotion", options)
    await driver.identify(link)
    await driver.start(link)
    written = [data.hex() for _, data in link.written]
    assert set(expected) <= set(written)
    assert all(driver.allows(*each) for each in link.written)


async def test_a_device_that_does_not_say_its_model_is_not_set_by_guess() -> None:
    link, driver = Told(), MetaMotion()
    await driver.identify(link)
    with pytest.raises(DialogueError, match="does not say which MetaMotion it is") as refused:
        await driver.start(link)
    assert "'chip'" in refused.value.advice
    assert link.written == []
    named = MetaMotion(chip="bmi160")
    await named.identify(link)
    await named.start(link)
    assert [data.hex() for _, data in link.written] == ON_A_BMI160.split(" ")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"mode": "fast"}, "has no mode 'fast': known are motion, orientation"),
        ({"rate_hz": 60}, "has no rate_hz 60: known are 12.5, 25, 50, 100, 200"),
        ({"rate_hz": True}, "has no rate_hz True"),
        ({"rate_hz": 50, "mode": "orientation"}, "has no rate_hz 50: known are 100"),
        ({"range_g": 32}, "has no range_g 32: known are 2, 4, 8, 16"),
        ({"range_dps": 4000}, "has no range_dps 4000: known are 2000, 1000, 500, 250, 125"),
        ({"chip": "mpu9250"}, "has no chip 'mpu9250': known are bmi160, bmi270"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: Mapping[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make_driver("metamotion", options)
