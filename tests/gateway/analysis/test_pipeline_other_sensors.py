"""A synthetic walk through sensors of other makers: as right as from a Movella DOT, with a clock or without."""

from __future__ import annotations

import math
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
from simulators.body.body import Placement, WalkingBody
from simulators.body.programme import Stand, Walk
from simulators.motion.source import G, Motion
from simulators.sensing.clock import Clock
from simulators.sensing.imu import PERFECT

ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
SECONDS = 24.0
CADENCE, STRIDE_M = 105.0, 1.25
PROGRAMME = (
    Stand(duration_s=3.0),
    Walk(cadence_spm=CADENCE, stride_m=STRIDE_M, duration_s=16.0),
    Stand(duration_s=10.0),
)
INTERVAL_S = 0.03  # of the radio: several frames come at once
TAKES_S = 0.004
LEFT, RIGHT, BACK = "left", "right", "back"
SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")

SETTINGS = Settings(
    simulated=True,
    slot=[
        Slot(
            id="bed-1",
            subject="p-1",
            device=[
                Device(id=LEFT, driver="orphe", placement="left_foot", address="00:00:00:00:00:01"),
                Device(id=RIGHT, driver="witmotion", placement="right_foot", address="00:00:00:00:00:02"),
                Device(id=BACK, driver="witmotion_serial", placement="lower_back", port="/dev/ttyS9",
                       options={"rate_hz": 100}),
            ],
        )
    ],
)  # fmt: skip


@pytest.fixture(scope="module")
def body() -> WalkingBody:
    return WalkingBody(3, programme=PROGRAMME, repeat=False)


def moved(body: WalkingBody, placement: Placement, rate_hz: float, *, drift_ppm: float = 0.0) -> Motion:
    source = body.sensor(placement, rate_hz=rate_hz, imperfections=PERFECT, clock=Clock(1, drift_ppm=drift_ppm))
    motion = source.read_until(SECONDS)
    assert motion is not None
    return motion


def at(second: float) -> int:
    return ORIGIN.monotonic_ns + round(second * NS)


def delivered(second: float) -> int:
    """Return when what was sent at a moment arrives: at the end of an interval of the radio."""
    return at(math.ceil(second / INTERVAL_S) * INTERVAL_S + TAKES_S)


def counts(values: Iterable[float], full: float, form: str) -> bytes:
    return struct.pack(f"{form}3h", *(max(-32768, min(32767, round(value / full * 32768))) for value in values))


def orphe_frames(motion: Motion) -> list[Numbered]:
    """Pressures of nothing, acceleration and rate of turn, four samples a frame, newest first; over midnight."""
    out = []
    for serial in range(len(motion.time_s) // 4):
        own = range(4 * serial, 4 * serial + 4)
        ms = math.floor(1000 * motion.time_s[own[0]] + 86_395_000) % 86_400_000
        clock = (ms // 3_600_000, ms // 60_000 % 60, ms // 1000 % 60, ms % 1000)
        data = struct.pack(">BH3BH", 55, serial + 65_500 & 0xFFFF, *clock)
        for i in reversed(own):
            gyr = [math.degrees(w) / 0.07 for w in motion.gyr[i]]
            data += counts(gyr, 32768, ">") + counts(motion.acc[i], 16 * G, ">") + bytes(12)
        out.append((0, Frame(delivered(own[-1] / 208.0), "measurement", data)))
    return out


def bluetooth_frames(motion: Motion) -> list[Numbered]:
    return [
        (1, Frame(delivered(i / 100.0), "measurement", b"\x55\x61" + inertial(motion, i) + bytes(6)))
        for i in range(len(motion.time_s))
    ]


def inertial(motion: Motion, i: int) -> bytes:
    return counts(motion.acc[i], 16 * G, "<") + counts(np.degrees(motion.gyr[i]), 2000, "<")


def serial_frames(motion: Motion) -> list[Numbered]:
    def packet(kind: int, words: bytes) -> bytes:
        body = bytes([0x55, kind]) + words + bytes(2)
        return body + bytes([sum(body) & 0xFF])

    out = []
    for i in range(len(motion.time_s)):
        words = inertial(motion, i)
        out.append((2, Frame(at(i / 100.0 + TAKES_S), "data", packet(0x51, words[:6]) + packet(0x52, words[6:]))))
    return out


@pytest.fixture(scope="module")
def results(body: WalkingBody) -> list[Measurement]:
    frames = [
        *orphe_frames(moved(body, "left_foot", 208.0, drift_ppm=30)),
        *bluetooth_frames(moved(body, "right_foot", 100.0)),
        *serial_frames(moved(body, "lower_back", 100.0)),
    ]
    waiting = sorted(frames, key=lambda numbered: numbered[1].arrival_ns)
    now = [ORIGIN.monotonic_ns]
    pipeline, ticker = Pipeline(SETTINGS, ORIGIN, {"bed-1": "bed-1-a"}), Ticker(ORIGIN.monotonic_ns, lambda: now[0])
    out: list[Measurement] = []
    waiting.reverse()
    while now[0] < at(SECONDS + 2):
        now[0] += STEP_NS
        while waiting and waiting[-1][1].arrival_ns < now[0]:
            ticker.append_frame(*waiting.pop())
        for _end, step in ticker.due():
            out += pipeline.step(step)
    return out + pipeline.finish()


@pytest.mark.parametrize("side", SIDES)
def test_contacts_are_where_the_body_made_them(
    body: WalkingBody, results: list[Measurement], side: Literal["left", "right"]
) -> None:
    truth = body.truth(SECONDS)
    for metric, true in (("initial_contact", truth.initial[side]), ("final_contact", truth.final[side])):
        found = [m for m in results if m.metric == metric and m.devices == (side,)]
        seconds = np.array([(m.start_us - ORIGIN.utc_us) / 1e6 for m in found])
        assert len(seconds) == len(true)
        assert np.abs(seconds - true).max() < 0.06  # half an interval of the radio more than a device with a clock


@pytest.mark.parametrize("device", [LEFT, RIGHT])
def test_strides_are_as_long_and_fast_as_the_body_s(results: list[Measurement], device: str) -> None:
    for metric, true in (("stride_length", STRIDE_M), ("walking_speed", STRIDE_M * CADENCE / 120.0)):
        values = [m.value or np.nan for m in results if m.metric == metric and m.devices == (device,)]
        assert len(values) > 8
        assert np.median(values) == pytest.approx(true, rel=0.05)


def test_the_back_alone_gives_the_cadence(results: list[Measurement]) -> None:
    values = [m.value for m in results if m.metric == "cadence" and m.devices == (BACK,) and m.value]
    assert values
    assert np.median(values) == pytest.approx(CADENCE, abs=2.5)


def test_nothing_is_called_lost_of_what_all_arrived(results: list[Measurement]) -> None:
    assert [m for m in results if m.metric == "stream_gap"] == []
