"""MicroStrain: packets and fields of MIP, its clock in nanoseconds, and what is set in a device for the time being."""

from __future__ import annotations

import math
import random
import struct
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverContract, decoded
from drivers.errors import MalformedFrameError
from drivers.microstrain.decoder import CONFIGURATION, G, MicroStrainDecoder
from drivers.microstrain.driver import MicroStrain
from drivers.microstrain.fields import parse_device_info
from drivers.microstrain.packet import checksum, packet, parse_packet
from drivers.packet import Flag, Frame, Frames
from drivers.registry import make_driver
from tests.drivers.wires import cut

PUBLISHED = bytes.fromhex(  # the maker's test data (LORD-MicroStrain/mip_sdk, test/data/mip_data.bin)
    "756580300ad500000041d8bae0400ad600000000007a12000e043c8eaf72bbda6818bf7c52e80e05bb469ccf39a34c8bbb8be12fd771"
)
PERIOD_NS = 10_000_000
SENSOR, FILTER = 0x80, 0x82
SAVE, LOAD, DEFAULT = 3, 4, 5
FORMAT = bytes.fromhex("0f 01 80 04 d5000a d6000a 04000a 05000a")


def vector(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}f", *numbers)


def stamped(ns: int, *more: tuple[int, bytes], of: int = SENSOR, delta: int | None = None) -> bytes:
    """Return a packet of data with its time."""
    times = [(0xD5, ns.to_bytes(8, "big"))] + ([(0xD6, delta.to_bytes(8, "big"))] if delta is not None else [])
    return packet(of, *times, *more)


def sample(k: int, acc: float = 0.0) -> bytes:
    return stamped(
        (k + 1) * PERIOD_NS, (0x04, vector(acc, 0.0, -1.0)), (0x05, vector(0.25, 0.0, -0.5)), delta=PERIOD_NS
    )


def data(*pieces: bytes) -> list[Frame]:
    return [Frame(PERIOD_NS * k, "data", piece) for k, piece in enumerate(pieces)]


class TestContract(DriverContract):
    name = "microstrain"
    main_stream = "imu"
    allowed = (
        *(("", packet(0x01, (command, b""))) for command in (0x01, 0x02, 0x03, 0x06)),
        ("", packet(0x0C, (0x0E, b"\x80"))),
        ("", packet(0x0C, (0x11, b"\x01\x80\x01"))),
        ("", packet(0x0C, (FORMAT[0], FORMAT[1:]))),
    )
    forbidden = (
        *(("", packet(0x01, (command, b""))) for command in range(256) if command not in {0x01, 0x02, 0x03, 0x06}),
        *(("", packet(0x0C, (0x0F, bytes((function,)) + FORMAT[2:]))) for function in (0, 2, SAVE, LOAD, DEFAULT)),
        *(("", packet(0x0C, (0x11, bytes((function, 0x80, 1))))) for function in (2, SAVE, LOAD, DEFAULT)),
        ("", packet(0x0C, (0x30, bytes((SAVE,))))),  # device settings
        ("", packet(0x01, (0x09, b"\x01\x01\x00\x01\xc2\x00"))),  # baud rate
        ("", packet(0x01, (0x7E, b""))),  # reset
        ("", packet(0x0C, (0x38, b"\x01" + bytes(12)))),  # gyroscope bias
        ("", packet(0x0C, (0x31, b"\x01" + bytes(12)))),  # mounting
        ("", packet(0x0C, (FORMAT[0], FORMAT[1:]), (0x30, bytes((SAVE,))))),
        ("", packet(0x0C, (FORMAT[0], FORMAT[1:-2] + b"\0\0"))),
        ("2a19", packet(0x01, (0x01, b""))),
    )

    def announced(self) -> list[Frame]:
        return [Frame(0, "configuration", CONFIGURATION.pack(SENSOR, 1000, 10))]

    def streamed(self, count: int) -> list[Frame]:
        """Return packets of sensor data, some with more fields, and some of the filter between them."""
        wires = []
        for k in range(count):
            more = ((0x06, vector(0.1, 0.2, 0.3)), (0x14, vector(30.0, 32.0, 31.0)))[: (k % 5 == 0) + (k % 7 == 0)]
            motion = ((0x04, vector(0.01 * k, 0, -1)), (0x05, vector(0.25, 0, -0.5)))
            wire = stamped((k + 1) * PERIOD_NS, *motion, *more, delta=PERIOD_NS)
            if k % 3 == 1:
                euler = struct.pack(">3fH", 0.1, 0.2, 0.3, 1)
                wire += stamped((k + 1) * PERIOD_NS, (0x05, euler), of=FILTER)
            wires.append(wire)
        return data(*wires)

    def packed(self, count: int) -> list[Frame]:
        """Return packets as the driver has a device send them where nothing more is asked for: laid out alike."""
        motions = (((0x04, vector(0.01 * k, 0, -1)), (0x05, vector(0.25, 0, -0.5))) for k in range(count))
        return data(*(stamped((k + 1) * PERIOD_NS, *own, delta=PERIOD_NS) for k, own in enumerate(motions)))

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return data(*cut(b"".join(frame.data for frame in frames), cuts))

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        """A packet, or both, that did not come."""
        return not cut or whole.startswith(cut + b"ue")


