"""From an oximeter's bytes to what travels to the history and the dashboard."""

from __future__ import annotations

import struct
from pathlib import Path

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from dsp.reported import KEPT
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.dashboard.slot_state import SlotState
from gateway.intake.frames import Origin
from gateway.model.measurement import Measurement
from gateway.outbox.outbox import Outbox
from gateway.wire.payload import decode_measurements, encode_measurements

ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
SETTINGS = Settings(
    slot=[
        Slot(id="bed-1", subject="p-1", device=[
            Device(id="clip", driver="pulse_oximeter", placement="finger", address="00:00:00:00:00:01"),
            Device(id="strap", driver="heart_rate", placement="chest", address="00:00:00:00:00:02"),
        ])
    ]
)  # fmt: skip


def frame(at_s: float, channel: str, data: bytes) -> tuple[int, Frame]:
    return 0, Frame(ORIGIN.monotonic_ns + round(at_s * NS), channel, data)


def test_values_are_the_patient_s_and_arrive_whole(tmp_path: Path) -> None:
    pipeline = Pipeline(SETTINGS, ORIGIN, {"bed-1": "bed-1-a"})
    measured = pipeline.step([frame(0.01, "measurement", bytes.fromhex("00acf34800"))])
    outbox = Outbox(tmp_path / "outbox.db", commit_s=0.02)
    try:
        outbox.append(measured)
        assert outbox.flush()
        payload = encode_measurements("g-1", outbox.epoch, 0, outbox.read(0, 10))
    finally:
        outbox.close()
    message = decode_measurements("g-1", "bed-1", payload)
    assert not message.rejected
    assert {(m.metric, m.value, m.unit, m.subject, m.placement) for _, m in message.measurements} == {
        ("spo2", 94.0, "%", "p-1", ("finger",)), ("pulse_rate", 72.0, "/min", "p-1", ("finger",)),
    }  # fmt: skip
    shown = SlotState()
    for _, measurement in message.measurements:
        shown.apply(measurement)
    best = shown.best("spo2", "none")
    assert best is not None
    assert (best.value, best.quality) == (94.0, "ok")


def summed(*data: int) -> bytes:
    return bytes([*data, sum(data) & 0x7F])


def test_a_clip_of_a_maker_s_own_protocol_that_delivers_twice_is_said_and_degraded() -> None:
    clip = Device(id="clip", driver="contec_oximeter", placement="finger", address="00:00:00:00:00:01")
    settings = Settings(slot=[Slot(id="bed-1", subject="p-1", device=[clip])])

    def measured(lags_s: tuple[float, ...]) -> tuple[Pipeline, list[Measurement]]:
        pipeline = Pipeline(settings, ORIGIN, {"bed-1": "bed-1-a"})
        out: list[Measurement] = []
        for second in range(30):
            wave, values = summed(0xEB, 0, 3, 70 + second % 9, 9), summed(0xEB, 1, 6, 72, 96, 0x7F, 0)
            at = [(second + lag_s, data) for data in (wave, values, wave) for lag_s in lags_s]
            out += pipeline.step([frame(at_s, "measurement", data) for at_s, data in at])
            for _ in range(19):
                pipeline.step([])
        return pipeline, [m for m in out if m.metric == "spo2"]

    (_, once), (pipeline, twice) = measured((0.0,)), measured((0.0, 0.004))
    assert {m.quality for m in once} == {"ok"}
    assert [m.value for m in twice] == [m.value for m in once]
    assert {(m.quality, m.reason) for m in twice[-10:]} == {("degraded", "messages were delivered twice")}
    assert pipeline.intakes[0].faults["repeated"] > 15


def test_what_lay_in_the_memory_of_the_device_is_nobody_s_value_of_now() -> None:
    pipeline = Pipeline(SETTINGS, ORIGIN, {"bed-1": "bed-1-a"})
    yesterday, now = bytes.fromhex("e8070b1c170839"), bytes.fromhex("e8070b1d170839")
    spot = b"\x01" + struct.pack("<2H", 81, 120)
    out = pipeline.step([
        frame(0.001, "clock", now + bytes(3)), frame(0.01, "spot", spot + yesterday),
    ])  # fmt: skip
    assert {(m.metric, m.value, m.quality, m.reason) for m in out} == {
        ("spo2", None, "invalid", KEPT), ("pulse_rate", None, "invalid", KEPT),
    }  # fmt: skip
    out = pipeline.step([frame(2.01, "spot", spot + now)])
    assert {(m.metric, m.value, m.quality) for m in out} == {("spo2", 81.0, "ok"), ("pulse_rate", 120.0, "ok")}
