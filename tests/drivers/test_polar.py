from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import FUZZ, DriverContract, decoded
from drivers.errors import MalformedFrameError
from drivers.gatt.spacing import between, ticks_of
from drivers.packet import Flag, Frame, Packet
from drivers.polar.decoder import PolarDecoder
from drivers.polar.driver import CONTROL_POINT, DATA
from drivers.polar.frame import counts, parse_frame
from drivers.polar.streams import CHOICES
from drivers.registry import make_driver
from tests.drivers.polar_frames import (
    BEGIN,
    ECG_START,
    SECOND,
    STARTED,
    acceleration,
    block,
    ecg,
    head,
    int24,
    ppi,
    started,
)

G = 9.80665
PERIOD = round(SECOND / 130)
FEATURES = b"\x0f\xff\xff"


def run(*data: bytes, chosen: tuple[str, ...] = CHOICES, control: tuple[bytes, ...] = ()) -> dict[str, Packet]:
    """Decode data frames after the frames of a dialogue; no fault is forgiven."""
    decoder = PolarDecoder(chosen)
    decoder.decode([Frame(0, "control", each) for each in (FEATURES, *control)])
    got = decoded(decoder, [[Frame(n, "data", each) for n, each in enumerate(data)]])
    assert not decoder.faults, decoder.faults
    return got


class TestContract(DriverContract):
    name = "polar"
    main_stream = "ecg"
    allowed = (
        (CONTROL_POINT, bytes.fromhex("0100")),
        (CONTROL_POINT, bytes.fromhex("0303")),
        (CONTROL_POINT, ECG_START),
        (CONTROL_POINT, bytes.fromhex("0201000137000101160004010 4".replace(" ", ""))),
        (CONTROL_POINT, bytes.fromhex("0302")),
    )
    forbidden = (
        (CONTROL_POINT, b""),
        (CONTROL_POINT, bytes.fromhex("02020001c8000101100002010800")),  # acceleration, which is not chosen
        (CONTROL_POINT, bytes.fromhex("0203")),  # nor are pulse intervals
        (CONTROL_POINT, bytes.fromhex("0209")),  # SDK mode stays until the sensor is switched off
        (CONTROL_POINT, bytes.fromhex("0282000182000101 0e00".replace(" ", ""))),  # a recording into its memory
        (CONTROL_POINT, bytes.fromhex("020a")),  # location
        (CONTROL_POINT, bytes.fromhex("020002820034000101 0e00".replace(" ", ""))),  # two rates
        (CONTROL_POINT, bytes.fromhex("0200000182")),  # a rate that is cut
        (CONTROL_POINT, bytes.fromhex("02000001820000018200")),  # the rate twice
        (CONTROL_POINT, bytes.fromhex("020005010000803f")),  # a factor is the sensor's to say
        (CONTROL_POINT, bytes.fromhex("080000")),  # triggers of recordings
        (DATA, ECG_START),
    )

    def announced(self) -> list[Frame]:
        told = [FEATURES, ECG_START, STARTED, *started(1, 55, factor=1.0)]
        return [Frame(0, "control", each) for each in told] + [Frame(0, "battery", b"\x55")]

    def streamed(self, count: int) -> list[Frame]:
        frames = []
        for n in range(count):
            at = n * PERIOD
            frames.append(Frame(at, "data", ecg(BEGIN + at, n - 7)))
            if n % 5 == 1:
                light = int24(n, -n, 2 * n, 3) + block(3, [(1, -2, 3, 0)])
                frames.append(Frame(at, "data", head(1, BEGIN + at, 0x80) + light))
                frames.append(Frame(at, "measurement", struct.pack("<BBH", 0x10, 60, 900 + n)))
        return frames

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return frames

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return whole[:1] == b"\x01" and len(whole) - len(cut) == 4  # a whole block of differences


