from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import FUZZ
from drivers.errors import MalformedFrameError
from drivers.fitness_machine.domyos import MESSAGE_BYTES, DomyosFrames, checksum_ok
from drivers.fitness_machine.driver import CONTROL_POINT, FIXED, UNENDED, FitnessMachineDecoder
from drivers.fitness_machine.records import MACHINES, known_flags, parse_part
from drivers.fitness_machine.status import MACHINE_STATUS, parse_machine_status, parse_training_status
from drivers.packet import Flag, Frame
from drivers.registry import make_driver
from tests.drivers import profile_contract

SECOND = 10**9
SPLIT = ("9f0061003600000000ff7f0000ffff05006e0002", "001f71000002cc003c06ff7f1a00")
FIXED_FRAME = "9e1f5100b2005800000000ff7f0000ffff0c0097"


def rows(*frames: tuple[float, str, str]) -> tuple[FitnessMachineDecoder, list[dict[str, float]]]:
    """Decode frames of (seconds, channel, bytes); return the samples by channel."""
    decoder = FitnessMachineDecoder()
    packets = decoder.decode([Frame(round(at * SECOND), name, bytes.fromhex(data)) for at, name, data in frames])
    if not packets:
        return decoder, []
    names = (*decoder.spec.channels, "flags")
    return decoder, [
        dict(zip(names, (*row, float(flag)), strict=True))
        for row, flag in zip(packets[0].samples.tolist(), packets[0].flags.tolist(), strict=True)
    ]


class TestContract(profile_contract.ProfileContract):
    name = "fitness_machine"
    main_stream = "exercise"
    forbidden = (
        *profile_contract.ProfileContract.forbidden,
        *((CONTROL_POINT, bytes([command, 0, 0])) for command in range(256)),
    )

    def good(self, at: int) -> bytes:
        return struct.pack("<HH", 0x000C, 100 + at) + at.to_bytes(3, "little") + struct.pack("<hh", 15, 0x7FFF)

    def complete_alone(self) -> bool:
        return False


def test_a_record_in_two_parts_is_one() -> None:
    decoder, found = rows((0.0, "measurement", SPLIT[0]), (0.1, "measurement", SPLIT[1]))
    (row,) = found
    assert row["speed"] == pytest.approx(1.13 / 3.6)
    assert (row["distance"], row["power"], row["energy"], row["inclination"]) == (54.0, 26.0, 5.0, 0.0)
    assert row["elapsed"] == 204.0
    assert np.isnan(row["heart_rate"]), "nobody holds the grips"
    assert row["flags"] == Flag.LOSS_UNKNOWN
    assert not decoder.faults


def test_a_part_whose_other_half_was_lost_is_not_mixed_with_the_next_record() -> None:
    other = SPLIT[0].replace("3600", "3a00")
    decoder, found = rows((0.0, "measurement", SPLIT[0]), (1.0, "measurement", other), (1.1, "measurement", SPLIT[1]))
    assert [(row["distance"], row["flags"]) for row in found] == [
        (54.0, Flag.LOSS_UNKNOWN | Flag.TRUNCATED), (58.0, Flag.LOSS_UNKNOWN),
    ]  # fmt: skip
    assert np.isnan(found[0]["speed"])
    assert decoder.faults == {UNENDED: 1}
    late, found = rows((0.0, "measurement", SPLIT[0]), (9.0, "measurement", SPLIT[1]))
    assert len(found) == 1
    assert np.isnan(found[0]["distance"])
    assert late.faults == {UNENDED: 1}


def test_a_machine_that_always_promises_more_is_read_all_the_same() -> None:
    _, found = rows(*((float(at), "measurement", SPLIT[0]) for at in range(4)))
    assert [row["distance"] for row in found] == [54.0] * 3


def test_a_frame_of_fixed_length_gives_its_leading_fields() -> None:
    decoder, (row,) = rows((0.0, "measurement", FIXED_FRAME))
    assert row["speed"] == pytest.approx(0.81 / 3.6)
    assert (row["distance"], row["energy"]) == (88.0, 12.0)
    assert np.isnan([row["heart_rate"], row["elapsed"], row["power"]]).all(), "nothing is read out of the cut field"
    assert row["flags"] == Flag.LOSS_UNKNOWN | Flag.TRUNCATED
    assert decoder.faults == {FIXED: 1}


@pytest.mark.parametrize(
    ("data", "resistance", "power"),
    [
        ("be2f0073022d024500006000560098020e00ffff3c0050003d000600ffffff4c2e00", 6.0, 80.0),
        ("feff00e80384030302016400500032000a000400f6ff140007c800b4002c019001058c4be803c800", 7.0, 200.0),
    ],
)
def test_the_width_that_fits_the_length_is_taken(data: str, resistance: float, power: float) -> None:
    _, (row,) = rows((0.0, "cross_trainer", data))
    assert (row["resistance"], row["power"]) == (resistance, power)


