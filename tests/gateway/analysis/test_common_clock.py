"""How much later a sensor's samples lie than those of the exoskeleton it is worn with: measured while they stream."""

from __future__ import annotations

import struct
from collections import defaultdict
from functools import cache
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from config.settings import Device, Settings, Slot
from drivers.packet import Frame
from gateway.analysis.common_clock import APART, BROKEN, KNEE_ALONE, STILL, UNSURE
from gateway.analysis.pipeline import Pipeline
from gateway.clocks.device_clock import NS
from gateway.intake.frames import STEP_NS, Numbered, Origin
from gateway.intake.intakes import CONNECTED
from gateway.model.measurement import Measurement
from simulators.body.body import WalkingBody
from simulators.body.exoskeleton import WornExoskeleton
from simulators.devices.exo_frame import DeviceState, JointSample, encode_device, encode_limb, serial_frame

Floats = NDArray[np.float64]
ORIGIN = Origin(7 * NS, 1_760_000_000_000_000)
RATE_HZ = 100.0
SECONDS = 34.0  # three stretches of ten, and what is beside them
LATE_S = 0.060
"""By which the sensors' radio is later than the exoskeleton's cable: no clock can show it."""
PLACES: tuple[Literal["left_shank"], Literal["left_thigh"]] = ("left_shank", "left_thigh")


@cache
def walked(seed: int = 11) -> tuple[Floats, dict[str, Floats]]:
    """Return the joints' rates (n, 2), hip and knee in degrees/s, and what each sensor turns by (n, 3), rad/s."""
    body = WalkingBody(seed)
    turned: dict[str, Floats] = {}
    for place in PLACES:
        motion = body.sensor(place, rate_hz=RATE_HZ, seed=5).read_until(SECONDS)
        assert motion is not None
        turned[place] = motion.gyr
    worn = WornExoskeleton(body.figure(), joints=("hip", "knee"), seed=5).read_until(SECONDS)
    assert worn
    return np.concatenate([piece.velocity for piece in worn])[:, 0], turned


def exoskeleton(rates: Floats, joints: tuple[str, ...] = ("hip", "knee")) -> list[Numbered]:
    """Return what an exoskeleton of these joints sends over its cable, at once."""
    frames: list[Numbered] = [(0, Frame(ORIGIN.monotonic_ns, CONNECTED, b""))]
    for k, (hip, knee) in enumerate(rates.tolist()):
        time_us = round(k / RATE_HZ * 1e6)
        parts = [encode_device(DeviceState(joints, (), 100, serial=7), counter=k, time_us=time_us)] * (k % 100 == 0)
        own = [JointSample(joint, velocity={"hip": hip, "knee": knee}[joint]) for joint in joints]
        parts.append(
            encode_limb(
                right=False, last=True, counter=k % 65536, time_us=time_us, gait_state=0, gait_phase=0.0, joints=own
            )
        )
        frames.append((0, Frame(ORIGIN.monotonic_ns + time_us * 1000, "data", b"".join(map(serial_frame, parts)))))
    return frames


def sensor(number: int, turned: Floats, late_s: float = LATE_S) -> list[Numbered]:
    """Return what a DOT sends whose notifications take so long, always."""
    control = struct.pack("<H", 100).rjust(26, b"\0").ljust(32, b"\0")
    at = ORIGIN.monotonic_ns
    frames: list[Numbered] = [(number, Frame(at, CONNECTED, b"")), (number, Frame(at, "control", control))]
    for k, gyr in enumerate(np.degrees(turned).tolist()):
        payload = struct.pack("<I6f", round(k / RATE_HZ * 1e6) + 1000 * number, 0.0, 0.0, 9.81, *gyr)
        frames.append((number, Frame(at + round((k / RATE_HZ + late_s) * NS), "measurement", payload)))
    return frames


