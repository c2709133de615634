"""A ward from a gateway's own configuration: its devices, on its people, with what goes wrong at which second."""

from __future__ import annotations

import asyncio
import signal
import tomllib
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from config.settings import Settings
from drivers.heart_rate.driver import HeartRate
from drivers.movella_dot.driver import MovellaDot as DotDriver
from drivers.transport.ble import BleTransport
from simulators.body.body import Placement
from simulators.devices.exo_frame_udp import ExoFrameUdp
from simulators.devices.movella_dot import MovellaDot
from simulators.devices.orphe import Orphe
from simulators.faults import NEARLY_EMPTY, Fault, read_faults
from simulators.motion.mounted import Mounted
from simulators.motion.source import Motion, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral
from simulators.scenes.prototypes import STRUCT
from simulators.scenes.scene import Scene
from simulators.scenes.simulators import Place, load_simulator
from simulators.scenes.ward_file import WardFile, ward_from_file
from tests.simulators.helpers import Counting, OneRadio, count, decoded, streaming, until
from tests.simulators.test_command import simulate

EXAMPLES = Path(__file__).parents[2] / "config/examples"
STRAP = "HR Strap 0A1B2C3D"
WARD = f"""
simulated = true
[radio]
name = "simulated"
socket = "air"
[[slot]]
id = "bay-a"
label = "Bay A"
subject = "p-1"
height_m = 1.62
[[slot.device]]
id = "dot-1"
driver = "movella_dot"
placement = "left_foot"
address = "d4-22-cd-00-00-01"
options = {{mode = "rate"}}
[[slot.device]]
id = "dot-2"
driver = "movella_dot"
placement = "left_foot"
address = "D4:22:CD:00:00:02"
axes = "-x -y z"
[[slot.device]]
id = "back"
driver = "shimmer3"
placement = "lower_back"
port = "/dev/rfcomm0"
[[slot]]
id = "bay-b"
subject = "p-2"
[[slot.device]]
id = "dot-3"
driver = "movella_dot"
placement = "left_foot"
address = "D4:22:CD:00:00:03"
[[slot.device]]
id = "strap"
driver = "heart_rate"
placement = "chest"
name = "{STRAP}"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ward.toml"
    path.write_text(WARD)
    return path


def scene_of(path: Path, *faults: Fault, speed: float | None = None) -> Scene:
    return ward_from_file(WardFile.read(path), ports=path.parent / "ports", speed=speed, faults=faults)


def motion_of(scene: Scene, name: str, until_s: float = 12.0) -> Motion:
    dot = scene.devices[name]
    assert isinstance(dot, MovellaDot)
    motion = dot.source.read_until(until_s)
    assert motion is not None
    return motion


async def test_each_device_is_as_the_file_says(file: Path, tmp_path: Path) -> None:
    scene = scene_of(file)
    written = Settings.model_validate(tomllib.loads(scene.configuration(tmp_path / "air")))
    wanted = Settings.model_validate(tomllib.loads(WARD))
    assert WardFile.read(file).socket == tmp_path / "air"
    for slot, other in zip(written.slot, wanted.slot, strict=True):
        assert (slot.id, slot.subject, slot.height_m) == (other.id, other.subject, other.height_m)
        moved = [one.model_copy(update={"port": tmp_path / "ports/back"} if one.port else {}) for one in other.device]
        assert slot.device == moved


@pytest.mark.parametrize("example", sorted(path.name for path in EXAMPLES.glob("*.toml")))
async def test_every_example_can_be_simulated(example: str, tmp_path: Path) -> None:
    found = tomllib.loads((EXAMPLES / example).read_text())
    named = [device["id"] for slot in found.get("slot", []) for device in slot.get("device", [])]
    if not named:
        with pytest.raises(ValueError, match="nothing to simulate"):
            WardFile.read(EXAMPLES / example)
        return
    scene = ward_from_file(WardFile.read(EXAMPLES / example), ports=tmp_path)
    assert list(scene.devices) == named


@dataclass(frozen=True, slots=True)
class Asked(Place):
    """A place that keeps what it was asked for the movement of."""

    usual: list[str] = field(default_factory=list)

    def sensor(self, usual: Placement, rate_hz: float, drift_ppm: float = 0.0) -> MotionSource:
        self.usual.append(usual)
        return Place.sensor(self, usual, rate_hz, drift_ppm)


@pytest.mark.parametrize(
    "driver",
    ["bno08x_rvc", "declared_ble", "declared_serial", "metamotion", "microstrain", "movella_dot", "openbci_cyton",
     "orphe", "shimmer3", "witmotion", "witmotion_serial", "xsens_mti"],
)  # fmt: skip
async def test_a_motion_sensor_moves_where_the_file_says_that_it_is_worn(driver: str, tmp_path: Path) -> None:
    place = Asked("sensor", 1, Timeline(), Hub(), tmp_path, worn="right_thigh", axes="-x -y z")
    placed = load_simulator(driver)(place)
    assert (len(place.usual), placed.placement, placed.axes) == (1, "right_thigh", "-x -y z")
    usual = Asked("sensor", 1, Timeline(), Hub(), tmp_path)
    assert [load_simulator(driver)(usual).placement] == usual.usual


async def test_an_insole_is_made_for_the_foot_that_the_file_says(tmp_path: Path) -> None:
    places = [Place("insole", 1, Timeline(), Hub(), tmp_path, worn=worn) for worn in ("left_foot", "right_foot")]
    insoles = [load_simulator("orphe")(place).device for place in places]
    assert [insole.side for insole in insoles if isinstance(insole, Orphe)] == ["left", "right"]


EXOSKELETON = """
simulated = true
[radio]
name = "simulated"
socket = "air"
[[slot]]
id = "bay-a"
subject = "p-1"
[[slot.device]]
id = "exo"
driver = "exo_frame_udp"
placement = "exoskeleton"
listen = "{listen}"
sender = "{sender}"
"""


@pytest.mark.parametrize(
    ("listen", "sender", "found"),
    [("127.0.0.1:5005", "127.0.0.1", ("127.0.0.1", 5005)), ("192.0.2.10:5005", "192.0.2.20", ("127.0.0.1", 27201))],
    ids=["here", "elsewhere"],
)
async def test_a_device_of_the_network_is_found_where_the_file_says_or_on_this_computer(
    listen: str, sender: str, found: tuple[str, int], tmp_path: Path
) -> None:
    path = tmp_path / "ward.toml"
    path.write_text(EXOSKELETON.format(listen=listen, sender=sender))
    scene = scene_of(path)
    exo = scene.devices["exo"]
    assert isinstance(exo, ExoFrameUdp)
    assert exo.target == found
    (written,) = Settings.model_validate(tomllib.loads(scene.configuration(tmp_path / "air"))).slot
    assert (written.device[0].listen, written.device[0].sender) == ("{}:{}".format(*found), "127.0.0.1")


async def test_a_declared_device_that_would_not_be_understood_is_refused(tmp_path: Path) -> None:
    path, declared = tmp_path / "ward.toml", (EXAMPLES / "laboratory.toml").read_text()
    path.write_text(declared)
    written = Settings.model_validate(tomllib.loads(scene_of(path).configuration(tmp_path / "air")))
    options = [each.options for slot in written.slot for each in slot.device if each.driver == "declared_ble"]
    assert options == [STRUCT]
    path.write_text(declared.replace('adapter = "hci0"', 'name = "simulated"\nsocket = "air"'))
    with pytest.raises(ValueError, match="has options that a simulated declared_"):
        scene_of(path)


async def test_devices_of_one_slot_are_on_one_body_and_those_of_another_are_not(file: Path) -> None:
    scene = scene_of(file)
    first, turned, other = (motion_of(scene, f"dot-{n}") for n in (1, 2, 3))
    signs = np.array([-1.0, -1.0, 1.0])
    walking = np.abs(first.gyr[:, 1]) > 1.0
    assert walking.sum() > 50
    np.testing.assert_allclose(turned.gyr * signs, first.gyr, atol=0.4)  # two units: noise and bias of each
    assert np.abs(other.gyr - first.gyr).max() > 2.0
    wearers = [scene.devices[name].wearer for name in ("dot-1", "dot-2", "back", "dot-3", "strap")]
    assert wearers[0] is wearers[1] is wearers[2]
    assert wearers[3] is wearers[4] is not wearers[0]
    np.testing.assert_array_equal(motion_of(scene_of(file), "dot-1").acc, first.acc)


def test_a_sensor_that_is_strapped_on_otherwise_says_so_in_its_own_axes() -> None:
    plain, mounted = Counting(count=5).read_until(1.0), Mounted(Counting(count=5), "z y -x").read_until(1.0)
    assert plain
    assert mounted
    np.testing.assert_array_equal(mounted.acc, np.column_stack([-plain.acc[:, 2], plain.acc[:, 1], plain.acc[:, 0]]))
    assert Mounted(Counting(count=5), "z y -x").skip(1.0) == 5
    with pytest.raises(ValueError, match="one twice"):
        Mounted(Counting(), "x x z")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "nothing to simulate"),
        ("[[slot]]\nid =", "is no configuration"),
        (WARD.replace("heart_rate", "teapot"), "no simulator 'teapot'"),
        (WARD.replace('placement = "chest"', 'placement = "chest"\nserial = "7"'), "'strap' has to tell a serial"),
        (WARD.replace(STRAP, "A strap with a name far beyond what fits"), "31 fit"),
    ],
    ids=["empty", "torn", "no-simulator", "serial", "long-name"],
)
async def test_what_cannot_be_simulated_is_one_sentence(text: str, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "ward.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        scene_of(path)


async def test_a_fault_that_cannot_happen_is_refused(file: Path) -> None:
    with pytest.raises(ValueError, match="no device 'dot-9'"):
        scene_of(file, Fault("dot-9", "drop", 1.0))
    with pytest.raises(ValueError, match="'back' has no Bluetooth address"):
        scene_of(file, Fault("back", "rotate", 1.0))


def test_events_are_one_a_line() -> None:
    assert read_faults("# a bad day\n\ndot-1:drop@10  # the link\nstrap:rotate@20\n dot-2:drift@30+5\n") == [
        Fault("dot-1", "drop", 10.0), Fault("strap", "rotate", 20.0), Fault("dot-2", "drift", 30.0, 5.0),
    ]  # fmt: skip
    with pytest.raises(ValueError, match="'dot-1' is no fault"):
        read_faults("dot-1")


async def test_a_clock_drifts_for_a_while_and_starts_again(file: Path, tmp_path: Path) -> None:
    scene = scene_of(file, Fault("dot-1", "drift", 1.0, 2.0), Fault("dot-1", "reset", 4.0))
    radio = OneRadio(tmp_path / "air")
    await scene.start(tmp_path / "air")
    await radio.start()
    await scene.begin(0.0)
    driver = DotDriver(mode="rate")
    async with streaming(BleTransport(radio, address="D4:22:CD:00:00:01"), driver) as frames:
        await until(lambda: scene.timeline.now_s > 5.0)
    await radio.stop()
    await scene.stop()
    ticks = decoded(driver, frames, "imu").ticks
    steps = np.diff(ticks)
    (reset,) = np.flatnonzero(steps < 0)
    assert ticks[reset + 1] < 100_000
    gained_us = ticks[reset] - ticks[0] - 1e6 * round((ticks[reset] - ticks[0]) / 1e6 * 60) / 60
    assert 500 < gained_us < 1500  # 500 ppm of two seconds are a millisecond


async def test_a_strap_has_another_address_and_a_battery_that_is_nearly_empty(file: Path, tmp_path: Path) -> None:
    scene = scene_of(file, Fault("strap", "low_battery", 0.0, 600.0), Fault("strap", "rotate", 2.5))
    strap = scene.devices["strap"]
    assert isinstance(strap, Peripheral)
    addresses, radio = [strap.address], OneRadio(tmp_path / "air")
    await scene.start(tmp_path / "air")
    await radio.start()
    levels: list[list[int]] = []
    for _ in range(2):
        async with streaming(BleTransport(radio, name=STRAP), HeartRate()) as frames:
            await scene.begin(0.0)
            await until(partial(count, frames, "measurement"))
            levels.append([frame.data[0] for frame in frames if frame.channel == "battery"])
            await until(lambda: strap.address != addresses[0])
        addresses.append(strap.address)
    await radio.stop()
    await scene.stop()
    assert levels[0][0] == 90
    assert [min(each) for each in levels] == [NEARLY_EMPTY, NEARLY_EMPTY]
    assert addresses[0] != addresses[1] == addresses[2]


async def test_the_command_simulates_a_file_with_its_events(file: Path, tmp_path: Path) -> None:
    events = tmp_path / "events"
    events.write_text("dot-1:drop@0.2\n")
    running = await simulate("--ward", str(file), "--ports", str(tmp_path / "ports"), "--events", str(events))
    ready = await running.event()
    assert ready["devices"] == ["dot-1", "dot-2", "back", "dot-3", "strap"]
    assert ready["socket"] == str(tmp_path / "air")
    assert (tmp_path / "ports/back").exists()
    running.process.send_signal(signal.SIGTERM)
    summary = await running.event()
    assert summary["event"] == "summary"
    assert await asyncio.wait_for(running.process.wait(), 30) == 0


async def test_the_command_without_a_ward_says_what_to_name(tmp_path: Path) -> None:
    running = await simulate("--ward", str(tmp_path / "none.toml"))
    assert await asyncio.wait_for(running.process.wait(), 30) == 2
