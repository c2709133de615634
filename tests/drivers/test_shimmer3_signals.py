"""What a Shimmer3 and a 3R send beside movement: ExG, GSR, PPG, pressure; published values, and each layout."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.contract import DriverContract, decoded, same
from drivers.driver import Decoder
from drivers.errors import MalformedFrameError
from drivers.packet import Flag, Frame, Frames, Packet
from drivers.registry import make_driver
from drivers.shimmer3.calibration import ORDER_3R, nominal, parse_calibration
from drivers.shimmer3.channels import CHANNELS_3R, SHIMMER3R
from drivers.shimmer3.decoder import Shimmer3Decoder
from drivers.shimmer3.describe import describe
from drivers.shimmer3.exg import parse_registers, use_of
from drivers.shimmer3.gsr import conductance
from drivers.shimmer3.pressure import parse_barometer
from drivers.shimmer3.protocol import crc16, parse_inquiry
from drivers.shimmer3.stream import Layout, parse_packet

DIVISOR = 64  # 512 Hz
ECG_1, ECG_2 = bytes.fromhex("02e01040402007000203"), bytes.fromhex("02e01040470004000201")
EMG_1, EMG_2 = bytes.fromhex("02e01069602003000203"), bytes.fromhex("02a01081810000000201")
TEST_1 = TEST_2 = bytes.fromhex("02a31005050000000201")
BMP280 = bytes.fromhex("7a6a0d6632007f9016d7d00bbc1b2afff9ff8c3cf8c67017")
BMP390 = bytes.fromhex("e76bf04af9ab1c9b150601d249185f03fa3a0f07f5")
CONFIG = bytes((8, 0xFF, 0x21, 8))
TOP_24 = 2**23 - 1


def control(data: bytes) -> Frame:
    return Frame(0, "control", data)


def registers(*chips: bytes) -> list[Frame]:
    return [control(b"\x62\x0a" + chip) for chip in chips]


def inquiry(channels: Sequence[int], config: bytes = CONFIG) -> Frame:
    head = struct.pack("<BH", 2, DIVISOR) + config + bytes((len(channels), 1))
    return Frame(0, "inquiry", head + bytes(channels))


def packets(bodies: Sequence[bytes], first: int = 100) -> list[Frame]:
    """One frame; the last packet only proves the one before it."""
    rows = [b"\0" + (first + i * DIVISOR).to_bytes(3, "little") + body for i, body in enumerate([*bodies, bodies[-1]])]
    return [Frame(7, "data", b"".join(rows))]


def shimmer(**options: object) -> Shimmer3Decoder:
    decoder = make_driver("shimmer3", options).decoder()
    assert isinstance(decoder, Shimmer3Decoder)
    return decoder


def measured(decoder: Decoder, announced: Sequence[Frame], bodies: Sequence[bytes]) -> dict[str, Packet]:
    return decoded(decoder, [[*announced, *packets(bodies)]])


def counts(*values: int, width: int = 3) -> bytes:
    return b"".join(value.to_bytes(width, "big", signed=True) for value in values)


EXG = (0x1D, 0x1E, 0x1F, 0x20, 0x21, 0x22)


class TestEcgContract(DriverContract):
    """The same promises with ExG, GSR and PPG in the packets."""

    name = "shimmer3"
    main_stream = "ecg"
    lost_at_end = 1
    allowed = (
        *(("", bytes((c,))) for c in (0x3E, 0x59, 0x95, 0xA0, 0xA7)), ("", b"\x63\0\0\x0a"), ("", b"\x63\1\0\x0a"),
    )  # fmt: skip
    forbidden = (
        ("", b"\x63\2\0\x0a"), ("", b"\x61\0\0\x01\0"), ("", b"\x21\x04"), ("", b"\x5a"), ("", b"\x5b"), ("", b"\x8c"),
        ("", b"\x08\x18\x00\x00"), ("", b"\x92"), ("", b"\x06"), ("x", b"\x95"),
    )  # fmt: skip

    def announced(self) -> list[Frame]:
        return [*registers(ECG_1, ECG_2), inquiry((0x12, 0x1C, *EXG))]

    def streamed(self, count: int) -> list[Frame]:
        bodies = [
            struct.pack("<HH", 2000 + i, 1 << 14 | 1000 + i) + b"\x80" + counts(-i, i) + b"\x80" + counts(0, 3 * i)
            for i in range(count)
        ]
        first = 2**24 - 5 * DIVISOR + 77
        stamps = [(first + i * DIVISOR & 0xFFFFFF).to_bytes(3, "little") for i in range(count)]
        return [
            Frame(i, "data", b"\0" + stamp + body) for i, (stamp, body) in enumerate(zip(stamps, bodies, strict=True))
        ]

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        data, cut, at = b"".join(frame.data for frame in frames), list[Frame](), 0
        while at < len(data):
            size = cuts[len(cut) % len(cuts)]
            cut.append(Frame(at, "data", data[at : at + size]))
            at += size
        return cut

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return len(cut) in (0, len(whole))


# --- ExG ---


@pytest.mark.parametrize(
    ("chips", "stream", "leads"), [((ECG_1, ECG_2), "ecg", (0, 1, 3)), ((EMG_1, EMG_2), "emg", (0, 1))]
)
@pytest.mark.parametrize("wide", [True, False])
def test_exg_counts_become_millivolts_by_the_gain_in_the_registers(
    chips: tuple[bytes, bytes], stream: str, leads: tuple[int, ...], wide: bool
) -> None:
    channels = EXG if wide else (0x1D, 0x23, 0x24, 0x20, 0x25, 0x26)
    gain = {"ecg": 4, "emg": 12}[stream]
    raw = (1000, -2000, 3, 30000)
    body = b"\x80" + counts(*raw[:2], width=3 if wide else 2) + b"\x80" + counts(*raw[2:], width=3 if wide else 2)
    decoder = shimmer()
    got = measured(decoder, [*registers(*chips), inquiry(channels)], [body])[stream]
    scale = 2420 / gain / TOP_24 if wide else 2420 / (2 * gain) / (2**15 - 1)
    assert got.samples == pytest.approx(np.array([[raw[lead] * scale for lead in leads]]))
    spec = decoder.streams[stream]
    assert spec.channels == tuple(f"{stream}_{n}" for n in range(1, len(leads) + 1))
    assert set(spec.units) == {"mV"}
    assert (spec.rate_hz, spec.tick_hz, spec.tick_bits) == (512.0, 32768.0, 24)
    assert got.ticks.tolist() == [100]
    assert not decoder.faults


@pytest.mark.parametrize(
    ("status_1", "status_2", "flag"),
    [
        (0x80, 0x80, Flag.NONE),
        (0x81, 0x80, Flag.NO_CONTACT),  # IN1P of chip 1
        (0x84, 0x80, Flag.NO_CONTACT),  # IN2P of chip 1
        (0x88, 0x80, Flag.NONE),  # IN2N of chip 1: nothing looks at it
        (0x80, 0x84, Flag.NO_CONTACT),  # IN2P of chip 2
        (0x00, 0x00, Flag.NONE),
    ],
)
def test_a_lead_that_is_off_and_looked_for_is_no_contact(status_1: int, status_2: int, flag: Flag) -> None:
    body = bytes((status_1,)) + counts(1, 2) + bytes((status_2,)) + counts(3, 4)
    got = measured(shimmer(), [*registers(ECG_1, ECG_2), inquiry(EXG)], [body])["ecg"]
    assert got.flags.tolist() == [flag]


def test_bits_of_leads_mean_nothing_while_the_comparators_are_off() -> None:
    off = ECG_1[:1] + b"\xa0" + ECG_1[2:]
    body = b"\x9f" + counts(1, 2)
    got = measured(shimmer(), [*registers(off), inquiry(EXG[:3])], [body])["ecg"]
    assert got.flags.tolist() == [Flag.NONE]


@pytest.mark.parametrize("value", [TOP_24, -TOP_24 - 1])
def test_the_end_of_the_amplifier_is_clipped(value: int) -> None:
    body = b"\x80" + counts(value, 0) + b"\x80" + counts(0, 0)
    got = measured(shimmer(), [*registers(ECG_1, ECG_2), inquiry(EXG)], [body])["ecg"]
    assert got.flags.tolist() == [Flag.CLIPPED]


@pytest.mark.parametrize(
    ("announced", "fault"),
    [
        ([], "ExG channels without the registers that tell their gain"),
        (registers(TEST_1, TEST_2), "the ExG amplifiers measure their own test signal"),
        (registers(ECG_1, ECG_1), "ExG set up as neither ECG nor EMG: the option exg says which it is"),
    ],
)
def test_exg_that_nobody_can_tell_is_left_out_and_counted(announced: list[Frame], fault: str) -> None:
    decoder = shimmer()
    body = b"\x80" + counts(1, 2) + b"\x80" + counts(3, 4)
    assert measured(decoder, [*announced, inquiry(EXG)], [body]) == {}
    assert decoder.faults == {fault: 1}


def test_the_option_says_what_an_unusual_set_up_is() -> None:
    got = measured(
        shimmer(exg="emg"), [*registers(ECG_1, ECG_1), inquiry(EXG)], [b"\x80" + counts(1, 2) + b"\x80" + counts(3, 4)]
    )
    assert got["emg"].samples == pytest.approx(np.array([[1.0, 2, 3, 4]]) * 2420 / 4 / TOP_24)


@pytest.mark.parametrize("code", range(7))
def test_each_gain(code: int) -> None:
    chip = ECG_1[:3] + bytes((code << 4, code << 4)) + ECG_1[5:]
    got = measured(shimmer(), [*registers(chip), inquiry(EXG[:3])], [b"\x80" + counts(1000, 0)])["ecg"]
    assert got.samples[0, 0] == pytest.approx(1000 * 2420 / (6, 1, 2, 3, 4, 8, 12)[code] / TOP_24)


def test_a_gain_that_there_is_not_is_counted() -> None:
    decoder = shimmer()
    chip = ECG_1[:3] + b"\x70\x40" + ECG_1[5:]
    assert measured(decoder, [*registers(chip), inquiry(EXG[:3])], [b"\x80" + counts(1, 2)]) == {}
    assert decoder.faults == {"an ExG gain that is not known": 1}


def test_the_larger_reference_and_breathing() -> None:
    """A reference of 4.033 V in the registers; a chip that measures breathing is no ECG lead."""
    first = ECG_1[:1] + b"\xf0" + ECG_1[2:]
    second = ECG_2[:8] + b"\xea" + ECG_2[9:]
    body = b"\x80" + counts(1000, 0) + b"\x80" + counts(7, 8)
    got = measured(shimmer(exg="ecg"), [*registers(first, second), inquiry(EXG)], [body])["ecg"]
    assert got.samples.shape == (1, 3)
    assert got.samples[0, 0] == pytest.approx(1000 * 4033 / 4 / TOP_24)


def test_what_the_registers_of_the_vendors_software_mean() -> None:
    def chips(*each: bytes) -> str:
        return use_of([parse_registers(b"\x62\x0a" + one) for one in each])

    assert [chips(ECG_1, ECG_2), chips(EMG_1, EMG_2), chips(TEST_1, TEST_2), chips()] == ["ecg", "emg", "test", ""]
    with pytest.raises(MalformedFrameError):
        parse_registers(b"\x62\x04\1\2\3\4")


# --- GSR and PPG ---


def test_skin_conductance_is_what_the_vendors_software_reports() -> None:
    """Raw words and microsiemens as pyshimmer's tests have them from it, one a range."""
    values, flags = conductance(np.array([697, 17188, 33869, 50567]))
    assert values == pytest.approx([0.5284930658064968, 0.6202856377072405, 0.6131868131868133, 0.3252303252303253])
    assert not flags.any()


