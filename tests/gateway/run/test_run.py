"""A whole gateway in this process: simulated devices over a real Bluetooth stack, real broker, real watchdog socket."""

from __future__ import annotations

import asyncio
import socket
import threading
import tomllib
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import orjson
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from config.settings import Broker, Device, Prometheus, Radio, Recorder, Settings, Site, Slot
from drivers.heart_rate.driver import HeartRate
from drivers.movella_dot.driver import MovellaDot
from gateway.analysis.pipeline import Pipeline
from gateway.analysis.warm_up import warm_up
from gateway.clocks.wall_clock import Reading, WallClock, read
from gateway.delivery.sender import Sender
from gateway.historian.historian import Historian
from gateway.history.reader import HistoryReader
from gateway.machine import supervision
from gateway.machine.facts import Clock
from gateway.machine.supervision import TaskFailedError
from gateway.machine.watchdog import ServiceManager
from gateway.model.row import AUDIT, EVENT
from gateway.model.status import Status, unknown_keys
from gateway.model.wall_correction import MICRO, SLOT
from gateway.outbox.file import OutboxFile
from gateway.outbox.outbox import Outbox
from gateway.recordings.replay import Replay
from gateway.run.run import Gateway, StartError, open_outbox
from gateway.status import progress
from simulators.devices.heart_rate import HeartRateStrap
from simulators.devices.movella_dot import MovellaDot as SimulatedDot
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.scenes.ward import ward
from tests.servers import Child, free_port, leave_broker
from tests.simulators.helpers import Counting, Metronome, on_air

COLD_S = 600.0  # where nothing has been compiled yet, and the machine is busy
pytestmark = [pytest.mark.broker, pytest.mark.timeout(COLD_S)]

STRAP, DOT = "02:48:52:00:01:00", "D4:22:CD:00:01:00"
WITHIN_S = 20.0
HOUR_US = 3_600 * MICRO
TOPICS = "rehab/v1/demo/gateway-1"


class Manager(ServiceManager):
    """A service manager's socket, and what it heard."""

    def __init__(self, folder: Path) -> None:
        self.heard: list[dict[str, str]] = []
        self.fed = threading.Event()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(folder / "notify"))
        super().__init__(str(folder / "notify"), 0.2)
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            words = dict(line.split("=", 1) for line in self._socket.recv(4096).decode().splitlines())
            if "END" in words:
                return
            self.heard.append(words)
            if "WATCHDOG" in words:
                self.fed.set()

    def close(self) -> None:
        self.notify(END=1)
        self._thread.join()
        self._socket.close()

    def notified(self, name: str) -> list[str]:
        return [words[name] for words in self.heard if name in words]


class Ear:
    """Hears what the gateway publishes."""

    def __init__(self, port: int) -> None:
        self.statuses: list[dict[str, Any]] = []
        self.notices: list[dict[str, Any]] = []
        self.measurements: list[dict[str, Any]] = []
        self.cycles: list[tuple[str, dict[str, Any]]] = []
        self._client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5)
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", port)
        self._client.subscribe(f"{TOPICS}/#", 1)
        self._client.loop_start()

    def _on_message(self, _client: object, _data: object, message: MQTTMessage) -> None:
        kind = message.topic.removeprefix(f"{TOPICS}/")
        if kind.startswith("waveform/"):
            return
        payload = orjson.loads(message.payload)
        if kind == "status":
            self.statuses.append(payload)
        elif kind == "notices":
            self.notices.append(payload)
        elif kind.startswith("cycles/"):
            self.cycles.append((kind.removeprefix("cycles/"), payload))
        elif kind.startswith("measurements/"):
            self.measurements += payload["measurements"]

    def ask(self, command: str, payload: dict[str, Any]) -> None:
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic = "rehab/answers/demo/ward-desk/1"
        self._client.publish(f"{TOPICS}/command/{command}", orjson.dumps(payload), 1, properties=properties)

    def close(self) -> None:
        leave_broker(self._client)

    def raised(self) -> list[str]:
        return [notice["id"] for notice in self.notices if notice["state"] == "raised"]

    def last(self) -> dict[str, Any]:
        return self.statuses[-1]


