"""Declared devices on a serial port: lines and structs as prototypes send them, and every declaration that is none."""

from __future__ import annotations

import binascii
import math
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverContract, decoded
from drivers.declared.checksums import CHECKSUMS
from drivers.declared.decoder import NO_COUNT, NO_TIME
from drivers.declared.reading import (
    CHECKSUM,
    COMMA,
    COMMAS,
    LONGEST_LINE,
    NO_MATCH,
    NO_NUMBER,
    OTHER_COUNT,
    OTHER_SIZE,
    OVERSIZED,
)
from drivers.driver import Decoder
from drivers.fixed_frames import STRAY
from drivers.packet import Flag, Frame, Packet
from drivers.registry import make_driver
from simulators.devices.exo_frame import cobs
from tests.drivers.wires import Noted, cut, frames_of

ACC = ["imu.acc_x m/s2", "imu.acc_y m/s2", "imu.acc_z m/s2"]
AXES = ["acc_x", "acc_y", "acc_z", "gyr_x", "gyr_y", "gyr_z"]
LINE = {"stream": "force", "values": ["x N", "y N", "z N"]}


def decoder_of(options: dict[str, Any]) -> Decoder:
    return make_driver("declared_serial", options).decoder()


def read(options: dict[str, Any], *pieces: bytes) -> tuple[dict[str, Packet], Decoder]:
    """Return what comes of pieces of bytes behind the end of a line."""
    decoder = decoder_of(options)
    return decoded(decoder, [frames_of(b"\n", *pieces)]), decoder


class TestContract(DriverContract):
    name = "declared_serial"
    main_stream = "imu"
    forbidden = (("", b""), ("", b"start"), ("", b"b"), ("", b"\n"))

    def announced(self) -> list[Frame]:
        return frames_of(b"\n")

    def streamed(self, count: int) -> list[Frame]:
        numbers = [",".join(f"{k + axis / 8:.3f}" for axis in range(6)) for k in range(count)]
        return frames_of(b"\r\n", *(f"{10 * k},{each}\r\n".encode() for k, each in enumerate(numbers)))

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return frames_of(*cut(b"".join(frame.data for frame in frames), cuts))

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return (
            b"," not in cut or cut.strip() == whole.strip()
        )  # of the time alone: some digits before those of the next


STRUCT = {
    "stream": "imu",
    "rate_hz": 100.0,
    "struct": "<I6h",
    "start": "aa55",
    "checksum": "crc16-ccitt",
    "values": ["time us", *(f"{axis} {'g' if axis[0] == 'a' else 'deg/s'} 0.01" for axis in AXES)],
}


def framed(k: int, *values: int) -> bytes:
    body = struct.pack("<I6h", 10_000 * k, *(values or (k, -k, 100, 2 * k, 3 * k, -200)))
    return b"\xaa\x55" + body + binascii.crc_hqx(body, 0xFFFF).to_bytes(2, "little")


class TestContractOfStructs(TestContract):
    def driver(self) -> Any:
        return make_driver("declared_serial", STRUCT)

    def announced(self) -> list[Frame]:
        return []

    def streamed(self, count: int) -> list[Frame]:
        return frames_of(*map(framed, range(count)))

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        del whole
        return not cut


class TestContractOfCobs(TestContractOfStructs):
    def driver(self) -> Any:
        return make_driver("declared_serial", {**STRUCT, "start": "", "framing": "cobs"})

    def announced(self) -> list[Frame]:
        return frames_of(b"\0")

    def streamed(self, count: int) -> list[Frame]:
        return frames_of(b"\0", *(cobs(framed(k)[2:]) + b"\0" for k in range(count)))

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return not cut or len(cut) == len(whole)

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return super().resplit(frames, cuts)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, b"1.5,-2,3e1"),
        ({}, b"1.5, -2 ,\t+30.0,"),
        ({"separator": ";"}, b"1.5;-2;30"),
        ({"separator": "\t"}, b"1.5\t-2\t30"),
        ({"separator": " "}, b"  1.5   -2 30 "),
        ({"pattern": r"x={x} y={y} z={z}"}, b"x=1.5 y=-2 z=30"),
        ({"pattern": r"z:{force.z},x:{x},y:{y}"}, b"z:30,x:1.5,y:-2"),
        ({"pattern": r"(\S+) (\S+) (\S+)"}, b"1.5 -2 30"),
        ({"pattern": r'\{"f":\[{x},{y},{z}\]\}'}, b'{"f":[1.5,-2,30]}'),
    ],
)
def test_a_line_is_read_however_its_numbers_stand_in_it(options: dict[str, Any], line: bytes, end: bytes) -> None:
    packets, decoder = read({**LINE, **options}, line + end)
    spec = decoder.streams["force"]
    assert dict(zip(spec.channels, packets["force"].samples[0], strict=True)) == {"x": 1.5, "y": -2.0, "z": 30.0}
    assert spec.units == ("N", "N", "N")
    assert packets["force"].flags.tolist() == [Flag.LOSS_UNKNOWN]
    assert not decoder.faults