def test_open_electrodes_conduct_nothing_on_every_range() -> None:
    values, flags = conductance(np.array([r << 14 | adc for r in range(4) for adc in (0, 682)]))
    assert not values.any()
    assert set(flags.tolist()) == {int(Flag.NO_CONTACT)}
    _, flags = conductance(np.array([4095, 683]))
    assert flags.tolist() == [Flag.CLIPPED, Flag.NONE]


def test_gsr_and_the_pulse_probe_beside_it() -> None:
    decoder = shimmer()
    got = measured(decoder, [inquiry((0x12, 0x1C))], [struct.pack("<HH", 1830, 697), struct.pack("<HH", 0, 0)])
    assert got["ppg"].samples.tolist() == [[1830.0], [0.0]]
    assert got["ppg"].flags.tolist() == [Flag.NONE, Flag.CLIPPED]
    assert got["skin_conductance"].samples[0] == pytest.approx([0.5284930658064968])
    assert got["skin_conductance"].flags.tolist() == [Flag.NONE, Flag.NO_CONTACT]
    assert "imu" not in decoder.streams


def test_an_analogue_input_is_a_pulse_sensor_where_the_option_says_so() -> None:
    body = [struct.pack("<H", 1830)]
    assert measured(shimmer(), [inquiry((0x12,))], body) == {}
    assert measured(shimmer(ppg="internal_a1"), [inquiry((0x12,))], body)["ppg"].samples.tolist() == [[1830.0]]
    both = shimmer(ppg=["external_a0", "internal_a1"])
    got = measured(both, [inquiry((0x0D, 0x12))], [struct.pack("<HH", 5, 6)])["ppg"]
    assert got.samples.tolist() == [[5.0, 6.0]]
    assert both.streams["ppg"].channels == ("ppg_1", "ppg_2")


