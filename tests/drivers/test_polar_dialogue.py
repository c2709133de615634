"""What is said to a Polar sensor: settings, start, looking after streams, and their end before it is let go."""

from __future__ import annotations

import pytest

from drivers.errors import DialogueError
from drivers.gatt.looks import LOOK_S
from drivers.packet import Frame
from drivers.polar import control
from drivers.polar.control import choose, parse_features, parse_reply, parse_settings
from drivers.polar.driver import OFF_LOOKS, SILENT_LOOKS, Polar
from drivers.polar.frame import ACCELERATION, ECG, PPI
from tests.drivers.polar_frames import BEGIN, ECG_START, H10, VERITY, Sensor, acceleration, ecg, ppi

WORN, BARE = b"\x00\x3c", b"\x00\x00"  # heart rates of 60 and of none
AWAY_AFTER_S = 45.0  # an H10 that is off its strap leaves then


async def started(driver: Polar, sensor: Sensor) -> Sensor:
    await driver.start(sensor)
    sensor.written.clear()
    return sensor


async def test_an_h10_gives_its_ecg_by_default() -> None:
    sensor, driver = Sensor(H10), Polar()
    await driver.start(sensor)
    assert [each.hex() for each in sensor.written] == ["0300", "0302", "0100", ECG_START.hex()]
    assert sensor.running == {ECG}
    assert sensor.subscribed == ["measurement", "battery", "control", "data"]
    assert [data[:1] for channel, data in sensor.announced if channel == "control"] == [b"\x0f", b"\x02"]
    assert all(driver.allows("fb005c81-02e7-f387-1cad-8acd2d8df0c8", each) for each in sensor.written)


async def test_the_command_of_the_specification_for_acceleration() -> None:
    sensor, driver = Sensor(H10), Polar(streams=["acceleration"], rates={"acceleration": 200})
    await driver.start(sensor)
    assert all(driver.allows("fb005c81-02e7-f387-1cad-8acd2d8df0c8", each) for each in sensor.written)
    assert sensor.written[-1].hex() == "02020001c8000101100002010800"


async def test_an_armband_gives_its_light_by_default_and_all_that_is_asked_for() -> None:
    sensor = Sensor(VERITY)
    await Polar().start(sensor)
    assert sensor.running == {1}
    everything = ["ppg", "acceleration", "ppi", "rotation", "magnetic_field"]
    sensor = Sensor(VERITY)
    await Polar(streams=everything, rates={"magnetic_field": 50}).start(sensor)
    assert sensor.running == set(VERITY)
    assert bytes((2, PPI)) in sensor.written, "there is nothing to choose of intervals"
    assert bytes((1, PPI)) not in sensor.written
    assert sensor.written[-1].hex() == "0206" + "00013200" + "01011000" + "02013200" + "040103"


async def test_settings_that_come_in_parts_are_joined() -> None:
    sensor = Sensor(H10, parts=True)
    await Polar(streams=["acceleration"], rates={"acceleration": 100}).start(sensor)
    assert sensor.written[-1].hex() == "02020001640001011000020108 00".replace(" ", "")


async def test_the_decoder_learns_rate_and_factor_from_the_dialogue() -> None:
    sensor, driver = Sensor(VERITY), Polar(streams=["magnetic_field"], rates={"magnetic_field": 50})
    frames: list[Frame] = []
    await driver.start(sensor)
    decoder = driver.decoder()
    frames += [Frame(0, channel, data) for channel, data in sensor.announced]
    frames.append(Frame(0, "control", bytes.fromhex("f002060000" + "05010000003f")))
    frames.append(Frame(0, "data", bytes.fromhex("0600943577000000008137ff51fd6cf600000301f802")))
    packets = {packet.stream: packet for packet in decoder.decode(frames)}
    assert not decoder.faults
    assert decoder.streams["magnetic_field"].rate_hz == 50.0
    assert packets["magnetic_field"].samples[0].tolist() == pytest.approx([-10.05, -34.35, -122.6, 0])


@pytest.mark.parametrize(
    ("offers", "options", "reason"),
    [
        (H10, {"streams": ["ecg", "ppi"]}, "the sensor has no ppi: it has ecg, acceleration"),
        (VERITY, {"streams": ["ecg"]}, "the sensor has no ecg: it has ppg, acceleration"),
        (H10, {"streams": ["acceleration"], "rates": {"acceleration": 52}},
         "settings of acceleration: it has no rate of 52 Hz: it offers 25, 50, 100, 200"),
        ({0: b"\x00\x09"}, {}, "settings of ecg: malformed settings"),
    ],
)  # fmt: skip
async def test_what_cannot_be_is_refused_in_a_sentence(
    offers: dict[int, bytes], options: dict[str, object], reason: str
) -> None:
    with pytest.raises(DialogueError, match=reason):
        await Polar(**options).start(Sensor(offers))  # type: ignore[arg-type]


