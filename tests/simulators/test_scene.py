"""Wards and recordings: who wears what, and that the gateway's configuration for it is right."""

from __future__ import annotations

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.settings import Settings
from drivers.movella_dot.driver import MovellaDot as DotDriver
from drivers.shimmer3.driver import Shimmer3 as ShimmerDriver
from drivers.transport.ble import BleTransport
from drivers.transport.serial_port import SerialTransport
from simulators.faults import Fault
from simulators.motion.recording import Recording
from simulators.scenes.recorded import recorded
from simulators.scenes.ward import ward
from tests.shared import shared_path
from tests.simulators.helpers import OneRadio, count, decoded, streaming, until


def settings(text: str) -> Settings:
    return Settings.model_validate(tomllib.loads(text))


async def test_a_ward_comes_with_a_configuration_that_the_gateway_accepts(tmp_path: Path) -> None:
    scene = ward(beds=3, ports=tmp_path / 'with "quotes" and ü', speed=2.0)
    site = settings(scene.configuration(tmp_path / "radio.sock"))
    assert site.simulated
    assert site.speed == 2.0
    assert (site.radio.name, site.radio.socket) == ("simulated", tmp_path / "radio.sock")
    assert [slot.id for slot in site.slot] == ["bed-1", "bed-2", "bed-3"]
    devices = [device for slot in site.slot for device in slot.device]
    assert [device.id for device in devices] == list(scene.devices)
    assert [(d.driver, d.placement) for d in site.slot[0].device] == [
        ("movella_dot", "left_foot"),
        ("movella_dot", "right_foot"),
        ("shimmer3", "lower_back"),
        ("heart_rate", "chest"),
    ]
    addresses = [device.address for device in devices if device.address is not None]
    assert len(set(addresses)) == len(addresses) == 3 + 7 + 3
    legs = {f"{side}_{part}" for side in ("left", "right") for part in ("foot", "shank", "thigh")}
    assert {d.placement for d in site.slot[1].device} == legs | {"lower_back", "chest"}
    assert {d.placement for d in site.slot[2].device} == {"left_shank", "right_shank", "chest"}
    assert site.slot[1].device[6].port == tmp_path / 'with "quotes" and ü' / "bed-2-lower-back"
    assert all(slot.height_m and 1.5 <= slot.height_m <= 2.0 for slot in site.slot)


