from __future__ import annotations

import struct
from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from drivers.contract import DriverContract, decoded
from drivers.errors import MalformedFrameError
from drivers.packet import Flag, Frame, Frames, Ticks
from drivers.registry import make_driver
from drivers.shimmer3.calibration import ORDER, calibration, nominal, parse_calibration
from drivers.shimmer3.channels import CHANNELS
from drivers.shimmer3.describe import describe
from drivers.shimmer3.protocol import crc16, parse_battery, parse_inquiry, rate_command
from drivers.shimmer3.split import split
from drivers.shimmer3.stream import Layout, Splitter, crc16_rows, parse_packet

IMU = (0x0A, 0x0B, 0x0C, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09)
DIVISOR = 640  # 51.2 Hz
WRAPS = (
    2**24 - 10 * DIVISOR + 77
)  # first stamp of a stream that wraps; no stamp is all zeros, which could be cut unseen
INQUIRY = struct.pack("<BH4sBB", 2, DIVISOR, bytes((8, 0xFF, 0x21, 8)), len(IMU), 1) + bytes(IMU)
ALIGNMENT = (0, -100, 0, -100, 0, 0, 0, 0, -100)


def sensor(offset: int, sensitivity: int) -> bytes:
    return struct.pack(">6h9b", *[offset] * 3, *[sensitivity] * 3, *ALIGNMENT)


CALIBRATION = b"\x2d" + sensor(2047, 83) + sensor(5, 6550) + sensor(0, 1100) + sensor(-3, 408)
NEVER_CALIBRATED = b"\x2d" + b"\xff" * 84


def packet(ticks: int, gyr: int = 655, acc: int = 408, *, mag: int = 1100) -> bytes:
    """One packet: gyroscope big-endian, the others little-endian; each axis one count more than the one before."""
    body = struct.pack(">3h", gyr, gyr + 1, gyr + 2) + struct.pack("<6h", acc, acc + 1, acc + 2, mag, mag + 1, mag + 2)
    return b"\0" + (ticks & 0xFFFFFF).to_bytes(3, "little") + body


def stream(count: int, first: int = 0) -> bytes:
    return b"".join(packet(first + i * DIVISOR, gyr=i % 300, acc=7 * i % 400) for i in range(count))


def frames(data: bytes, sizes: list[int], channel: str = "data") -> list[Frame]:
    """Cut bytes into frames of these sizes, again and again."""
    cut, at, i = [], 0, 0
    while at < len(data):
        size = sizes[i % len(sizes)]
        cut.append(Frame(1000 * (at + size), channel, data[at : at + size]))
        at, i = at + size, i + 1
    return cut


ANNOUNCED = [
    Frame(0, "firmware", bytes.fromhex("2f030000000b00")),
    Frame(0, "inquiry", INQUIRY),
    Frame(0, "calibration", CALIBRATION),
    Frame(0, "battery", bytes.fromhex("8a94300b80")),
]


class TestContract(DriverContract):
    name = "shimmer3"
    main_stream = "imu"
    lost_at_end = 1  # a packet is believed once the next one has begun
    allowed = tuple(("", bytes((c,))) for c in (0x01, 0x07, 0x20, 0x2C, 0x2E, 0x95))
    forbidden = (
        ("", rate_command(100.0)),
        ("", b"\x8b\x01"),
        ("", b"\x70"),
        ("", b"\x08\x00\x00\x00"),
        ("", b"\x79\x01a"),
        ("", b"\x07\x07"),
        ("x", b"\x07"),
    )

    def announced(self) -> list[Frame]:
        return list(ANNOUNCED)

    def streamed(self, count: int) -> list[Frame]:
        data = [packet(WRAPS + i * DIVISOR, gyr=1 + i) for i in range(count)]
        if count > 12:
            data[7] += bytes.fromhex("ff8a7125")
            data[11] += bytes.fromhex("ff8a94300b80")
        return [Frame(i, "data", d) for i, d in enumerate(data)]

    def resplit(self, frames_: list[Frame], cuts: list[int]) -> list[Frame]:
        return frames(b"".join(f.data for f in frames_), cuts)

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return len(cut) in (
            0,
            22,
            23,
        )  # a whole packet is a gap of the stamps; a reply or all but its first byte is none