def test_a_published_packet_in_our_units_by_the_device_s_own_clock() -> None:
    got = decoded(MicroStrain().decoder(), [data(PUBLISHED)])["imu"]
    assert got.ticks.tolist() == [282_809_000_000]
    want = [0.01741764 * G, -0.00666524 * G, -0.98564005 * G, -0.00303059, 0.00031147, -0.00426879]
    assert got.samples[0] == pytest.approx(want, abs=1e-7)


def test_all_kinds_of_sensor_data_in_their_units() -> None:
    wire = stamped(
        5,
        (0x06, vector(0.1, -0.2, 0.5)),
        (0x17, vector(1013.25)),
        (0x14, vector(30, 33, 31.5)),
        (0x04, vector(0, 0, -1)),
    )
    packets = decoded(MicroStrain().decoder(), [data(wire, stamped(6, (0x05, vector(1, 2, 3))))])
    assert packets["magnetic_field"].samples[0] == pytest.approx([10, -20, 50])
    assert packets["air_pressure"].samples[0] == pytest.approx([101_325])
    assert packets["sensor_temperature"].samples[0] == pytest.approx([31.5])
    assert packets["acceleration"].samples[0] == pytest.approx([0, 0, -G])
    assert packets["rotation"].samples[0].tolist() == [1, 2, 3]


def test_a_sensor_that_lies_flat_and_points_north_by_all_that_tells_of_it() -> None:
    """Its own axes: x to the north, y to the east, z down. Against east, north and up it is rolled over."""
    half = math.sqrt(0.5)
    unit = np.eye(3).reshape(-1).tolist()
    for of, source in ((SENSOR, "sensor"), (FILTER, "filter")):
        valid = b"\0\1" if of == FILTER else b""
        quaternion, matrix, euler = (0x0A, 0x09, 0x0C) if of == SENSOR else (0x03, 0x04, 0x05)
        for field in ((quaternion, vector(1, 0, 0, 0) + valid), (matrix, vector(*unit) + valid)):
            wire = stamped(9, field, (euler, vector(0, 0, 0) + valid), of=of)
            got = decoded(MicroStrain(orientation=source).decoder(), [data(wire)])["orientation"].samples[0]
            assert abs(float(got[:4] @ [0, half, half, 0])) == pytest.approx(1.0, abs=1e-6)
            assert [abs(got[4]), got[5], got[6]] == pytest.approx([math.pi, 0, math.pi / 2], abs=1e-6)


def test_what_the_filter_says_is_not_valid_is_missing() -> None:
    wires = [stamped(k, (0x03, vector(1, 0, 0, 0) + valid), of=FILTER) for k, valid in enumerate((b"\0\0", b"\0\1"))]
    got = decoded(MicroStrain().decoder(), [data(*wires)])["orientation"]
    assert np.isnan(got.samples[:, 0]).tolist() == [True, False]


def test_steps_of_rotation_and_of_speed() -> None:
    wire = stamped(1, (0x07, vector(0.02, 0, 0)), (0x08, vector(0, 0.01, 0)))
    decoder = MicroStrain(orientation="sensor").decoder()
    got = decoded(decoder, [data(wire)])["orientation"].samples[0]
    row = dict(zip(decoder.streams["orientation"].channels, got, strict=True))
    assert [row[f"dq_{part}"] for part in "wxyz"] == pytest.approx([math.cos(0.01), math.sin(0.01), 0, 0])
    assert row["dv_y"] == pytest.approx(0.01 * G)
    assert math.isnan(row["q_w"])


def test_numbers_that_are_not_available_are_missing_and_infinite_ones_counted() -> None:
    decoder = MicroStrain().decoder()
    wire = stamped(1, (0x04, vector(math.nan, 0, -1)), (0x05, vector(0, math.inf, 0)))
    got = decoded(decoder, [data(wire)])["imu"].samples[0]
    assert np.isnan(got).tolist() == [True, False, False, False, True, False]
    assert decoder.faults == {"impossible values": 1}