@pytest.mark.parametrize(
    ("stream", "frame", "factor", "want"),
    [
        ("ecg", ecg(BEGIN, -32766), None, [-32.766]),
        ("acceleration", head(2, BEGIN, 0) + struct.pack("<3b", -128, 1, 9), None, [-0.128 * G, 0.001 * G, 0.009 * G]),
        ("acceleration", acceleration(BEGIN, (-9, -1, 999)), None, [-0.009 * G, -0.001 * G, 0.999 * G]),
        ("acceleration", head(2, BEGIN, 2) + int24(-9, 1, 8000), None, [-0.009 * G, 0.001 * G, 8 * G]),
        ("acceleration", head(2, BEGIN, 0x80) + struct.pack("<3h", 1905, 27376, -29282), 2.44e-4,
         [0.46482 * G, 6.679744 * G, -7.144808 * G]),
        ("acceleration", head(2, BEGIN, 0x81) + struct.pack("<3h", -15, 20, 1008), 0.5,
         [-0.0075 * G, 0.01 * G, 0.504 * G]),
        ("acceleration", head(2, BEGIN, 0x82) + int24(-15, 20, 1008), 1.0, [-0.015 * G, 0.02 * G, 1.008 * G]),
        ("rotation", head(5, BEGIN, 0x80) + struct.pack("<3h", -22, 8, 13), 0.07, np.deg2rad([-1.54, 0.56, 0.91])),
        ("rotation", head(5, BEGIN, 0) + struct.pack("<3h", -22, 8, 13), None, np.deg2rad([-22.0, 8, 13])),
        ("rotation", head(5, BEGIN, 0x81) + struct.pack("<3f", 1, 10, -20), 0.5, np.deg2rad([0.5, 5, -10])),
        ("rotation", head(5, BEGIN, 1) + struct.pack("<3f", 1, 10, -20), None, np.deg2rad([1.0, 10, -20])),
        ("magnetic_field", head(6, BEGIN, 0x80) + struct.pack("<3h", -201, 687, 2452), 0.001,
         [-20.1, 68.7, 245.2, np.nan]),
        ("magnetic_field", head(6, BEGIN, 0x81) + struct.pack("<4h", -201, 687, 2452, 2), 1.0, [-20.1, 68.7, 245.2, 2]),
        ("magnetic_field", head(6, BEGIN, 1) + struct.pack("<4h", -201, 687, 2452, 3), None, [-20.1, 68.7, 245.2, 3]),
        ("ppg", head(1, BEGIN, 0) + int24(11564, 30658, -11565, -30659), None, [11564, 30658, -11565, -30659]),
        ("ppg", head(1, BEGIN, 0x80) + int24(11564, 30658, -11565, -30659), 2.0, [23128, 61316, -23130, -61318]),
        ("air_pressure", head(11, BEGIN, 0) + struct.pack("<f", 1004.62), None, [100462.0]),
        ("air_pressure", head(11, BEGIN, 0x80) + struct.pack("<f", 1004.62), 1.0, [100462.0]),
        ("sensor_temperature", head(12, BEGIN, 0) + struct.pack("<f", 24.02), None, [24.02]),
        ("sensor_temperature", head(12, BEGIN, 0x80) + struct.pack("<f", 24.02), 1.0, [24.02]),
    ],
)  # fmt: skip
def test_each_kind_of_frame_in_the_units_of_its_stream(
    stream: str, frame: bytes, factor: float | None, want: list[float]
) -> None:
    control = () if factor is None else tuple(started(frame[0], 50, factor=factor))
    packet = run(frame, control=control)[stream]
    np.testing.assert_allclose(packet.samples, [want], rtol=1e-6)
    assert packet.ticks.tolist() == [BEGIN]
    assert packet.flags.tolist() == [Flag.NONE]


@FUZZ
@given(st.data())
def test_differences_come_back_whatever_their_width(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 24))
    value = st.integers(-(1 << width - 1), (1 << width - 1) - 1)
    blocks = data.draw(st.lists(st.lists(st.tuples(value, value, value, value), max_size=9), max_size=4))
    reference = (7, -8, 2**22, -(2**23))
    content = int24(*reference) + b"".join(block(width, rows) for rows in blocks)
    got, _ = counts(parse_frame(head(1, 1, 0x80) + content))
    rows = [row for each in blocks for row in each]
    np.testing.assert_array_equal(got, np.cumsum([reference, *rows], axis=0))


def test_differences_of_floats_are_of_their_bit_patterns() -> None:
    """Vendor's test of gyroscope frames of type 1, 28 bits wide."""
    content = bytes.fromhex("0000803f000020410000a0411c010000a0010000 08cdccec0d".replace(" ", ""))
    got, _ = counts(parse_frame(head(5, BEGIN, 0x81) + content))
    patterns = np.array([0x3F800000 + 0x1A00000, 0x41200000 + 0x800000, 0x41A00000 - 0x2133333], np.uint32)
    np.testing.assert_array_equal(got, [[1, 10, 20], patterns.view(np.float32)])


