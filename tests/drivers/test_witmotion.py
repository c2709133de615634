"""WitMotion over Bluetooth: frames however notifications cut and join them, registers, and the one setting there is."""

from __future__ import annotations

import random
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverContract, decoded
from drivers.errors import MalformedFrameError
from drivers.packet import Flag, Frame
from drivers.registry import make_driver
from drivers.witmotion.driver import NOTIFIED, WRITTEN, WitMotion, WitMotionDecoder
from drivers.witmotion.frame import NO_FRAME, parse_fields, parse_frame
from tests.drivers.told import Told

G = 9.80665
UNLOCK, SAVE = bytes.fromhex("ffaa6988b5"), bytes.fromhex("ffaa000000")
READ_RATE, READ_BATTERY, READ_TEMPERATURE, READ_FIELD = (
    bytes.fromhex(f"ffaa27{r}00") for r in ("03", "64", "40", "3a")
)
AT_100_HZ = bytes.fromhex("ffaa030900")


def data(k: int = 0, *, angles: tuple[int, int, int] = (100, -200, 300)) -> bytes:
    return b"\x55\x61" + struct.pack("<9h", k, max(-k, -32767), 2048, k % 100, 20, -30, *angles)


def answer(register: int, *values: int) -> bytes:
    return b"\x55\x71" + struct.pack("<9h", register, *[*values, *[0] * 8][:8])


def notified(*pieces: bytes) -> list[Frame]:
    return [Frame(10_000_000 * k, "measurement", piece) for k, piece in enumerate(pieces)]


class TestContract(DriverContract):
    name = "witmotion"
    main_stream = "imu"
    allowed = tuple(
        (WRITTEN, command) for command in (UNLOCK, AT_100_HZ, READ_RATE, READ_BATTERY, READ_TEMPERATURE, READ_FIELD)
    )
    forbidden = (
        (WRITTEN, SAVE),
        (WRITTEN, bytes.fromhex("ffaa000100")),  # factory settings
        (WRITTEN, bytes.fromhex("ffaa00ff00")),  # restart
        (WRITTEN, bytes.fromhex("ffaa010100")),  # calibrate the accelerometer
        (WRITTEN, bytes.fromhex("ffaa010700")),  # calibrate the magnetometer
        (WRITTEN, bytes.fromhex("ffaa030b00")),  # another rate than the option says
        (WRITTEN, bytes.fromhex("ffaa230100")),  # turn the axes
        (NOTIFIED, UNLOCK),
        (WRITTEN.replace("9a34fb", "9b34fb"), UNLOCK),
        ("", UNLOCK),
    )

    def announced(self) -> list[Frame]:
        return notified(answer(0x03, 9), answer(0x64, 402), answer(0x40, 3025), answer(0x3A, 360, 105, 122))

    def streamed(self, count: int) -> list[Frame]:
        return notified(*(data(k + 1) for k in range(count)))

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        """Several frames in a notification, as the sensor sends them; frames in parts have a test of their own."""
        pieces: list[bytes] = []
        at = 0
        while at < len(frames):
            size = cuts[len(pieces) % len(cuts)]
            pieces.append(b"".join(frame.data for frame in frames[at : at + size]))
            at += size
        return notified(*pieces)

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return not cut


def test_units_are_si_and_a_loss_is_unknown() -> None:
    packets = decoded(WitMotion().decoder(), [notified(data(2048))])
    assert packets["imu"].samples[0] == pytest.approx(
        [G, -G, G, 48 * 2000 / 32768 * np.pi / 180, 20 * 2000 / 32768 * np.pi / 180, -30 * 2000 / 32768 * np.pi / 180]
    )
    assert packets["orientation"].samples[0] == pytest.approx(np.array([100, -200, 300]) * np.pi / 32768)
    assert packets["imu"].flags.tolist() == packets["orientation"].flags.tolist() == [Flag.LOSS_UNKNOWN]


@pytest.mark.parametrize(("end", "clipped"), [(32767, True), (-32768, True), (32766, False), (-32767, False)])
@pytest.mark.parametrize("axis", range(9))
def test_the_end_of_a_range_is_flagged(end: int, clipped: bool, axis: int) -> None:
    words = [0] * 9
    words[axis] = end
    flags = decoded(WitMotion().decoder(), [notified(b"\x55\x61" + struct.pack("<9h", *words))])["imu"].flags
    assert bool(flags[0] & Flag.CLIPPED) == (clipped and axis < 6)


def test_answers_tell_of_battery_temperature_field_and_rate() -> None:
    decoder = WitMotion().decoder()
    assert decoder.streams["imu"].rate_hz == decoder.streams["orientation"].rate_hz == 100.0
    packets = decoded(decoder, [notified(answer(0x64, 386), answer(0x40, -512), answer(0x3A, 360, -105, 122))])
    assert packets["battery"].samples[0, 0] == 60.0
    assert packets["sensor_temperature"].samples.tolist() == [[-5.12]]
    assert packets["magnetic_field"].samples[0] == pytest.approx([36.0, -10.5, 12.2])
    decoder.decode(notified(answer(0x03, 0x0B)))
    assert decoder.streams["imu"].rate_hz == decoder.streams["orientation"].rate_hz == 200.0
    decoder.decode(notified(answer(0x03, 0x77), answer(0x51, 1, 2, 3, 4), answer(0x2E, 1)))
    assert decoder.streams["imu"].rate_hz == 200.0
    assert not decoder.faults