@pytest.mark.parametrize(
    ("status", "clipped"), [(0, 0), (0x0001, 1), (0x0040, 1), (0x0400, 1), (0x1000, 0), (0x0888, 0)]
)
def test_the_overrange_status_tells_of_clipping(status: int, clipped: int) -> None:
    wire = stamped(1, (0x04, vector(0, 0, -1)), (0x05, vector(0, 0, 0)), (0x18, status.to_bytes(2, "big")))
    assert decoded(MicroStrain().decoder(), [data(wire)])["imu"].flags.tolist() == [Flag.CLIPPED * clipped]


def test_a_packet_that_did_not_come_shows_in_the_delta_of_the_next() -> None:
    wires = [sample(k) for k in (0, 1, 4, 5)]
    decoder = MicroStrain().decoder()
    got = decoded(decoder, [[frame] for frame in data(*wires)])["imu"]
    assert got.flags.tolist() == [0, 0, Flag.MISSING, 0]


def test_the_clock_counts_on_for_longer_than_the_gateway_can() -> None:
    got = decoded(MicroStrain().decoder(), [data(stamped(2**62 + 7, (0x04, vector(0, 0, 0)), (0x05, vector(0, 0, 0))))])
    assert got["imu"].ticks.tolist() == [7]


def test_the_time_of_satellites_serves_where_there_is_no_other() -> None:
    motion = ((0x04, vector(0, 0, 0)), (0x05, vector(0, 0, 0)))
    times = {0x12: (250_000.25, 3), 0xD3: (250_000.26, 3)}
    wires = [packet(SENSOR, (each, struct.pack(">dHH", *when, 0)), *motion) for each, when in times.items()]
    wires.append(packet(SENSOR, (0x12, struct.pack(">dHH", math.nan, 3, 0)), *motion))
    decoder = MicroStrain().decoder()
    got = decoded(decoder, [data(*wires)])["imu"]
    week_ns = 3 * 604_800 * 10**9
    assert got.ticks.tolist() == [week_ns + 250_000_250_000_000, week_ns + 250_000_260_000_000]
    assert decoder.faults == {"samples without their time (reference time)": 1}


@pytest.mark.parametrize("length", [0, 1, 16, 255])
def test_a_field_of_an_impossible_length_is_counted(length: int) -> None:
    head = b"ue\x80\x0e" + bytes((length, 4)) + bytes(12)
    decoder = MicroStrain().decoder()
    assert decoder.decode(data(head + checksum(head))) == []
    assert decoder.faults == {"field of an impossible length": 1}
    with pytest.raises(MalformedFrameError, match="impossible length"):
        parse_packet(head + checksum(head))


def test_the_longest_field_fills_the_longest_packet() -> None:
    """From the maker's tests: MAX_PACKET_SINGLE_FIELD."""
    payload = bytes((0xFF, 0x01, *range(2, 255)))
    head = b"ue\x01\xff" + payload
    assert checksum(head) == b"\x5a\x2b"
    assert parse_packet(head + b"\x5a\x2b") == (1, [(1, bytes(range(2, 255)))])


def test_several_fields_and_none() -> None:
    """From the maker's tests: SET_SAVE_COMM_SPEED, which is read here and never sent."""
    whole = bytes.fromhex("7565010c080901010001c20004090301ce80")
    assert parse_packet(whole) == (1, [(9, bytes.fromhex("01010001c200")), (9, b"\x03\x01")])
    assert not make_driver("microstrain").allows("", whole)
    assert parse_packet(packet(SENSOR)) == (SENSOR, [])


def test_a_packet_that_is_cut_or_spoilt_is_refused() -> None:
    spoilt = [PUBLISHED[:size] for size in range(len(PUBLISHED))] + [PUBLISHED + b"\0", b"\0" + PUBLISHED]
    spoilt += [PUBLISHED[:at] + bytes((PUBLISHED[at] ^ 1,)) + PUBLISHED[at + 1 :] for at in range(len(PUBLISHED))]
    for each in spoilt:
        with pytest.raises(MalformedFrameError):
            parse_packet(each)


@pytest.mark.parametrize("at", range(len(PUBLISHED) + 4))
def test_the_bytes_may_be_cut_anywhere(at: int) -> None:
    wire = sample(1) + sample(2)
    decoder = MicroStrain().decoder()
    assert len(decoded(decoder, [data(wire[:at], wire[at:])])["imu"]) == 2
    assert not decoder.faults


