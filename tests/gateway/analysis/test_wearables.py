"""From the bytes of straps and armbands with waves to the heart of who wears them, and to where samples lie in time."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from config.settings import Device, Placement, Settings, Slot
from drivers.packet import Frame
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.intake.frames import STEP_NS, Numbered, Origin
from gateway.intake.intakes import Intakes
from gateway.model.measurement import Measurement
from tests.drivers.polar_frames import BEGIN, ECG_START, SECOND, STARTED, ecg, ppi
from tests.drivers.test_movesense import data as movesense
from tests.drivers.test_movesense import imu

ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)


def device(driver: str, placement: Placement, options: dict[str, object] | None = None) -> Device:
    return Device(id="strap", driver=driver, placement=placement, address="A0:9E:1A:00:01:00", options=options or {})


def measured(worn: Device, frames: list[Frame]) -> list[Measurement]:
    """Return what comes of the frames of one device in order of arrival."""
    settings = Settings(slot=[Slot(id="bed-1", subject="p-1", device=[worn])])
    pipeline = Pipeline(settings, ORIGIN, {"bed-1": "bed-1-a"})
    out: list[Measurement] = []
    at = 0
    for begin in range(ORIGIN.monotonic_ns, frames[-1].arrival_ns + STEP_NS, STEP_NS):
        step: list[Numbered] = []
        while at < len(frames) and frames[at].arrival_ns < begin + STEP_NS:
            step.append((0, frames[at]))
            at += 1
        out += pipeline.step(step)
    return out


def frame(at_s: float, data: bytes, channel: str = "measurement") -> Frame:
    return Frame(ORIGIN.monotonic_ns + round(at_s * NS), channel, data)


def heart(until_s: int) -> list[Frame]:
    random = np.random.default_rng(5)
    return [frame(1.0 + n, struct.pack("<BBH", 0x10, 60, int(1024 + random.integers(-30, 31)))) for n in range(until_s)]


def told(found: list[Measurement]) -> list[tuple[str, float | None, str, str]]:
    heart_metrics = ("heart_rate", "hrv_rmssd", "hrv_sdnn")
    return [(m.metric, m.value, m.quality, m.reason) for m in found if m.metric in heart_metrics]


def test_the_heart_of_a_polar_is_measured_as_any_strap_s() -> None:
    frames = heart(70)
    waves = [frame(0.0, each, "control") for each in (b"\x0f\x05\x00", ECG_START, STARTED)]
    waves += [frame(1.2 + n, ecg(BEGIN + n * SECOND, *range(130)), "data") for n in range(70)]
    both = sorted(frames + waves, key=lambda each: each.arrival_ns)
    with_waves, plain = (
        told(measured(device("polar", "chest"), both)),
        told(measured(device("heart_rate", "chest"), frames)),
    )
    assert with_waves == plain
    assert {metric for metric, value, quality, _ in plain if value is not None and quality != "invalid"} == {
        "heart_rate", "hrv_rmssd", "hrv_sdnn"
    }  # fmt: skip


def beats(*, moved: tuple[int, ...] = (), contact: bool = True) -> list[Frame]:
    """Return pulse intervals of 1000 and 1020 ms in turn, five at a time; those that the wearer spoilt are 600 ms."""
    frames = []
    for batch in range(14):
        rows = []
        for n in range(5 * batch, 5 * batch + 5):
            spoilt = n in moved
            flags = (0x02 if contact else 0) | (0x01 if spoilt else 0)
            rows.append((60, 600 if spoilt else 1000 + 20 * (n % 2), 9, flags))
        frames.append(frame(5.0 + 5.05 * batch, ppi(*rows), "data"))
    return frames


def rmssd(frames: list[Frame]) -> Measurement:
    found = measured(device("polar", "upper_arm", {"streams": ["ppi"]}), frames)
    return [m for m in found if m.metric == "hrv_rmssd"][-1]


def test_pulse_intervals_give_variability_without_what_movement_spoilt() -> None:
    """An interval that is left out parts its neighbours: they do not adjoin."""
    assert rmssd(beats()).value == pytest.approx(20.0)
    spoilt = rmssd(beats(moved=tuple(range(12, 60, 7))))
    assert spoilt.value == pytest.approx(20.0)
    assert spoilt.n_rejected > 0


def test_pulse_intervals_off_the_skin_are_none() -> None:
    off = rmssd(beats(contact=False))
    assert (off.value, off.quality, off.reason) == (None, "invalid", "no skin contact")


def test_samples_of_a_polar_lie_where_their_stamps_say_and_a_restart_of_its_clock_is_counted() -> None:
    intakes = Intakes(ORIGIN.monotonic_ns)
    intakes.wear([(device("polar", "chest"), "bed-1")])
    period = round(SECOND / 130)
    later = BEGIN + 7 * 365 * 86_400 * SECOND  # set by a phone; off, and it begins in 2019 again

    def placed(frames: list[Frame]) -> None:
        intakes.place(intakes.decode([(0, each) for each in frames]))

    placed([frame(0.0, each, "control") for each in (b"\x0f\x05\x00", ECG_START, STARTED)])
    for n in range(20):
        if n != 9:  # one is lost
            placed([frame(1 + n * 73 / 130, ecg(later + n * 73 * period, *range(73)), "data")])
    ecg_stream = intakes.all[0].counts["ecg"]
    assert (ecg_stream.samples, ecg_stream.lost, ecg_stream.resets, ecg_stream.repeated) == (19 * 73, 73, 0, 0)
    placed([frame(60.0, b"", "connected"), *(frame(60.0, e, "control") for e in (b"\x0f\x05\x00", ECG_START, STARTED))])
    for n in range(5):
        again = frame(61 + n * 73 / 130, ecg(BEGIN + n * 73 * period, *range(73)), "data")
        placed([again, again] if n == 3 else [again])
    ecg_stream = intakes.all[0].counts["ecg"]
    assert ecg_stream.resets == 1
    assert ecg_stream.repeated == 73
    assert intakes.all[0].placed["ecg"].timeline.newest_s == pytest.approx(61 + 4 * 73 / 130, abs=0.3)


def test_samples_of_a_movesense_lie_where_their_stamps_say_across_the_turn_of_its_clock() -> None:
    intakes = Intakes(ORIGIN.monotonic_ns)
    intakes.wear([(device("movesense", "left_shank"), "bed-1")])
    rows = [(0.0, 0.0, 9.8, 0.0, 0.0, 0.0)] * 8
    for n in range(60):
        sent = movesense("imu", imu(2**32 - 2000 + round(n * 8000 / 104), *rows))
        if n != 20:
            intakes.place(intakes.decode([(0, frame(1 + n * 8 / 104, sent))]))
    counts = intakes.all[0].counts["imu"]
    assert (counts.samples, counts.lost, counts.resets, counts.repeated) == (59 * 8, 8, 0, 0)