# --- pressure ---


def test_air_pressure_is_what_the_vendors_software_reports() -> None:
    """A BMP280 of a Shimmer3, from pyshimmer's tests."""
    decoder = shimmer()
    body = (33966).to_bytes(2, "big") + (5540976).to_bytes(3, "big")
    got = measured(decoder, [control(b"\xa6\x19\1" + BMP280), inquiry((0x1A, 0x1B))], [body])
    assert got["sensor_temperature"].samples[0, 0] == pytest.approx(33.4321651817299, abs=1e-9)
    assert got["air_pressure"].samples[0, 0] == pytest.approx(100805.386352170, abs=1e-6)
    older = measured(shimmer(), [control(b"\x9f" + BMP280), inquiry((0x1A, 0x1B))], [body])
    same(got, older)


def test_a_shimmer3r_sends_pressure_first_and_three_bytes_of_temperature() -> None:
    """A BMP390, from the vendor's own test, and a BMP581, which has done it itself."""
    newer = control(b"\x25\x0a")
    asked = inquiry((0x1B, 0x1A), CONFIG + bytes(3))
    got = measured(shimmer(), [newer, control(b"\xa6\x16\2" + BMP390), asked], [bytes.fromhex("000d6400ba7f")])
    assert got["air_pressure"].samples[0, 0] == pytest.approx(100911.825, abs=0.01)
    assert got["sensor_temperature"].samples[0, 0] == pytest.approx(23.170170, abs=1e-5)
    body = (100800 * 64).to_bytes(3, "little") + (25 * 65536).to_bytes(3, "little")
    got = measured(shimmer(), [newer, control(b"\xa6\1\3"), asked], [body])
    assert (got["air_pressure"].samples[0, 0], got["sensor_temperature"].samples[0, 0]) == (100800.0, 25.0)


