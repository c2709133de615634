"""The open exoskeleton frame: golden frames, cuts at every byte, loss, wraps, and what cannot be."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverContract, decoded
from drivers.driver import Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.exo_frame.driver import (
    EXCHANGED,
    NOT_ANNOUNCED,
    OTHER_DEVICE,
    OTHER_JOINTS,
    OTHER_SERIAL,
    ExoFrame,
    ExoFrameDecoder,
)
from drivers.exo_frame.frame import Device, parse_part
from drivers.exo_frame.framing import LONGEST_FRAME, checked_part, uncobs
from drivers.exo_frame.values import Rows, no_joint
from drivers.packet import Flag, Frame
from simulators.devices.exo_frame import JointSample, can_fd_frame, cobs, crc16, encode_limb, serial_frame
from tests.drivers.exo_frames import BOTH_LEGS, GOLDEN, LEFT_ANKLE, device, encoded, legs, limb
from tests.drivers.wires import cut


def data(*pieces: bytes) -> list[Frame]:
    return [Frame(10_000_000 * k, "data", piece) for k, piece in enumerate(pieces)]


class TestContract(DriverContract):
    name = "exo_frame"
    main_stream = "exoskeleton"
    forbidden = (("", b"\x00"), ("", b"E"), ("", b""), ("x", b"\x01"))

    def announced(self) -> list[Frame]:
        return data(device(LEFT_ANKLE))

    def streamed(self, count: int) -> list[Frame]:
        return data(*(limb(k, angle=k % 90) for k in range(count)))

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return data(*cut(b"".join(frame.data for frame in frames), cuts))

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return not cut or whole[:-1] == cut  # a frame that is not there leaves no trace but in the counter


every_frame = pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["name"])


@every_frame
def test_the_reference_encoder_makes_the_golden_frames(golden: dict[str, Any]) -> None:
    part = encoded(golden)
    assert part.hex() == golden["part"]
    assert serial_frame(part).hex() == golden["serial"]
    assert len(can_fd_frame(part)) == golden["can_fd"] <= 64
    assert 0 not in serial_frame(part)[:-1]


@every_frame
def test_golden_frames_are_read_as_they_are_meant(golden: dict[str, Any]) -> None:
    part = parse_part(checked_part(bytes.fromhex(golden["serial"])[:-1]))
    assert repr(part) == repr(parse_part(can_fd_frame(bytes.fromhex(golden["part"])))), "padding means nothing"
    assert (part.counter, part.time_us) == (golden["counter"], golden["time_us"])
    if isinstance(part, Device):
        assert (part.stopped, part.faults, part.serial) == (
            golden["stopped"], golden["faults"], golden["serial_number"],
        )  # fmt: skip
        assert [list(own) for own in part.joints] == [golden["joints_left"], golden["joints_right"]]
        samples = [part.mode, part.assistance, part.body_weight_support, part.battery, part.battery_voltage]
        names = ("mode", "assistance", "body_weight_support", "battery", "battery_v")
        assert samples == pytest.approx([np.nan if golden[n] is None else golden[n] for n in names], nan_ok=True)
        return
    assert (part.side, part.last) == ("right" if golden["right"] else "left", golden["last"])
    for joint, (name, *meant) in zip(part.joints, golden["joints"], strict=True):
        assert joint.name == name
        for got, want, step in zip(joint.values, meant, (0.01, 0.1, 0.01, 0.01, 0.01), strict=False):
            assert math.isnan(got) == (want is None)
            if want is not None and not joint.clipped:
                assert abs(got - want) <= 0.51 * step


@every_frame
def test_a_part_that_is_cut_anywhere_is_refused(golden: dict[str, Any]) -> None:
    whole, framed = bytes.fromhex(golden["part"]), bytes.fromhex(golden["serial"])[:-1]
    for size in range(len(whole)):
        with pytest.raises(MalformedFrameError):
            parse_part(whole[:size])
    for size in range(len(framed)):
        with pytest.raises(MalformedFrameError):
            checked_part(framed[:size])


@every_frame
def test_one_bit_that_is_wrong_is_noticed(golden: dict[str, Any]) -> None:
    framed = bytes.fromhex(golden["serial"])[:-1]
    for bit in range(8 * len(framed)):
        wrong = bytearray(framed)
        wrong[bit // 8] ^= 1 << bit % 8
        with pytest.raises(MalformedFrameError):
            checked_part(bytes(wrong))


@given(st.binary(max_size=600))
def test_cobs_is_undone_and_leaves_no_zero(raw: bytes) -> None:
    assert uncobs(cobs(raw)) == raw
    assert 0 not in cobs(raw)


def test_the_check_sum_is_the_one_of_the_catalogues() -> None:
    assert crc16(b"123456789") == 0x29B1


def test_both_sides_make_one_sample_with_the_devices_own_time() -> None:
    decoder = ExoFrameDecoder()
    samples = decoded(decoder, [data(device(BOTH_LEGS) + legs(3))])
    spec, sample = decoder.streams["exoskeleton"], samples["exoskeleton"]
    row = dict(zip(spec.channels, sample.samples[0].tolist(), strict=True))
    assert (spec.rate_hz, spec.tick_hz, spec.tick_bits) == (100.0, 1e6, 32)
    assert (sample.ticks.tolist(), sample.flags.tolist()) == ([30_000], [0])
    assert (row["left_hip_angle"], row["right_hip_angle"]) == (3.0, -5.0)
    assert (row["left_hip_velocity"], row["left_hip_torque"], row["left_hip_command"]) == (2.0, -3.0, -4.0)
    assert (row["left_hip_interaction"], row["left_hip_temperature"]) == (0.5, 30.0)
    assert (row["left_gait_state"], row["right_gait_phase"]) == (1.0, 0.25)
    assert math.isnan(row["left_knee_angle"]), "announced, and not sent"
    assert samples["battery"].samples.tolist() == [[80.0, 0.0]]
    assert samples["exoskeleton_state"].samples[0, 0] == 40.0
    assert samples["exoskeleton_fault"].samples.tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("cut", range(1, 140))
def test_the_bytes_may_be_cut_anywhere(cut: int) -> None:
    wire = b"\0" + device(BOTH_LEGS) + legs(1) + legs(2)
    decoder = ExoFrameDecoder()
    samples = decoded(decoder, [data(wire[:cut]), data(wire[cut:])])["exoskeleton"]
    assert samples.ticks.tolist() == [10_000, 20_000]
    assert not decoder.faults


@given(st.binary(max_size=300))
def test_what_stands_before_costs_at_most_what_it_touches(junk: bytes) -> None:
    decoder = ExoFrameDecoder()
    samples = decoded(decoder, [data(junk + device(BOTH_LEGS) + device(BOTH_LEGS) + legs(1) + legs(2))])["exoskeleton"]
    assert samples.ticks.tolist()[-2:] == [10_000, 20_000]


def test_a_lost_part_leaves_its_side_missing_and_says_so() -> None:
    left, right = limb(2, last=False, joint="hip"), limb(3, right=True, joint="hip")
    decoder = ExoFrameDecoder()
    samples = decoded(decoder, [data(device(BOTH_LEGS), legs(1), left, right, legs(4))])["exoskeleton"]
    assert samples.ticks.tolist() == [10_000, 20_000, 30_000, 40_000]
    assert samples.flags.tolist() == [0, Flag.TRUNCATED, Flag.TRUNCATED, 0]
    at = decoder.streams["exoskeleton"].channels.index
    missing = np.isnan(samples.samples[:, [at("left_hip_angle"), at("right_hip_angle")]])
    assert missing.tolist() == [[False, False], [False, True], [True, False], [False, False]]


def test_a_loss_shows_in_the_counter_also_where_it_wraps() -> None:
    decoder = ExoFrameDecoder()
    numbers = [65533, 65534, 65535, 65536, 65537, 65540, 65541]
    samples = decoded(decoder, [data(device(LEFT_ANKLE), *(limb(k) for k in numbers))])["exoskeleton"]
    assert samples.flags.tolist() == [0, 0, 0, 0, 0, Flag.MISSING, 0]
    assert samples.ticks.tolist() == [10_000 * k for k in numbers]


def test_a_clock_that_wraps_stays_within_its_bits() -> None:
    samples = decoded(ExoFrameDecoder(), [data(device(LEFT_ANKLE), *(limb(k) for k in (429_496, 429_497)))])
    assert samples["exoskeleton"].ticks.tolist() == [4_294_960_000, 4_294_970_000 - (1 << 32)]


def test_before_the_device_has_announced_itself_nothing_is_guessed() -> None:
    decoder = ExoFrameDecoder()
    assert decoder.decode(data(limb(1), limb(2))) == []
    assert decoder.faults == {NOT_ANNOUNCED: 2}


def test_another_device_on_the_same_wire_is_refused() -> None:
    decoder = ExoFrameDecoder()
    samples = decoded(decoder, [data(device(LEFT_ANKLE), limb(1), device(BOTH_LEGS), legs(2))])
    assert samples["exoskeleton"].ticks.tolist() == [10_000]
    assert decoder.faults == {OTHER_DEVICE: 3}


def test_a_joint_that_was_not_announced_is_left_out() -> None:
    decoder = ExoFrameDecoder()
    decoder.decode(data(device(LEFT_ANKLE), limb(1, joint="hip")))
    assert decoder.faults == {OTHER_JOINTS: 1}


@given(st.permutations(["hip", "knee"]), st.permutations(["hip", "knee", "ankle"]))
def test_joints_may_come_in_any_order_and_with_others(left: list[str], right: list[str]) -> None:
    def side(names: list[str], *, is_right: bool) -> bytes:
        joints = [JointSample(name, float(ord(name[0])), temperature=20.0) for name in names]
        return serial_frame(
            encode_limb(
                right=is_right, last=is_right, counter=1, time_us=0, gait_state=2, gait_phase=0.5, joints=joints
            )
        )

    decoder = ExoFrameDecoder()
    wire = [device(BOTH_LEGS), side(left, is_right=False), side(right, is_right=True)]
    packet = decoded(decoder, [data(*wire)])["exoskeleton"]
    row = dict(zip(decoder.streams["exoskeleton"].channels, packet.samples[0].tolist(), strict=True))
    for name in ("left_hip", "left_knee", "right_hip", "right_knee"):
        assert (row[f"{name}_angle"], row[f"{name}_temperature"]) == (float(ord(name.split("_")[1][0])), 20.0)
        assert math.isnan(row[f"{name}_torque"])
    assert decoder.faults == {OTHER_JOINTS: 1}


def test_numbers_of_a_joint_at_each_end_of_its_range() -> None:
    ends = [(-32768, math.nan), (-32767, -327.67), (32767, 327.67), (0, 0.0), (-1, -0.01)]
    for raw, meant in ends:
        body = b"\x01\xc8" + b"\x00" + (raw >> 8 & 0xFF).to_bytes(1, "big") + raw.to_bytes(2, "little", signed=True) * 5
        (values,), (clipped,) = Rows([1]).read([body])
        assert values.tolist()[:3] == pytest.approx([1.0, 1.0, meant], nan_ok=True)
        assert bool(clipped) == (abs(raw) == 32767)
    (unknown,), _ = Rows([1]).read([b"\x03\xc9" + no_joint(0)])
    assert np.isnan(unknown).all()


def test_samples_of_another_device_of_the_same_make_are_not_this_one_s() -> None:
    decoder = ExoFrameDecoder()
    stranger = replace(LEFT_ANKLE, serial=8, stopped=True)
    wire = data(device(LEFT_ANKLE), limb(1), device(stranger), limb(2), limb(3), device(LEFT_ANKLE), limb(4))
    packets = decoded(decoder, [wire])
    assert packets["exoskeleton"].ticks.tolist() == [10_000, 40_000]
    assert packets["exoskeleton_fault"].samples[:, 2].tolist() == [0.0, 0.0], "the stop of the other is not this one's"
    assert decoder.faults == {OTHER_SERIAL: 3}


def test_a_device_that_tells_no_serial_number_now_and_then_is_no_other() -> None:
    decoder = ExoFrameDecoder()
    packets = decoded(decoder, [data(device(LEFT_ANKLE), device(replace(LEFT_ANKLE, serial=0)), limb(1))])
    assert packets["exoskeleton"].ticks.tolist() == [10_000]


NAMELESS = replace(LEFT_ANKLE, serial=0)


def walk(*counters: int, from_s: float = 0.0) -> list[Frame]:
    """Return samples that arrive as they are taken: their clock is their counter."""
    begin_ns = round(from_s * 1e9)
    return [Frame(begin_ns + 10_000_000 * k, "data", limb(counter)) for k, counter in enumerate(counters)]


@pytest.mark.parametrize(
    ("second", "doubted"),
    [
        (range(100, 200), False),  # it goes on
        (range(150, 250), False),  # half a second was lost
        (range(100), True),  # it was switched off and on
        (range(30_000, 30_100), True),  # another one, on for longer
        ([k + 99_900 for k in range(100)], True),
    ],
)
def test_an_exchange_of_two_alike_without_a_number_is_doubted_where_it_shows(
    second: Sequence[int], doubted: bool
) -> None:
    decoder = ExoFrameDecoder()
    decoder.decode([*data(device(NAMELESS)), *walk(*range(100))])
    assert decoder.doubt == ""
    taken = decoder.decode(walk(*second, from_s=1.0))
    assert (decoder.doubt == EXCHANGED) == doubted
    assert len(taken[0]) == 100
    named = ExoFrameDecoder()
    named.decode([*data(device(LEFT_ANKLE)), *walk(*range(100)), *walk(*second, from_s=1.0)])
    assert named.doubt == "", "its number says that it is the same"


def test_what_waits_or_is_silent_for_long_is_not_doubted() -> None:
    """Bytes may come late, and together; a device may be out of range for an hour; its clock wraps, and drifts."""
    decoder = ExoFrameDecoder()
    late = [frame._replace(arrival_ns=9_000_000_000) for frame in walk(*range(900))]
    hour = walk(*range(360_000, 360_100), from_s=3600.0)
    wrap = walk(*range(429_400, 429_600), from_s=4294.0)
    slow = [
        frame._replace(arrival_ns=round(frame.arrival_ns * 0.999))
        for frame in walk(*range(430_000, 431_000), from_s=4300.0)
    ]
    decoder.decode([*data(device(NAMELESS)), *late, *hour, *wrap, *slow])
    assert decoder.doubt == ""


@given(st.lists(st.integers(0, 300), max_size=10).map(sorted))
def test_a_doubt_is_the_same_in_any_chunking(cuts: list[int]) -> None:
    frames = [*data(device(NAMELESS)), *walk(*range(200)), *walk(*range(100), from_s=2.0)]
    whole, pieces = ExoFrameDecoder(), ExoFrameDecoder()
    whole.decode(frames)
    for a, b in pairwise([0, *cuts, len(frames)]):
        pieces.decode(frames[a:b])
    assert whole.doubt == pieces.doubt == EXCHANGED


def test_one_side_twice_is_not_two_samples() -> None:
    decoder = ExoFrameDecoder()
    twice = limb(1, last=False, joint="hip")
    samples = decoded(decoder, [data(device(BOTH_LEGS), twice, twice, limb(1, right=True, joint="hip"))])["exoskeleton"]
    assert len(samples) == 1
    assert decoder.faults == {"one side twice in a sample": 1}


def test_another_version_is_refused_and_a_longer_part_is_read() -> None:
    part = bytes.fromhex(GOLDEN[0]["part"])
    with pytest.raises(MalformedFrameError, match="a version that is not known"):
        parse_part(bytes([0x21]) + part[1:])
    with pytest.raises(MalformedFrameError, match="a kind of part that is not known"):
        parse_part(bytes([0x13]) + part[1:])
    assert parse_part(part + b"\x01\x02\x03") == parse_part(part)
    with pytest.raises(MalformedFrameError, match="oversized part"):
        parse_part(part + bytes(60))


def test_a_wire_without_an_end_takes_no_memory_and_the_next_frame_is_read() -> None:
    decoder = ExoFrameDecoder()
    decoder.decode(data(device(LEFT_ANKLE)))
    for _ in range(100):
        decoder.decode(data(b"\x55" * 10_000))
    samples = decoded(decoder, [data(b"\0" + limb(1))])
    assert samples["exoskeleton"].ticks.tolist() == [10_000]
    assert decoder.faults == {"oversized frame": 1}
    assert max(len(bytes.fromhex(golden["serial"])) for golden in GOLDEN) <= LONGEST_FRAME


def test_bytes_at_random_and_spoilt_frames_are_counted_and_end_there() -> None:
    chance = random.Random(11)
    good = [device(BOTH_LEGS), legs(7), *(bytes.fromhex(golden["serial"]) for golden in GOLDEN)]
    decoder = ExoFrameDecoder()
    for _ in range(20_000):
        wire = bytearray(chance.choice(good) if chance.random() < 0.8 else chance.randbytes(60))
        for _ in range(chance.randrange(3)):
            wire[chance.randrange(len(wire))] = chance.randrange(256)
        if chance.random() < 0.2:
            del wire[chance.randrange(len(wire)) :]
        for packet in decoder.decode(data(bytes(wire))):
            assert not np.isinf(packet.samples).any()
    assert len(decoder.faults) < 15, "the words of a fault are few, whatever comes"


class Listening(Link):
    """A port on which a device streams, and on which nobody may write."""

    def __init__(self, wire: bytes) -> None:
        self.wire = wire
        self.announced_bytes: list[bytes] = []
        self.written: list[bytes] = []

    async def subscribe(self, channel: str, characteristic: str) -> None:
        raise DialogueError(f"no {characteristic} for {channel}")

    async def read(self, characteristic: str) -> bytes:
        raise DialogueError(f"no {characteristic}")

    async def write(self, characteristic: str, data: bytes) -> None:
        self.written.append(characteristic.encode() + data)

    async def receive(self, count: int, *, timeout_s: float = 2.0) -> bytes:
        if len(self.wire) < count:
            raise DialogueError(f"no {count} bytes within {timeout_s} s")
        taken, self.wire = self.wire[:count], self.wire[count:]
        return taken

    def announce(self, channel: str, data: bytes) -> None:
        assert channel == "data"
        self.announced_bytes.append(data)


@pytest.mark.parametrize(
    ("wire", "serial"),
    [(legs(1) + device(BOTH_LEGS) + legs(2) * 3, "7"), (b"\x01" * 100, ""), (b"", ""), (bytes(1 << 17), "")],
)
async def test_it_is_listened_to_until_it_says_which_one_it_is(wire: bytes, serial: str) -> None:
    link, driver = Listening(wire), ExoFrame()
    samples = await driver.identify(link)
    assert samples.serial == serial
    await driver.start(link)
    assert b"".join(link.announced_bytes) + link.wire == wire, "what was heard is handed on, each byte once"
    await driver.start(link)
    assert b"".join(link.announced_bytes) + link.wire == wire
    await driver.stop(link)
    assert link.written == []