WORDS = 4
"""Records of the ward at a first start: who came, that their stay began, and what they wear. In the audit's class."""


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in threads and processes
            await asyncio.sleep(0.02)


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    """Compile first, as the process does: the loop serves the simulators too."""
    warm_up()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    made = Manager(tmp_path)
    yield made
    made.close()


@pytest.fixture
def ear(mosquitto: Child) -> Iterator[Ear]:
    made = Ear(mosquitto.port)
    yield made
    made.close()


@pytest.fixture
def settings(tmp_path: Path, mosquitto: Child) -> Settings:
    strap = Device(id="strap", driver="heart_rate", placement="chest", address=STRAP)
    dot = Device(id="dot", driver="movella_dot", placement="left_foot", address=DOT)
    return Settings(
        site=Site(data=tmp_path / "data"), broker=Broker(embedded=False, port=mosquitto.port), simulated=True,
        radio=Radio(name="simulated", socket=tmp_path / "radio"),
        slot=[Slot(id="bay-1", subject="p-1", device=[strap, dot])],
    )  # fmt: skip


@asynccontextmanager
async def running(
    settings: Settings, manager: ServiceManager, wall: WallClock | None = None
) -> AsyncIterator[tuple[Gateway, asyncio.Task[None]]]:
    """Two devices on the air, and a gateway that reads them."""
    hub = Hub()
    strap = HeartRateStrap(name="strap", timeline=Timeline(), hub=hub, address=STRAP, source=Metronome(0.5))
    dot = SimulatedDot(name="dot", timeline=Timeline(), hub=hub, address=DOT, source=Counting())
    assert settings.radio.socket
    async with on_air(hub, settings.radio.socket, strap, dot):
        # Whatever this machine's kernel thinks of its clock, unless a test says otherwise.
        kept = wall or WallClock(kernel=lambda: Clock(synchronised=True, max_error_s=0.0))
        gateway, stop = Gateway(settings, manager=manager, wall=kept), asyncio.Event()
        task = asyncio.create_task(gateway.run(stop), name="gateway")
        try:
            yield gateway, task
        finally:
            stop.set()
            await asyncio.wait({task})


def streaming(status: Mapping[str, Any]) -> list[str]:
    return [device["id"] for device in status.get("devices", ()) if device["state"] == "streaming"]


def active(gateway: Gateway) -> list[str]:
    return [notice["id"] for notice in gateway.status["notices"]["active"]]


def recorded(settings: Settings, rank: int) -> list[dict[str, Any]]:
    """Return the notices, or the audit, that a gateway which has ended left in its outbox."""
    box = Outbox(settings.site.data / "outbox.db")
    rows = [orjson.loads(row.payload) for row in box.read(0, 100_000) if row.rank == rank and not row.slot]
    box.close()
    return [row for row in rows if row["kind"] != "ward"]


async def test_it_is_ready_fed_and_says_everything_of_itself(settings: Settings, manager: Manager, ear: Ear) -> None:
    port = free_port()
    settings = settings.model_copy(update={"recorder": Recorder(enabled=True), "prometheus": Prometheus(port=port)})
    async with running(settings, manager) as (gateway, _):
        await until(lambda: len(streaming(gateway.status)) == 2)
        assert unknown_keys(Status, gateway.status) == set()
        assert gateway.status.keys() == get_type_hints(Status).keys()
        await until(lambda: gateway.status["events"]["arrived_us"] or ear.measurements)
        await until(lambda: manager.notified("WATCHDOG"))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        scraped = await reader.read()
        writer.close()
    assert b'rehab_gateway_device_state{device="dot",slot="bay-1",state="streaming"} 1.0' in scraped
    assert manager.notified("READY") == ["1"]
    assert "2 of 2 devices streaming" in manager.notified("STATUS")[-1]
    assert manager.notified("STOPPING") == ["1"]
    status = next(s for s in reversed(ear.statuses) if s["state"] == "online")
    assert status["recorder"]["recording"] is True
    assert status["outbox"]["max_bytes"] == settings.outbox.max_megabytes << 20
    assert status["disk"]["free_bytes"] > 0
    assert status["parts"] == {}
    await until(lambda: ear.last()["state"] == "offline")
    outbox = status["outbox"]
    assert outbox["depth"] >= sum(of["depth"] for of in outbox["classes"].values()) > 0
    assert (
        outbox["classes"]["audit"]["depth"] == 2 + WORDS
    )  # start and session; who came, began to be there, and wears what
    audit = recorded(settings, AUDIT)
    assert [(entry["n"], entry["what"]) for entry in audit] == [(1, "start"), (2, "session"), (3, "stop")]
    assert audit[0]["simulated"] is True
    assert audit[1]["session"] == gateway.steps.sessions["bay-1"]
    assert audit[2]["why"] == "asked"