@given(st.binary(max_size=120))
def test_garbage_before_costs_no_packet_that_is_whole(junk: bytes) -> None:
    packets = MicroStrain().decoder().decode(data(junk + b"".join(sample(k) for k in range(12))))
    assert len(packets[0]) >= (6 if b"u" in junk else 12)


def test_bytes_at_random_and_spoilt_packets_end_there() -> None:
    chance = random.Random(4)
    decoder = MicroStrain().decoder()
    for k in range(5000):
        wire = bytearray(sample(k) if chance.random() < 0.8 else chance.randbytes(70))
        for _ in range(chance.randrange(3)):
            wire[chance.randrange(len(wire))] = chance.randrange(256)
        for each in decoder.decode(data(bytes(wire))):
            assert not np.isinf(each.samples).any()
    assert len(decoder.faults) < 6


def test_the_rates_are_those_that_were_set() -> None:
    decoder = MicroStrain().decoder()
    decoder.decode([Frame(0, "configuration", CONFIGURATION.pack(SENSOR, 1000, 8))])
    decoder.decode([Frame(0, "configuration", CONFIGURATION.pack(FILTER, 500, 10)), Frame(0, "configuration", b"?")])
    assert decoder.streams["imu"].rate_hz == 125.0
    assert decoder.streams["orientation"].rate_hz == 50.0
    assert decoder.faults == {"malformed configuration": 1}


def test_device_information() -> None:
    texts = [each.rjust(16).encode() for each in ("3DM-CV7-AHRS", "6286-9950", "6284.158230", "", "")]
    info = parse_device_info(struct.pack(">H", 1102) + b"".join(texts))
    assert (info.firmware, info.model, info.serial) == ("1.1.02", "3DM-CV7-AHRS", "6284.158230")
    with pytest.raises(MalformedFrameError):
        parse_device_info(bytes(81))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rate_hz": 0}, "rate_hz is a whole number from 1 to 1000"),
        ({"rate_hz": "fast"}, "rate_hz is a whole number"),
        ({"outputs": ["smell"]}, "has no output 'smell': known are orientation"),
        ({"outputs": "orientation"}, "outputs is a list of names"),
        ({"orientation": "north"}, "orientation is one of filter, sensor"),
        ({"configure": 3}, "configure is true or false"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make_driver("microstrain", options)


def test_what_a_port_gives_at_the_wrong_rate_means_nothing() -> None:
    driver = MicroStrain()
    assert driver.means(Frame(0, "data", b"\x01" + sample(1)))
    assert not driver.means(Frame(0, "data", sample(1)[3:]))
    assert not driver.means(Frame(0, "data", packet(0x01, (0xF1, b"\x02\0"))))


def test_devices_whose_orientation_is_read_of_different_sets_are_decoded_together() -> None:
    wire = stamped(PERIOD_NS, (0x0A, struct.pack(">4f", 1, 0, 0, 0)))
    wire += stamped(PERIOD_NS, (0x03, struct.pack(">4fH", 0, 1, 0, 0, 1)), of=FILTER)
    decoders = [MicroStrainDecoder("sensor"), MicroStrainDecoder("filter"), MicroStrainDecoder("sensor")]
    found = MicroStrainDecoder.decode_batch(decoders, Frames.of([data(wire)] * 3))
    (orientation,) = [packets for packets in found if packets.stream == "orientation"]
    each = dict(orientation.each())
    alone = {at: MicroStrainDecoder(kind).decode(data(wire)) for at, kind in enumerate(("sensor", "filter", "sensor"))}
    for at, packets in alone.items():
        (expected,) = [packet for packet in packets if packet.stream == "orientation"]
        assert each[at].samples.tobytes() == expected.samples.tobytes()
    assert each[0].samples.tobytes() != each[1].samples.tobytes()


def test_more_layouts_of_one_size_than_are_known_are_each_read() -> None:
    """A device may send its fields in any order; garbage with a right check sum makes any number of layouts."""
    decoder = MicroStrainDecoder()
    fields = [(0x04, vector(1, 2, 3)), (0x05, vector(4, 5, 6)), (0x06, vector(0.1, 0.2, 0.3)), (0x14, vector(1, 2, 3))]
    wires = [stamped((k + 1) * PERIOD_NS, *order) for k, order in enumerate(permutations(fields))]
    for _ in range(2):
        packets = {packet.stream: packet for packet in decoder.decode(data(*wires))}
        assert len(packets["imu"]) == len(wires) == 24
        assert (packets["imu"].samples[:, 3:] == [4, 5, 6]).all()
