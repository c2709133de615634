"""VESC: packets at any cut, values of old and new firmware, and that "values" is all that is ever asked."""

from __future__ import annotations

import binascii
import random
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverContract, decoded
from drivers.driver import Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.packet import Flag, Frame
from drivers.registry import make_driver
from drivers.vesc.driver import EXCHANGED, REQUEST, Vesc
from drivers.vesc.packet import describe, packet, parse_packet, parse_values
from tests.drivers.wires import cut

JOINT = {"joint": "left_knee", "pole_pairs": 21, "gear_ratio": 6.0, "nm_per_ampere": 0.7}
FIELDS = ">2h4ihih4i2iB"


def payload(erpm: int = 1260, *, fault: int = 0, later: bytes = bytes(19)) -> bytes:
    """Return values: FET 31.5 and motor 36.2 degrees, 4 A, duty 0.25, 24.1 V."""
    return b"\x04" + struct.pack(
        FIELDS, 315, 362, 400, 200, -5, 400, 250, erpm, 241, 12_345, 0, 296_000, 0, -77, 99, fault
    ) + later  # fmt: skip


def data(*pieces: bytes) -> list[Frame]:
    return [Frame(20_000_000 * k, "data", piece) for k, piece in enumerate(pieces)]


class TestContract(DriverContract):
    name = "vesc"
    main_stream = "exoskeleton"
    allowed = (("", bytes.fromhex("020104408403")),)
    forbidden = (
        ("", bytes.fromhex("02050800000000022d03")),  # SET_RPM 0: a brake is a command too
        ("", bytes.fromhex("02050800000d766a2003")),
        ("", bytes.fromhex("020532000281cf260703")),
        ("", bytes.fromhex("020100000003")),
        *(("", packet(bytes([kind, 0, 0, 0, 0]))) for kind in range(256)),
        *(("", packet(bytes([kind]))) for kind in range(256) if kind != 4),
        ("6e400002-b5a3-f393-e0a9-e50e24dcca9e", bytes.fromhex("020104408403")),
    )

    def announced(self) -> list[Frame]:
        return []

    def streamed(self, count: int) -> list[Frame]:
        return data(*(packet(payload(1000 + k)) for k in range(count)))

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return data(*cut(b"".join(frame.data for frame in frames), cuts))

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return not cut  # an answer that did not come


def test_values_become_those_of_the_joint_that_the_configuration_names() -> None:
    decoder = make_driver("vesc", JOINT).decoder()
    packets = decoded(decoder, [data(packet(payload()))])
    spec = decoder.streams["exoskeleton"]
    row = dict(zip(spec.channels, packets["exoskeleton"].samples[0].tolist(), strict=True))
    assert row == pytest.approx(
        {
            "left_knee_temperature": 36.2, "left_knee_velocity": 60.0, "left_knee_torque": 2.8, "battery_voltage": 24.1,
            "motor_current": 4.0, "input_current": 2.0, "duty": 0.25, "erpm": 1260.0, "tacho": -77.0, "fet_temp": 31.5,
        }
    )  # fmt: skip
    assert packets["exoskeleton"].flags.tolist() == [Flag.LOSS_UNKNOWN]
    assert packets["exoskeleton_fault"].samples[0, :2].tolist() == [0.0, 2.0]