async def test_whole_legs_are_reported_stride_by_stride_and_over_the_gait_cycle(
    settings: Settings, manager: Manager, ear: Ear, tmp_path: Path
) -> None:
    scene = ward(beds=2, ports=tmp_path / "ports", speed=4.0)  # the second wears sensors on both legs
    radio = settings.radio.socket
    assert radio
    found = Settings.model_validate(tomllib.loads(scene.configuration(radio)))
    settings = settings.model_copy(update={"slot": found.slot[1:], "speed": found.speed})
    gateway, stop = Gateway(settings, manager=manager), asyncio.Event()
    await scene.start(radio)
    task = asyncio.create_task(gateway.run(stop), name="gateway")
    try:
        await scene.begin(0.0)
        await until(lambda: ear.cycles and any(m["metric"] == "knee_rom" for m in ear.measurements))
    finally:
        stop.set()
        await asyncio.wait({task})
        await scene.stop()
    (slot, curves) = ear.cycles[-1]
    assert (slot, curves["slot"], curves["session"]) == ("bed-2", "bed-2", gateway.steps.sessions["bed-2"])
    assert {(c["joint"], len(c["mean"])) for c in curves["curves"]} <= {("hip", 101), ("knee", 101), ("ankle", 101)}
    assert curves["curves"]


async def test_no_task_is_left_and_every_one_had_a_name(settings: Settings, manager: Manager) -> None:
    before = asyncio.all_tasks()
    async with running(settings, manager) as (gateway, _):
        await until(lambda: len(streaming(gateway.status)) == 2)
        names = {part.work.get_name() for part in gateway.supervision.parts.values() if part.work}
        assert names == {"pipeline", "status", "watchdog", "ward file", "device:strap", "device:dot"}
    assert {task.get_name() for task in asyncio.all_tasks() - before} == set()