def test_a_bmp180_by_the_worked_example_of_its_data_sheet() -> None:
    coefficients = struct.pack(">hhhHHHhhhhh", 408, -72, -14383, 32741, 32757, 23153, 6190, 4, -32768, -8711, 2868)
    barometer = parse_barometer(b"\x58" + coefficients)
    celsius, pascals = barometer.measure(np.array([27898]), np.array([23843 << 8]))
    assert celsius == pytest.approx([15.0], abs=0.1)
    assert pascals == pytest.approx([69964.0], abs=5.0)


@pytest.mark.parametrize("reply", ["a6", "a60200", "a6190100", "a60104", "9f" + "01" * 24, "58" + "ff" * 22, "00"])
def test_coefficients_that_are_none_are_counted_and_nothing_is_made_of_them(reply: str) -> None:
    decoder = shimmer()
    got = measured(decoder, [control(bytes.fromhex(reply)), inquiry((0x1A, 0x1B))], [bytes(5)])
    assert got == {}
    assert decoder.faults["pressure channels without the coefficients of the sensor"] == 1
    assert sum(decoder.faults.values()) == 2


@given(st.binary(min_size=24, max_size=24), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFF))
def test_any_coefficients_give_numbers_or_nothing(coefficients: bytes, temperature: int, pressure: int) -> None:
    for kind, size in ((0, 22), (1, 24), (2, 21)):
        try:
            barometer = parse_barometer(bytes((0xA6, 1 + size, kind)) + coefficients[:size])
        except MalformedFrameError:
            continue
        for values in barometer.measure(np.array([temperature]), np.array([pressure])):
            assert not np.isinf(values).any()