def test_units_by_the_stored_calibration() -> None:
    sent = [*ANNOUNCED, *frames(stream(2) + packet(2 * DIVISOR), [22])]
    got = decoded(make_driver("shimmer3").decoder(), [sent])["imu"]
    raw_gyr, raw_acc, raw_mag = np.array([1.0, 2, 3]), np.array([7.0, 8, 9]), np.array([1100.0, 1101, 1102])
    swap = np.array([[0, -1, 0], [-1, 0, 0], [0, 0, -1.0]])  # its own inverse
    want = [*swap @ (raw_acc + 3) / 408, *swap @ (raw_gyr - 5) / 65.5 * np.pi / 180, *swap @ raw_mag / 1100]
    assert got.samples[1] == pytest.approx(want)
    assert got.ticks.tolist() == [0, DIVISOR]


def test_arrival_is_that_of_the_frame_that_completed_the_sample() -> None:
    data = stream(3)
    cut = [Frame(10, "data", data[:5]), Frame(20, "data", data[5:30]), Frame(30, "data", data[30:])]
    got = decoded(make_driver("shimmer3").decoder(), [ANNOUNCED, *[[f] for f in cut]])["imu"]
    assert got.arrival_ns.tolist() == [20, 30]


def test_without_stored_calibration_nominal_constants_are_used_and_reported() -> None:
    decoder = make_driver("shimmer3").decoder()
    start = [Frame(0, "inquiry", INQUIRY), Frame(0, "calibration", NEVER_CALIBRATED)]
    got = decoded(decoder, [start, frames(stream(3), [50])])["imu"]
    want = nominal(parse_inquiry(INQUIRY))["acc_wr"].apply(np.array([[0.0, 1, 2], [7, 8, 9]]))
    assert got.samples[:, :3] == pytest.approx(want)
    fault = "no stored calibration of {}: nominal constants"
    assert decoder.faults == {fault.format(s): 1 for s in ("acc_wr", "gyr", "mag")}


def test_the_streams_follow_the_inquiry() -> None:
    decoder = make_driver("shimmer3").decoder()
    inquiry = struct.pack("<BH4sBB", 2, 64, bytes(4), 4, 1) + bytes((0, 1, 2, 0x12))
    decoder.decode([Frame(0, "inquiry", inquiry)])
    spec = decoder.streams["imu"]
    assert (spec.channels, spec.rate_hz) == (("acc_x", "acc_y", "acc_z"), 512.0)


@pytest.mark.parametrize(
    ("choice", "sensor_used"), [("auto", "acc_wr"), ("wide_range", "acc_wr"), ("low_noise", "acc_ln")]
)
def test_the_accelerometer_can_be_chosen(choice: str, sensor_used: str) -> None:
    channels = (0, 1, 2, 4, 5, 6)
    inquiry = struct.pack("<BH4sBB", 2, DIVISOR, bytes(4), 6, 1) + bytes(channels)
    data = b"".join(
        b"\0" + (i * DIVISOR).to_bytes(3, "little") + struct.pack("<6h", *[2000] * 3, *[90] * 3) for i in range(3)
    )
    decoder = make_driver("shimmer3", {"accelerometer": choice}).decoder()
    got = decoded(decoder, [[Frame(0, "inquiry", inquiry)], frames(data, [9])])["imu"]
    raw = np.array([[2000.0 if sensor_used == "acc_ln" else 90.0] * 3])
    assert got.samples[:1] == pytest.approx(nominal(parse_inquiry(inquiry))[sensor_used].apply(raw))


def test_old_firmware_has_stamps_of_two_bytes() -> None:
    decoder = make_driver("shimmer3").decoder()
    inquiry = struct.pack("<BH4sBB", 2, DIVISOR, bytes(4), 3, 1) + bytes((4, 5, 6))
    start = [Frame(0, "firmware", struct.pack("<BHHBB", 0x2F, 3, 0, 3, 0)), Frame(0, "inquiry", inquiry)]
    data = b"".join(struct.pack("<BH3h", 0, (65000 + i * DIVISOR) & 0xFFFF, i, i, i) for i in range(6))
    got = decoded(decoder, [start, frames(data, [4])])["imu"]
    assert decoder.streams["imu"].tick_bits == 16
    assert got.ticks.tolist() == [(65000 + i * DIVISOR) & 0xFFFF for i in range(5)]