@pytest.mark.parametrize("nothing", [b"nan", b"NaN", b"inf", b"-inf", b"ovf", b"", b" ", b"1e999"])
def test_a_value_that_is_none_is_missing_and_its_neighbours_are_there(nothing: bytes) -> None:
    packets, decoder = read(LINE, b"1," + nothing + b",3\n")
    assert np.isnan(packets["force"].samples[0]).tolist() == [False, True, False]
    assert not decoder.faults


@pytest.mark.parametrize(
    ("options", "line", "fault"),
    [
        ({}, b"1,2", OTHER_COUNT),
        ({}, b"1,2,3,4", OTHER_COUNT),
        ({}, b"1,5,2,5,3,5", COMMAS),
        ({"separator": ";"}, b"1,5;2,5;3,5", COMMA),
        ({}, b"1,x,3", NO_NUMBER),
        ({}, b"1,0x10,3", NO_NUMBER),
        ({}, b"1,1_0,3", NO_NUMBER),
        ({}, b"ESP-ROM:esp32s3-20210327", OTHER_COUNT),
        ({"pattern": "{x} {y} {z}"}, b"1 2 3 4", NO_MATCH),
        ({"pattern": r"(\w+) (\w+) (\w+)"}, b"1 two 3", NO_NUMBER),
        ({}, b"\xff\xfe\x00", OTHER_COUNT),
        ({}, b"1" * (LONGEST_LINE + 1), OVERSIZED),
    ],
)
def test_a_line_that_is_none_is_counted_with_why_and_the_next_is_read(
    options: dict[str, Any], line: bytes, fault: str
) -> None:
    good = b"1;2;3" if options.get("separator") == ";" else b"1 2 3" if "pattern" in options else b"1,2,3"
    packets, decoder = read({**LINE, **options}, line + b"\r\n" + good + b"\r\n")
    assert packets["force"].samples.tolist() == [[1.0, 2.0, 3.0]]
    assert decoder.faults == {fault: 1}


def test_the_line_that_was_running_when_one_began_to_listen_is_left_out() -> None:
    """``12.5,2,3`` that has lost ``12.`` is still three numbers."""
    decoder = decoder_of(LINE)
    packets = decoded(decoder, [frames_of(b"5,2,3\n1,2,3\n")])
    assert packets["force"].samples.tolist() == [[1.0, 2.0, 3.0]]
    assert not decoder.faults


@given(st.lists(st.integers(1, 9), min_size=1, max_size=8), st.binary(max_size=30))
def test_lines_may_be_cut_and_joined_anywhere(sizes: list[int], junk: bytes) -> None:
    wire = b"banner\r\n" + junk + b"\r\n" + b"".join(b"%d,%d,%d\r\n" % (k, 2 * k, 3 * k) for k in range(20))
    samples, decoder = read(LINE, *cut(wire, sizes))
    whole, other = read(LINE, wire)
    assert samples["force"].samples.tobytes() == whole["force"].samples.tobytes()
    assert samples["force"].samples[-20:, 2].tolist() == [3.0 * k for k in range(20)]
    assert decoder.faults == other.faults


def test_memory_stays_flat_where_no_line_ever_ends() -> None:
    decoder = decoder_of(LINE)
    for _ in range(100):
        assert not decoder.decode(frames_of(b"\n", *[b"1,2," * 20] * 20))
    assert set(decoder.faults) <= {OVERSIZED, OTHER_COUNT}


def test_one_line_may_be_of_several_streams_and_have_what_is_not_wanted() -> None:
    values = ["-", "emg.emg_1 V", "emg.emg_2 uV", "battery.level %", "acceleration.acc_x mg"]
    packets, decoder = read({"values": values, "rate_hz": 200}, b"9,0.001,500,81,1000\n")
    assert {name: packet.samples.tolist() for name, packet in packets.items()} == {
        "emg": [[1.0, 0.5]], "battery": [[81.0]], "acceleration": [[pytest.approx(9.80665)]],
    }  # fmt: skip
    assert decoder.streams["emg"].units == ("mV", "mV")


