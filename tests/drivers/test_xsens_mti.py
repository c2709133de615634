"""Xsens MTi: every number format, counter and clock, what is written to the device and what never is."""

from __future__ import annotations

import math
import random
import struct
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverContract, decoded
from drivers.errors import MalformedFrameError
from drivers.packet import Flag, Frame
from drivers.registry import make_driver
from drivers.xsens_mti.driver import XsensMti
from drivers.xsens_mti.message import MOST_DATA, Output, message, outputs_data, parse_message, parse_outputs
from tests.drivers.wires import cut

SHAKEN = bytes.fromhex(  # published by Scottapotamas/xsens-mti: an MTi-300 that is shaken beyond its ranges
    "faff368b102002fb8510600401a498de2010103f2a1463bed7efa73cdee5083f1dcec940200cc1f246c3c1ece076c28f853f40100cbd932ccc"
    "bd920a16be3a6eec40300c42519464c27b5a5ac1ccc0ae80200c40854d6dc125559ec0908e1f8030103f7ff8983baa9ee5bc539ec0bbb9060c"
    "c0200c3edc7439be752b483faf9a3f301004000186dee02004004814018e"
)
RESET, SET_BAUD, FACTORY, NO_ROTATION = 0x40, 0x18, 0x0E, 0x22


def item(identifier: int, data: bytes) -> bytes:
    return identifier.to_bytes(2, "big") + bytes((len(data),)) + data


def reals(identifier: int, *numbers: float) -> bytes:
    """Return an item in the format that its identifier says."""
    if identifier & 3 == 1:
        data = b"".join(struct.pack(">i", round(x * 2**20)) for x in numbers)
    elif identifier & 3 == 2:
        data = b"".join(struct.pack(">Ih", round(x * 2**32) % 2**32, math.floor(x)) for x in numbers)
    else:
        data = struct.pack(f">{len(numbers)}{'fd'[identifier & 3 == 3]}", *numbers)
    return item(identifier, data)


def measured(counter: int, ticks: int, *more: bytes, acc: float = 1.0) -> bytes:
    """Return a data message: acceleration (acc, 0, 9.5), rate of turn (0.25, 0, -0.5)."""
    head = item(0x1020, (counter & 0xFFFF).to_bytes(2, "big")) + item(0x1060, (ticks & 0xFFFFFFFF).to_bytes(4, "big"))
    return extended(head + reals(0x4020, acc, 0.0, 9.5) + reals(0x8020, 0.25, 0.0, -0.5) + b"".join(more))


def extended(data: bytes) -> bytes:
    """Return a data message, its length extended where need be."""
    if len(data) < 0xFF:
        return message(0x36, data)
    body = b"\xff\x36\xff" + len(data).to_bytes(2, "big") + data
    return b"\xfa" + body + bytes((-sum(body) & 0xFF,))


def status(word: int) -> bytes:
    return item(0xE020, word.to_bytes(4, "big"))


def data(*pieces: bytes) -> list[Frame]:
    return [Frame(10_000_000 * k, "data", piece) for k, piece in enumerate(pieces)]


class TestContract(DriverContract):
    name = "xsens_mti"
    main_stream = "imu"
    allowed = (
        *(("", message(mid)) for mid in (0x00, 0x10, 0x12, 0x1C, 0x30, 0x3F, 0xC0)),
        ("", message(0xC0, bytes.fromhex("1020ffff1060ffff4020006480200064e020ffff"))),
    )
    forbidden = (
        *(("", message(mid)) for mid in range(256) if mid not in {0x00, 0x10, 0x12, 0x1C, 0x30, 0x3F, 0xC0}),
        ("", message(0xC0, bytes.fromhex("1020ffff1060ffff4020019080200064e020ffff"))),
        ("", message(SET_BAUD, b"\x02")),
        ("", message(FACTORY)),
        ("", message(RESET)),
        ("", message(NO_ROTATION, b"\0\x06")),
        ("", message(0x30) + message(RESET)),
        ("2a19", message(0x30)),
    )

    def announced(self) -> list[Frame]:
        return [Frame(0, "configuration", bytes.fromhex("1020ffff1060ffff4020006480200064e020ffff"))]

    def streamed(self, count: int) -> list[Frame]:
        """Return messages that differ in length, over a wrap of counter and clock."""
        more = (status(7), reals(0x2010, 1.0, 0.0, 0.0, 0.0), reals(0x0810, 31.5))
        first = 65_530, 2**32 - 500
        return data(
            *(
                measured(first[0] + k, first[1] + 100 * k, *more[: 1 + (k % 5 == 0) + (k % 7 == 0)], acc=0.01 * k)
                for k in range(count)
            )
        )

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return data(*cut(b"".join(frame.data for frame in frames), cuts))

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return not cut  # a message that did not come


