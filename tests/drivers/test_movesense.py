from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.contract import FUZZ, DriverContract, decoded
from drivers.driver import Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.gatt.battery import BATTERY_LEVEL
from drivers.movesense.decoder import MovesenseDecoder
from drivers.movesense.driver import COMMANDS, NOTIFICATIONS, SILENT_LOOKS, Movesense
from drivers.movesense.messages import Resource, describe, parse_hello, parse_payload
from drivers.movesense.streams import SOURCES, TICK_BITS, TICK_HZ
from drivers.packet import Flag, Frame, Packet
from drivers.registry import make_driver

REFERENCE = {name: source.reference for name, source in SOURCES.items()}
LAST_MS = 2**32 - 1  # 49.7 days


def data(name: str, payload: bytes, *, part: int = 1) -> bytes:
    return bytes((1 + part, REFERENCE[name])) + payload


def imu(stamp_ms: int, *samples: tuple[float, ...]) -> bytes:
    """Return a payload: all accelerations, then all rates of turn (and fields)."""
    arrays = [np.array(samples)[:, at : at + 3] for at in range(0, len(samples[0]), 3)]
    return struct.pack("<I", stamp_ms & 0xFFFFFFFF) + np.concatenate(arrays).astype("<f4").tobytes()


def run(rates: dict[str, int], *frames: bytes) -> dict[str, Packet]:
    """Decode notifications, and one more that shows that the last was whole."""
    decoder = MovesenseDecoder(rates)
    answer = b"\x02\x08" + bytes(4)
    got = decoded(decoder, [[Frame(n, "measurement", each) for n, each in enumerate((*frames, answer))]])
    assert set(decoder.faults) <= {"a measurement that was not asked for"}, decoder.faults
    return got


class TestContract(DriverContract):
    name = "movesense"
    main_stream = "imu"
    allowed = (
        (COMMANDS, b"\x00\x64"),
        (COMMANDS, b"\x01\x01/Meas/IMU6/104"),
        (COMMANDS, b"\x01\x08/Meas/HR"),
        (COMMANDS, b"\x02\x01"),
        (COMMANDS, b"\x04\x65/System/Energy/Level"),
    )
    forbidden = (
        (COMMANDS, b""),
        (COMMANDS, b"\x01\x01/Meas/IMU6/208"),  # another rate
        (COMMANDS, b"\x01\x06/Meas/ECG/200"),  # another stream
        (COMMANDS, b"\x02\x06"),
        (COMMANDS, b"\x03\x65\x01\x00\x00\x00"),  # fetch a log
        (COMMANDS, b"\x05\x01"),  # clear the logbook
        (COMMANDS, b"\x06\x66/Meas/ECG/200\x00"),  # what is logged
        (COMMANDS, b"\x07\x01\x01"),  # power off
        (COMMANDS, b"\x08\x01" + bytes(8)),
        (COMMANDS, b"\x09\x67\x03"),  # log
        (NOTIFICATIONS, b"\x00\x64"),
    )

    def announced(self) -> list[Frame]:
        return [Frame(0, "measurement", b"\x01\x01\xc8\x00"), Frame(0, "battery", b"\x55")]

    def streamed(self, count: int) -> list[Frame]:
        frames = []
        for n in range(count):
            stamp = 2**32 - 100 + round(n * 1000 / 104)  # goes round on the way
            frames.append(Frame(n, "measurement", data("imu", imu(stamp, (n / 10, 0, 9.8, n, 0, -1)))))
            if n % 5 == 1:
                frames.append(Frame(n, "measurement", data("heart_rate", struct.pack("<fH", 66.4, 900 + n))))
        return frames

    def packed(self, count: int) -> list[Frame]:
        """Return notifications of four samples each, as at 52 Hz, and the heart rate of every third."""
        rows = [(n / 10, 0, 9.8, n, 0, -1) for n in range(count)]
        frames = [Frame(n, "measurement", data("imu", imu(n * 19, *rows[n : n + 4]))) for n in range(0, count, 4)]
        return [*frames, Frame(count, "measurement", data("heart_rate", struct.pack("<fH", 66.4, 900)))]

    def resplit(self, frames: list[Frame], cuts: list[int]) -> list[Frame]:
        return frames

    def harmless(self, whole: bytes, cut: bytes) -> bool:
        return whole[1] == REFERENCE["heart_rate"] and len(whole) - len(cut) == 2  # a rate without an interval

    def test_good_frames_all_decode(self) -> None:
        """The last one may have a second part as long as nothing follows."""
        decoder = self.driver().decoder()
        got = decoded(decoder, [self.announced() + self.streamed(50)])
        assert len(got["imu"]) == 50
        assert not decoder.faults