def test_differences_of_no_bits_repeat_the_sample() -> None:
    got, _ = counts(parse_frame(head(1, 1, 0x80) + int24(1, 2, 3, 4) + b"\x00\x05"))
    np.testing.assert_array_equal(got, np.tile([1, 2, 3, 4], (6, 1)))


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (head(0, 1, 0), "truncated frame"),
        (ecg(1, 5)[:-1], "truncated frame"),
        (head(0, 1, 4) + bytes(3), "frame of an unknown kind"),
        (head(4, 1, 0) + bytes(3), "frame of an unknown kind"),
        (head(10, 1, 0) + bytes(30), "frame of an unknown kind"),
        (head(1, 1, 0x80) + bytes(11), "truncated frame"),
        (head(1, 1, 0x80) + bytes(12) + b"\x03", "truncated block of differences"),
        (head(1, 1, 0x80) + bytes(12) + b"\x03\x01\x00", "truncated block of differences"),
        (head(1, 1, 0x80) + bytes(12) + b"\x21\x01" + bytes(30), "differences wider than any value"),
        (ecg(1, 5) + bytes(600), "oversized frame"),
    ],
)
def test_what_is_no_frame_is_refused_in_words(frame: bytes, reason: str) -> None:
    with pytest.raises(MalformedFrameError, match=reason):
        counts(parse_frame(frame))


def test_differences_of_no_bits_are_no_way_to_make_more_samples_than_a_sensor_takes() -> None:
    """Two bytes claim 255 samples: a few frames of them would keep the gateway from everybody else's."""
    full = block(0, [(0, 0, 0)] * 255)
    honest = head(2, BEGIN, 0x81) + struct.pack("<3h", 1, 2, 3) + full * 4
    assert len(counts(parse_frame(honest))[0]) == 1021
    with pytest.raises(MalformedFrameError, match="more samples than a frame can hold"):
        counts(parse_frame(honest + full))


def test_every_cut_of_a_frame_of_differences_is_refused_or_ends_with_a_block() -> None:
    whole = head(1, 1, 0x80) + int24(1, 2, 3, 4) + block(5, [(1, 2, 3, 4)] * 3) + block(9, [(-200, 2, 3, 4)] * 2)
    ends = {22, 22 + 2 + 8, len(whole)}
    for size in range(len(whole)):
        if size in ends:
            assert len(counts(parse_frame(whole[:size]))[0]) < 6
        else:
            with pytest.raises(MalformedFrameError):
                counts(parse_frame(whole[:size]))


def test_samples_lie_between_the_stamp_before_and_their_own() -> None:
    control = tuple(started(2, 50))
    frames = [acceleration(BEGIN + at, *[(0, 0, 1000)] * 4) for at in (0, 81_000_001, 161_000_001)]
    ticks = run(*frames, control=control)["acceleration"].ticks - BEGIN
    assert ticks[:4].tolist() == [-60_000_000, -40_000_000, -20_000_000, 0], "the first by the nominal rate"
    assert ticks[4:8].tolist() == [20_250_000, 40_500_000, 60_750_001, 81_000_001]
    assert ticks[8:].tolist() == [101_000_001, 121_000_001, 141_000_001, 161_000_001]


def test_the_vendor_s_own_example_of_sample_times() -> None:
    """Frame before: 100 ns; this one: 101 ns, two samples: at 100 and 101."""
    assert ticks_of([between(100, 101, 2)]).tolist() == [100, 101]


def test_a_lost_notification_leaves_a_gap_and_stretches_nothing() -> None:
    frames = [acceleration(BEGIN + n * 80_000_000, *[(0, 0, 1000)] * 4) for n in (0, 1, 3, 4)]
    ticks = run(*frames, control=tuple(started(2, 50)))["acceleration"].ticks - BEGIN
    steps = np.diff(ticks)
    assert steps[7] == 100_000_000, "four samples are missing"
    assert np.delete(steps, 7).tolist() == [20_000_000] * 14


def test_a_clock_that_starts_again_is_followed() -> None:
    later = BEGIN + 7 * 365 * 86_400 * SECOND
    frames = [ecg(later, 1, 2), ecg(later + 2 * PERIOD, 3, 4), ecg(BEGIN, 5, 6), ecg(BEGIN + 2 * PERIOD, 7, 8)]
    ticks = run(*frames, control=(ECG_START, STARTED))["ecg"].ticks
    np.testing.assert_array_equal(ticks[4:] - BEGIN, [-PERIOD, 0, PERIOD, 2 * PERIOD])