def told(frames: list[Numbered], places: tuple[str, ...] = ("left_shank",)) -> list[Measurement]:
    """Return what a gateway tells of the offset, step by step."""
    devices: list[dict[str, Any]] = [
        {"id": "exo", "driver": "exo_frame", "placement": "exoskeleton", "port": "/dev/exo"}
    ]
    devices += [
        {"id": place.replace("_", "-"), "driver": "movella_dot", "placement": place, "address": f"00:00:00:00:00:0{k}",
         "options": {"mode": "rate"}}
        for k, place in enumerate(places)
    ]  # fmt: skip
    slot = Slot(id="bed-1", subject="p-1", device=[Device.model_validate(each) for each in devices])
    pipeline = Pipeline(Settings(slot=[slot]), ORIGIN, {"bed-1": "bed-1-a"})
    steps: defaultdict[int, list[Numbered]] = defaultdict(list)
    for frame in sorted(frames, key=lambda each: each[1].arrival_ns):
        steps[(frame[1].arrival_ns - ORIGIN.monotonic_ns) // STEP_NS].append(frame)
    found = [m for step in range(max(steps) + 1) for m in pipeline.step(steps[step])]
    return [m for m in [*found, *pipeline.finish()] if m.metric == "exo_clock_offset"]


@pytest.mark.parametrize("late_s", [-0.04, 0.0, LATE_S, 0.3])
def test_the_offset_is_found_while_its_wearer_walks_and_is_as_sure_as_it_says(late_s: float) -> None:
    rates, turned = walked()
    exo = [(n, f._replace(arrival_ns=f.arrival_ns + round(max(0.0, -late_s) * NS))) for n, f in exoskeleton(rates)]
    first, *_ = found = told(exo + sensor(1, turned["left_shank"], max(0.0, late_s)))
    assert first.value is not None
    assert first.sync_ms is not None
    assert first.value == pytest.approx(1000 * late_s, abs=4)
    assert abs(first.value - 1000 * late_s) < 4 * first.sync_ms < 16
    assert (first.side, first.unit, first.quality, first.n) == ("left", "ms", "ok", 3)
    assert first.devices == ("exo", "left-shank")
    assert len(found) == 1, "when it is known, and then once a minute"


def test_a_knee_alone_needs_the_thigh_too() -> None:
    rates, turned = walked()
    exo = exoskeleton(rates, ("knee",))
    both = told(exo + sensor(1, turned["left_shank"]) + sensor(2, turned["left_thigh"]), PLACES)[0]
    assert both.value == pytest.approx(1000 * LATE_S, abs=4)
    assert (both.quality, both.devices) == ("ok", ("exo", "left-shank", "left-thigh"))


def test_a_knee_alone_without_a_thigh_is_told_to_be_no_better_than_it_is() -> None:
    """It lies some 25 ms beside the truth, however alike the two look."""
    rates, turned = walked()
    for found in told(exoskeleton(rates, ("knee",)) + sensor(1, turned["left_shank"])):
        if found.value is not None:
            assert (found.quality, found.reason) == ("degraded", KNEE_ALONE)
            assert found.sync_ms is not None
            assert 10 < abs(found.value - 1000 * LATE_S) < 2 * found.sync_ms


def test_nothing_is_known_of_a_leg_that_does_not_walk() -> None:
    rates, turned = walked()
    still = np.random.default_rng(3).normal(0, 0.02, turned["left_shank"].shape)
    cases = {
        STILL: (0.01 * rates, still),
        UNSURE: (rates, np.random.default_rng(4).normal(0, 2.0, turned["left_shank"].shape)),
    }
    for reason, (joints, shank) in cases.items():
        found = told(exoskeleton(joints) + sensor(1, shank))
        assert [(m.value, m.quality, m.reason, m.n) for m in found] == [(None, "invalid", reason, 0)]


def test_steps_like_a_machines_fit_several_offsets_and_tell_none() -> None:
    """A stride later, such walking is the same again."""
    at = np.arange(SECONDS * RATE_HZ) / RATE_HZ
    swing = np.sin(2 * np.pi * at / 0.8) + 0.5 * np.sin(4 * np.pi * at / 0.8)
    rates = np.stack([100 * swing, np.zeros(len(at))], axis=1)
    turned = np.stack([np.zeros(len(at)), 2 * swing, np.zeros(len(at))], axis=1)
    found = told(exoskeleton(rates) + sensor(1, turned, 0.3))
    assert [(m.value, m.reason) for m in found] == [(None, UNSURE)]


def test_another_persons_steps_are_no_common_motion() -> None:
    (rates, _), (_, others) = walked(), walked(23)
    found = told(exoskeleton(rates) + sensor(1, others["left_shank"]))
    assert {m.value for m in found} == {None}
    assert {m.reason for m in found} <= {UNSURE, APART}


def test_samples_that_are_missing_begin_it_anew() -> None:
    rates, turned = walked()
    frames = exoskeleton(rates) + sensor(1, turned["left_shank"])
    lost = [(n, f) for n, f in frames if n == 0 or (f.arrival_ns - ORIGIN.monotonic_ns) // (NS // 2) % 8 != 7]
    found = told(lost)
    assert [(m.value, m.reason) for m in found] == [(None, BROKEN)]


def test_who_wears_only_one_of_them_is_told_nothing() -> None:
    rates, turned = walked()
    assert told(exoskeleton(rates[:1300])) == []
    assert told(exoskeleton(rates[:1300]) + sensor(1, turned["left_shank"][:1300]), ("chest",)) == []