@pytest.mark.parametrize(
    ("entry", "value", "unit"),
    [
        ("imu.gyr_x deg/s", math.radians(50), "rad/s"),
        ("imu.gyr_x dps 0.5", math.radians(25), "rad/s"),
        ("imu.acc_x g *0.1", 5 * 9.80665, "m/s2"),
        ("imu.acc_x m/s2", 50.0, "m/s2"),
        ("exoskeleton.left_knee_velocity deg/s", 50.0, "deg/s"),
        ("thing.angle deg 2", 100.0, "deg"),
    ],
)
def test_counts_and_units_become_those_of_the_stream(entry: str, value: float, unit: str) -> None:
    packets, decoder = read({"values": [entry], "rate_hz": 50}, b"50\n")
    ((name, packet),) = packets.items()
    assert packet.samples[0, 0] == pytest.approx(value)
    assert decoder.streams[name].units == (unit,)


def test_a_number_that_stands_for_none_is_missing() -> None:
    packets, _ = read({**LINE, "missing": -999, "values": ["x N 0.5", "y N", "z N"]}, b"-999,-999,3\n")
    assert np.isnan(packets["force"].samples[0]).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("unit", "options", "text", "tick", "clock"),
    [
        ("ms", {}, b"4294967295", 4294967295, (1e3, 32)),
        ("us", {}, b"12", 12, (1e6, 32)),
        ("us", {"clock_bits": 53}, b"9007199254740991", 9007199254740991, (1e6, 53)),
        ("ns", {"clock_bits": 40}, b"7", 7, (1e9, 40)),
        ("s", {}, b"12.345678", 12345678, (1e6, 53)),
        ("ticks", {"clock_hz": 32768, "clock_bits": 24}, b"16777215", 16777215, (32768.0, 24)),
    ],
)
def test_the_time_of_the_line_is_the_device_s_clock(
    unit: str, options: dict[str, Any], text: bytes, tick: int, clock: tuple[float, int]
) -> None:
    packets, decoder = read({"values": [f"time {unit}", "force.x N"], **options}, text + b",1\n")
    spec = decoder.streams["force"]
    assert packets["force"].ticks.tolist() == [tick]
    assert packets["force"].flags.tolist() == [Flag.NONE]
    assert (spec.tick_hz, spec.tick_bits) == clock


@pytest.mark.parametrize("text", [b"4294967296", b"-1", b"nan", b"1.5", b""])
def test_a_time_that_is_none_costs_its_line(text: bytes) -> None:
    packets, decoder = read({"values": ["time ms", "force.x N"]}, text + b",1\n" + b"5,2\n")
    assert packets["force"].samples.tolist() == [[2.0]]
    assert decoder.faults == {NO_TIME: 1}


def test_a_counter_without_a_time_is_the_clock_and_wraps() -> None:
    options = {"values": ["count", "force.x N"], "count_bits": 8, "rate_hz": 50}
    packets, decoder = read(options, b"254,1\n255,2\n2,3\n300,4\n")
    assert packets["force"].ticks.tolist() == [254, 255, 2]
    assert (decoder.streams["force"].tick_hz, decoder.streams["force"].tick_bits) == (50.0, 8)
    assert decoder.faults == {NO_COUNT: 1}


def test_beside_a_time_the_counter_tells_of_what_was_lost() -> None:
    options = {"values": ["time ms", "count", "force.x N"], "count_bits": 8, "rate_hz": 50}
    decoder = decoder_of(options)
    frames = frames_of(b"\n0,254,1\n20,255,2\n", b"60,1,3\n", b"80,2,4\n", b"100,200,5\n")
    packets = decoded(decoder, [frames[:2], frames[2:]])
    assert packets["force"].flags.tolist() == [0, 0, Flag.MISSING, 0, Flag.MISSING]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("checksum", [None, *CHECKSUMS])