def test_a_frame_that_comes_twice_has_the_ticks_that_were_there() -> None:
    first, second = ecg(BEGIN, 1, 2), ecg(BEGIN + 2 * PERIOD, 3, 4)
    ticks = run(first, second, second, ecg(BEGIN + 4 * PERIOD, 5, 6), control=(ECG_START, STARTED))["ecg"].ticks
    assert ticks[4:6].max() == BEGIN + 2 * PERIOD, "not behind the newest: they are left out as repeated"
    np.testing.assert_array_equal(np.diff(ticks[[0, 1, 2, 3, 6, 7]]), PERIOD)


@pytest.mark.parametrize("stamp", [2**64 - 1, 2**62, 2**63, 5])
def test_a_stamp_that_no_clock_shows_is_counted(stamp: int) -> None:
    decoder = PolarDecoder(("ecg",))
    assert decoder.decode([Frame(0, "data", ecg(stamp, 1, 2, 3))]) == []
    assert decoder.faults == {"impossible time stamp": 1}


def light(n: int, real_hz: float) -> bytes:
    return head(1, BEGIN + round(n * 9 * SECOND / real_hz), 0) + int24(*range(36))


def test_the_light_of_a_verity_that_claims_135_hz_comes_at_55() -> None:
    """Gyroscope and no ECG: a Verity Sense. Its claim is known to be wrong from the first frame on."""
    decoder = PolarDecoder(("ppg",))
    decoder.decode([Frame(0, "control", each) for each in (b"\x0f\x6e\x02", *started(1, 135))])
    assert decoder.streams["ppg"].rate_hz == 55.0
    packet = decoded(decoder, [[Frame(n, "data", light(n, 55.0)) for n in range(20)]])["ppg"]
    assert np.ptp(np.diff(packet.ticks)) <= 2
    assert decoder.streams["ppg"].rate_hz == 55.0


def test_any_other_claim_that_the_stamps_contradict_is_corrected() -> None:
    decoder = PolarDecoder(("ppg",))
    decoder.decode([Frame(0, "control", each) for each in (b"\x0f\x02\x00", *started(1, 28))])
    assert decoder.streams["ppg"].rate_hz == 28.0
    packet = decoded(decoder, [[Frame(n, "data", light(n, 44.0)) for n in range(20)]])["ppg"]
    assert decoder.streams["ppg"].rate_hz == 44.0
    assert np.ptp(np.diff(packet.ticks[5 * 9 :])) <= 2
    steady = PolarDecoder(("ppg",))
    steady.decode([Frame(0, "control", each) for each in (b"\x0f\x02\x00", *started(1, 130))])
    steady.decode([Frame(n, "data", light(n, 135.0)) for n in range(20)])
    assert steady.streams["ppg"].rate_hz == 130.0, "an OH1's: near enough that the stamps alone do"


def test_differences_wait_for_the_factor() -> None:
    decoder = PolarDecoder(("acceleration",))
    frame = Frame(0, "data", head(2, BEGIN, 0x80) + struct.pack("<3h", 1, 2, 4096))
    assert decoder.decode([frame]) == []
    assert decoder.faults == {"differences before the answer to the start": 1}
    decoder.decode([Frame(0, "control", each) for each in started(2, 52, factor=1 / 4096)])
    assert decoder.decode([frame])[0].samples[0, 2] == pytest.approx(G)
    for bad in (float("nan"), float("inf"), 0.0, -1.0):
        decoder.decode([Frame(0, "control", each) for each in started(2, 52, factor=bad)])
    assert decoder.faults["impossible conversion factor"] == 4
    refused = bytes((0xF0, 2, 2, 8, 0))
    decoder.decode([Frame(0, "control", started(2, 52)[0]), Frame(0, "control", refused)])
    assert decoder.decode([frame]) == []


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e9])
def test_values_that_no_sensor_measures_are_left_out(value: float) -> None:
    decoder = PolarDecoder(("sensor_temperature",))
    data = head(12, BEGIN, 0) + struct.pack("<3f", 20.0, value, 21.0)
    got = decoded(decoder, [[Frame(0, "data", data)]])["sensor_temperature"]
    assert got.samples[:, 0].tolist() == [20.0, 21.0]
    assert got.ticks.tolist() == [BEGIN - 2 * SECOND, BEGIN]
    assert decoder.faults == {"impossible values": 1}


