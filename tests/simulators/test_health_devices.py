"""Simulated devices of the Bluetooth health and fitness profiles through the product's transport and decoders."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from drivers.packet import Flag, Frame
from drivers.registry import make_driver
from drivers.transport.ble import BleTransport
from simulators.body.exercise import Exercise
from simulators.body.saturation import Saturation
from simulators.devices.blood_pressure import BloodPressureMonitor
from simulators.devices.contec_oximeter import ContecOximeter
from simulators.devices.cycling_power import PowerMeter
from simulators.devices.cycling_speed import CadenceSensor
from simulators.devices.fitness_machine import Bike, Treadmill
from simulators.devices.running_speed import FootPod
from simulators.devices.thermometer import Thermometer
from simulators.devices.weight_scale import WeightScale
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral
from tests.simulators.helpers import count, decoded, on_air, streaming, until

ADDRESS = "02:50:4C:00:02:00"
WALK = Exercise(speed_mps=1.25, cadence=100.0, power_w=60.0)
Make = Callable[..., Peripheral]


async def streamed(
    tmp_path: Path,
    driver_name: str,
    make: Make,
    enough: Callable[[list[Frame]], object] = lambda frames: count(frames, "measurement") >= 8,
    speed: float = 20.0,
    **options: Any,
) -> tuple[list[Frame], Peripheral]:
    """Return what a driver hears of a simulated device over the air until it is enough, and the device."""
    hub, driver = Hub(), make_driver(driver_name)
    device = make(name="device", timeline=Timeline(speed=speed), hub=hub, address=ADDRESS, **options)
    async with (
        on_air(hub, tmp_path / "r", device) as radio,
        streaming(BleTransport(radio, address=ADDRESS), driver) as frames,
    ):
        await until(lambda: enough(frames), within_s=30.0)
        heard = list(frames)
    battery = [frame for frame in heard if frame.channel == "battery"]
    assert decoded(driver, battery, "battery").samples[0, 0] == 90.0
    return heard, device


async def test_a_foot_pod(tmp_path: Path) -> None:
    frames, _ = await streamed(tmp_path, "running_speed", FootPod, exercise=WALK)
    samples = decoded(make_driver("running_speed"), frames, "exercise").samples
    assert set(samples[:, 0]) == {1.25}
    assert set(samples[:, 1]) == {100.0}
    assert set(samples[:, 5]) == {1.5}
    assert (np.diff(samples[:, 3]) > 0).all()


async def test_wheel_and_crank_whose_counters_go_round(tmp_path: Path) -> None:
    ride = Exercise(speed_mps=5.0, cadence=60.0)
    frames, _ = await streamed(tmp_path, "cycling_speed", CadenceSensor, exercise=ride)
    driver = make_driver("cycling_speed", {"wheel_m": 2.0})
    # Arrival says nothing here: twenty simulated seconds pass in one.
    measurements = [frame for frame in frames if frame.channel == "measurement"]
    apart = [frame._replace(arrival_ns=at * 10**9) for at, frame in enumerate(measurements)]
    samples = decoded(driver, apart, "exercise").samples
    assert samples[3:, 0] == pytest.approx(5.0, rel=1e-3)
    assert samples[3:, 1] == pytest.approx(60.0, rel=1e-3)


async def test_a_power_meter(tmp_path: Path) -> None:
    frames, _ = await streamed(tmp_path, "cycling_power", PowerMeter, exercise=Exercise(power_w=85.0))
    samples = decoded(make_driver("cycling_power"), frames, "exercise").samples
    assert set(samples[:, 2]) == {85.0}
    assert set(samples[:, 5]) == {47.5}


def started(frames: list[Frame]) -> bool:
    """Whether a machine has said that it was started, and sent some records since, and enough before."""
    channels = [frame.channel for frame in frames]
    since = channels[channels.index("machine_status") :] if "machine_status" in channels else []
    return since.count("measurement") >= 6 and channels.count("measurement") >= 12


@pytest.mark.parametrize(
    ("manner", "forgiven", "flag"),
    [
        ("whole", (), Flag.LOSS_UNKNOWN),
        ("split", ("record without its end",), Flag.LOSS_UNKNOWN),
        ("fixed", ("fixed frame: shorter than its flags say",), Flag.LOSS_UNKNOWN | Flag.TRUNCATED),
    ],
)
async def test_a_treadmill_in_any_manner_is_read_and_never_steered(
    tmp_path: Path, manner: str, forgiven: tuple[str, ...], flag: Flag
) -> None:
    options: dict[str, Any] = {"exercise": WALK, "manner": manner}
    frames, device = await streamed(tmp_path, "fitness_machine", Treadmill, started, **options)
    assert isinstance(device, Treadmill)
    assert device.written == []
    packet = decoded(make_driver("fitness_machine"), frames, "exercise", forgiven=forgiven)
    samples = packet.samples[1:-1]  # the first and the last may be half a record
    assert samples[:, 0] == pytest.approx(1.25)
    assert set(samples[:, 5]) == {1.5}
    assert (np.diff(samples[:, 3]) > 0).all()
    assert set(packet.flags[1:-1]) == {int(flag)}
    assert np.isnan(samples[:, 2]).all() == (manner == "fixed"), "power stands behind the cut"
    assert samples[-1, 9] == 1.0, "its status said that it was started"


async def test_a_bike(tmp_path: Path) -> None:
    ride = Exercise(cadence=55.5, power_w=40.0)
    frames, _ = await streamed(
        tmp_path, "fitness_machine", Bike, lambda heard: count(heard, "bike") >= 8, exercise=ride
    )
    samples = decoded(make_driver("fitness_machine"), frames, "exercise").samples
    assert (set(samples[:, 1]), set(samples[:, 2])) == ({55.5}, {40.0})


@pytest.mark.parametrize(
    ("driver", "make", "values"),
    [
        ("weight_scale", WeightScale, [70.5, 70.6]),
        ("blood_pressure", BloodPressureMonitor, [131.0, 128.0]),
        ("thermometer", Thermometer, [36.85, 38.2]),
    ],
)
async def test_what_is_indicated_comes_and_what_was_kept_is_old(
    tmp_path: Path, driver: str, make: Make, values: list[float]
) -> None:
    measured = [(-86_400.0, values[0]), (0.5, values[1])]
    frames, device = await streamed(
        tmp_path, driver, make, lambda heard: count(heard, "measurement") >= 2, speed=1.0, measured=measured
    )
    kind = make_driver(driver)
    spec = next(spec for name, spec in kind.decoder().streams.items() if name != "battery")
    samples = decoded(kind, frames, spec.name).samples
    assert samples[:, 0].tolist() == values
    kept, now = samples[:, spec.channels.index("age")]
    assert kept > 80_000.0, "a day old, by its own clock"
    assert now < 60.0
    assert device.counts.sent == 2


async def test_a_clip_that_streams_when_it_is_asked(tmp_path: Path) -> None:
    frames, device = await streamed(tmp_path, "contec_oximeter", ContecOximeter, saturation=Saturation(rest=96.0))
    samples = decoded(make_driver("contec_oximeter"), frames, "oximetry").samples
    assert (set(samples[:, 0]), set(samples[:, 1])) == ({96.0}, {72.0})
    assert isinstance(device, ContecOximeter)
    assert device.written == [b"\x9b\x01\x1c"]