ROW = (1.0, -2.0, 9.8, 90.0, -45.0, 0.5, 20.0, -30.0, 40.0)
RADIANS = np.deg2rad(ROW[3:6])


@pytest.mark.parametrize(
    ("name", "payload", "stream", "want"),
    [
        ("acceleration", imu(7, ROW[:3]), "acceleration", ROW[:3]),
        ("rotation", imu(7, ROW[3:6]), "rotation", RADIANS),
        ("magnetic_field", imu(7, ROW[6:]), "magnetic_field", ROW[6:]),
        ("imu", imu(7, ROW[:6]), "imu", [*ROW[:3], *RADIANS]),
        ("imu9", imu(7, ROW), "imu", [*ROW[:3], *RADIANS, *ROW[6:]]),
        ("ecg", struct.pack("<Ii", 7, -1_000_000), "ecg", [-381.4697265625]),
        ("ecg_mv", struct.pack("<Ih", 7, -1234), "ecg", [-1.234]),
        ("sensor_temperature", struct.pack("<fI", 300.15, 7), "sensor_temperature", [27.0]),
    ],
)
def test_each_resource_in_the_units_of_its_stream(name: str, payload: bytes, stream: str, want: list[float]) -> None:
    packet = run({name: SOURCES[name].rate_hz}, data(name, payload))[stream]
    np.testing.assert_allclose(packet.samples, [want], rtol=1e-5)
    assert packet.ticks.tolist() == [7 * 1024]
    assert packet.flags.tolist() == [Flag.NONE]


def test_arrays_stand_one_behind_the_other() -> None:
    rows = [tuple(float(10 * n + k) for k in range(9)) for n in range(4)]
    packet = run({"imu9": 104}, data("imu9", imu(0, *rows)))["imu"]
    back = packet.samples.copy()
    back[:, 3:6] = np.rad2deg(back[:, 3:6])
    np.testing.assert_allclose(back, rows, rtol=1e-6)


def test_heart_rate_and_its_intervals() -> None:
    got = run({"heart_rate": 0}, data("heart_rate", bytes.fromhex("4dbe84428803")))
    assert got["heart_rate"].samples[0, 0] == pytest.approx(66.37168)
    assert got["rr"].samples.tolist() == [[0.904]]
    assert got["rr"].flags.tolist() == [Flag.LOSS_UNKNOWN]
    several = run({"heart_rate": 0}, data("heart_rate", struct.pack("<f2H", 70.0, 800, 810)))
    assert several["rr"].samples[:, 0].tolist() == [0.8, 0.81]
    for none in (0.0, float("nan"), float("inf"), -5.0):
        silent = run({"heart_rate": 0}, data("heart_rate", struct.pack("<f", none)))
        assert np.isnan(silent["heart_rate"].samples[0, 0])
        assert "rr" not in silent
    decoder = MovesenseDecoder({"heart_rate": 0})
    assert decoder.span_s(Frame(0, "", data("heart_rate", struct.pack("<f2H", 70, 800, 810)))) == pytest.approx(1.61)
    assert decoder.span_s(Frame(0, "", data("imu", imu(0, ROW[:6])))) == decoder.span_s(Frame(0, "", b"")) == 0.0


