"""Two feet on prototypes that a configuration declares: their lines and structs become steps, cadence and strides."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.intake.frames import STEP_NS, Numbered, Origin
from gateway.model.measurement import Measurement
from simulators.body.body import Placement, WalkingBody
from simulators.body.programme import Stand, Walk
from simulators.devices.prototype import Encode, plain_struct, text_line
from simulators.scenes.prototypes import STRUCT, TEXT
from simulators.sensing.clock import Clock
from simulators.sensing.imu import PERFECT

ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
RATE_HZ = 100.0
SECONDS = 24.0
PROGRAMME = (Stand(duration_s=3.0), Walk(cadence_spm=105.0, stride_m=1.25, duration_s=16.0), Stand(duration_s=10.0))
SETTINGS = Settings(
    slot=[
        Slot(
            id="lab-1",
            subject="p-1",
            device=[
                Device(
                    id="left", driver="declared_serial", placement="left_foot", port=Path("/dev/ttyACM0"), options=TEXT
                ),
                Device(id="right", driver="declared_ble", placement="right_foot", name="IMU", options=STRUCT),
            ],
        )
    ]
)


def at(second: float) -> int:
    return ORIGIN.monotonic_ns + round(second * NS)


def sent(number: int, channel: str, body: WalkingBody, placement: Placement, encoder: Encode) -> list[Numbered]:
    """What a prototype on a foot sends, each sample up to a connection interval late."""
    clock = Clock(number, offset_s=40.0 * number + 1.0, drift_ppm=30.0)
    motion = body.sensor(placement, rate_hz=RATE_HZ, imperfections=PERFECT, clock=clock).read_until(SECONDS)
    assert motion is not None
    late = np.random.default_rng(number).uniform(0.002, 0.015, len(motion.time_s))
    found: list[Numbered] = [(number, Frame(at(0.001), channel, b"ready\r\n"))] if encoder is text_line else []
    rows = zip(motion.time_s.tolist(), motion.acc.tolist(), motion.gyr.tolist(), late.tolist(), strict=True)
    arrival_s = 0.0
    for i, (time_s, acc, gyr, after_s) in enumerate(rows):
        arrival_s = max(arrival_s, i / RATE_HZ + after_s)
        found.append((number, Frame(at(arrival_s), channel, encoder(time_s, tuple(acc), tuple(gyr)))))
    return found


@pytest.fixture(scope="module")
def body() -> WalkingBody:
    return WalkingBody(3, programme=PROGRAMME, repeat=False)


@pytest.fixture(scope="module")
def results(body: WalkingBody) -> list[Measurement]:
    frames = sent(0, "data", body, "left_foot", text_line) + sent(1, "measurement", body, "right_foot", plain_struct)
    waiting = sorted(frames, key=lambda numbered: numbered[1].arrival_ns)
    pipeline, taken = Pipeline(SETTINGS, ORIGIN, {"lab-1": "lab-1-a"}), 0
    out: list[Measurement] = []
    for end in range(ORIGIN.monotonic_ns + STEP_NS, at(SECONDS + 2), STEP_NS):
        step = taken
        while taken < len(waiting) and waiting[taken][1].arrival_ns < end:
            taken += 1
        out += pipeline.step(waiting[step:taken])
    assert [(intake.counts["imu"].lost, intake.counts["imu"].resets) for intake in pipeline.intakes] == [(0, 0)] * 2
    return out + pipeline.finish()


@pytest.mark.parametrize(("device", "side"), [("left", "left"), ("right", "right")])
def test_contacts_are_where_the_body_made_them(
    body: WalkingBody, results: list[Measurement], device: str, side: Literal["left", "right"]
) -> None:
    """The one sends text in m/s2 and rad/s, the other counts in g and degrees: nothing tells which is which."""
    found = [
        (m.start_us - ORIGIN.utc_us) / 1e6 for m in results if m.metric == "initial_contact" and m.devices == (device,)
    ]
    true = body.truth(SECONDS).initial[side]
    assert len(found) == len(true)
    assert np.abs(np.array(found) - true).max() < 0.045


@pytest.mark.parametrize(("metric", "true"), [("cadence", 105.0), ("stride_length", 1.25)])
def test_what_is_measured_is_the_bodys(results: list[Measurement], metric: str, true: float) -> None:
    found = [m for m in results if m.metric == metric and m.quality == "ok"]
    assert {device for m in found for device in m.devices} == {"left", "right"}
    assert np.median([m.value or np.nan for m in found]) == pytest.approx(true, rel=0.04)
