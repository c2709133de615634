"""ORPHE INSOLE: frames of every mode, time across midnight, exact losses, steps that are sent twice, and which foot."""

from __future__ import annotations

import math
import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverContract, decoded
from drivers.driver import Decoder
from drivers.errors import DialogueError, MalformedFrameError
from drivers.orphe.driver import (
    DEVICE_INFORMATION,
    SENSOR_VALUES,
    STEP_ANALYSIS,
    Orphe,
    parse_information,
)
from drivers.orphe.gait import parse_gait
from drivers.orphe.sensor import MODES, TICK_BITS, TICK_HZ, parse_sensor
from drivers.packet import Flag, Frame
from drivers.registry import make_driver
from gateway.clocks.timeline import Timelines
from tests.drivers.told import Told

G = 9.80665
NS = 1_000_000_000
LEFT = bytes([2, 0, 0, 0, 0, 0, 0, 0, 3, 3])
NINE = 9 * 3_600_000


def frame(serial: int, ms: int, *, header: int = 55, first: int = 0) -> bytes:
    """Return a frame of samples that count on from ``first`` in the order in which they were taken."""
    seconds, ms = divmod(ms % 86_400_000, 1000)
    minutes, second = divmod(seconds, 60)
    count = 2 if header == 56 else 4
    bodies = []
    for k in reversed(range(first, first + count)):
        turn = struct.pack(">4h", 16384, k, 0, -k)
        inertial = struct.pack(">6h", k, -k, 100, 2048, k, -2048)
        press = struct.pack(">6H", *(100 * n + k % 100 for n in range(1, 7)))
        bodies.append({50: turn + inertial + b"\x05", 56: turn + inertial + press}.get(header, inertial + press))
    head = struct.pack(">BH3BH", header, serial & 0xFFFF, *divmod(minutes, 60), second, ms)
    return (head + b"".join(bodies)).ljust(104, b"\0")


def walk(
    count: int, *, header: int = 55, serial: int = 65_530, began_ms: int = NINE, rate_hz: float = 208.0
) -> list[bytes]:
    """Return frames one after another, whose times are whole milliseconds of when the oldest sample was taken."""
    each = 4  # of the sensor: with everything in it, every other one is sent
    sent = 2 if header == 56 else 4
    return [
        frame(serial + k, began_ms + math.floor(1000 * k * each / rate_hz), header=header, first=sent * k)
        for k in range(count)
    ]


def notified(*frames: bytes) -> list[Frame]:
    return [Frame(19_230_769 * k, "measurement", each) for k, each in enumerate(frames)]


def overview(step: int, *, stance: float = 0.6, swing: float = 0.5, bits: int = 0x48) -> bytes:
    return struct.pack(">BBHBBe3f", 51, 0, step & 0xFFFF, bits, 0, 1.5, 73.5, stance, swing)


def stride(step: int, *, angle: float = -12.0) -> bytes:
    return struct.pack(">BBH4f", 51, 1, step & 0xFFFF, angle, 1.25, 0.0625, 0.125)


def pronation(step: int, *, force: float = 3.5) -> bytes:
    return struct.pack(">BBH4f", 51, 2, step & 0xFFFF, force, 8.0, -9.5, 3.0)


def gait(*frames: bytes) -> list[Frame]:
    return [Frame(20_000_000 * k, "gait", each) for k, each in enumerate(frames)]


class TestContract(DriverContract):
    name = "orphe"
    main_stream = "imu"
    allowed = ((DEVICE_INFORMATION, b"\x0d\x03"),)
    forbidden = (
        (DEVICE_INFORMATION, b"\x0d\x02"),  # the store
        (DEVICE_INFORMATION, b"\x0d\x04"),  # another mode than the option says
        (DEVICE_INFORMATION, b"\x0b\x03"),  # clear the store
        (DEVICE_INFORMATION, b"\x0b\x04"),
        (DEVICE_INFORMATION, b"\x01\x00\x01"),
        (SENSOR_VALUES, b"\x0d\x03"),
    )

    def announced(self) -> list[Frame]:
        return [Frame(0, "control", LEFT), Frame(0, "battery", b"\x50")]

    def streamed(self, count: int) -> list[Frame]:
        return notified(*walk(count))

    samples_a_frame = 4

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return frames