@pytest.mark.parametrize("checksum_from", [None, 0])
def test_structs_are_read_behind_every_kind_of_check_sum(
    order: str, checksum: str | None, checksum_from: int | None
) -> None:
    options: dict[str, Any] = {
        "stream": "force", "struct": f"{order}Bx2hf", "start": "aa550c", "values": ["count", "x N", "y N 0.5", "z N"],
        "count_bits": 8, "rate_hz": 10,
    }  # fmt: skip
    if checksum:
        options |= {"checksum": checksum}
        options |= {} if checksum_from is None else {"checksum_from": checksum_from}
    mark, wire = bytes.fromhex("aa550c"), []
    for k in range(6):
        body = struct.pack(f"{order}Bx2hf", 253 + k & 0xFF, k, -k, k / 4)
        size, function = CHECKSUMS[checksum] if checksum else (0, lambda _: 0)
        of = mark + body if checksum_from == 0 else body
        wire.append(mark + body + function(of).to_bytes(size, "little" if order == "<" else "big"))
    decoder = decoder_of(options)
    packets = decoded(decoder, [frames_of(b"\x01\x02" + b"".join(wire), mark)])
    assert packets["force"].samples.tolist() == [[k, -k / 2, k / 4] for k in range(6)]
    assert packets["force"].ticks.tolist() == [253, 254, 255, 0, 1, 2]
    assert decoder.faults == {STRAY: 2}


def test_check_sums_are_those_that_the_books_give() -> None:
    """Of "123456789", as catalogues of check sums have it."""
    of = {name: function(b"123456789") for name, (_, function) in CHECKSUMS.items()}
    assert of == {"sum": 0xDD, "xor": 0x31, "crc16-modbus": 0x4B37, "crc16-ccitt": 0x29B1, "crc16-xmodem": 0x31C3}


def test_cobs_frames_that_are_spoilt_are_counted_one_by_one() -> None:
    wire = [cobs(framed(k)[2:]) for k in range(4)]
    spoilt = bytearray(wire[1])
    spoilt[-1] ^= 0x40
    decoder = decoder_of({**STRUCT, "start": "", "framing": "cobs"})
    packets = decoded(
        decoder,
        [frames_of(b"half of one\0", wire[0] + b"\0" + spoilt + b"\0" + wire[2][:-2] + b"\0" + wire[3] + b"\0")],
    )
    assert packets["imu"].ticks.tolist() == [0, 30_000]
    assert decoder.faults[CHECKSUM] >= 1
    assert sum(decoder.faults.values()) == 2


def test_a_struct_of_another_size_is_counted() -> None:
    decoder = decoder_of({**STRUCT, "start": "", "framing": "cobs"})
    assert not decoder.decode(frames_of(b"\0", cobs(b"\x01" * 30) + b"\0", b"\x01" * 300, b"\0"))
    assert decoder.faults == {OTHER_SIZE: 2}


WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "needs the option 'values'"),
    ({"values": []}, "values is a list of 1 to 64 entries"),
    ({"values": "time ms"}, "values is a list of 1 to 64 entries"),
    ({"values": ["force.x N"] * 65}, "values is a list of 1 to 64 entries"),
    ({"values": [3]}, "values: 3 is no entry"),
    ({"values": [""]}, "is no entry"),
    ({"values": ["acc_x m/s2"]}, 'is of no stream: write "imu.acc_x'),
    ({"values": ["imu.acc_x"]}, "wants a unit"),
    ({"values": ["imu.acc_x m/s2 0.1 7"]}, "wants a unit, and a factor"),
    ({"values": ["imu.acc_x m/s2 0,1"]}, "the factor '0,1' is a number with a decimal point"),
    ({"values": ["imu.acc_x m/s2 0"]}, "the factor '0'"),
    ({"values": ["imu.acc_x m/s2 nan"]}, "the factor 'nan'"),
    ({"values": ["imu.AccX m/s2"]}, "names are lower-case letters"),
    ({"values": ["imu.time ms"]}, "names are lower-case letters"),
    ({"values": ["time"]}, "a time is in s, ms, us, ns or ticks"),
    ({"values": ["time min", "f.x N"]}, "a time is in s, ms, us, ns or ticks"),
    ({"values": ["count 8", "f.x N"]}, "'count' has no unit"),
    ({"values": ["time ms", "-"]}, "none of them is a channel"),
    ({"values": ["f.x N", "f.x N"]}, "'f.x' stands there twice"),
    ({"values": ["imu.acc_x g"]}, "an imu needs rate_hz"),
    ({**LINE, "rate_hz": 0}, "rate_hz is above 0"),
    ({**LINE, "rate_hz": "100"}, "rate_hz is a number"),
    ({**LINE, "rate_hz": True}, "rate_hz is a number"),
    ({**LINE, "stream": 3}, "stream is text in quotes"),
    ({**LINE, "missing": "x"}, "missing is a number"),
    ({**LINE, "separator": ""}, "separator is one letter"),
    ({**LINE, "separator": "."}, "separator is one letter"),
    ({**LINE, "separator": ", "}, "separator is one letter"),
    ({**LINE, "separator": ",", "pattern": "{x}"}, "exclude each other"),
    ({**LINE, "pattern": "{x},{y}"}, "'force.z' stands nowhere in the pattern: write {force.z}"),
    ({**LINE, "pattern": "{x},{y},{w}"}, "'w' is not declared in values"),
    ({**LINE, "pattern": "{x},{y},{z},{x}"}, "one of its values twice"),
    ({**LINE, "pattern": "(.),(.)"}, "the pattern has 2 groups, and 3 are declared"),
    ({**LINE, "pattern": "(.*),(.*),(.*)"}, "the pattern can read ',' in two ways"),
    ({"values": ["f.x N", "-"], "pattern": "{x}"}, "what it does not name is left out"),
    ({"values": ["f.x N", "g.x N"], "pattern": "{x},{x}"}, "may be several"),
    ({**LINE, "start": "aa55"}, "start is for a struct"),
    ({**LINE, "checksum": "xor"}, "checksum is for a struct"),
    ({**LINE, "framing": "cobs"}, "framing = 'cobs' is for a struct"),
    ({**LINE, "framing": "magic"}, "framing = 'magic' is not known"),
    ({**LINE, "framing": "notification"}, "is for Bluetooth"),
    ({**LINE, "struct": "3h"}, "begin with <"),
    ({**LINE, "struct": "<3k"}, "begin with <"),
    ({**LINE, "struct": "<"}, "begin with <"),
    ({**LINE, "struct": "<999d"}, "1 to 240 will do"),
    ({**LINE, "struct": "<2h", "start": "aa55"}, "struct has 2 values, and 3 are declared"),
    ({**LINE, "struct": "<3h"}, "nothing says where a struct begins"),
    ({**LINE, "struct": "<3h", "start": "xyz"}, "is not bytes in hexadecimal"),
    ({**LINE, "struct": "<3h", "start": "aa"}, "a start of one byte stands among the values too"),
    ({**LINE, "struct": "<3h", "start": "aa" * 9}, "start has at most 8 bytes"),
    ({**LINE, "struct": "<3h", "start": "aa55", "framing": "lines"}, "framing = 'lines' is for text"),
    ({**LINE, "struct": "<3h", "start": "aa55", "framing": "cobs"}, "needs no start"),
    ({**LINE, "struct": "<3h", "start": "aa55", "separator": ","}, "neither separator nor pattern"),
    ({**LINE, "struct": "<3h", "start": "aa55", "checksum": "crc32"}, "checksum = 'crc32' is not known"),
    ({**LINE, "struct": "<3h", "start": "aa55", "checksum": "sum", "checksum_from": 3}, "checksum_from is the first"),
    ({**LINE, "count_bits": 8}, 'count_bits needs a "count"'),
    ({**LINE, "clock_bits": 8}, 'need a "time"'),
    ({"values": ["count", "f.x N"]}, "needs rate_hz"),
    ({"values": ["time ticks", "f.x N"]}, "needs clock_hz"),
    ({"values": ["time ms", "f.x N"], "clock_hz": 1000}, "needs clock_hz, ticks a second, and a time in s"),
    ({"values": ["time ticks", "f.x N"], "clock_hz": 0.1}, "clock_hz is 1 to 1e9"),
    ({"values": ["time ms", "f.x N"], "clock_bits": 64}, "clock_bits is a whole number of 1 to 53"),
    ({"values": ["count", "f.x N"], "rate_hz": 5, "count_bits": 0}, "count_bits is a whole number of 1 to 53"),
    ({**LINE, "baud": 0}, "baud is the rate of Serial.begin"),
    ({**LINE, "baud": "9600"}, "baud is the rate of Serial.begin"),
    ({**LINE, "write": "b"}, "has no option 'write'"),
    ({**LINE, "start_bytes": "62"}, "has no option 'start_bytes'"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "reason"), WRONG)
def test_a_declaration_that_is_none_is_refused_in_words(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match="declared_serial") as refused:
        make_driver("declared_serial", options)
    assert reason in str(refused.value)


async def test_no_dialogue_writes_anything() -> None:
    link, driver = Noted(), make_driver("declared_serial", {**LINE, "values": [*LINE["values"]]})
    await driver.identify(link)
    await driver.start(link)
    await driver.refresh(link)
    await driver.stop(link)
    assert not link.written