def test_a_published_message_means_what_its_device_was_doing() -> None:
    packets = decoded(XsensMti().decoder(), [data(SHAKEN)])
    imu = packets["imu"]
    assert imu.samples[0] == pytest.approx(
        [-30.2845516, -29.6096001, -71.7602463, 4.1657014, -10.3334026, -4.5173488, 0.4305742, -0.2394229, 1.3718947]
    )
    assert imu.ticks.tolist() == [27_564_254]
    assert imu.flags.tolist() == [Flag.CLIPPED]
    row = dict(
        zip(XsensMti().decoder().streams["orientation"].channels, packets["orientation"].samples[0], strict=True)
    )
    assert [row[f"q_{part}"] for part in "wxyz"] == pytest.approx([0.6643736, -0.4217503, 0.0272088, 0.6164365])
    assert [row[f"free_acc_{axis}"] for axis in "xyz"] == pytest.approx([52.3949127, -62.838234, -25.5940819])
    assert math.isnan(row["roll"])
    assert packets["air_pressure"].samples.tolist() == [[100_062.0]]


@pytest.mark.parametrize("how", range(4))
@pytest.mark.parametrize("numbers", [(0.5, -0.25, 9.75), (-0.000244140625, 0.0, -31.5)])
def test_all_number_formats_give_the_same(how: int, numbers: tuple[float, float, float]) -> None:
    wire = item(0x1060, bytes(4)) + reals(0x4020 | how, *numbers) + reals(0x8020 | how, *numbers)
    got = decoded(XsensMti().decoder(), [data(message(0x36, wire))])["imu"]
    assert got.samples[0, :6].tolist() == [*numbers, *numbers]
    assert np.isnan(got.samples[0, 6:]).all()


def test_a_published_48_bit_number() -> None:
    """From einride/xsens-go: 3.1415, its four bytes of fraction first."""
    wire = item(0x1060, bytes(4)) + item(0x0812, bytes.fromhex("243958100003"))
    got = decoded(XsensMti().decoder(), [data(message(0x36, wire))])["sensor_temperature"]
    assert got.samples[0, 0] == pytest.approx(3.1415)


def test_a_barometer_that_says_double_sends_a_whole_number() -> None:
    """As captured by Scottapotamas/xsens-mti: firmware that was asked for doubles."""
    wire = item(0x1060, bytes(4)) + item(0x3013, bytes.fromhex("00018d25"))
    got = decoded(XsensMti().decoder(), [data(message(0x36, wire))])["air_pressure"]
    assert got.samples.tolist() == [[101_669.0]]


def test_the_clock_and_the_counter_go_round() -> None:
    wires = [measured(65_534 + k, 2**32 - 150 + 100 * k) for k in range(4)]
    got = decoded(XsensMti().decoder(), [data(*wires)])["imu"]
    assert got.ticks.tolist() == [2**32 - 150, 2**32 - 50, 50, 150]
    assert got.flags.tolist() == [0] * 4


def test_a_gap_of_the_counter_is_a_loss_and_a_counter_that_begins_again_is_none() -> None:
    counters = [10, 11, 14, 15, 3, 4, 65_535]
    decoder = XsensMti().decoder()
    frames = data(*(measured(counter, 100 * k) for k, counter in enumerate(counters)))
    got = decoded(decoder, [[frame] for frame in frames])["imu"]
    assert got.flags.tolist() == [0, 0, Flag.MISSING, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("bit", "clipped"), [(0, 0), (7, 0), *((k, 1) for k in range(8, 17)), (17, 0), (19, 1), (22, 0)]
)
def test_the_status_word_tells_of_clipping(bit: int, clipped: int) -> None:
    got = decoded(XsensMti().decoder(), [data(measured(1, 1, status(1 << bit)))])["imu"]
    assert got.flags.tolist() == [Flag.CLIPPED * clipped]


def test_what_comes_alone_is_a_stream_of_its_own() -> None:
    time = item(0x1060, bytes(4))
    packets = decoded(
        XsensMti().decoder(),
        [data(message(0x36, time + reals(0x4020, 1, 2, 3)), message(0x36, time + reals(0x8020, 4, 5, 6)))],
    )
    assert packets["acceleration"].samples.tolist() == [[1, 2, 3]]
    assert packets["rotation"].samples.tolist() == [[4, 5, 6]]