def test_what_nobody_says_is_not_guessed() -> None:
    spec = Vesc().decoder().streams["exoskeleton"]
    assert [channel for channel in spec.channels if "_knee_" in channel or "_hip_" in channel] == []
    only = make_driver("vesc", {"joint": "right_hip"}).decoder().streams["exoskeleton"]
    assert [channel for channel in only.channels if "_hip_" in channel] == ["right_hip_temperature"]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"joint": "knee"}, "has no joint 'knee'"),
        ({"joint": "left_toe"}, "has no joint 'left_toe'"),
        ({"pole_pairs": 21, "gear_ratio": 6.0}, "say with 'joint' which one"),
        ({"joint": "left_knee", "pole_pairs": 21}, "pole_pairs and gear_ratio go together"),
        ({"joint": "left_knee", "pole_pairs": 21, "gear_ratio": 0}, "gear_ratio is a number and not 0"),
        ({"joint": "left_knee", "nm_per_ampere": "much"}, "nm_per_ampere is a number and not 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make_driver("vesc", options)


def test_a_fault_is_reported_when_it_changes() -> None:
    wire = [packet(payload(fault=fault)) for fault in (0, 0, 3, 3, 0)]
    packets = decoded(make_driver("vesc", JOINT).decoder(), [data(*wire)])
    assert packets["exoskeleton_fault"].samples[:, 0].tolist() == [0.0, 3.0, 0.0]


def test_a_fault_that_holds_is_told_again_each_second() -> None:
    wire = [packet(payload(fault=3))] * 151  # three seconds
    packets = decoded(make_driver("vesc", JOINT).decoder(), [data(*wire)])
    assert packets["exoskeleton_fault"].samples[:, 0].tolist() == [3.0] * 4


def counted(steps: int, drawn: int, number: int | None = 7) -> bytes:
    later = b"" if number is None else bytes(4) + bytes([number]) + bytes(14)
    values = struct.pack(FIELDS, 315, 362, 400, 200, -5, 400, 250, 1260, 241, drawn, 0, 0, 0, -77, steps, 0)
    return packet(b"\x04" + values + later)


@pytest.mark.parametrize(
    ("second", "doubted"),
    [
        (counted(1000, 500), False), (counted(1001, 501), False),
        (counted(0, 0), True), (counted(999, 500), True), (counted(1000, 499), True),  # fewer than before
        (counted(1000, 500, 8), True), (counted(1000, 500, None), True),  # another number, or another firmware
    ],
)  # fmt: skip
def test_an_exchange_of_controllers_on_an_open_port_is_doubted_where_it_shows(second: bytes, doubted: bool) -> None:
    decoder = Vesc().decoder()
    decoder.decode(data(counted(998, 500), counted(1000, 500)))
    assert decoder.doubt == ""
    assert len(decoder.decode(data(second))[0]) == 1, "what comes is taken all the same"
    assert (decoder.doubt == EXCHANGED) == doubted


def test_counters_that_wrap_are_no_exchange() -> None:
    decoder = Vesc().decoder()
    decoder.decode(data(counted(2**31 - 2, 5), counted(-(2**31) + 3, 5)))
    assert decoder.doubt == ""


@pytest.mark.parametrize("later", [b"", bytes(5), bytes(19), bytes(40)])
def test_old_and_new_firmware_are_read_by_what_both_have(later: bytes) -> None:
    values = parse_values(payload(later=later))
    assert (values.erpm, values.v_in, values.wh, values.tacho_abs) == (1260.0, 24.1, 29.6, 99.0)
    assert np.isnan(values.pid_pos) == (not later)


@pytest.mark.parametrize("cut", range(1, 80))
def test_the_bytes_may_be_cut_anywhere(cut: int) -> None:
    wire = packet(payload(1)) + packet(payload(2))
    decoder = Vesc().decoder()
    packets = decoded(decoder, [data(wire[:cut], wire[cut:])])["exoskeleton"]
    assert len(packets) == 2
    assert not decoder.faults


def test_a_packet_and_values_that_are_cut_anywhere_are_refused() -> None:
    whole = packet(payload())
    for size in range(len(whole)):
        with pytest.raises(MalformedFrameError):
            parse_packet(whole[:size])
    for size in range(54):
        with pytest.raises(MalformedFrameError):
            parse_values(payload()[:size])


@given(st.binary(max_size=100))
def test_garbage_before_costs_at_most_a_few_answers(junk: bytes) -> None:
    packets = Vesc().decoder().decode(data(junk + packet(payload(7)) * 6))
    assert packets
    assert len(packets[0]) >= 3


def test_long_packets_are_read_too() -> None:
    body = b"\x04" + bytes(300)
    wire = b"\x03" + len(body).to_bytes(2, "big") + body + binascii.crc_hqx(body, 0).to_bytes(2, "big") + b"\x03"
    assert parse_packet(wire) == body
    assert describe(bytes.fromhex("0800000d76"))["erpm"] == 3446


def test_bytes_at_random_and_spoilt_packets_are_counted_and_end_there() -> None:
    chance = random.Random(3)
    decoder = make_driver("vesc", JOINT).decoder()
    for _ in range(20_000):
        wire = bytearray(packet(payload(chance.randrange(9000))) if chance.random() < 0.8 else chance.randbytes(70))
        for _ in range(chance.randrange(3)):
            wire[chance.randrange(len(wire))] = chance.randrange(256)
        for packets in decoder.decode(data(bytes(wire))):
            assert not np.isinf(packets.samples).any()
    assert len(decoder.faults) < 4


class Asked(Link):
    """A port that notes what is written to it."""

    def __init__(self) -> None:
        self.written: list[tuple[str, bytes]] = []

    async def subscribe(self, channel: str, characteristic: str) -> None:
        raise DialogueError(f"no {characteristic} for {channel}")

    async def read(self, characteristic: str) -> bytes:
        raise DialogueError(f"no {characteristic}")

    async def write(self, characteristic: str, data: bytes) -> None:
        self.written.append((characteristic, data))

    async def receive(self, count: int, *, timeout_s: float = 2.0) -> bytes:
        raise DialogueError(f"no {count} bytes within {timeout_s} s")

    def announce(self, channel: str, data: bytes) -> None:
        del channel, data


async def test_all_dialogues_ask_for_values_and_for_nothing_else() -> None:
    link, driver = Asked(), Vesc()
    await driver.identify(link)
    await driver.start(link)
    await driver.refresh(link)
    await driver.stop(link)
    assert link.written == [("", REQUEST)] * 2
    assert REQUEST.hex() == "020104408403"