async def test_the_same_seed_makes_the_same_ward(tmp_path: Path) -> None:
    def samples(seed: int) -> list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
        scene = ward(beds=2, ports=tmp_path, seed=seed)
        found = []
        for device in scene.devices.values():
            source = device.source  # type: ignore[attr-defined]
            taken = source.read_until(5.0)
            found.append(getattr(taken, "acc", taken.time_s))
        return found

    one, same, other = samples(1), samples(1), samples(2)
    for a, b in zip(one, same, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not any(np.array_equal(a, c) for a, c in zip(one, other, strict=True))
    assert not np.array_equal(one[0], one[4])  # another bed, another person


async def test_who_has_sensors_on_the_shanks_alone_may_wear_an_exoskeleton(tmp_path: Path) -> None:
    plain, helped = (ward(beds=6, ports=tmp_path, seed=3, exoskeletons=n) for n in (0, 1))
    slots = settings(helped.configuration(tmp_path / "radio.sock")).slot
    placed = {slot.id: device for slot in slots for device in slot.device if device.placement == "exoskeleton"}
    assert list(placed) == ["bed-3"], "the first of two who may"
    assert (placed["bed-3"].driver, placed["bed-3"].port) == ("exo_frame", tmp_path / "bed-3-exoskeleton")
    assert [name for name in helped.devices if name not in plain.devices] == ["bed-3-exoskeleton"]
    for name, device in plain.devices.items():  # and nobody else walks otherwise for it
        one, other = (found.source.read_until(2.0) for found in (device, helped.devices[name]))  # type: ignore[attr-defined]
        np.testing.assert_array_equal(one.time_s, other.time_s)
    with pytest.raises(ValueError, match="of 6 beds up to 2 may wear an exoskeleton, not 3"):
        ward(beds=6, ports=tmp_path, exoskeletons=3)


async def test_a_ward_has_its_limits(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 to 99"):
        ward(beds=0, ports=tmp_path)
    with pytest.raises(ValueError, match="bed-1-left-foot"):
        ward(beds=1, ports=tmp_path, faults=[Fault("bed-7-chest", "drop", 1.0)])


def made_recording(folder: Path, sensors: tuple[str, ...] = ("left_foot", "lower_back", "elbow")) -> Path:
    """Write a second at 100 Hz in which packets 40 to 49 of each sensor are missing."""
    counter = np.r_[0:40, 50:100].astype(np.int32)
    ramp = counter[:, None] * np.array([[0.01, 0.02, 0.03]])
    arrays: dict[str, Any] = {}
    for sensor in sensors:
        arrays |= {f"{sensor}_pc": counter, f"{sensor}_acc": np.float32(ramp), f"{sensor}_gyr": np.float32(-ramp)}
    np.savez(folder / "made.npz", **arrays)
    (folder / "made.json").write_text(json.dumps({"fs_hz": 100.0, "dataset": "ipol497"}))
    return folder / "made.npz"


async def test_a_recording_goes_through_the_wire_with_its_gaps_once_all_is_started(tmp_path: Path) -> None:
    scene = recorded(Recording.load(made_recording(tmp_path)), ports=tmp_path / "ports", speed=2.0)
    site = settings(scene.configuration(tmp_path / "radio"))
    assert [(d.driver, d.placement, d.axes) for d in site.slot[0].device] == [
        ("movella_dot", "left_foot", "-x -y z"),
        ("shimmer3", "lower_back", "-z y x"),
    ]
    foot, back = site.slot[0].device
    assert back.port is not None
    await scene.start(tmp_path / "radio")
    radio = OneRadio(tmp_path / "radio")
    await radio.start()
    dot_driver, shimmer_driver = DotDriver(mode="rate"), ShimmerDriver()
    begun = asyncio.create_task(scene.begin(10.0))
    async with streaming(BleTransport(radio, address=foot.address), dot_driver) as from_foot:
        assert not begun.done()
        async with streaming(SerialTransport(back.port), shimmer_driver) as from_back:
            assert await begun
            await scene.finished()
            await until(lambda: count(from_foot, "measurement") == 90)
    await radio.stop()
    await scene.stop()
    counter = np.r_[0:40, 50:100]
    packet = decoded(dot_driver, from_foot, "imu")
    np.testing.assert_array_equal(packet.ticks, counter * 10_000)
    np.testing.assert_allclose(packet.samples[:, 2], 0.03 * counter, rtol=1e-6)
    packet = decoded(shimmer_driver, from_back, "imu")
    np.testing.assert_array_equal(packet.ticks, np.rint(counter * 327.68)[: len(packet)])
    assert len(packet) >= 88  # the last ones wait for a successor
    np.testing.assert_allclose(packet.samples[:, 2], 0.03 * counter[: len(packet)], atol=0.51 / 408)
    assert [device.counts.lost for device in scene.devices.values()] == [10, 10]


async def test_a_recording_begins_without_devices_that_nobody_starts(tmp_path: Path) -> None:
    scene = recorded(Recording.load(made_recording(tmp_path)), ports=tmp_path, speed=20.0)
    await scene.start(tmp_path / "radio")
    assert not await scene.begin(0.05)
    await asyncio.wait_for(scene.finished(), 5)
    await scene.stop()
    assert all(device.counts.sent == 0 for device in scene.devices.values())


def test_a_recording_that_nobody_can_wear_is_refused(tmp_path: Path) -> None:
    async def make() -> None:
        recorded(Recording.load(made_recording(tmp_path, ("elbow",))), ports=tmp_path)

    with pytest.raises(ValueError, match="elbow"):
        asyncio.run(make())


@pytest.mark.recordings
async def test_a_real_recording_keeps_its_losses(tmp_path: Path) -> None:
    file = shared_path("data", "gait", "ipol497", "1-1.npz")
    scene = recorded(Recording.load(file), ports=tmp_path, speed=100.0)
    await scene.start(tmp_path / "radio")
    await scene.begin(0.0)
    await asyncio.wait_for(scene.finished(), 20)
    await scene.stop()
    with np.load(file) as arrays:
        for name, device in scene.devices.items():
            sensor = name.removeprefix("bed-1-").replace("-", "_")
            counter = arrays[f"{sensor}_pc"]
            assert device.counts.unsent == counter[-1] - counter[0] + 1  # nobody had started it