async def test_a_step_that_fails_costs_that_step(
    settings: Settings, manager: Manager, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, left = Pipeline.step, [2]

    def failing(self: Pipeline, frames: Any) -> Any:
        if self.end_ns - self.origin.monotonic_ns > 2e9 and left[0]:
            left[0] -= 1
            raise ZeroDivisionError("by design")
        return step(self, frames)

    monkeypatch.setattr(Pipeline, "step", failing)
    async with running(settings, manager) as (gateway, task):
        await until(lambda: "part-restarted/pipeline" in ear.raised())
        count = len(ear.measurements)
        await until(lambda: len(ear.measurements) > count)
        assert not task.done()
        await until(lambda: gateway.status["parts"]["pipeline"]["failures"] == 2)
    kept = [notice for notice in recorded(settings, EVENT) if notice["what"] == "part-restarted"]
    assert [(notice["id"], notice["state"]) for notice in kept] == [("part-restarted/pipeline", "raised")]
    assert kept[0]["time_us"] == next(n["time_us"] for n in ear.notices if n["code"] == "part-restarted")


async def test_a_command_is_in_the_audit(settings: Settings, manager: Manager, ear: Ear) -> None:
    async with running(settings, manager) as (gateway, _):
        await until(lambda: len(streaming(gateway.status)) == 2)
        ear.ask("watch", {"device": "dot", "stream": "imu", "for_s": 5})
        ear.ask("reboot", {"password": "hunter2"})
        await until(lambda: gateway.status["outbox"]["classes"]["audit"]["depth"] == 4 + WORDS)
    done, refused = (entry for entry in recorded(settings, AUDIT) if entry["what"] == "command")
    assert (done["command"], done["device"], done["by"], done["ok"]) == ("watch", "dot", "ward-desk", True)
    assert (refused["command"], refused["device"], refused["ok"]) == ("unknown", "", False)


async def test_a_pipeline_that_fails_for_good_ends_the_process_with_a_sentence(
    settings: Settings, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        raise ZeroDivisionError("by design")

    monkeypatch.setattr(supervision, "FIRST_DELAY_S", 0.001)
    monkeypatch.setattr(Pipeline, "step", failing)
    async with running(settings, manager) as (_, task):
        await asyncio.wait({task}, timeout=WITHIN_S)
        with pytest.raises(TaskFailedError, match=r"'pipeline' failed 6 times.*ZeroDivisionError: by design"):
            task.result()
    assert manager.notified("STOPPING") == ["1"]


async def test_a_defect_of_one_device_never_touches_its_neighbour(
    settings: Settings, manager: Manager, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("a defect of the driver")

    monkeypatch.setattr(HeartRate, "start", broken)
    async with running(settings, manager) as (gateway, task):
        await until(lambda: streaming(gateway.status) == ["dot"])
        await until(lambda: any(d["error"] for d in gateway.status["devices"] if d["id"] == "strap"))
        taken = gateway.status["pipeline"]["samples"]
        await until(lambda: gateway.status["pipeline"]["samples"] > taken + 60)
        assert not task.done()
        (strap,) = (device for device in gateway.status["devices"] if device["id"] == "strap")
        assert strap["advice"] == "This is a defect of the gateway: report it."


def hang_the_outbox(monkeypatch: pytest.MonkeyPatch, until_set: threading.Event) -> None:
    commit = OutboxFile.commit

    def hanging(self: OutboxFile, *args: Any, **named: Any) -> int:
        until_set.wait(WITHIN_S)
        return commit(self, *args, **named)

    monkeypatch.setattr(OutboxFile, "commit", hanging)


def hang_the_publisher(monkeypatch: pytest.MonkeyPatch, until_set: threading.Event) -> None:
    turn = Sender.turn

    def hanging(self: Sender, *args: Any, **named: Any) -> None:
        until_set.wait(WITHIN_S)
        turn(self, *args, **named)

    monkeypatch.setattr(Sender, "turn", hanging)


def hang_the_devices(monkeypatch: pytest.MonkeyPatch, until_set: threading.Event) -> None:
    async def hanging(*_: object) -> None:
        await asyncio.to_thread(until_set.wait, WITHIN_S)

    monkeypatch.setattr(HeartRate, "start", hanging)
    monkeypatch.setattr(MovellaDot, "start", hanging)


HANGS = {
    "outbox": ("OUTBOX_S", hang_the_outbox),
    "publisher": ("PUBLISHER_S", hang_the_publisher),
    "ble devices": ("DEVICES_S", hang_the_devices),
}


@pytest.mark.parametrize("name", HANGS)
async def test_a_part_that_is_stuck_stops_the_feeding(
    settings: Settings, manager: Manager, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    limit, hang = HANGS[name]
    go_on = threading.Event()
    monkeypatch.setattr(progress, limit, 1.5)
    hang(monkeypatch, go_on)
    async with running(settings, manager):
        await until(lambda: f"no progress: {name}" in manager.notified("STATUS"))
        assert not await asyncio.to_thread(is_feeding, manager)
        go_on.set()
        await until(manager.fed.is_set)


def is_feeding(manager: Manager) -> bool:
    """Whether it is fed all the time; one that was under way when all stopped does not count."""
    for _ in range(3):
        manager.fed.clear()
        if not manager.fed.wait(0.5):  # ten feeds
            return False
    return True


async def test_a_loop_that_hangs_does_not_feed(
    settings: Settings, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(settings, manager) as (gateway, _):
        await until(manager.fed.is_set)
        step, hung, go_on = gateway.steps.pipeline.step, threading.Event(), threading.Event()

        def hanging(frames: Any) -> Any:
            hung.set()
            go_on.wait(WITHIN_S)
            return step(frames)

        def judge() -> bool:
            assert hung.wait(WITHIN_S)
            found = is_feeding(manager)
            monkeypatch.setattr(gateway.steps.pipeline, "step", step)
            go_on.set()
            return found

        judging = asyncio.create_task(asyncio.to_thread(judge))
        monkeypatch.setattr(gateway.steps.pipeline, "step", hanging)
        assert await judging is False
        await until(manager.fed.is_set)


async def test_a_device_task_that_is_stuck_is_begun_again(
    settings: Settings, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = 0

    async def hanging(*_: object) -> None:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()

    monkeypatch.setattr(progress, "DEVICE_S", 1.5)
    monkeypatch.setattr(HeartRate, "start", hanging)
    async with running(settings, manager) as (gateway, _):
        await until(lambda: begun >= 2)
        assert gateway.supervision.parts["device:strap"].failures >= 1
        assert gateway.supervision.parts["device:dot"].failures == 0
        assert "dot" in streaming(gateway.status)


async def test_a_broker_that_was_away_hears_when_it_is_back(
    settings: Settings, manager: Manager, mosquitto: Child, ear: Ear
) -> None:
    async with running(settings, manager) as (gateway, _):
        await until(lambda: ear.measurements)
        ear.close()
        await asyncio.to_thread(mosquitto.end)
        await until(lambda: "broker-unreachable" in active(gateway))
        assert len(streaming(gateway.status)) == 2
        await asyncio.to_thread(mosquitto.start)
        back = Ear(mosquitto.port)
        await until(lambda: "broker-unreachable" in back.raised())
        await until(lambda: "broker-unreachable" not in active(gateway))
        back.close()


async def test_a_wall_clock_that_is_set_moves_utc_and_the_replay_agrees(
    settings: Settings, manager: Manager, ear: Ear
) -> None:
    shift_us = [-20 * 365 * 86_400 * MICRO]

    def shifted() -> Reading | None:
        now = read()
        return now and replace(now, wall_us=now.wall_us + shift_us[0])

    settings = settings.model_copy(update={"recorder": Recorder(enabled=True)})
    historian = Historian(settings)
    historian.start()
    await until(lambda: historian.state().connected)
    wall = WallClock(shifted, lambda: Clock(synchronised=shift_us[0] == 0, max_error_s=0.0))
    async with running(settings, manager, wall) as (gateway, _):
        await until(lambda: len(ear.measurements) > 5)
        assert gateway.status["clock"]["believed_at_start"] is False
        shift_us[0] = 0
        await until(lambda: "clock-step" in ear.raised())
        count = len(ear.measurements)
        await until(lambda: len(ear.measurements) > count + 5)
        assert gateway.status["clock"] == gateway.status["clock"] | {"synchronised": True, "steps": 1}
    (recording,) = (settings.site.data / "recordings").iterdir()
    again = [m.as_dict() for step in Replay(recording).steps() for m in step]
    await until(lambda: len(ear.measurements) >= len(again))
    heard = sorted(ear.measurements, key=lambda m: int(m["seq"]))
    live = [m for m in heard if m["slot"] != SLOT]
    assert [{k: v for k, v in m.items() if k != "seq"} for m in live] == [orjson.loads(orjson.dumps(m)) for m in again]
    ends = [m["end_us"] for m in live]
    assert max(ends) - min(ends) > 20 * 365 * 86_400 * MICRO
    corrections = [(round(m["value"] / 86_400, 3), m["quality"]) for m in heard if m["slot"] == SLOT]
    assert corrections == [(0, "degraded"), (20 * 365, "ok")]
    reader = HistoryReader(settings.history_file)
    await until(lambda: reader.count() == len(live))
    stored = {row.seq: row for row in reader.stored()}
    for m in live:
        row = stored[m["seq"]]
        assert row.clock == ("mended" if m["end_us"] < min(ends) + HOUR_US else "believed")
        assert row.measurement.end_us - row.measurement.start_us == m["end_us"] - m["start_us"]
    mended = [row.measurement.end_us for row in stored.values()]
    assert max(mended) - min(mended) < 60 * MICRO
    reader.close()
    await asyncio.to_thread(historian.stop)


def test_a_folder_that_cannot_be_used_is_reported_in_a_sentence(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file in the way")
    with pytest.raises(StartError, match=r"outbox\.db cannot be used"):
        open_outbox(settings)
