"""Offsets between the devices on one body: known beforehand, found again, and not found where there is nothing."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from gateway.cli.offsets import offsets_of
from gateway.clocks.common_motion import Series, joint_offset
from gateway.intake.frames import STEP_NS, Numbered
from gateway.intake.intakes import CONNECTED
from gateway.recordings.offsets import G, tap_offsets
from gateway.recordings.recording import Header, RecordingWriter
from simulators.body.body import WalkingBody
from simulators.body.exoskeleton import WornExoskeleton
from simulators.devices.exo_frame import DeviceState, JointSample, encode_device, encode_limb, serial_frame
from simulators.motion.source import Motion

Floats = NDArray[np.float64]
NS = 1_000_000_000
RHYTHM = (0.0, 0.52, 1.13)
STAMPS_S = tuple(start + beat for start in (5.0, 20.0) for beat in RHYTHM)


def felt(time_s: Floats, at: tuple[float, ...], *, strength: float = 40.0, softness: float = 1.0) -> Floats:
    """A stamp as a sensor feels it: up at once, then a swing that dies away, slower where the body is soft."""
    total = np.zeros(len(time_s))
    for stamp in at:
        since = np.maximum(time_s - stamp, 0.0)
        swing = np.exp(-since / (0.03 * softness)) * np.sin(2 * np.pi * 12 * since / softness)
        total += strength * swing
    return total


def sensor(
    rate_hz: float, later_s: float, at: tuple[float, ...] = STAMPS_S, *, seed: int = 0, softness: float = 1.0
) -> Series:
    """Its stamps come late by so much, on a grid of its own."""
    random = np.random.default_rng(seed)
    time_s = np.arange(random.uniform(0, 1 / rate_hz), 30.0, 1 / rate_hz)
    acc = random.normal(0, 0.05, (len(time_s), 3))
    acc[:, 2] += G + felt(time_s, at, softness=softness)
    return Series(time_s + later_s, acc)


@pytest.mark.parametrize("later_s", [-0.25, -0.0133, 0.0, 0.0071, 0.06, 0.4])
@pytest.mark.parametrize(("rate_hz", "other_hz"), [(100.0, 100.0), (60.0, 51.2), (200.0, 104.0)])
def test_three_stamps_give_the_offset_to_a_fraction_of_a_sample(
    later_s: float, rate_hz: float, other_hz: float
) -> None:
    sensors = {"back": sensor(rate_hz, 0.0, seed=1), "foot": sensor(other_hz, later_s, seed=2)}
    (found,) = tap_offsets(sensors, "back").values()
    assert found.count == 2
    assert abs(found.seconds - later_s) < 0.006
    assert abs(found.seconds - later_s) < 4 * found.uncertainty_s
    assert found.uncertainty_s < 0.006


def test_the_uncertainty_is_honest() -> None:
    """Over many sensors the error is as large as is said: within a factor of two."""
    errors, said = [], []
    for seed in range(40):
        sensors = {"a": sensor(100.0, 0.0, seed=seed), "b": sensor(60.0, 0.05, seed=seed + 1000)}
        (found,) = tap_offsets(sensors, "a").values()
        errors.append(found.seconds - 0.05)
        said.append(found.uncertainty_s)
    assert 0.3 < np.std(errors) / np.mean(said) < 2


def test_a_sensor_on_a_soft_place_is_found_too_and_said_to_be_less_sure() -> None:
    sensors = {"foot": sensor(100.0, 0.0), "back": sensor(100.0, 0.03, seed=3, softness=1.6)}
    (found,) = tap_offsets(sensors, "foot").values()
    assert abs(found.seconds - 0.03) < 0.02


@pytest.mark.parametrize(
    "at",
    [
        (), STAMPS_S[:2], (5.0, 5.5), (5.0, 5.5, 6.0, 6.5), (5.0, 5.1, 5.2), (5.0, 7.5, 10.0),
        tuple(np.arange(1.0, 29.0, 0.55).tolist()),
    ],
    ids=["none", "two", "a pair", "four", "too quick", "too slow", "walking"],
)  # fmt: skip
def test_what_is_no_gesture_gives_nothing(at: tuple[float, ...]) -> None:
    assert tap_offsets({"a": sensor(100.0, 0.0, at), "b": sensor(100.0, 0.1, at, seed=4)}, "a") == {}


def test_a_sensor_that_felt_another_rhythm_is_not_matched() -> None:
    other = (5.0, 5.9, 6.7)
    found = tap_offsets({"a": sensor(100.0, 0.0), "b": sensor(100.0, 0.0, other), "c": sensor(100.0, 0.02)}, "a")
    assert set(found) == {"c"}


# --- an exoskeleton and a shank ---


@cache
def walk(rate_hz: float, seconds: float) -> tuple[Motion, Series]:
    """The shank of somebody in an exoskeleton, and what that says of it."""
    body = WalkingBody(11)
    shank = body.sensor("left_shank", rate_hz=rate_hz, seed=5).read_until(seconds)
    assert shank is not None
    worn = WornExoskeleton(body.figure(), joints=("hip", "knee"), seed=5).read_until(seconds)
    assert worn
    time_s = np.concatenate([piece.time_s for piece in worn])
    velocity = np.concatenate([piece.velocity for piece in worn])
    return shank, Series(time_s, velocity[:, 0, :1] - velocity[:, 0, 1:])


@pytest.mark.parametrize("later_s", [-0.3, 0.0, 0.045, 0.5])
def test_walking_gives_the_offset_between_an_exoskeleton_and_a_shank(later_s: float) -> None:
    shank, joints = walk(100.0, 60.0)
    found = joint_offset(joints, Series(shank.time_s + later_s, shank.gyr))
    assert found is not None
    assert found.count >= 3
    assert abs(found.seconds - later_s) < 0.03
    assert found.uncertainty_s < 0.02


def test_a_shank_that_is_somebody_elses_gives_none() -> None:
    shank, joints = walk(100.0, 60.0)
    noise = np.random.default_rng(0).normal(size=shank.gyr.shape)
    assert joint_offset(joints, Series(shank.time_s, noise)) is None
    assert joint_offset(joints, Series(shank.time_s, np.zeros_like(noise))) is None


# --- over a recording ---


def dot(number: int, series: Series, latency_s: float) -> list[Numbered]:
    """A DOT whose notifications take so long, always."""
    control = struct.pack("<H", 100).rjust(26, b"\0").ljust(32, b"\0")
    frames: list[Numbered] = [(number, Frame(NS, CONNECTED, b"")), (number, Frame(NS, "control", control))]
    for time_s, acc in zip(series.time_s.tolist(), series.values.tolist(), strict=True):
        arrival_ns = NS + round((time_s + latency_s) * NS)
        payload = struct.pack("<I6f", round(time_s * 1e6) + 1000 * number, *acc, 0, 0, 0)
        frames.append((number, Frame(arrival_ns, "measurement", payload)))
    return frames


def record(path: Path, devices: list[Device], frames: list[Numbered]) -> Path:
    settings = Settings(slot=[Slot(id="bay-a", subject="p-1", device=devices)])
    frames.sort(key=lambda numbered: numbered[1].arrival_ns)
    header = Header(settings.model_dump(mode="json"), {"bay-a": "bay-a-1"}, NS, 1_790_000_000_000_000, "0")
    with RecordingWriter(path, header) as writer:
        at, end_ns = 0, NS
        while at < len(frames):
            end_ns += STEP_NS
            begin = at
            while at < len(frames) and frames[at][1].arrival_ns < end_ns:
                at += 1
            writer.step(end_ns, frames[begin:at])
    return path


def device(name: str, placement: str, number: int) -> Device:
    data = {"id": name, "driver": "movella_dot", "placement": placement, "address": f"00:00:00:00:00:0{number}"}
    return Device.model_validate(data | {"options": {"mode": "rate"}})


@pytest.fixture
def stamped(tmp_path: Path) -> Path:
    """Two sensors whose radios take 15 and 75 ms: what their clocks cannot show."""
    devices = [device("back", "lower_back", 1), device("foot", "left_foot", 2)]
    frames = dot(0, sensor(100.0, 0.0, seed=8), 0.015) + dot(1, sensor(100.0, 0.0, seed=9), 0.075)
    return record(tmp_path / "stamped.rgrec", devices, frames)


def test_a_recording_tells_what_the_clocks_of_its_devices_could_not(stamped: Path) -> None:
    (found,) = offsets_of(stamped)
    assert (found.slot, found.device, found.reference, found.by) == ("bay-a", "foot", "back", "taps")
    assert found.offset is not None
    assert found.offset.seconds == pytest.approx(0.060, abs=0.006)


def test_an_exoskeleton_in_a_recording(tmp_path: Path) -> None:
    """It is read over a cable, the shank over a radio that takes 90 ms longer."""
    shank, joints = walk(100.0, 60.0)
    frames: list[Numbered] = [(0, Frame(NS, CONNECTED, b""))]
    state = DeviceState(("knee",), (), 100)
    for k, (time_s, rate) in enumerate(zip(joints.time_s.tolist(), joints.values[:, 0].tolist(), strict=True)):
        time_us, parts = round(time_s * 1e6), []
        if k % 100 == 0:
            parts.append(encode_device(state, counter=k, time_us=time_us))
        joint = JointSample("knee", velocity=-rate)
        parts.append(
            encode_limb(
                right=False, last=True, counter=k, time_us=time_us, gait_state=0, gait_phase=0.0, joints=[joint]
            )
        )
        frames.append((0, Frame(NS + round(time_s * NS), "data", b"".join(map(serial_frame, parts)))))
    turning = Series(shank.time_s, shank.gyr)
    frames += [
        (1, frame._replace(data=frame.data[:4] + struct.pack("<3f", 0, 0, G) + struct.pack("<3f", *np.degrees(gyr))))
        for (_, frame), gyr in zip(dot(1, turning, 0.09)[2:], shank.gyr.tolist(), strict=True)
    ]
    frames += dot(1, Series(turning.time_s[:0], turning.values[:0]), 0.0)
    exo = Device(id="exo", driver="exo_frame", placement="exoskeleton", port=Path("/dev/exo"))
    path = record(tmp_path / "exo.rgrec", [exo, device("shank", "left_shank", 1)], frames)
    (found,) = offsets_of(path)
    assert (found.device, found.reference, found.by) == ("shank", "exo", "walking")
    assert found.offset is not None
    assert found.offset.seconds == pytest.approx(0.09, abs=0.03)


def test_the_command_line(stamped: Path, tmp_path: Path) -> None:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gateway", "replay", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)

    shown = run(stamped, "--offsets")
    assert shown.returncode == 0, shown.stderr
    assert "foot" in shown.stdout
    assert " ms" in shown.stdout
    (line,) = run(stamped, "--offsets", "--json").stdout.splitlines()
    assert json.loads(line)["offset"]["seconds"] == pytest.approx(0.060, abs=0.006)
    assert run(stamped, "--offsets", "--csv").returncode == 2
    one = record(tmp_path / "one.rgrec", [device("back", "lower_back", 1)], dot(0, sensor(100.0, 0.0), 0.0))
    alone = run(one, "--offsets")
    assert alone.returncode == 1
    assert "Nothing to compare" in alone.stdout
    assert "later by" not in alone.stdout