# --- Shimmer3R ---

NEWER = (7, 8, 9, 0x0A, 0x0B, 0x0C, 0, 1, 2, 0x14, 0x15, 0x16, 4, 5, 6, 0x17, 0x18, 0x19)
NEWER_CONFIG = bytes((2 << 2, 0xFF, 1 | 3 << 5, 1 << 6, 4, 0, 0))  # WR 8 g, gyroscope 5 (4000 deg/s), LN 4 g, 16 gauss
NEWER_BODY = (
    struct.pack("<9h", 667, 0, 0, 70, 0, 0, 836, 0, 0)
    + struct.pack(">3h", 31 << 4, 10 << 4, 10 << 4)
    + struct.pack("<6h", 418, 0, 0, 1711, 0, 0)
)


@pytest.mark.parametrize(
    ("accelerometer", "acceleration"),
    [("auto", (0, -1, 0)), ("low_noise", (-1, 0, 0)), ("high_g", (0, 21 / 1.0197, 0)), ("wide_range", (0, -1, 0))],
)
def test_a_shimmer3r_that_was_never_calibrated(accelerometer: str, acceleration: tuple[float, ...]) -> None:
    announced = [control(b"\x25\x0a"), inquiry(NEWER, NEWER_CONFIG), Frame(0, "calibration", b"\x2d" + bytes(126))]
    got = measured(shimmer(accelerometer=accelerometer), announced, [NEWER_BODY])["imu"].samples[0]
    assert got[:3] == pytest.approx(acceleration)
    assert got[3:6] == pytest.approx((-10 * np.pi / 180, 0, 0))
    assert got[6:9] == pytest.approx((-1, 0, 0))


def test_the_six_calibrations_of_a_shimmer3r() -> None:
    block = struct.pack(">6h9b", 0, 0, 0, 100, 100, 100, 100, 0, 0, 0, 100, 0, 0, 0, 100)
    assert set(parse_calibration(b"\x2d" + block * 6)) == set(ORDER_3R)
    with pytest.raises(MalformedFrameError):
        parse_calibration(b"\x2d" + block * 5)


@pytest.mark.parametrize("number", CHANNELS_3R)
def test_each_channel_of_a_shimmer3r_keeps_its_ends(number: int) -> None:
    channel = CHANNELS_3R[number]
    order, bits = "big" if channel.big else "little", 8 * channel.width - channel.shift
    ends = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if channel.signed else (0, 2**bits - 1)
    for value in (*ends, 1):
        data = b"\0\1\0\0" + (value << channel.shift).to_bytes(channel.width, order, signed=channel.signed)
        assert parse_packet(data, Layout((number,), hardware=SHIMMER3R)) == (1, {channel.name: value})