def test_an_orientation_against_other_axes_of_the_earth_is_turned() -> None:
    """Half a turn about east, told in three frames, and as matrix and angles in one: always the same."""
    q = np.array([0.0, 1.0, 0.0, 0.0])
    half = math.sqrt(0.5)
    told = {
        0x2010: reals(0x2010, *q),
        0x2014: reals(0x2014, half, 0.0, 0.0, half),  # against north, east and down
        0x2018: reals(0x2018, 0.0, half, -half, 0.0),  # against north, west and up
        0x2020: reals(0x2020, 1, 0, 0, 0, -1, 0, 0, 0, -1),
    }
    for identifier, own in told.items():
        wire = message(0x36, item(0x1060, bytes(4)) + own)
        got = decoded(XsensMti().decoder(), [data(wire)])["orientation"].samples[0, :4]
        assert abs(float(got @ q)) == pytest.approx(1.0, abs=1e-6), hex(identifier)


def test_angles_of_other_axes_of_the_earth_are_turned() -> None:
    """A sensor that lies flat and points north: yaw is 90 degrees from east, 0 from north."""
    for identifier, angles in {0x2030: (0, 0, 90), 0x2034: (180, 0, 0), 0x2038: (0, 0, 0)}.items():
        wire = message(0x36, item(0x1060, bytes(4)) + reals(identifier, *angles))
        got = decoded(XsensMti().decoder(), [data(wire)])["orientation"].samples[0, 4:7]
        assert got == pytest.approx([0, 0, math.pi / 2], abs=1e-6), hex(identifier)


def test_a_rotation_matrix_as_published_is_the_quaternion_beside_it() -> None:
    """From einride/xsens-go, testdata 5: both were sent."""
    matrix = (
        -0.9999493360519409, 0.009911076165735722, 0.0017020497471094131, -1.608673483133316e-05, 0.167677640914917,
        -0.9858417510986328, -0.01005614921450615, -0.9857919216156006, -0.16766905784606934,
    )  # fmt: skip
    wire = message(0x36, item(0x1060, bytes(4)) + reals(0x2020, *matrix))
    got = decoded(XsensMti().decoder(), [data(wire)])["orientation"].samples[0, :4]
    assert got == pytest.approx([0.00384716, -0.00323753, -0.76408374, 0.64509737], abs=2e-6)


def test_samples_without_their_time_are_left_out_and_counted() -> None:
    decoder = XsensMti().decoder()
    wire = [message(0x36, reals(0x4020, 1, 2, 3) + reals(0x8020, 4, 5, 6)), measured(1, 77)]
    assert decoded(decoder, [data(*wire)])["imu"].ticks.tolist() == [77]
    assert decoder.faults == {"samples without their time (SampleTimeFine)": 1}


def test_infinite_numbers_are_missing() -> None:
    decoder = XsensMti().decoder()
    wire = item(0x1060, bytes(4)) + reals(0x4020, math.inf, 0, 9) + reals(0x8020, 0, math.nan, 1)
    got = decoded(decoder, [data(message(0x36, wire))])["imu"].samples[0, :6]
    assert np.isnan(got).tolist() == [True, False, False, False, True, False]
    assert decoder.faults == {"impossible values": 1}


def test_an_item_of_another_size_and_one_that_nobody_knows_are_passed_over() -> None:
    decoder = XsensMti().decoder()
    wire = measured(1, 5, item(0x4020, bytes(5)), item(0x7010, bytes(94)), item(0x9990, b""))
    assert len(decoded(decoder, [data(wire)])["imu"]) == 1
    assert not decoder.faults


def test_an_item_that_does_not_end_in_its_message_is_counted() -> None:
    decoder = XsensMti().decoder()
    assert decoder.decode(data(message(0x36, b"\x40\x20\x0c\0"))) == []
    assert decoder.faults == {"truncated item of a data message": 1}


def test_an_error_of_the_device_is_told() -> None:
    decoder = XsensMti().decoder()
    assert decoder.decode(data(message(0x42, b"\x28"), message(0x42), message(0x11))) == []
    assert decoder.faults == {"the device reports: a device error": 1, "the device reports: an error": 1}


def test_long_messages_have_an_extended_length() -> None:
    wire = measured(3, 9, item(0xA010, bytes(240)), item(0xA020, bytes(100)))
    assert wire[3] == 0xFF
    assert decoded(XsensMti().decoder(), [data(wire[:9], wire[9:])])["imu"].ticks.tolist() == [9]
    assert parse_message(wire).mid == 0x36