class Placing:
    """Frames through a decoder onto the gateway's grid."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.all = Timelines(0)
        self.timeline = self.all.add(decoder.streams["imu"])

    def take(self, frames: list[Frame]) -> np.ndarray:
        imu = next(packet for packet in self.decoder.decode(frames) if packet.stream == "imu")
        return self.all.place_packets([self.timeline], [imu]).index


def test_units_are_si_and_the_newest_sample_comes_first_on_the_wire() -> None:
    packets = decoded(Orphe().decoder(), [[Frame(0, "control", LEFT), *notified(frame(7, NINE, first=10))]])
    imu, insole = packets["imu"], packets["insole"]
    turn = 0.07 * np.pi / 180
    for k, row in enumerate(imu.samples.tolist(), 10):
        assert row == pytest.approx([G, k / 2048 * G, -G, k * turn, -k * turn, 100 * turn])
    assert insole.samples[:, 0].tolist() == [110, 111, 112, 113]
    assert insole.samples[0].tolist() == [110, 210, 310, 410, 510, 610]
    assert imu.ticks.tolist() == insole.ticks.tolist()
    assert np.diff(imu.ticks) == pytest.approx(TICK_HZ / 208, abs=1)


@pytest.mark.parametrize(
    ("name", "header", "rate_hz", "streams"),
    [
        ("orientation", 50, 208.0, {"imu", "orientation"}),
        ("pressure", 55, 208.0, {"imu", "insole"}),
        ("all", 56, 104.0, {"imu", "orientation", "insole"}),
    ],
)
def test_each_mode_is_asked_for_and_read(name: str, header: int, rate_hz: float, streams: set[str]) -> None:
    decoder = make_driver("orphe", {"mode": name}).decoder()
    assert decoder.streams.keys() == streams | {"insole_gait", "battery"}
    assert {decoder.streams[stream].rate_hz for stream in streams} == {rate_hz}
    packets = decoded(decoder, [notified(*walk(20, header=header))])
    assert packets.keys() == streams
    assert packets["imu"].samples[:, 1] == pytest.approx(np.arange(len(packets["imu"])) / 2048 * G)
    assert np.diff(packets["imu"].ticks % 2**TICK_BITS) == pytest.approx(TICK_HZ / rate_hz, abs=60)
    if "orientation" in streams:
        assert packets["orientation"].samples[3] == pytest.approx([1.0, 3 / 16384, 0.0, -3 / 16384])


def test_a_frame_out_of_the_store_is_read_like_one_of_pressures() -> None:
    stored = decoded(Orphe().decoder(), [notified(frame(7, NINE, header=54))])
    streamed = decoded(Orphe().decoder(), [notified(frame(7, NINE))])
    assert stored["insole"].samples.tolist() == streamed["insole"].samples.tolist()
    assert stored["imu"].ticks.tolist() == streamed["imu"].ticks.tolist()


def test_an_insole_that_streams_otherwise_than_asked_says_so_by_its_frames() -> None:
    decoder = Orphe().decoder()
    decoder.decode(notified(*walk(3)))
    packets = decoded(decoder, [notified(*walk(3, header=56))])
    assert packets.keys() == {"imu", "orientation", "insole"}
    assert decoder.streams["imu"].rate_hz == 104.0


@pytest.mark.parametrize(("code", "g"), [(0, 2.0), (1, 4.0), (2, 8.0), (3, 16.0)])
def test_the_range_of_the_accelerometer_is_the_device_s_own(code: int, g: float) -> None:
    about = bytes([2, 0, 0, 0, 0, 0, 0, 0, code, 3])
    imu = decoded(Orphe().decoder(), [[Frame(0, "control", about), *notified(frame(1, NINE))]])["imu"]
    assert imu.samples[0, 0] == pytest.approx(2048 * g / 32768 * G)
    assert parse_sensor(frame(1, NINE), acc_range=code)["samples_oldest_first"][0]["acc_g"][0] == 2048 * g / 32768


@pytest.mark.parametrize(("code", "mdps"), [(0, 8.75), (1, 17.5), (2, 35.0), (3, 70.0)])
def test_the_range_of_the_gyroscope_is_the_device_s_own(code: int, mdps: float) -> None:
    about = bytes([2, 0, 0, 0, 0, 0, 0, 0, 3, code])
    imu = decoded(Orphe().decoder(), [[Frame(0, "control", about), *notified(frame(1, NINE))]])["imu"]
    assert imu.samples[0, 5] == pytest.approx(100 * mdps / 1000 * np.pi / 180)


@pytest.mark.parametrize("rate_hz", [205.9, 208.0, 210.1])
def test_no_sample_is_lost_for_a_clock_in_whole_milliseconds_and_a_rate_that_is_off(rate_hz: float) -> None:
    frames = notified(*walk(3000, rate_hz=rate_hz))
    placing = Placing(Orphe().decoder())
    index = np.concatenate([placing.take(frames[:1000]), placing.take(frames[1000:])])
    assert np.diff(index).tolist() == [1] * 11_999
    assert placing.timeline.count("lost") == placing.timeline.count("resets") == 0


@given(st.sets(st.integers(1, 198), max_size=60))
def test_each_lost_frame_is_four_lost_samples_and_is_flagged(lost: set[int]) -> None:
    frames = notified(*walk(200))
    placing = Placing(Orphe().decoder())
    placing.take([each for k, each in enumerate(frames) if k not in lost])
    assert placing.timeline.count("lost") == 4 * len(lost)
    imu = decoded(Orphe().decoder(), [[each for k, each in enumerate(frames) if k not in lost]])["imu"]
    gaps = sum(k not in lost and k - 1 in lost for k in range(1, 200))
    assert np.count_nonzero(imu.flags & Flag.MISSING) == gaps


def test_midnight_is_a_moment_like_any_other() -> None:
    frames = notified(*walk(400, began_ms=86_400_000 - 3000))
    placing = Placing(Orphe().decoder())
    assert np.diff(placing.take(frames)).tolist() == [1] * 1599
    assert placing.timeline.count("resets") == placing.timeline.count("lost") == 0
    ticks = decoded(Orphe().decoder(), [frames])["imu"].ticks
    assert ticks[0] > 2**TICK_BITS - 4 * TICK_HZ
    assert ticks[-1] < 6 * TICK_HZ


def test_a_clock_that_is_set_begins_anew_and_the_samples_go_on() -> None:
    before, after = walk(100), walk(100, serial=65_630, began_ms=NINE + 3_600_000)
    placing = Placing(Orphe().decoder())
    index = placing.take(notified(*before, *after))
    assert placing.timeline.count("resets") == 1
    assert (np.diff(index) >= 1).all()


def test_a_counter_that_begins_anew_is_no_loss() -> None:
    imu = decoded(Orphe().decoder(), [notified(*walk(10, serial=30_000), *walk(10, serial=0, began_ms=NINE + 5000))])[
        "imu"
    ]
    assert not imu.flags.any()


def test_a_frame_that_comes_twice_or_late_has_its_own_time() -> None:
    frames = walk(20, serial=0)
    placing = Placing(Orphe().decoder())
    index = placing.take(notified(*frames[:10], frames[9], frames[4], *frames[10:]))
    assert placing.timeline.count("repeated") == 8
    assert placing.timeline.count("lost") == 0
    assert index[-1] - index[0] == 79


def test_the_end_of_a_range_and_a_sensor_of_pressure_that_is_full_are_flagged() -> None:
    wire = bytearray(frame(1, NINE))
    struct.pack_into(">h", wire, 8, -32768)  # rate of turn of the newest sample
    struct.pack_into(">H", wire, 8 + 24 + 12, 65535)  # a pressure of the one before
    packets = decoded(Orphe().decoder(), [notified(bytes(wire))])
    assert packets["imu"].flags.tolist() == [0, 0, 0, Flag.CLIPPED]
    assert packets["insole"].flags.tolist() == [0, 0, Flag.CLIPPED, 0]


@pytest.mark.parametrize("size", [*range(104), 105, 200])
def test_a_frame_of_another_length_is_counted(size: int) -> None:
    decoder = Orphe().decoder()
    assert decoder.decode(notified((frame(1, NINE) + bytes(200))[:size])) == []
    assert sum(decoder.faults.values()) == 1


@pytest.mark.parametrize(("at", "value"), [(0, 51), (0, 53), (3, 24), (4, 60), (5, 60), (6, 4)])
def test_what_no_insole_says_is_counted(at: int, value: int) -> None:
    wire = bytearray(frame(1, NINE))
    wire[at] = value
    decoder = Orphe().decoder()
    assert decoder.decode(notified(bytes(wire))) == []
    assert sum(decoder.faults.values()) == 1
    with pytest.raises(MalformedFrameError):
        parse_sensor(bytes(wire))


@pytest.mark.parametrize("order", [(0, 1, 2, 0, 1, 2), (0, 0, 1, 1, 2, 2), (2, 1, 0, 0, 1, 2)])
def test_a_step_is_one_row_however_often_its_parts_are_sent(order: tuple[int, ...]) -> None:
    parts = (overview, stride, pronation)
    frames = [parts[part](step) for step in (65_535, 0, 1) for part in order]
    decoder = Orphe().decoder()
    packets = decoded(decoder, [gait(*frames)])["insole_gait"]
    names = decoder.streams["insole_gait"].channels
    rows = [dict(zip(names, row, strict=True)) for row in packets.samples.tolist()]
    assert [row["step"] for row in rows] == [65_535, 0, 1]
    assert rows[0] == pytest.approx(
        {
            "step": 65_535, "kind": 1, "direction": 1, "stance_time": 0.6, "swing_time": 0.5, "foot_angle": -12.0,
            "stride_x": 1.25, "stride_y": 0.0625, "stride_z": 0.125, "landing_force": 3.5, "strike_angle": 8.0,
            "pronation": -9.5, "rotation": 3.0, "distance": 73.5, "energy": 1.5,
        }
    )  # fmt: skip
    assert not packets.flags.any()
    assert not decoder.faults


def test_a_step_whose_parts_did_not_all_come_says_so() -> None:
    packets = decoded(Orphe().decoder(), [gait(overview(7), stride(7), overview(9), stride(9), pronation(9))])
    steps = packets["insole_gait"]
    assert steps.samples[:, 0].tolist() == [7.0, 9.0]
    assert steps.flags.tolist() == [Flag.TRUNCATED, Flag.MISSING]
    assert np.isnan(steps.samples[0, -6:-2]).all()


def test_what_an_insole_does_not_know_is_missing() -> None:
    nan = math.nan
    frames = gait(overview(1, stance=-1.0, swing=nan), stride(1, angle=-1.0), pronation(1, force=-1.0))
    decoder = Orphe().decoder()
    row = dict(
        zip(
            decoder.streams["insole_gait"].channels,
            decoded(decoder, [frames])["insole_gait"].samples[0].tolist(),
            strict=True,
        )
    )
    assert {name for name, value in row.items() if math.isnan(value)} == {"stance_time", "swing_time", "landing_force"}
    assert row["foot_angle"] == -1.0, "an angle may be -1"


@pytest.mark.parametrize("bits", [0x00, 0x40, 0x80, 0xC0, 0x48, 0x60, 0xFF])
def test_kind_and_direction_are_bits_of_one_byte(bits: int) -> None:
    found = parse_gait(overview(1, bits=bits))
    assert (found["kind"], found["direction"]) == (bits >> 6, bits >> 3 & 7)


def test_the_movement_between_steps_is_read_and_passed_over() -> None:
    motion = struct.pack(">BBHBB7e", 51, 4, 9, 0b10_011_101, 0, 1, 0, -1, 0.5, 0.25, math.nan, -0.25)
    found = parse_gait(motion)
    assert (found["phase"], found["period"], found["event"]) == (2, 3, 5)
    assert found["quaternion"] == [1.0, 0.0, -1.0, 0.5]
    assert found["delta"] == [0.25, None, -0.25]
    decoder = Orphe().decoder()
    assert decoder.decode(gait(motion)) == []
    assert not decoder.faults


@pytest.mark.parametrize(
    "wire", [b"", overview(1)[:19], overview(1) + b"\0", b"\x32" + overview(1)[1:], b"\x33\x03" + bytes(18)]
)
def test_no_gait_frame_is_counted(wire: bytes) -> None:
    decoder = Orphe().decoder()
    assert decoder.decode(gait(wire)) == []
    assert sum(decoder.faults.values()) == 1


def test_bytes_at_random_and_spoilt_frames_end_there() -> None:
    chance = random.Random(11)
    decoder = Orphe().decoder()
    for k in range(10_000):
        wire = bytearray(frame(k, 20 * k, header=chance.choice([50, 54, 55, 56])))
        for _ in range(chance.randrange(4)):
            wire[chance.randrange(len(wire))] = chance.randrange(256)
        step = bytearray(chance.choice([overview(k), stride(k), pronation(k)]))
        step[chance.randrange(20)] = chance.randrange(256)
        for packet in decoder.decode([*notified(bytes(wire)), *gait(bytes(step))]):
            assert not np.isinf(packet.samples).any()
    assert len(decoder.faults) < 9


@pytest.mark.parametrize(("mount", "side"), [(0, "left"), (1, "right"), (2, "left"), (3, "right")])
async def test_an_insole_says_which_foot_it_is_for(mount: int, side: str) -> None:
    about = bytes([2, mount, 0, 0, 0, 0, 0, 0, 3, 3])
    assert parse_information(about)[0] == side
    identity = await Orphe().identify(Told({DEVICE_INFORMATION: about}))
    assert identity.side == side
    assert identity.denies("left_foot") == (side == "right")
    assert identity.denies("right_foot") == (side == "left")


@pytest.mark.parametrize(
    "about", [b"", bytes(9), bytes([2, 0, 0, 0, 0, 0, 0, 0, 4, 0]), bytes([2, 0, 0, 0, 0, 0, 0, 0, 0, 4])]
)
async def test_what_says_no_foot_denies_none(about: bytes) -> None:
    identity = await Orphe().identify(Told({DEVICE_INFORMATION: about}))
    assert identity.side == ""
    assert not identity.denies("left_foot")


async def test_an_insole_that_does_not_answer_which_foot_it_is_for_is_not_taken() -> None:
    """The read may fail once and succeed when the stream begins: nothing would tell the feet apart then."""
    with pytest.raises(DialogueError):
        await Orphe().identify(Told())


async def test_the_dialogue_asks_for_a_mode_and_for_nothing_else() -> None:
    for refused in ((), (STEP_ANALYSIS,)):
        link, driver = Told({DEVICE_INFORMATION: LEFT}, refused=refused), Orphe(mode="all")
        await driver.start(link)
        await driver.refresh(link)
        await driver.stop(link)
        assert link.written == [(DEVICE_INFORMATION, b"\x0d\x04")]
        channels = {"battery", "measurement"} | (set() if refused else {"gait"})
        assert {channel for channel, _ in link.subscribed} == channels
        assert ("control", LEFT) in [(each.channel, each.data) for each in link.announced]


@pytest.mark.parametrize("mode", ["store", "fifo", "3", ""])
def test_a_mode_that_is_no_stream_is_refused_with_the_known_ones(mode: str) -> None:
    with pytest.raises(ValueError, match="known are orientation, pressure, all"):
        make_driver("orphe", {"mode": mode})


def test_the_modes_have_the_bytes_of_their_maker() -> None:
    assert {mode.number: (mode.header, mode.count) for mode in MODES.values()} == {
        1: (50, 4), 2: (54, 4), 3: (55, 4), 4: (56, 2)
    }  # fmt: skip