def test_the_end_of_the_range_is_flagged() -> None:
    data = packet(0) + packet(DIVISOR, gyr=32765) + packet(2 * DIVISOR, acc=-32768) + packet(3 * DIVISOR)
    got = decoded(make_driver("shimmer3").decoder(), [ANNOUNCED, frames(data, [100])])["imu"]
    assert got.flags.tolist() == [Flag.NONE, Flag.CLIPPED, Flag.CLIPPED]


def test_lost_packets_leave_a_gap_and_nothing_else() -> None:
    data = stream(10) + stream(10, first=200 * DIVISOR) + stream(10, first=212 * DIVISOR)
    decoder = make_driver("shimmer3").decoder()
    got = decoded(decoder, [ANNOUNCED, frames(data, [64])])["imu"]
    assert len(got) == 29
    assert not decoder.faults


@settings(deadline=None)
@given(
    at=st.integers(0, 799),
    gone=st.integers(1, 60),
    junk=st.binary(max_size=40),
    sizes=st.lists(st.integers(1, 99), min_size=1),
)
def test_lost_bytes_cost_few_packets_and_invent_none(at: int, gone: int, junk: bytes, sizes: list[int]) -> None:
    # A change that keeps the length cannot be seen without check sums; an acknowledgement (0xff) may stand between two
    # packets, so its length does not count.
    assume(all((len(junk) - acks - gone) % len(packet(0)) for acks in range(junk.count(0xFF) + 1)))
    data = stream(60, WRAPS)
    broken = data[:at] + junk + data[at + gone :]
    decoder = make_driver("shimmer3").decoder()
    got = decoded(decoder, [ANNOUNCED, frames(broken, sizes)])["imu"]
    good = decoded(make_driver("shimmer3").decoder(), [ANNOUNCED, frames(data, [64])])["imu"]
    rows = {(int(t), row.tobytes()) for t, row in zip(good.ticks, good.samples, strict=True)}
    got_rows = [(int(t), row.tobytes()) for t, row in zip(got.ticks, got.samples, strict=True)]
    assert len(set(got_rows) - rows) == 0
    assert len(set(got_rows)) >= len(good) - (len(junk) + gone) // 22 - 4


def test_random_bytes_never_look_like_a_stream() -> None:
    rng = np.random.default_rng(3)
    decoder = make_driver("shimmer3").decoder()
    junk = rng.integers(0, 256, 200_000, dtype=np.uint8).tobytes()
    got = decoded(decoder, [ANNOUNCED, frames(junk, [1000])])
    assert "imu" not in got
    assert decoder.faults["lost sync"] == 1
    assert 199_900 < decoder.faults["bytes skipped while out of sync"] <= 200_000
    assert len(decoded(decoder, [frames(stream(50), [37])])["imu"]) >= 47


def test_bytes_before_the_inquiry_are_counted() -> None:
    decoder = make_driver("shimmer3").decoder()
    assert decoder.decode(frames(stream(2), [50])) == []
    assert decoder.faults == {"bytes before the inquiry reply": 44}


@pytest.mark.parametrize("crc_bytes", [1, 2])
def test_check_sums_prove_each_packet_alone(crc_bytes: int) -> None:
    def summed(data: bytes) -> bytes:
        return data + crc16(data).to_bytes(2, "little")[:crc_bytes]

    packets = [summed(packet(i * DIVISOR, gyr=i)) for i in range(10)]
    packets[4] = packets[4][:9] + bytes((packets[4][9] ^ 1,)) + packets[4][10:]
    packets[6] += summed(bytes.fromhex("ff8a94300b80"))
    decoder = make_driver("shimmer3", {"crc_bytes": crc_bytes}).decoder()
    got = decoded(decoder, [ANNOUNCED, frames(b"".join(packets), [13])])
    assert got["imu"].ticks.tolist() == [i * DIVISOR for i in range(10) if i != 4]
    assert len(got["battery"]) == 2
    assert decoder.faults == {"lost sync": 1, "bytes skipped while out of sync": 22 + crc_bytes}


@given(st.lists(st.binary(min_size=9, max_size=9), min_size=1, max_size=5))
def test_check_sums_of_many_rows_are_those_of_each(rows: list[bytes]) -> None:
    table: NDArray[np.uint8] = np.array([list(row) for row in rows], np.uint8)
    assert crc16_rows(table).tolist() == [crc16(row) for row in rows]