def test_a_message_that_is_cut_spoilt_or_longer_than_any_is_refused() -> None:
    whole = measured(1, 2)
    spoilt = [whole[:size] for size in range(len(whole))] + [whole + b"\0", b"\0" + whole]
    spoilt += [whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :] for at in range(len(whole))]
    spoilt.append(b"\xfa\xff\x36\xff" + (MOST_DATA + 1).to_bytes(2, "big") + bytes(MOST_DATA + 2))
    for each in spoilt:
        with pytest.raises(MalformedFrameError):
            parse_message(each)


@pytest.mark.parametrize("at", range(60))
def test_the_bytes_may_be_cut_anywhere(at: int) -> None:
    wire = measured(1, 1) + measured(2, 101)
    decoder = XsensMti().decoder()
    assert len(decoded(decoder, [data(wire[:at], wire[at:])])["imu"]) == 2
    assert not decoder.faults


@given(st.binary(max_size=120))
def test_garbage_before_costs_no_message_that_is_whole(junk: bytes) -> None:
    """The preamble occurs in data: a false beginning is given up as soon as its sum is wrong."""
    wire = junk + b"".join(measured(k, 100 * k) for k in range(60))
    packets = XsensMti().decoder().decode(data(wire))
    false = junk.count(b"\xfa") > 0
    assert len(packets[0]) >= (20 if false else 60)


def test_bytes_at_random_and_spoilt_messages_end_there() -> None:
    chance = random.Random(4)
    decoder = XsensMti().decoder()
    for k in range(5000):
        wire = bytearray(measured(k, 100 * k, status(7)) if chance.random() < 0.8 else chance.randbytes(70))
        for _ in range(chance.randrange(3)):
            wire[chance.randrange(len(wire))] = chance.randrange(256)
        for packet in decoder.decode(data(bytes(wire))):
            assert not np.isinf(packet.samples).any()
    assert len(decoder.faults) < 6


def test_the_configuration_tells_the_rates() -> None:
    decoder = XsensMti().decoder()
    outputs = [Output(0x4020, 400), Output(0x8022, 200), Output(0x2011, 50), Output(0x0810, 0xFFFF)]
    decoder.decode([Frame(0, "configuration", outputs_data(outputs))])
    rates = {name: decoder.streams[name].rate_hz for name in ("imu", "rotation", "orientation", "sensor_temperature")}
    assert rates == {"imu": 400.0, "rotation": 200.0, "orientation": 50.0, "sensor_temperature": 1.0}
    decoder.decode([Frame(0, "configuration", b"\0\0\0")])
    assert decoder.faults == {"truncated output configuration": 1}
    assert parse_outputs(outputs_data(outputs)) == outputs


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rate_hz": 0}, "rate_hz is a whole number from 1 to 2000"),
        ({"rate_hz": True}, "rate_hz is a whole number"),
        ({"rate_hz": 100.5}, "rate_hz is a whole number"),
        ({"outputs": ["smell"]}, "has no output 'smell': known are orientation"),
        ({"outputs": "orientation"}, "outputs is a list of names"),
        ({"configure": "yes"}, "configure is true or false"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make_driver("xsens_mti", options)


def test_only_the_configuration_that_the_options_ask_for_may_be_written() -> None:
    wanted = bytes.fromhex("1020ffff1060ffff402000c8802000c8201000c8c02000643010003208100001e020ffff")
    options = {"rate_hz": 200, "outputs": ["temperature", "air_pressure", "magnetic_field", "orientation"]}
    assert make_driver("xsens_mti", options).allows("", message(0xC0, wanted))
    assert not make_driver("xsens_mti").allows("", message(0xC0, wanted))
    assert not make_driver("xsens_mti", options | {"configure": False}).allows("", message(0xC0, wanted))


def test_what_a_port_gives_at_the_wrong_rate_means_nothing() -> None:
    driver = XsensMti()
    assert driver.means(Frame(0, "data", b"\x01" + measured(1, 1)))
    assert not driver.means(Frame(0, "data", measured(1, 1)[3:]))
    assert not driver.means(Frame(0, "data", bytes(range(250))))


def test_ticks_are_as_they_were_sent() -> None:
    got = decoded(XsensMti().decoder(), [data(*(measured(k, 1000 * k) for k in range(9)))])["imu"]
    assert {b - a for a, b in pairwise(got.ticks.tolist())} == {1000}