def test_each_machine_fills_in_what_it_has() -> None:
    _, (bike,) = rows((0.0, "bike", "fe1fe8038403b400aa00e8030008fa00f0002c019001059150580264 00".replace(" ", "")))
    assert bike["speed"] == pytest.approx(10 / 3.6)
    assert (bike["cadence"], bike["power"], bike["heart_rate"]) == (90.0, 250.0, 145.0)
    rower = "fe1f402c013cf401007800820 0fa00f000082c0190010591505802 6400".replace(" ", "")
    _, (rowed,) = rows((0.0, "rower", rower))
    assert (rowed["cadence"], rowed["distance"], rowed["power"]) == (32.0, 500.0, 250.0)
    assert np.isnan(rowed["speed"])
    _, (climbed,) = rows((0.0, "stair_climber", "fe03140046004100 1e00fa002c019001058e5058026400".replace(" ", "")))
    assert (climbed["cadence"], climbed["energy"], climbed["heart_rate"]) == (70.0, 300.0, 142.0)


def test_who_starts_and_stops_it_is_counted() -> None:
    idle = "84040000000000000000000000 00".replace(" ", "")
    _, found = rows(
        (0.0, "measurement", idle), (0.1, "machine_status", "04"), (1.0, "measurement", idle),
        (1.5, "machine_status", "05d204"), (2.0, "measurement", idle), (2.1, "machine_status", "03"),
        (3.0, "measurement", idle), (3.1, "training_status", "000d"), (4.0, "measurement", idle),
        (4.1, "training_status", "0101"), (5.0, "measurement", idle),
    )  # fmt: skip
    assert np.isnan(found[0]["running"])
    assert [row["running"] for row in found[1:]] == [1.0, 1.0, 0.0, 1.0, 0.0]


@FUZZ
@given(st.sampled_from(sorted(MACHINES)), st.binary(max_size=60))
def test_any_bytes_of_any_machine_are_read_or_refused(machine: str, data: bytes) -> None:
    try:
        reading = parse_part(machine, data)
    except MalformedFrameError:
        return
    assert 0 <= reading.left <= len(data)
    assert all(value is None or np.isfinite(value) for value in reading.values.values())


@FUZZ
@given(st.binary(max_size=20))
def test_any_status_is_read_or_refused(data: bytes) -> None:
    for parse in (parse_machine_status, parse_training_status):
        try:
            change = parse(data)
        except MalformedFrameError:
            continue
        assert change.label


def test_every_status_has_the_parameter_that_it_says() -> None:
    for code, (label, size, _) in MACHINE_STATUS.items():
        assert parse_machine_status(bytes([code]) + b"\1" * size).label == label
        if size:
            with pytest.raises(MalformedFrameError):
                parse_machine_status(bytes([code]) + b"\1" * (size - 1))


def test_flags_that_mean_something_are_known() -> None:
    assert known_flags("treadmill") == 0x1FFF
    assert known_flags("cross_trainer") == 0xFFFF
    assert known_flags("bike") == 0x1FFF


def test_no_code_path_writes_anything() -> None:
    """The machine could be steered by a write: there is none on the list, for any command and any parameter."""
    driver = make_driver("fitness_machine")
    commands = [bytes([command, *parameter]) for command in range(256) for parameter in ((), (0,), (0xE8, 3))]
    assert not any(driver.allows(CONTROL_POINT, command) for command in commands)


MESSAGE = bytes.fromhex("f0bc03f20064003b003c000100000a00010000004a01000001d4")


@given(st.lists(st.integers(1, 25), max_size=20), st.binary(max_size=30).filter(lambda junk: b"\xf0" not in junk))
def test_messages_of_a_domyos_are_found_however_they_are_cut(sizes: list[int], junk: bytes) -> None:
    stream, frames, found, at = junk + 3 * MESSAGE, DomyosFrames(), [], 0
    for size in [*sizes, len(stream)]:
        found += frames.add(stream[at : at + size])
        at += size
    assert found == 3 * [MESSAGE]
    assert frames.dropped == len(junk)


def test_a_spoilt_message_of_a_domyos_costs_itself_alone() -> None:
    frames = DomyosFrames()
    spoilt = MESSAGE[:9] + b"\x00" + MESSAGE[10:]
    assert frames.add(spoilt + MESSAGE) == [MESSAGE]
    assert frames.dropped == MESSAGE_BYTES
    with pytest.raises(MalformedFrameError):
        checksum_ok(MESSAGE[:-1])


def test_a_part_of_one_machine_is_no_part_of_another() -> None:
    """A bike's record comes between the two parts of a treadmill's, from a computer that shows both."""
    treadmill = [struct.pack("<H", 0x0005) + (5000).to_bytes(3, "little"), struct.pack("<HH", 0, 1000)]
    bike = struct.pack("<HH", 0, 2500)
    decoder = make_driver("fitness_machine").decoder()
    channels = decoder.streams["exercise"].channels
    sent = (("measurement", treadmill[0]), ("bike", bike), ("measurement", treadmill[1]))
    (packet,) = decoder.decode([Frame(at * 10**8, channel, data) for at, (channel, data) in enumerate(sent)])
    rows = [dict(zip(channels, row, strict=True)) for row in packet.samples.tolist()]
    assert [row["speed"] for row in rows] == pytest.approx([25.0 / 3.6, 10.0 / 3.6])
    assert np.isnan(rows[0]["distance"])
    assert rows[1]["distance"] == 5000.0
    assert not decoder.faults
