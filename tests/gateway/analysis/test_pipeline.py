"""Frames of a synthetic walk through the pipeline: right values, right time, and nobody harmed by a neighbour."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable
from typing import Literal

import numpy as np
import pytest

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.intake.frames import STEP_NS, Numbered, Origin
from gateway.intake.steps import Ticker
from gateway.model.measurement import Measurement
from simulators.body.body import WalkingBody
from simulators.body.programme import Stand, Walk
from simulators.motion.source import MotionSource
from simulators.sensing.clock import Clock
from simulators.sensing.imu import PERFECT

ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
SECONDS = 24.0
RATE_HZ = 60.0
PROGRAMME = (Stand(duration_s=3.0), Walk(cadence_spm=105.0, stride_m=1.25, duration_s=16.0), Stand(duration_s=10.0))

SETTINGS = Settings(
    simulated=True,
    slot=[
        Slot(
            id="bed-1",
            subject="p-1",
            device=[
                Device(id="left", driver="movella_dot", placement="left_foot", address="00:00:00:00:00:01",
                       options={"mode": "rate"}),
                Device(id="right", driver="movella_dot", placement="right_foot", address="00:00:00:00:00:02",
                       options={"mode": "rate"}),
            ],
        ),
        Slot(
            id="bed-2",
            subject="p-2",
            device=[Device(id="strap", driver="heart_rate", placement="chest", address="00:00:00:00:00:03")],
        ),
    ],
)  # fmt: skip
FEET: tuple[Literal["left", "right"], ...] = ("left", "right")
SESSIONS = {"bed-1": "bed-1-a", "bed-2": "bed-2-a"}


@pytest.fixture(scope="module")
def body() -> WalkingBody:
    return WalkingBody(3, programme=PROGRAMME, repeat=False)


@pytest.fixture(scope="module")
def walk(body: WalkingBody) -> list[Numbered]:
    """What two DOTs with different clocks send, and a strap beside them."""
    feet = {
        0: body.sensor("left_foot", rate_hz=RATE_HZ, imperfections=PERFECT, clock=Clock(1, offset_s=4000.0)),
        1: body.sensor(
            "right_foot", rate_hz=RATE_HZ, imperfections=PERFECT, clock=Clock(2, offset_s=12.0, drift_ppm=40)
        ),
    }
    frames = [frame for number, source in feet.items() for frame in dot_frames(number, source)]
    frames += [(2, Frame(at(second), "measurement", bytes((0x06, 72)))) for second in range(1, int(SECONDS))]
    return sorted(frames, key=lambda numbered: numbered[1].arrival_ns)


def at(second: float) -> int:
    return ORIGIN.monotonic_ns + round(second * NS)


def dot_frames(number: int, source: MotionSource) -> list[Numbered]:
    """Notifications of mode 21, each up to one connection interval late."""
    rng = np.random.default_rng(number)
    motion = source.read_until(SECONDS)
    assert motion is not None
    out = []
    for i, time_s in enumerate(motion.time_s):
        if not motion.sent[i]:
            continue
        ticks = round(time_s * 1e6) % 2**32
        data = struct.pack("<I6f", ticks, *motion.acc[i], *np.degrees(motion.gyr[i])).ljust(40, b"\0")
        arrival = at(i / RATE_HZ + 0.005 + rng.uniform(0.0, 0.015))
        out.append((number, Frame(arrival, "measurement", data)))
    return sorted(out, key=lambda numbered: numbered[1].arrival_ns)


def measured(frames: Iterable[Numbered], *, drain_every: int = 1) -> list[Measurement]:
    """Feed frames as the gateway does; ``drain_every`` is how many steps late its loop wakes up."""
    now = [ORIGIN.monotonic_ns]
    pipeline, ticker = Pipeline(SETTINGS, ORIGIN, SESSIONS), Ticker(ORIGIN.monotonic_ns, lambda: now[0])
    waiting = list(frames)
    out: list[Measurement] = []
    while now[0] < at(SECONDS + 2):
        now[0] = min(now[0] + drain_every * STEP_NS, at(SECONDS + 2))  # the last steps are the same, however late
        while waiting and waiting[0][1].arrival_ns < now[0]:
            ticker.append_frame(*waiting.pop(0))
        for _end, step in ticker.due():
            out += pipeline.step(step)
    return out + pipeline.finish()


def times(results: list[Measurement], metric: str, device: str) -> np.ndarray:
    return np.array(
        [(m.start_us - ORIGIN.utc_us) / 1e6 for m in results if m.metric == metric and m.devices == (device,)]
    )


def test_contacts_are_where_the_body_made_them(body: WalkingBody, walk: list[Numbered]) -> None:
    results = measured(walk)
    truth = body.truth(SECONDS)
    for side in FEET:
        for metric, true in (("initial_contact", truth.initial[side]), ("final_contact", truth.final[side])):
            found = times(results, metric, side)
            assert len(found) == len(true)
            # The constant part of the radio delay (5 ms and what the envelope sees) stays in.
            assert np.abs(found - true).max() < 0.045


def test_cadence_is_the_bodys(body: WalkingBody, walk: list[Numbered]) -> None:
    cadence = [m.value or np.nan for m in measured(walk) if m.metric == "cadence" and m.quality == "ok"]
    assert np.median(cadence) == pytest.approx(105.0, abs=2.0)


def test_strides_are_as_long_and_fast_as_the_bodys(walk: list[Numbered]) -> None:
    results = measured(walk)
    for metric, true in (("stride_length", 1.25), ("walking_speed", 1.25 * 105.0 / 120.0)):
        values = [m.value or np.nan for m in results if m.metric == metric and m.devices == ("left",)]
        assert len(values) > 8
        assert np.median(values) == pytest.approx(true, rel=0.05)


@pytest.mark.parametrize("late", [2, 7, 40])
def test_a_loop_that_wakes_up_late_changes_nothing(walk: list[Numbered], late: int) -> None:
    assert measured(walk, drain_every=late) == measured(walk)


def test_junk_from_one_device_is_counted_and_harms_no_neighbour(walk: list[Numbered]) -> None:
    rng = random.Random(5)
    junk = [
        (1, Frame(at(rng.uniform(0, SECONDS)), "measurement", rng.randbytes(rng.randint(0, 600)))) for _ in range(500)
    ]
    others = [n for n in walk if n[0] != 1]
    dirty = measured(sorted([*others, *junk], key=lambda n: n[1].arrival_ns))
    clean = measured(others)
    for neighbour in ("left", "strap"):
        # Contacts of a leg wait for the other one where there is one: only what one operator gives has an order.
        for metric in {m.metric for m in clean}:
            of = [[m for m in run if (m.devices, m.metric) == ((neighbour,), metric)] for run in (dirty, clean)]
            assert of[0] == of[1]


def test_a_gap_is_reported_and_no_contact_is_invented_in_it(walk: list[Numbered]) -> None:
    begin, end = 8.0, 10.0
    holed = [n for n in walk if n[0] != 0 or not at(begin) <= n[1].arrival_ns < at(end)]
    results = measured(holed)
    (gap,) = [m for m in results if m.metric == "stream_gap"]
    assert gap.devices == ("left",)
    assert gap.value == pytest.approx(end - begin, abs=0.05)
    found = times(results, "initial_contact", "left")
    assert not np.any((found > begin + 0.05) & (found < end - 0.05))
    touched = [m for m in results if m.metric == "stride_time" and m.side == "left" and m.quality == "invalid"]
    assert touched
    assert all(m.value is None for m in touched)


def test_a_device_clock_that_starts_again_is_reported_and_time_goes_on(walk: list[Numbered]) -> None:
    again = []
    for number, frame in walk:
        if number == 0 and frame.arrival_ns >= at(10.0):
            (ticks,) = struct.unpack_from("<I", frame.data)
            frame = frame._replace(data=struct.pack("<I", (ticks - 4_009_000_000) % 2**32) + frame.data[4:])  # noqa: PLW2901
        again.append((number, frame))
    results = measured(again)
    assert [m.reason for m in results if m.metric == "stream_gap"] == ["device clock restarted"]
    late = [t for t in times(results, "initial_contact", "left") if t > 12.0]
    usual = [t for t in times(measured(walk), "initial_contact", "left") if t > 12.0]
    assert late == pytest.approx(usual, abs=0.02)


def test_every_measurement_says_who_where_and_of_what_quality(walk: list[Numbered]) -> None:
    for m in measured(walk):
        assert m.simulated
        assert m.subject == {"bed-1": "p-1", "bed-2": "p-2"}[m.slot]
        assert m.session == SESSIONS[m.slot]
        assert m.devices
        assert len(m.devices) == len(m.placement)
        assert m.end_us >= m.start_us
        assert (m.quality == "ok") == (not m.reason)
        assert m.value is None or np.isfinite(m.value)