@pytest.mark.parametrize(
    ("volts", "percent"), [(420, 100.0), (396, 100.0), (395, 90.0), (370, 20.0), (340, 5.0), (339, 0.0), (0, 0.0)]
)
def test_a_battery_is_told_in_the_maker_s_steps(volts: int, percent: float) -> None:
    assert parse_frame(answer(0x64, volts))["battery_pct"] == percent


def test_the_quaternion_is_read_by_its_number() -> None:
    assert parse_frame(answer(0x51, 32767, -16384, 0, 8192))["quat_wxyz"] == pytest.approx([1, -0.5, 0, 0.25], abs=1e-4)


@pytest.mark.parametrize("cut", range(1, 40))
def test_frames_that_are_cut_anywhere_are_put_together(cut: int) -> None:
    wire = data(1) + data(2)
    decoder = WitMotion().decoder()
    packets = decoded(decoder, [notified(wire[:cut], wire[cut:])])["imu"]
    assert len(packets) == 2
    assert not decoder.faults


@given(st.binary(max_size=60), st.integers(1, 4))
def test_garbage_before_costs_a_frame_or_two_and_none_is_invented(junk: bytes, together: int) -> None:
    frames = [data(k) for k in range(12)]
    pieces = [b"".join(frames[at : at + together]) for at in range(0, len(frames), together)]
    packets = WitMotion().decoder().decode(notified(junk + pieces[0], *pieces[1:]))
    imu = next(packet for packet in packets if packet.stream == "imu")
    assert len(imu) >= 12 - together - 1


@pytest.mark.parametrize("size", range(1, 20))
def test_a_cut_frame_takes_nothing_of_the_next_one(size: int) -> None:
    decoder = WitMotion().decoder()
    packets = decoded(decoder, [notified(data(1)[:size], data(2), data(3))])["imu"]
    assert packets.samples[:, 0] == pytest.approx([2 * 16 / 32768 * G, 3 * 16 / 32768 * G])
    assert decoder.faults == {NO_FRAME: size}


@pytest.mark.parametrize("size", [28, 32])
def test_the_longer_frames_of_other_models_are_refused_and_not_misread(size: int) -> None:
    decoder = WitMotion().decoder()
    other = (b"\x55\x61" + bytes(range(1, 200)))[:size]
    assert decoder.decode(notified(*[other] * 20)) == []
    assert decoder.faults[NO_FRAME] > 19 * 20


def test_a_mark_within_a_frame_is_no_frame() -> None:
    inside = b"\x55\x61" + struct.pack("<9h", 0x6155, 0x7155, 0x6155, 1, 2, 3, 4, 5, 0x6155)
    decoder = WitMotion().decoder()
    assert len(decoded(decoder, [notified(inside + inside, inside)])["imu"]) == 3
    assert not decoder.faults


def test_bytes_at_random_and_spoilt_frames_end_there() -> None:
    chance = random.Random(5)
    decoder = WitMotion().decoder()
    for _ in range(20_000):
        wire = bytearray(data(chance.randrange(9000)) if chance.random() < 0.8 else chance.randbytes(70))
        for _ in range(chance.randrange(3)):
            wire[chance.randrange(len(wire))] = chance.randrange(256)
        for packet in decoder.decode(notified(bytes(wire))):
            assert np.isfinite(packet.samples[:, 0]).all()
    assert set(decoder.faults) == {NO_FRAME}


def test_only_whole_frames_are_parsed() -> None:
    for size in range(20):
        with pytest.raises(MalformedFrameError):
            parse_frame(data(7)[:size])
    with pytest.raises(MalformedFrameError):
        parse_frame(b"\x55\x51" + bytes(18))
    with pytest.raises(MalformedFrameError):
        parse_fields(b"\x55\x61\x01")


@pytest.mark.parametrize("rate", [3, 100.5, "fast", True, -10])
def test_an_impossible_rate_is_refused_with_the_known_ones(rate: object) -> None:
    with pytest.raises(ValueError, match=r"has no rate_hz .* known are 1, 2, 5, 10, 20, 50, 100, 200"):
        make_driver("witmotion", {"rate_hz": rate})


async def test_the_dialogue_sets_the_rate_until_it_is_switched_off_and_asks() -> None:
    link, driver = Told(), WitMotion()
    await driver.start(link)
    assert link.subscribed == [("measurement", NOTIFIED)]
    commands = [UNLOCK, AT_100_HZ, READ_RATE, READ_BATTERY, READ_TEMPERATURE, READ_FIELD]
    assert link.written == [(WRITTEN, command) for command in commands]
    await driver.refresh(link)
    await driver.stop(link)
    assert link.written[6:] == [(WRITTEN, command) for command in commands[3:]]
    assert all(driver.allows(*each) for each in link.written)


async def test_a_sensor_may_be_left_as_it_is_set() -> None:
    link, driver = Told(), WitMotion(rate_hz=0)
    await driver.start(link)
    assert (WRITTEN, UNLOCK) not in link.written
    assert not driver.allows(WRITTEN, UNLOCK)
    decoder = driver.decoder()
    assert isinstance(decoder, WitMotionDecoder)
    decoder.decode(notified(answer(0x03, 0x06)))
    assert decoder.streams["imu"].rate_hz == 10.0