@pytest.mark.parametrize(("status", "word", "advice"), [(13, "in its charger", "charger"), (8, "wrong sample rate", ""),
                                                        (99, "status 99", "")])  # fmt: skip
async def test_a_refused_start_says_why(status: int, word: str, advice: str) -> None:
    sensor = Sensor(H10)
    sensor.refuses[ECG] = status
    with pytest.raises(DialogueError, match=f"ecg could not be started: .*{word}") as refused:
        await Polar().start(sensor)
    assert advice in refused.value.advice


async def test_a_sensor_that_wants_to_be_paired_is_told_from_one_without_waves() -> None:
    closed = Sensor(H10, unreadable="could not read: [org.bluez.Error.NotPermitted] Read not permitted")
    with pytest.raises(DialogueError) as refused:
        await Polar().start(closed)
    assert "pair" in refused.value.advice
    plain = Sensor(H10, unreadable="could not read: Characteristic fb005c81 was not found!")  # an H9
    await Polar().start(plain)
    assert plain.written == []
    assert plain.subscribed == ["measurement", "battery"]
    await Polar(streams=[]).start(plain)
    with pytest.raises(DialogueError, match="not found"):
        await Polar(streams=["ecg"]).start(plain)


async def test_a_stream_that_still_runs_for_somebody_else_is_stopped_first() -> None:
    sensor = Sensor(H10)
    sensor.running = {ECG, ACCELERATION}
    await Polar().start(sensor)
    assert sensor.stopped_before_data == {ECG, ACCELERATION}, "what it still sent is nobody's"
    assert sensor.running == {ECG}, "the other one would empty the battery"


async def test_every_stream_is_stopped_before_the_sensor_is_let_go() -> None:
    driver = Polar(streams=["ecg", "acceleration"])
    sensor = await started(driver, Sensor(H10))
    assert sensor.running == {ECG, ACCELERATION}
    await driver.stop(sensor)
    assert sensor.running == set()
    assert [each.hex() for each in sensor.written] == ["0300", "0302"]
    await driver.stop(sensor)
    assert len(sensor.written) == 2, "what is stopped is not stopped again"


async def test_a_sensor_that_does_not_answer_is_left_within_the_time_for_a_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("drivers.polar.driver.STOP_ANSWER_S", 0.01)
    driver = Polar(streams=["ecg", "acceleration"])
    sensor = await started(driver, Sensor(H10))
    sensor.mute = True
    await driver.stop(sensor)
    assert [each.hex() for each in sensor.written] == ["0300", "0302"]


async def test_a_strap_that_is_taken_off_measures_no_more_before_it_leaves_and_goes_on_when_it_is_worn() -> None:
    driver = Polar(streams=["ecg", "acceleration"])
    sensor = await started(driver, Sensor(H10))

    async def look(rate: bytes) -> None:
        sensor.send("measurement", rate)
        sensor.send("data", ecg(BEGIN, 1))
        sensor.send("data", acceleration(BEGIN, (0, 0, 0)))
        await driver.refresh(sensor)

    for _ in range(2 * OFF_LOOKS):
        await look(WORN)
    assert sensor.written == []
    for _ in range(OFF_LOOKS - 1):
        await look(BARE)
    assert sensor.running == {ECG, ACCELERATION}, "electrodes are dry for a moment"
    await look(BARE)
    assert sensor.running == set()
    assert OFF_LOOKS * LOOK_S < AWAY_AFTER_S - LOOK_S
    for _ in range(5):
        await look(BARE)
    assert sensor.running == set()
    await look(WORN)
    assert sensor.running == {ECG, ACCELERATION}


async def test_a_strap_that_tells_contact_is_believed() -> None:
    driver = Polar()
    sensor = await started(driver, Sensor(H10))
    for _ in range(OFF_LOOKS):
        sensor.send("measurement", b"\x04\x3c")  # a rate of 60, and no contact
        sensor.send("measurement", b"")  # no measurement at all
        await driver.refresh(sensor)
    assert sensor.running == set()