def test_samples_follow_the_stamp_of_the_first_at_the_rate_that_the_stamps_show() -> None:
    """A sensor at 107 Hz that calls it 104."""
    frames = [data("imu", imu(1000 + round(8 * n / 107 * 1000), *[(n / 10, 0, 9.8, 0, 0, 0)] * 8)) for n in range(400)]
    ticks = run({"imu": 104}, *frames)["imu"].ticks
    assert ticks[:8].tolist() == [1_024_000 + round(k * TICK_HZ / 104) for k in range(8)]
    late = np.diff(ticks[3000:]) / TICK_HZ * 1e3
    assert np.abs(late - 1000 / 107).max() < 0.8, "a stamp of whole milliseconds is half of one off"
    assert late.mean() == pytest.approx(1000 / 107, abs=0.005)


def test_the_clock_goes_round_after_49_days_within_a_notification() -> None:
    packet = run({"imu": 104}, *[data("imu", imu(LAST_MS - 3 + 77 * n, *[ROW[:6]] * 8)) for n in range(3)])["imu"]
    assert (packet.ticks >= 0).all()
    assert (packet.ticks < 2**TICK_BITS).all()
    steps = np.diff(packet.ticks) % 2**TICK_BITS
    assert steps.min() > 0.9 * TICK_HZ / 104
    assert steps.max() < 1.1 * TICK_HZ / 104


def test_a_lost_notification_leaves_a_gap() -> None:
    frames = [data("acceleration", imu(1000 + 80 * n, *[ROW[:3]] * 4)) for n in (0, 1, 3)]
    ticks = run({"acceleration": 52}, *frames)["acceleration"].ticks
    assert ticks[8] - ticks[4] == 160 * 1024


def parts(payload: bytes, at: int, name: str = "imu9") -> list[bytes]:
    return [data(name, payload[:at]), data(name, payload[at:], part=2)]


ROWS = [tuple(float(10 * n + k) for k in range(9)) for n in range(8)]


@FUZZ
@given(st.integers(18, 244), st.lists(st.booleans(), min_size=2, max_size=8))
def test_a_payload_in_two_parts_is_one(cut: int, beat: list[bool]) -> None:
    """Wherever it is cut, also where the first part could be a whole one (4 + 36 n bytes)."""
    sent: list[bytes] = []
    for n, also in enumerate(beat):
        sent += parts(imu(77 * n, *ROWS), cut)
        if also:
            sent.append(data("heart_rate", struct.pack("<fH", 60, 1000)))
    decoder = MovesenseDecoder({"imu9": 104, "heart_rate": 0})
    packet = decoded(decoder, [[Frame(n, "measurement", each) for n, each in enumerate(sent)]])["imu"]
    assert not decoder.faults
    back = packet.samples.copy()
    back[:, 3:6] = np.rad2deg(back[:, 3:6])
    np.testing.assert_allclose(back, ROWS * len(beat), rtol=1e-6, atol=1e-12)


def test_a_part_that_lacks_the_other_is_counted_and_read_as_nothing() -> None:
    whole = imu(0, *ROWS)
    first, second = parts(whole, 40)  # as long as a whole payload of one sample
    decoder = MovesenseDecoder({"imu9": 104})
    stream = [first, second, first, first, second, second, first, second, first]
    got = decoded(decoder, [[Frame(n, "measurement", each) for n, each in enumerate(stream)]])
    assert len(got["imu"]) == 3 * 8
    assert decoder.faults == {"first part without a second": 1, "second part without a first": 1}