def test_the_status_of_newer_firmware_of_a_shimmer3r_has_a_byte_more() -> None:
    """Between packets: its second byte is not taken for the beginning of one."""
    newer = [control(b"\x25\x0a"), Frame(0, "firmware", struct.pack("<BHHBB", 0x2F, 3, 1, 0, 24))]
    decoder = shimmer()
    decoder.decode([*newer, inquiry((4, 5, 6), CONFIG + bytes(3))])
    rows = [b"\0" + (i * DIVISOR).to_bytes(3, "little") + struct.pack("<3h", i, i, i) for i in range(1, 7)]
    rows[2] += bytes.fromhex("ff8a712100")
    assert len(decoded(decoder, [[Frame(0, "data", b"".join(rows))]])["imu"]) == 5
    assert not {"lost sync", "bytes skipped while out of sync"} & set(decoder.faults)


def test_a_shimmer3_has_no_channels_of_a_3r() -> None:
    decoder = shimmer(accelerometer="high_g")
    assert measured(decoder, [inquiry((0x14, 0x15, 0x16))], [bytes(6)]) == {}


# --- magnetometers ---


def test_a_magnetometer_alone_is_a_field() -> None:
    decoder = shimmer()
    got = measured(decoder, [inquiry((7, 8, 9))], [struct.pack("<3h", 1100, 0, 980)])
    assert decoder.streams["magnetic_field"].units == ("uT",) * 3
    assert got["magnetic_field"].samples == pytest.approx(np.array([[-100.0, 0.0, -100.0]]))


def test_the_first_magnetometer_shows_in_the_order_of_the_channels() -> None:
    """X, z, y, high byte first: what the firmware of the first units sends, and says in the inquiry reply."""
    plain = measured(shimmer(), [inquiry((7, 8, 9))], [struct.pack("<3h", 110, 220, 98)])["magnetic_field"]
    first = measured(shimmer(), [inquiry((7, 9, 8))], [struct.pack(">3h", 110, 98, 220)])["magnetic_field"]
    assert plain.samples.tobytes() == first.samples.tobytes()


# --- all together, and order ---


def test_an_answer_behind_the_inquiry_reply_changes_nothing() -> None:
    decoder = shimmer()
    decoder.decode([*registers(ECG_1, ECG_2), inquiry(EXG), *registers(EMG_1), control(b"\x25\x0a")])
    assert "ecg" in decoder.streams
    assert decoder.faults == {"an answer behind the inquiry reply that would have changed its meaning": 2}


@pytest.mark.parametrize("crc_bytes", [0, 1, 2])
def test_everything_at_once_with_each_check_sum(crc_bytes: int) -> None:
    channels = (0x12, 0x1C, 0x0A, 0x0B, 0x0C, 4, 5, 6, 0x1A, 0x1B, *EXG)
    body = (
        struct.pack("<HH", 1830, 697) + struct.pack(">3h", 1, 2, 3) + struct.pack("<3h", 4, 5, 6)
        + (33966).to_bytes(2, "big") + (5540976).to_bytes(3, "big") + b"\x80" + counts(1, 2) + b"\x80" + counts(3, 4)
    )  # fmt: skip
    rows = []
    for i in range(1, 12):
        row = b"\0" + (i * DIVISOR).to_bytes(3, "little") + body
        rows.append(row + crc16(row).to_bytes(2, "little")[:crc_bytes])
    decoder = shimmer(crc_bytes=crc_bytes)
    announced = [*registers(ECG_1, ECG_2), control(b"\xa6\x19\1" + BMP280), inquiry(channels)]
    got = decoded(decoder, [[*announced, Frame(3, "data", b"".join(rows))]])
    assert set(got) == {"imu", "ecg", "ppg", "skin_conductance", "sensor_temperature", "air_pressure"}
    assert {len(packet) for packet in got.values()} == {11 if crc_bytes else 10}
    assert len({packet.ticks.tobytes() for packet in got.values()}) == 1