@pytest.mark.parametrize("number", CHANNELS)
def test_each_channel_type_keeps_its_ends(number: int) -> None:
    channel = CHANNELS[number]
    order = "big" if channel.big else "little"
    bits = 8 * channel.width
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if channel.signed else (0, 2**bits - 1)
    for value in (*ends, 1):
        data = b"\0\1\0\0" + value.to_bytes(channel.width, order, signed=channel.signed)
        assert parse_packet(data, Layout((number,))) == (1, {channel.name: value})


def test_a_splitter_keeps_little_back() -> None:
    splitter = Splitter(Layout(IMU, DIVISOR), Counter())
    rng = np.random.default_rng(5)
    for _ in range(200):
        split([splitter], Frames.of([[Frame(0, "data", rng.integers(0, 2, 97, dtype=np.uint8).tobytes())]]))
        assert sum(map(len, splitter.rest)) < 200


@pytest.mark.parametrize(
    "options",
    [{"rate_hz": 1e6}, {"accelerometer": "best"}, {"stamp_bytes": 4}, {"crc_bytes": 3}],
    ids=lambda o: next(iter(o)),
)
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"shimmer3|Shimmer3"):
        make_driver("shimmer3", options)


def test_settings_are_allowed_only_as_configured() -> None:
    driver = make_driver("shimmer3", {"rate_hz": 102.4, "crc_bytes": 1})
    assert driver.allows("", bytes.fromhex("054001"))
    assert driver.allows("", b"\x8b\x01")
    assert not driver.allows("", bytes.fromhex("054002"))
    assert not driver.allows("", b"\x8b\x02")


def test_a_calibration_that_cannot_be_inverted_is_left_out() -> None:
    flat = struct.pack(">6h9b", *[0] * 3, *[100] * 3, 100, 0, 0, 100, 0, 0, 0, 0, 100)
    found = parse_calibration(b"\x2d" + flat + sensor(0, 0) + sensor(0, 1100) + b"\xff" * 21)
    assert found.keys() == {"mag"}
    assert set(parse_calibration(CALIBRATION)) == set(ORDER)
    with pytest.raises(MalformedFrameError):
        parse_calibration(CALIBRATION[:-1])


def test_calibration_does_not_depend_on_the_number_of_rows() -> None:
    rng = np.random.default_rng(1)
    cal = calibration(rng.normal(size=3), rng.uniform(1, 2, 3), np.eye(3) + 0.1 * rng.normal(size=(3, 3)))
    raw = rng.normal(size=(1000, 3))
    assert np.concatenate([cal.apply(row[None]) for row in raw]).tobytes() == cal.apply(raw).tobytes()


@pytest.mark.parametrize(
    "cut",
    [
        "",
        "02",
        "0440",
        "02400001ff0109010112ff0000",
        "02400001ff01090201",
        "8a",
        "8a71",
        "8a9430",
        "2f0300",
        "2d00",
        "90",
        "fe",
        "8a99",
    ],
)
def test_a_cut_or_unknown_reply_is_refused(cut: str) -> None:
    with pytest.raises(MalformedFrameError):
        describe([bytes.fromhex(cut)])


@given(st.lists(st.binary(max_size=30), max_size=4))
def test_describing_only_ever_refuses(packets: list[bytes]) -> None:
    try:
        assert isinstance(describe(packets), dict)
    except MalformedFrameError as problem:
        assert str(problem)  # noqa: PT017 - refusing is one of two right answers


def test_battery_charge_rises_with_voltage() -> None:
    levels = [parse_battery(struct.pack("<BBHB", 0x8A, 0x94, raw, 0)).percent for raw in range(2190, 2880, 10)]
    assert levels[0] < 2
    assert levels[-1] == 100.0
    assert levels == sorted(levels)


def test_a_line_that_is_held_down_is_passed_over_at_once() -> None:
    """Nothing but zeros: each begins like a packet, and each by itself was looked at, which took half a core."""
    looked = 0

    class Counting(Layout):
        def plausible(self, steps: Ticks) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
            nonlocal looked
            looked += 1
            return super().plausible(steps)

    faults = Counter[str]()
    splitter = Splitter(Counting(IMU, DIVISOR), faults)
    for _ in range(20):
        starts, replies, used = splitter.scan(np.zeros(4096, np.uint8))
        assert (len(starts), replies, used > 4000) == (0, [], True)
    assert looked < 20 * 100
    assert faults["lost sync"] == 1