def test_a_length_that_was_whole_may_be_a_first_part_later() -> None:
    """The connection's packets became shorter: one payload is lost, and it is counted."""
    short, long = data("imu9", imu(0, *ROWS[:1])), parts(imu(77, *ROWS), 40)
    decoder = MovesenseDecoder({"imu9": 104})
    stream = [short, short, short, *long, *long, *long]
    decoder.decode([Frame(n, "measurement", each) for n, each in enumerate(stream)])
    assert decoder.faults == {"second part without a first": 1}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (b"", "truncated frame"),
        (b"\x02", "truncated frame"),
        (b"\x07\x01" + bytes(20), "message of an unknown kind"),
        (b"\x02\x01" + bytes(600), "oversized frame"),
        (b"\x02\x63" + bytes(8), "a measurement that was not asked for"),
        (data("imu", imu(0, ROW[:6])[:-1]), "truncated measurement"),
        (data("imu", bytes(4)), "truncated measurement"),
        (data("heart_rate", bytes(3)), "truncated measurement"),
        (data("imu", imu(0, (1e6, 0, 0, 0, 0, 0))), "impossible values"),
        (data("imu", imu(0, (float("nan"), 0, 0, 0, 0, 0))), "impossible values"),
        (data("imu", bytes(4) + b"\x01\x00\x80\x7f" * 6), "impossible values"),  # NaNs that signal
    ],
)
def test_what_cannot_be_read_is_counted(frame: bytes, reason: str) -> None:
    decoder = MovesenseDecoder({"imu": 104, "heart_rate": 0})
    good = data("imu", imu(0, ROW[:6]))
    got = decoded(decoder, [[Frame(n, "measurement", each) for n, each in enumerate((good, frame, good, good))]])
    assert len(got["imu"]) == 3
    assert decoder.faults == {reason: 1}


def test_paths_are_read_in_both_spellings() -> None:
    assert Resource.of("/Meas/Ecg/200/mV") == Resource.of("Meas/ECG/200/mV") == Resource("ecg", 200, millivolts=True)
    assert Resource.of("/Meas/HR") == Resource("hr")
    for bad in ("/Meas/Acc/", "/Meas/Sound/13", "", "/Mem/Logbook/Entries"):
        with pytest.raises(MalformedFrameError, match="no resource"):
            Resource.of(bad)
    assert describe(struct.pack("<fI", 300.0, 9), "/Meas/Temp") == {"Timestamp": 9, "Measurement": 300.0}
    with pytest.raises(MalformedFrameError, match="truncated"):
        parse_payload(bytes(7), Resource("temp"))


def test_a_greeting_with_and_without_a_status() -> None:
    texts = b"\x01174630000192\x00Movesense Flash\x00"
    assert parse_hello(texts)[:2] == parse_hello(b"\xc8\x00" + texts)[:2] == ["174630000192", "Movesense Flash"]


class Sensor(Link):
    """A sensor that answers at once; ``answers`` is a status by path or command."""

    def __init__(self, answers: dict[bytes, int] | None = None, *, level: bytes = b"\x4b") -> None:
        self.answers = answers or {}
        self.level = level
        self.written: list[bytes] = []
        self.announced: list[tuple[str, bytes]] = []
        self.running: dict[int, str] = {}
        self.open = True
        self._heard: Callable[[bytes], object] = bytes

    async def subscribe(self, channel: str, characteristic: str) -> None:
        if characteristic == NOTIFICATIONS and not self.open:
            raise DialogueError("could not subscribe: Characteristic 34800002 was not found!")

    def listen(self, channel: str, heard: Callable[[bytes], None]) -> None:
        self._heard = heard

    def send(self, frame: bytes) -> None:
        self._heard(frame)

    async def read(self, characteristic: str) -> bytes:
        if characteristic == BATTERY_LEVEL:
            return b"\x21"
        return b"174630000192"

    async def write(self, characteristic: str, command: bytes) -> None:
        assert characteristic == COMMANDS
        self.written.append(command)
        status = self.answers.get(command[2:], 200)
        if command[0] == 1 and status == 200:
            self.running[command[1]] = command[2:].decode()
        elif command[0] == 2:
            status = 200 if self.running.pop(command[1], None) else 404
        self.send(data("heart_rate", struct.pack("<f", 60)))  # what runs goes on between question and answer
        answer = bytes((1, command[1])) + struct.pack("<H", status)
        asyncio.get_running_loop().call_soon(self.send, answer + (self.level if command[0] == 4 else b""))

    async def receive(self, count: int, *, timeout_s: float = 2.0) -> bytes:
        raise DialogueError(f"no {count} bytes within {timeout_s} s")

    def announce(self, channel: str, data: bytes) -> None:
        self.announced.append((channel, data))