def test_a_nan_that_signals_is_one_like_the_others() -> None:
    decoder = PolarDecoder(("sensor_temperature",))
    assert decoder.decode([Frame(0, "data", head(12, BEGIN, 0) + b"\x01\x00\x80\x7f")]) == []
    assert decoder.faults == {"impossible values": 1}


def test_pulse_intervals_with_their_error_and_only_where_they_are_some() -> None:
    """Flags: 1 moved, 2 touches the skin, 4 says whether it can tell, in one sense or the other."""
    rows = [(60, 1000, 12, 0x06), (60, 990, 250, 0x07), (0, 0, 0, 0x06), (61, 980, 8, 0x02), (61, 970, 9, 0x04)]
    packet = run(ppi(*rows))["rr"]
    np.testing.assert_allclose(packet.samples[:, 0], [1.0, np.nan, np.nan, 0.98, 0.97])
    np.testing.assert_allclose(packet.samples[:, 1], [0.012, 0.25, 0, 0.008, 0.009])
    lost, off = Flag.LOSS_UNKNOWN, Flag.LOSS_UNKNOWN | Flag.NO_CONTACT
    assert packet.flags.tolist() == [lost, lost, lost, lost, off]
    assert len(packet.ticks) == 0


def test_intervals_come_from_one_of_the_two_services() -> None:
    """Else each beat would count twice."""
    heart = Frame(0, "measurement", struct.pack("<BBH", 0x10, 60, 1024))
    alone = decoded(PolarDecoder(("ecg",)), [[heart]])
    assert alone["rr"].samples.tolist() == [[1.0]]
    both = decoded(PolarDecoder(("ppi",)), [[heart, Frame(0, "data", ppi((60, 990, 5, 6)))]])
    assert both["rr"].samples.tolist() == [[0.99, 0.005]]
    assert both["heart_rate"].samples[0, 0] == 60.0
    decoder = PolarDecoder(("ppi",))
    assert decoder.span_s(Frame(0, "data", ppi((60, 990, 5, 6), (60, 1010, 5, 6)))) == pytest.approx(2.0)
    assert decoder.span_s(heart) == 1.0
    assert decoder.span_s(Frame(0, "data", ecg(BEGIN, 1))) == 0.0


def test_a_measurement_that_nobody_asked_for_is_counted() -> None:
    decoder = PolarDecoder(("ecg",))
    assert decoder.decode([Frame(0, "data", acceleration(BEGIN, (1, 2, 3))), Frame(0, "data", ppi((1, 2, 3, 4)))]) == []
    assert decoder.faults == {"a measurement that was not asked for": 2}


def test_only_what_the_sensor_has_is_announced() -> None:
    decoder = make_driver("polar").decoder()
    assert set(decoder.streams) == {"ecg", "ppg", "heart_rate", "rr", "battery"}
    decoder.decode([Frame(0, "control", b"\x0f\x05\x00")])
    assert set(decoder.streams) == {"ecg", "heart_rate", "rr", "battery"}


def test_a_stream_that_has_sent_samples_stays_announced() -> None:
    """Whatever comes behind them in the same step: else they would be of no stream."""
    decoder = PolarDecoder(("ecg",))
    frames = [
        Frame(0, "data", ecg(BEGIN, 1)),
        Frame(1, "control", b"\x0f\x02\x00"),
        Frame(2, "data", ecg(BEGIN + 9, 1)),
    ]
    assert len(decoded(decoder, [frames])["ecg"]) == 1
    assert decoder.faults == {"a measurement that was not asked for": 1}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"streams": ["ekg"]}, "has no stream 'ekg': known are ecg, ppg, acceleration"),
        ({"streams": "ecg"}, "streams is a list of ecg"),
        ({"streams": [1]}, "streams is a list of ecg"),
        ({"streams": ["ecg"], "rates": {"acceleration": 50}}, "'acceleration' in rates is none of the streams: ecg"),
        ({"streams": ["ppi"], "rates": {"ppi": 50}}, "'ppi' in rates is none of the streams"),
        ({"rates": {"ecg": "fast"}}, "the rate of ecg is a number in Hz, not fast"),
        ({"rates": {"ecg": True}}, "the rate of ecg is a number in Hz, not True"),
        ({"rates": 130}, "rates is a table"),
    ],
)
def test_a_wrong_option_is_refused_in_a_sentence(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make_driver("polar", options)