@settings(deadline=None)
@given(st.permutations([0, 1, 2, 3]))
def test_devices_of_several_kinds_at_once_are_each_decoded_as_alone(order: list[int]) -> None:
    kinds = [
        ([*registers(ECG_1, ECG_2), inquiry(EXG)], [b"\x80" + counts(i, 2) + b"\x80" + counts(3, i) for i in range(5)]),
        ([*registers(EMG_1, EMG_2), inquiry(EXG)], [b"\x80" + counts(i, 2) + b"\x80" + counts(3, i) for i in range(5)]),
        ([inquiry((0x12, 0x1C))], [struct.pack("<HH", i, 697 + i) for i in range(5)]),
        ([*registers(ECG_1, ECG_2), inquiry(EXG)], [b"\x80" + counts(9, i) + b"\x80" + counts(3, i) for i in range(3)]),
    ]
    decoders = [shimmer() for _ in order]
    for decoder, kind in zip(decoders, order, strict=True):
        decoder.decode(kinds[kind][0])
    batch = Shimmer3Decoder.decode_batch(decoders, Frames.of([packets(kinds[kind][1]) for kind in order]))
    each: list[dict[str, Packet]] = [{} for _ in order]
    for at, packet in (found for found_ in batch for found in found_.each()):
        each[at][packet.stream] = packet
    for found, kind in zip(each, order, strict=True):
        same(found, measured(shimmer(), *kinds[kind]))


# --- options and descriptions ---


@pytest.mark.parametrize(
    "options",
    [{"exg": "eeg"}, {"ppg": "A13"}, {"ppg": ["internal_a1", "x"]}, {"sensors": ["nose"]}, {"sensors": []}],
    ids=str,
)
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"shimmer3|Shimmer3"):
        make_driver("shimmer3", options)


def test_sensors_are_switched_on_only_as_configured() -> None:
    driver = make_driver("shimmer3", {"sensors": ["gyroscope", "wide_range", "exg_24_bit"]})
    assert driver.allows("", b"\x08\x58\x10\x00")
    assert not driver.allows("", b"\x08\x58\x10\x01")
    assert not make_driver("shimmer3").allows("", b"\x08\x58\x10\x00")


def test_what_a_shimmer3r_says_is_described() -> None:
    said = bytes.fromhex("02400001ff0109000000010112")
    assert describe([said]) == {
        "hz": 512.0, "config_bytes_le": "01ff0109000000", "n_channels": 1, "buffer_size": 1, "channels": [18],
    }  # fmt: skip
    signed = b"\xff" + said
    assert describe([signed + crc16(signed).to_bytes(2, "little")])["crc_ok"]
    assert describe([bytes.fromhex("ff8a712101")])["usb_plugged_in"] is True
    assert len(describe([b"\x2d" + bytes(126)])) == 6
    assert describe([b"\x3d" + bytes(range(12))]) == {"serial": bytes(range(12)).hex()}


@pytest.mark.parametrize(
    ("reply", "meaning"),
    [
        ("6301000a", {"chip": 1, "offset": 0, "count": 10, "registers": ""}),
        ("620a00801000000000000201", {"registers": "00801000000000000201"}),
        ("7d06615f74657374", {"experiment": "a_test"}),
        ("86023432", {"config_time": 42}),
        ("3d0102030405060708", {"serial": "0102030405060708"}),
        ("2204", {"gsr_range": 4}),
        ("a60103", {"sensor": 3, "coefficients": ""}),
        ("6503300500", {"board": 48, "revision": 5, "special_revision": 0, "bytes": "300500"}),
    ],
)  # fmt: skip
def test_more_of_the_dialogue_is_described(reply: str, meaning: dict[str, object]) -> None:
    assert describe([bytes.fromhex(reply)]) == meaning


def test_constants_of_a_shimmer3r_exist_for_every_setting() -> None:
    for first in range(256):
        config = bytes((first, 0, first, first, first, 0, 0))
        reply = struct.pack("<BH", 2, DIVISOR) + config + bytes((3, 1, 4, 5, 6))
        assert set(nominal(parse_inquiry(reply, SHIMMER3R))) == set(ORDER_3R)