async def test_movement_and_heart_by_default_and_an_end_to_each() -> None:
    sensor, driver = Sensor(), Movesense()
    await driver.start(sensor)
    assert sensor.running == {1: "/Meas/IMU6/104", 8: "/Meas/HR"}
    assert sensor.announced == [("battery", b"\x4b")]
    assert all(driver.allows(COMMANDS, each) for each in sensor.written)
    assert (await driver.identify(sensor)).serial == "174630000192"
    await driver.stop(sensor)
    assert sensor.running == {}


async def test_what_is_left_of_a_lost_connection_is_ended_first() -> None:
    sensor = Sensor()
    sensor.running = {1: "/Meas/IMU6/104"}
    await Movesense().start(sensor)
    ends = [n for n, each in enumerate(sensor.written) if each[0] == 2]
    assert max(ends) < min(n for n, each in enumerate(sensor.written) if each[0] == 1)


@pytest.mark.parametrize(("status", "word"), [(404, "no such measurement or rate"), (409, "busy"), (599, "status 599")])
async def test_a_refused_subscription_says_why(status: int, word: str) -> None:
    sensor = Sensor({b"/Meas/ECG/512": status})
    with pytest.raises(DialogueError, match=f"/Meas/ECG/512 could not be subscribed to: .*{word}"):
        await Movesense(streams=["ecg"], rates={"ecg": 512}).start(sensor)


async def test_a_sensor_with_the_closed_firmware_is_refused_with_advice() -> None:
    sensor = Sensor()
    sensor.open = False
    with pytest.raises(DialogueError) as refused:
        await Movesense().start(sensor)
    assert "firmware" in refused.value.advice


async def test_a_battery_that_firmware_does_not_tell_is_read_as_any() -> None:
    sensor, driver = Sensor({b"/System/Energy/Level": 404}), Movesense()
    await driver.start(sensor)
    assert ("battery", b"\x21") in sensor.announced
    told, driver = Sensor(), Movesense()
    await driver.start(told)
    for _ in range(12):
        told.send(data("imu", imu(0, ROW[:6])))
        await driver.refresh(told)
    assert told.announced == [("battery", b"\x4b")] * 2, "and once a minute"


async def test_a_stream_that_dies_beside_the_others_is_subscribed_to_again() -> None:
    sensor, driver = Sensor(), Movesense(streams=["imu", "ecg", "heart_rate"])
    await driver.start(sensor)
    sensor.written.clear()
    for _ in range(SILENT_LOOKS):
        sensor.send(data("imu", imu(0, ROW[:6])))
        await driver.refresh(sensor)
    assert sensor.written == [b"\x02\x06", b"\x01\x06/Meas/ECG/200"], "a heart may be silent where none is"


def test_a_sensor_that_is_asked_for_a_heart_alone_may_be_silent() -> None:
    assert Movesense(streams=["heart_rate"]).silence_s > 3600 > Movesense().silence_s


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"streams": ["sound"]}, "has no stream 'sound': known are imu, imu9"),
        ({"streams": []}, "streams is a list of imu"),
        ({"streams": "imu"}, "streams is a list of imu"),
        ({"streams": ["imu", "imu9"]}, "imu and imu9 are the same stream"),
        ({"streams": ["ecg", "ecg_mv"]}, "ecg and ecg_mv are the same stream"),
        ({"rates": {"imu": 100}}, "imu has no rate of 100 Hz: there are 13, 26, 52"),
        ({"rates": {"ecg": 200}}, "'ecg' in rates is none of the streams: imu, heart_rate"),
        ({"rates": {"heart_rate": 1}}, "'heart_rate' in rates is none of the streams"),
        ({"rates": 52}, "rates is a table"),
    ],
)
def test_a_wrong_option_is_refused_in_a_sentence(options: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        make_driver("movesense", options)