async def test_an_armband_in_the_air_goes_on() -> None:
    """Its heart rate is none to rely on, and what it measures of movement is."""
    driver = Polar(streams=["acceleration"])
    sensor = await started(driver, Sensor(VERITY))
    for _ in range(3 * OFF_LOOKS):
        sensor.send("measurement", BARE)
        sensor.send("data", acceleration(BEGIN, (0, 0, 0)))
        await driver.refresh(sensor)
    assert sensor.written == []


async def test_a_stream_that_dies_beside_the_others_is_started_again() -> None:
    driver = Polar(streams=["ecg", "acceleration"])
    sensor = await started(driver, Sensor(H10))
    for _ in range(SILENT_LOOKS):
        sensor.send("measurement", WORN)
        sensor.send("data", ecg(BEGIN, 1))
        await driver.refresh(sensor)
    assert [each.hex()[:4] for each in sensor.written] == ["0302", "0102", "0202"]
    assert sensor.running == {ECG, ACCELERATION}


async def test_one_that_could_not_be_started_again_is_tried_at_each_look() -> None:
    driver = Polar()
    sensor = await started(driver, Sensor(H10))
    sensor.refuses[ECG] = 12
    for _ in range(SILENT_LOOKS - 1):
        await driver.refresh(sensor)
    for _ in range(2):
        with pytest.raises(DialogueError, match="not in its present state"):
            await driver.refresh(sensor)
    sensor.refuses.clear()
    await driver.refresh(sensor)
    assert sensor.running == {ECG}


async def test_pulse_intervals_may_take_half_a_minute_to_begin() -> None:
    driver = Polar(streams=["ppi"])
    sensor = await started(driver, Sensor(VERITY))
    assert driver.silence_s > 25.0 + 5.0
    for _ in range(round(30.0 / LOOK_S)):
        await driver.refresh(sensor)
    assert sensor.written == []
    sensor.send("data", ppi((60, 1000, 5, 6)))
    await driver.refresh(sensor)
    assert Polar().silence_s < driver.silence_s


@pytest.mark.parametrize(("silent", "readings"), [(False, 1), (True, 3)])
async def test_a_battery_that_does_not_notify_is_read_once_a_minute(silent: bool, readings: int) -> None:
    driver, sensor = Polar(streams=[]), Sensor(H10)
    sensor.silent_battery = silent
    await driver.start(sensor)
    for _ in range(2 * round(60.0 / LOOK_S)):
        await driver.refresh(sensor)
    assert sensor.announced.count(("battery", b"\x50")) == readings


def test_answers_settings_and_features_are_read() -> None:
    assert parse_reply(bytes.fromhex("f001020000ffffff")).params == b"\xff\xff\xff"
    failed = parse_reply(bytes.fromhex("f001060700"))
    assert (failed.operation, failed.kind, failed.status, failed.more, failed.params) == (1, 6, 7, False, b"")
    assert failed.problem == "wrong resolution"
    assert parse_reply(bytes.fromhex("f00102000100")).more
    for bad in ("", "f0", "f00102", "0f010200"):
        with pytest.raises(ValueError, match="malformed answer"):
            parse_reply(bytes.fromhex(bad))
    every = parse_settings(
        bytes.fromhex("000234008200" + "01011000" + "02020200080003010a000000" + "040104" + "05010000803f")
    )
    assert every == {0: (52, 130), 1: (16,), 2: (2, 8), 3: (10,), 4: (4,), 5: (1.0,)}
    for bad in ("00", "0001", "000134", "0901", "0501000080"):
        with pytest.raises(ValueError, match="malformed settings"):
            parse_settings(bytes.fromhex(bad))
    assert parse_features(bytes.fromhex("0f6e02")) == {1, 2, 3, 5, 6, 9}
    for bad in ("", "0f", "0e6e"):
        with pytest.raises(ValueError, match="malformed list"):
            parse_features(bytes.fromhex(bad))


def test_of_what_is_offered_the_nearest_rate_and_the_widest_range_are_chosen() -> None:
    offered = {0: (25, 50, 100), 1: (16,), 2: (2, 4, 8), 4: (3,)}
    assert choose(offered, rate_hz=52, nearest=True) == {0: 50, 1: 16, 2: 8, 4: 3}
    assert choose({}, rate_hz=52, nearest=False) == {}
    with pytest.raises(ValueError, match="no rate of 52 Hz: it offers 25, 50, 100"):
        choose(offered, rate_hz=52, nearest=False)
    assert control.start(2, {0: 200, 1: 16, 2: 8}).hex() == "02020001c8000101100002010800"
