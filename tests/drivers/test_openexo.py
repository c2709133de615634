"""OpenExo: its text messages, its table of names, its known faults, and that nothing is ever written to it."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import DriverContract, decoded
from drivers.errors import MalformedFrameError
from drivers.exoskeleton import SIDES, UNITS
from drivers.openexo.driver import CONTRADICTED, NOT_NAMED, OTHER_COUNT, OpenExo, OpenExoDecoder
from drivers.openexo.fields import LAYOUTS, fields_of_joints, fields_of_names
from drivers.openexo.message import joint_of, numbers, parse_handshake, parse_message
from drivers.packet import Flag, Frame
from drivers.registry import make_driver

COMMAND = "6e400002-b5a3-f393-e0a9-e50e24dcca9e"
TELEMETRY = "6e400003-b5a3-f393-e0a9-e50e24dcca9e"

# As its own parser packed them (vectors of the project): the second has a value of 10000 in it, left empty.
WALKING = b"S?11c123n119n-50n-46n81n100n2n0n800n1234n1189n"
LONG_UP = b"S?11c100n200n300n400n500n600n700n800n800nn1200n"
ANKLES = (
    "t,Desired Torque (L),Measured Torque (L),Desired Torque (R),Measured Torque (R),Toe FSR (L),Toe Stance (L),"
    "Toe FSR (R),Toe Stance (R),Channel 8,Exoskeleton time (seconds),Battery Level (Volts),z"
    "|Ankle(L),68,pjmc,3,0.3|Ankle(R),36,pjmc,3,0.3\n"
)


def greeting(table: str, size: int = 19) -> list[bytes]:
    data = table.encode("ascii")
    return [b"READY", *(data[at : at + size] for at in range(0, len(data), size))]


def frames(messages: list[bytes], channel: str = "measurement") -> list[Frame]:
    return [Frame(10_000_000 * k, channel, data) for k, data in enumerate(messages)]


class TestContract(DriverContract):
    name = "openexo"
    main_stream = "exoskeleton"
    forbidden = tuple((place, bytes([letter])) for place in (COMMAND, TELEMETRY, "") for letter in b"EGHLxwfRZcSN")

    def announced(self) -> list[Frame]:
        return frames(greeting(ANKLES))

    def streamed(self, count: int) -> list[Frame]:
        return frames([b"S?11c%dn119n-50n-46n81n100n2n0n800n%dn1189n" % (k, 900 + k) for k in range(count)])

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return frames


def test_the_device_names_its_fields() -> None:
    decoder = OpenExo().decoder()
    packets = decoded(decoder, [frames([*greeting(ANKLES), WALKING])])["exoskeleton"]
    spec = decoder.streams["exoskeleton"]
    row = dict(zip(spec.channels, packets.samples[0].tolist(), strict=True))
    assert row == {
        "left_ankle_command": 1.23, "left_ankle_torque": 1.19, "right_ankle_command": -0.5, "right_ankle_torque": -0.46,
        "left_toe_fsr": 0.81, "left_stance": 1.0, "right_toe_fsr": 0.02, "right_stance": 0.0, "channel_8": 8.0,
        "uptime": 12.34, "battery_voltage": 11.89,
    }  # fmt: skip
    assert packets.flags.tolist() == [Flag.LOSS_UNKNOWN]
    assert len(packets.ticks) == 0
    assert spec.rate_hz is None, "without a clock, a rate would make losses out of the radio's jitter"
    assert not decoder.faults


@pytest.mark.parametrize("size", range(1, 60))
def test_the_table_may_come_in_pieces_of_any_size(size: int) -> None:
    decoder = OpenExo().decoder()
    decoder.decode(frames(greeting(ANKLES, size)))
    assert decoder.streams["exoskeleton"].channels[:2] == ("left_ankle_command", "left_ankle_torque")
    assert parse_handshake(greeting(ANKLES, size)) == parse_handshake(greeting(ANKLES))
    first, second, *rest = greeting(ANKLES, size)
    joined = OpenExo().decoder()
    joined.decode(frames([first + second, *rest]))
    assert joined.streams == decoder.streams


@pytest.mark.parametrize("joints", LAYOUTS)
def test_where_no_names_come_the_option_says_the_joints(joints: str) -> None:
    driver = make_driver("openexo", {"joints": joints})
    message = b"S?11c" + b"".join(b"%dn" % (100 * k) for k in range(11))
    packets = decoded(driver.decoder(), [frames([b"READY", message])])["exoskeleton"]
    fields = fields_of_joints(joints)
    assert fields.count == 11
    assert packets.samples[0].tolist() == [float(column) for column in fields.columns]
    assert dict(zip(fields.spec.channels, packets.samples[0].tolist(), strict=True))["battery_voltage"] == 10.0


def test_only_ankles_come_left_first() -> None:
    first = {joints: fields_of_joints(joints).spec.channels[0].split("_")[0] for joints in LAYOUTS}
    assert first == dict.fromkeys(LAYOUTS, "right") | {"ankle": "left"}


def test_a_hip_s_own_names_are_those_of_the_option() -> None:
    titles = [
        "Measured Torque (R)", "Desired Torque (R)", "Measured Torque (L)", "Desired Torque (L)", "Gait/100 (R)",
        "Toe FSR (R)", "Gait/100 (L)", "Toe FSR (L)", "Heel FSR (R)", "Heel FSR (L)", "Battery Level (Volts)",
    ]  # fmt: skip
    assert fields_of_names(titles, {"hip"}) == fields_of_joints("hip")


def test_without_names_and_option_nothing_is_guessed() -> None:
    decoder = OpenExo().decoder()
    assert decoder.decode(frames([WALKING, WALKING])) == []
    assert decoder.faults == {NOT_NAMED: 2}


def test_another_number_of_fields_than_names_is_refused() -> None:
    decoder = OpenExo().decoder()
    assert decoder.decode(frames([*greeting("t,Left Torque|v,68,1\n"), WALKING])) == []
    assert decoder.faults == {OTHER_COUNT: 1}


@pytest.mark.parametrize(
    ("name", "joints", "channel", "unit"),
    [
        ("Left Desired Torque", {"ankle"}, "left_ankle_command", "N.m"),
        ("Left Torque", {"ankle"}, "left_ankle_torque", "N.m"),
        ("Knee Torque (R)", {"ankle", "knee"}, "right_knee_torque", "N.m"),
        ("Torque (R)", {"ankle", "hip"}, "torque_right", "1"),  # of which joint?
        ("Torque", {"ankle"}, "torque", "1"),  # of which side?
        ("Left Right Ankle Torque", {"ankle"}, "left_right_ankle_torque", "1"),
        ("Ankle Angle (L)", {"ankle"}, "ankle_angle_left", "1"),  # in which unit?
        ("Ankle Angle (L) deg", {"ankle"}, "left_ankle_angle", "deg"),
        ("Desired Ankle Angle (L) deg", {"ankle"}, "left_ankle_desired_angle", "deg"),  # nothing that was measured
        ("Battery", {"ankle"}, "battery", "1"),
        ("uptime", {"ankle"}, "named_uptime", "1"),
        ("%%%", {"ankle"}, "field_0", "1"),
    ],
)
def test_a_name_says_side_joint_and_quantity_or_is_a_channel_of_its_own(
    name: str, joints: set[str], channel: str, unit: str
) -> None:
    spec = fields_of_names([name], joints).spec
    assert (spec.channels, spec.units) == ((channel,), (unit,))
    assert UNITS.get(channel, "1") == unit


def test_two_fields_of_one_name_stay_apart_and_unused_ones_are_left_out() -> None:
    fields = fields_of_names(["Left Torque", "Unused", "Left Torque", "Channel 8"], {"hip"})
    assert fields.spec.channels == ("left_hip_torque", "field_2", "channel_8")
    assert (fields.columns, fields.count) == ((0, 2, 3), 4)


def test_an_empty_field_is_missing_and_its_neighbours_are_not() -> None:
    """After 2 h 47 min the uptime passes 9999.99, and the firmware says nothing for it."""
    decoder = make_driver("openexo", {"joints": "ankle"}).decoder()
    packets = decoded(decoder, [frames([LONG_UP, LONG_UP.replace(b"300n", b"-n")])])["exoskeleton"]
    columns = decoder.streams["exoskeleton"].channels
    missing = [[columns[k] for k in np.flatnonzero(np.isnan(row))] for row in packets.samples]
    assert missing == [["uptime"], ["right_ankle_command", "uptime"]]
    assert not decoder.faults


def test_a_table_that_contradicts_the_option_ends_the_samples() -> None:
    """Right against left is not a thing to choose by chance."""
    driver = make_driver("openexo", {"joints": "hip"})
    decoder = driver.decoder()
    packets = decoded(decoder, [frames([WALKING, *greeting(ANKLES), WALKING])])["exoskeleton"]
    assert len(packets) == 1
    assert decoder.faults == {CONTRADICTED: 1}
    agreeing = make_driver("openexo", {"joints": "ankle"}).decoder()
    assert len(decoded(agreeing, [frames([WALKING, *greeting(ANKLES), WALKING])])["exoskeleton"]) == 2
    assert not agreeing.faults


def test_a_table_wins_over_the_option_before_the_first_sample() -> None:
    decoder = make_driver("openexo", {"joints": "hip"}).decoder()
    decoder.decode(frames(greeting(ANKLES)))
    assert decoder.streams["exoskeleton"].channels[0] == "left_ankle_command"


def test_messages_between_the_pieces_of_a_table_are_messages() -> None:
    first, *rest = greeting(ANKLES)
    decoder = make_driver("openexo", {"joints": "ankle"}).decoder()
    mixed = [first, *(part for piece in rest for part in (WALKING, piece)), WALKING]
    assert len(decoded(decoder, [frames(mixed)])["exoskeleton"]) == len(rest) + 1
    assert not decoder.faults


def test_a_table_without_end_is_given_up() -> None:
    decoder = make_driver("openexo", {"joints": "ankle"}).decoder()
    packets = decoded(decoder, [frames([b"READY", *[b"t,a,b,c" * 20] * 600, WALKING])])
    assert len(packets["exoskeleton"]) == 1
    assert decoder.faults["a table of names without end"] == 1


def test_battery_and_errors_by_themselves() -> None:
    wire = [*frames([b"S~1c1186n"]), *frames([b"7:68", b"0:0", b"x"], "error"), *frames([b"S~1cn", b"Sn0c"])]
    decoder = OpenExoDecoder()
    packets = decoded(decoder, [wire])
    assert packets["exoskeleton_state"].samples[:, 3].tolist() == pytest.approx([11.86, math.nan], nan_ok=True)
    assert packets["exoskeleton_fault"].samples[:, :2].tolist() == [[7.0, 3.0], [0.0, 0.0]]
    assert decoder.faults == {"malformed error message": 1}


def test_the_bits_of_a_joint_s_number() -> None:
    assert {number: joint_of(number) for number in (65, 66, 68, 72, 33, 34, 36, 40)} == {
        65: ("left", "hip"), 66: ("left", "knee"), 68: ("left", "ankle"), 72: ("left", "elbow"),
        33: ("right", "hip"), 34: ("right", "knee"), 36: ("right", "ankle"), 40: ("right", "elbow"),
    }  # fmt: skip
    assert [joint_of(number) for number in (0, 4, 0x60, 0x64, 0x40, 0x43, 1000)] == [None] * 7
    assert set(SIDES) == {"left", "right"}


@given(st.lists(st.none() | st.integers(-999_999, 999_999), max_size=20), st.sampled_from("?~wHsn"))
def test_what_is_encoded_is_read(values: list[int | None], command: str) -> None:
    data = b"S%b%dc" % (command.encode(), len(values))
    data += b"".join(b"n" if value is None else b"%dn" % value for value in values)
    message = parse_message(data)
    assert message.command == command
    assert list(message.values) == [None if value is None else value / 100 for value in values]


@given(st.lists(st.lists(st.sampled_from([b"", b"-", b"0", b"-0", b"007", b"-12", b"999999999"])), min_size=1))
def test_fields_of_many_messages_are_read_as_those_of_each(messages: list[list[bytes]]) -> None:
    bodies = [b"".join(field + b"n" for field in fields) for fields in messages]
    each = [math.nan if field in {b"", b"-"} else int(field) / 100 for fields in messages for field in fields]
    assert numbers(bodies).tobytes() == np.array(each).tobytes()


@pytest.mark.parametrize("whole", [WALKING, LONG_UP, b"S~1c1186n"])
def test_a_message_that_is_cut_anywhere_is_refused(whole: bytes) -> None:
    for size in range(len(whole)):
        with pytest.raises(MalformedFrameError):
            parse_message(whole[:size])
        with pytest.raises(MalformedFrameError):
            parse_message(whole[len(whole) - size :])


@given(st.binary(min_size=1, max_size=30))
def test_bytes_before_a_message_do_not_make_another_of_it(junk: bytes) -> None:
    try:
        assert parse_message(junk + WALKING) == parse_message(WALKING)
    except MalformedFrameError:
        return
    raise AssertionError("bytes before a message were taken for nothing")


@given(st.lists(st.integers(0, len(WALKING)), max_size=4).map(sorted))
def test_a_message_in_two_notifications_is_no_message(cuts: list[int]) -> None:
    """A notification is a whole: what is split, was split by a radio that takes too few bytes, and says so."""
    pieces = [WALKING[a:b] for a, b in pairwise([0, *cuts, len(WALKING)])]
    decoder = make_driver("openexo", {"joints": "ankle"}).decoder()
    packets = decoder.decode(frames(pieces))
    assert bool(packets) == (WALKING in pieces)


def test_bytes_at_random_and_spoilt_messages_are_counted_and_end_there() -> None:
    chance = random.Random(7)
    decoder = make_driver("openexo", {"joints": "ankle"}).decoder()
    for _ in range(20_000):
        data = bytearray(chance.choice([WALKING, LONG_UP, b"READY", b"t,a|v,68,1\n", chance.randbytes(40)]))
        for _ in range(chance.randrange(3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        for packet in decoder.decode([Frame(0, chance.choice(["measurement", "error"]), bytes(data))]):
            assert not np.isinf(packet.samples).any()
    assert len(decoder.faults) < 12, "the words of a fault are few, whatever comes"


def test_joints_that_there_are_not_are_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="driver 'openexo' has no joints 'knees': known are ankle, hip, elbow"):
        make_driver("openexo", {"joints": "knees"})
