"""From the bytes of machines, scales, monitors and thermometers to measurements of who uses them."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import pytest

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from dsp.reported import KEPT, PERHAPS_AGAIN, UNDATED
from gateway.analysis.pipeline import Pipeline
from gateway.analysis.vitals import SOME_USER
from gateway.clocks.device_clock import NS
from gateway.intake.frames import STEP_NS, Numbered, Origin, ward_frame
from gateway.intake.sent import sent_frame
from gateway.model.measurement import Measurement
from gateway.model.ward import Bed, encode_ward
from simulators.devices.common import date_time
from simulators.devices.ieee11073 import float32

ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
DEVICES = (
    ("treadmill", "fitness_machine", "bedside"), ("scale", "weight_scale", "bedside"),
    ("cuff", "blood_pressure", "upper_arm"), ("ear", "thermometer", "bedside"), ("crank", "cycling_speed", "left_foot"),
    ("clip", "pulse_oximeter", "finger"),
)  # fmt: skip
SETTINGS = Settings(
    slot=[
        Slot(
            id="bed-1",
            subject="p-1",
            device=[
                Device(id=name, driver=driver, placement=place, address=f"00:00:00:00:00:{number:02}")
                for number, (name, driver, place) in enumerate(DEVICES)
            ],
        )
    ]
)
TREADMILL, SCALE, CUFF, EAR, CRANK, SPOT = range(6)


def frame(number: int, data: bytes, at_s: float = 0.01, channel: str = "measurement") -> Numbered:
    return number, Frame(ORIGIN.monotonic_ns + round(at_s * NS), channel, data)


def measured(*frames: Numbered) -> list[Measurement]:
    """Return what comes of frames in order of their arrival."""
    pipeline = Pipeline(SETTINGS, ORIGIN, {"bed-1": "bed-1-a"})
    out: list[Measurement] = []
    last_ns = frames[-1][1].arrival_ns
    for begin in range(ORIGIN.monotonic_ns, last_ns + STEP_NS, STEP_NS):
        step = [each for each in frames if begin <= each[1].arrival_ns < begin + STEP_NS]
        out += pipeline.step(step)
    return out


def test_a_treadmill_in_two_parts_is_one_measurement_of_each() -> None:
    parts = ("9f0061003600000000ff7f0000ffff05006e0002", "001f71000002cc003c06ff7f1a00")
    out = measured(*(frame(TREADMILL, bytes.fromhex(data), 0.01 + at / 100) for at, data in enumerate(parts)))
    assert {m.metric: (m.value, m.unit, m.subject, m.quality) for m in out} == {
        "exercise_speed": (pytest.approx(1.13 / 3.6), "m/s", "p-1", "ok"), "exercise_power": (26.0, "W", "p-1", "ok"),
        "exercise_distance": (54.0, "m", "p-1", "ok"), "exercise_energy": (5.0, "kcal", "p-1", "ok"),
    }  # fmt: skip


TAKE_OVER = Bed(SETTINGS.slot[0].model_copy(update={"subject": "p-2"}), "bed-1-b")
FEWER = Bed(SETTINGS.slot[0].model_copy(update={"device": SETTINGS.slot[0].device[:1]}), "bed-1-a")
BACK = Bed(SETTINGS.slot[0], "bed-1-c")


def counted(*told: int | Bed) -> list[tuple[str, float | None]]:
    """Return the distance of whoever uses a treadmill that counts metres: every half minute, another count or ward."""
    frames = []
    for k, what in enumerate(told):
        if isinstance(what, Bed):
            frames.append(ward_frame(ORIGIN.monotonic_ns + 30 * k * NS, encode_ward((what,))))
        else:
            metres = what.to_bytes(3, "little")
            frames.append(frame(TREADMILL, struct.pack("<HH", 4, 500) + metres, 0.01 + 30 * k))
    return [(m.subject, m.value) for m in measured(*frames) if m.metric == "exercise_distance"]


def test_who_gets_on_a_treadmill_does_not_go_on_with_the_distance_of_who_was_there_before() -> None:
    assert counted(100, 130, TAKE_OVER, 150, 180, BACK, 200, 201) == [
        ("p-1", 100.0), ("p-1", 130.0), ("p-2", 0.0), ("p-2", 30.0), ("p-1", 0.0), ("p-1", 1.0),
    ]  # fmt: skip


def test_who_gets_on_again_begins_anew() -> None:
    """Whoever was on it meanwhile, nobody knows of."""
    away = Bed(SETTINGS.slot[0].model_copy(update={"device": SETTINGS.slot[0].device[1:]}), "bed-1-a")
    assert counted(100, away, 150, BACK, 200, 230) == [("p-1", 100.0), ("p-1", 0.0), ("p-1", 30.0)]


def test_another_device_less_at_the_bed_begins_no_count_anew() -> None:
    assert counted(100, TAKE_OVER, 150, 170, BACK, 200, 230, FEWER, 240)[-2:] == [("p-1", 30.0), ("p-1", 40.0)]


def test_a_treadmill_that_begins_anew_is_counted_on_and_one_that_corrects_itself_is_not() -> None:
    assert counted(100, TAKE_OVER, 500, 600, 5, 20, 19)[1:] == [
        ("p-2", 0.0), ("p-2", 100.0), ("p-2", 105.0), ("p-2", 120.0), ("p-2", 119.0),
    ]  # fmt: skip


def test_a_cadence_from_counters() -> None:
    frames = [frame(CRANK, struct.pack("<BHH", 2, 65534 + at & 0xFFFF, 1024 * at), 0.01 + at) for at in range(5)]
    assert [m.value for m in measured(*frames) if m.metric == "exercise_cadence"] == [60.0] * 4


def test_weight_pressure_and_temperature() -> None:
    out = measured(
        frame(SCALE, struct.pack("<BH", 0, 14110), 0.01),
        frame(CUFF, struct.pack("<B3HH", 0x10, 138, 88, 105, 1), 0.02),
        frame(EAR, b"\0" + float32(37.6, 1), 0.03),
    )  # fmt: skip
    assert {(m.metric, m.value, m.unit, m.quality, m.reason) for m in out} == {
        ("body_weight", 70.55, "kg", "ok", ""),
        ("bp_systolic", 138.0, "mm[Hg]", "degraded", "moved while it was measured"),
        ("bp_diastolic", 88.0, "mm[Hg]", "degraded", "moved while it was measured"),
        ("bp_mean", 105.0, "mm[Hg]", "degraded", "moved while it was measured"),
        ("body_temperature", 37.6, "Cel", "ok", ""),
    }


def test_a_weight_of_one_of_several_users_is_not_surely_the_patient_s() -> None:
    one, nobody = (struct.pack("<BHB", 4, 14110, user) for user in (1, 255))
    found = [(m.value, m.quality, m.reason) for m in measured(frame(SCALE, one, 0.01), frame(SCALE, nobody, 0.02))]
    assert found == [(70.55, "degraded", SOME_USER), (70.55, "ok", "")]


def test_yesterday_s_weight_is_not_today_s() -> None:
    kept = frame(SCALE, struct.pack("<BH", 2, 14110) + date_time(-86_400.0), 0.02)
    (out,) = measured(frame(SCALE, date_time(0.0) + bytes(3), 0.01, "clock"), kept)
    assert (out.metric, out.value, out.quality, out.reason) == ("body_weight", None, "invalid", KEPT)


@pytest.mark.parametrize("clock", [None, bytes(10)])
def test_what_a_device_without_a_clock_kept_is_not_surely_of_now(clock: bytes | None) -> None:
    """Two weights out of the memory, oldest first, as soon as it connects: each is the newest that it has told of."""
    before = [] if clock is None else [frame(SCALE, clock, 0.01, "clock")]
    kept = [
        frame(SCALE, struct.pack("<BH", 2, 200 * kg) + date_time(-86_400.0 * days), at_s)
        for kg, days, at_s in ((80, 2, 0.02), (62, 1, 0.03))
    ]
    found = [(m.value, m.quality, m.reason) for m in measured(*before, *kept)]
    assert found == [(80.0, "degraded", UNDATED), (62.0, "degraded", UNDATED)]


def test_what_was_kept_before_the_clock_was_set_back_takes_nothing_from_what_is_measured_now() -> None:
    clock = frame(SCALE, date_time(0.0) + bytes(3), 0.01, "clock")
    kept, now = (
        frame(SCALE, struct.pack("<BH", 2, 200 * kg) + date_time(second), at_s)
        for kg, second, at_s in ((62, 1800.0, 0.02), (80, 5.0, 5.01))
    )
    found = [(m.value, m.quality, m.reason) for m in measured(clock, kept, now)]
    assert found == [(62.0, "degraded", UNDATED), (80.0, "ok", "")]


def test_a_monitor_s_own_doubt_stands_beside_that_of_its_clock() -> None:
    out = measured(frame(CUFF, struct.pack("<B3H", 0x12, 138, 88, 105) + date_time(0.0) + struct.pack("<H", 1)))
    assert {(m.quality, m.reason) for m in out} == {("degraded", f"moved while it was measured; {UNDATED}")}


def test_who_is_in_the_bed_when_a_weight_arrives_is_not_who_was_weighed_before() -> None:
    """She stood on the scale five seconds before the bed was given to somebody else, and it sent later."""
    clock = frame(SCALE, date_time(0.0) + bytes(3), 0.01, "clock")
    his = Bed(SETTINGS.slot[0].model_copy(update={"subject": "p-2"}), "bed-1-b")
    change = ward_frame(ORIGIN.monotonic_ns + 10 * NS, encode_ward((his,)))
    hers, own = (
        frame(SCALE, struct.pack("<BH", 2, 200 * kg) + date_time(second), 22.01)
        for kg, second in ((62, 5.0), (80, 15.0))
    )
    assert [(m.value, m.subject) for m in measured(clock, change, hers, own)] == [(80.0, "p-2")]
    assert [(m.value, m.subject) for m in measured(clock, hers)] == [(62.0, "p-1")], "she is still there"


RECORDS = {
    "weight_scale": (SCALE, "body_weight", struct.pack("<BH", 2, 14_480), struct.pack("<BH", 0, 14_480)),
    "blood_pressure": (CUFF, "bp_systolic", struct.pack("<B3H", 2, 138, 88, 120), struct.pack("<B3H", 0, 138, 88, 120)),
    "thermometer": (EAR, "body_temperature", b"\x02" + float32(37.6), b"\x00" + float32(37.6)),
    "pulse_oximeter": (SPOT, "spo2", b"\x01" + struct.pack("<2H", 94, 72), b"\x00" + struct.pack("<2H", 94, 72)),
}
"""By driver: device, a metric, a record with a time that is to follow, and the same without one."""


def runs(number: int, *each: Sequence[bytes]) -> Iterator[list[Measurement]]:
    """Yield what comes of records, connection by connection, each in a run of its own that knows what went before."""
    channel = "spot" if number == SPOT else "measurement"
    known: dict[str, str] = {}
    for at, records in enumerate(each):
        origin = Origin(ORIGIN.monotonic_ns, ORIGIN.utc_us + at * 300_000_000)
        pipeline = Pipeline(SETTINGS, origin, {"bed-1": "bed-1-a"})
        pipeline.step([sent_frame(origin.monotonic_ns, known), frame(number, b"", 0.01, "connected")])
        out = [m for data in records for m in pipeline.step([frame(number, data, 0.06, channel)])]
        known |= pipeline.sent.drain(pipeline.origin)
        yield out


@pytest.mark.parametrize("driver", RECORDS)
def test_a_record_that_is_sent_again_after_a_restart_is_known_by_its_time(driver: str) -> None:
    number, metric, stamped, _ = RECORDS[driver]
    earlier, later = (stamped + date_time(3600.0 * hour) for hour in (1, 2))
    first, second = runs(number, [earlier], [earlier, later])
    assert [m.metric for m in first].count(metric) == 1
    assert [m.metric for m in second].count(metric) == 1, "the later one"
    assert not any("possibly" in m.reason for m in second)


@pytest.mark.parametrize("driver", RECORDS)
def test_a_record_without_a_time_that_comes_on_another_connection_is_kept_and_degraded(driver: str) -> None:
    number, metric, _, plain = RECORDS[driver]
    first, second, other = runs(number, [plain], [plain], [plain[:1] + b"\x39" + plain[2:]])
    (once,), (again,), (new,) = ([m for m in out if m.metric == metric] for out in (first, second, other))
    assert (once.value, once.quality) == (again.value, "ok")
    assert (again.quality, again.reason) == ("degraded", PERHAPS_AGAIN)
    assert new.reason != PERHAPS_AGAIN


@pytest.mark.parametrize("driver", RECORDS)
def test_the_same_value_by_a_clock_that_was_never_set_is_not_lost(driver: str) -> None:
    """Whoever weighs as much as yesterday is weighed: a scale without a clock calls both midnight of 2000."""
    number, metric, stamped, _ = RECORDS[driver]
    record = stamped + struct.pack("<H5B", 2000, 1, 1, 0, 0, 0)
    first, *_, later = runs(number, [record], [], [], [], [record])  # 20 minutes later
    (once,), (again,) = ([m for m in out if m.metric == metric] for out in (first, later))
    assert (again.value, again.quality, again.reason) == (once.value, "degraded", UNDATED)


def test_records_that_come_again_within_a_run_are_counted_and_the_other_patient_has_none_of_them() -> None:
    """Somebody else is given the cuff: it sends what it holds of the one before."""
    record = struct.pack("<B3H", 2, 138, 88, 120) + date_time(3600.0)
    pipeline = Pipeline(SETTINGS, ORIGIN, {"bed-1": "bed-1-a"})
    (_, first, *_) = [pipeline.step([frame(CUFF, b"", 0.01, "connected")]), pipeline.step([frame(CUFF, record, 0.06)])]
    pipeline.step([ward_frame(ORIGIN.monotonic_ns + NS // 10, encode_ward((TAKE_OVER,)))])
    again = pipeline.step([frame(CUFF, b"", 0.16, "connected"), frame(CUFF, record, 0.17)])
    assert ({m.subject for m in first}, len(again)) == ({"p-1"}, 0)
    assert pipeline.intakes[CUFF].sent.again == 1
    assert pipeline.intakes[CUFF].faults["measurement delivered twice"] == 1
