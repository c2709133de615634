"""A ward that changes while it is measured: simulated devices over a real Bluetooth stack, and a real broker."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from config.settings import Broker, Device, Radio, Recorder, Settings, Site, Slot
from gateway.analysis.pipeline import Pipeline
from gateway.analysis.warm_up import warm_up
from gateway.clocks.wall_clock import Reading, WallClock, read
from gateway.intake.frames import WARD_CHANNEL, Numbered
from gateway.machine.facts import Clock
from gateway.machine.watchdog import ServiceManager
from gateway.model.measurements import Measurements
from gateway.model.row import AUDIT
from gateway.model.wall_correction import METRIC, MICRO, NOT_KEPT
from gateway.outbox.outbox import Outbox
from gateway.recordings.replay import Replay
from gateway.run.run import Gateway
from gateway.ward.kept_ward import ward_path
from gateway.ward.registry import read_state
from simulators.devices.heart_rate import AVERAGED_BEATS, HeartRateStrap
from simulators.motion.source import Beats
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.gateway.run.ward_desk import Desk
from tests.servers import Child, wait_until
from tests.simulators.hearts import Steady
from tests.simulators.helpers import on_air

pytestmark = [pytest.mark.broker, pytest.mark.timeout(600)]

TOPICS = "rehab/v1/demo/gateway-1"
WITHIN_S = 30.0
FIRST_CHANGES = 15  # that are answered before the kill is on its way
STEP_US = 50_000
HOUR_US = 3_600 * MICRO
ADDRESSES = ("02:48:52:00:01:00", "02:48:52:00:02:00")
FIRST_BPM, SECOND_BPM, NEIGHBOUR_BPM = 120.0, 75.0, 100.0
LONGEST_BETWEEN_US = 3_000_000  # two heart rates of a strap that notifies once a second, on a busy machine


class Wearer(Steady):
    """The heart of whoever wears a strap."""

    def __init__(self, bpm: float) -> None:
        super().__init__(bpm)
        self.beats_since = 0

    def read_until(self, until_s: float) -> Beats:
        """Return the beats up to ``until_s``."""
        beats = super().read_until(until_s)
        self.beats_since += len(beats.time_s)
        return beats

    def put_on(self, bpm: float) -> None:
        """Let somebody else wear it."""
        self.bpm, self.beats_since = bpm, 0


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    """Compile first: the loop serves the simulators too."""
    warm_up()


@pytest.fixture
def settings(tmp_path: Path, mosquitto: Child) -> Settings:
    slots = [
        Slot(
            id=f"bay-{n}", subject=f"p-{n}",
            device=[Device(id=f"strap-{n}", driver="heart_rate", placement="chest", address=ADDRESSES[n - 1])],
        )
        for n in (1, 2)
    ]  # fmt: skip
    return Settings(
        site=Site(data=tmp_path / "data"), broker=Broker(embedded=False, port=mosquitto.port), simulated=True,
        radio=Radio(name="simulated", socket=tmp_path / "radio"), slot=slots,
    )  # fmt: skip


@pytest.fixture
def desk(mosquitto: Child) -> Iterator[Desk]:
    made = Desk(mosquitto.port, TOPICS)
    yield made
    made.close()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in threads
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(settings: Settings, *hearts: Wearer, wall: WallClock | None = None) -> AsyncIterator[Gateway]:
    """Straps on the air, and a gateway that reads them."""
    hub = Hub()
    straps = [
        HeartRateStrap(name=f"strap-{n}", timeline=Timeline(), hub=hub, address=address, source=heart)
        for n, (address, heart) in enumerate(zip(ADDRESSES, hearts, strict=True), 1)
    ]
    assert settings.radio.socket
    async with on_air(hub, settings.radio.socket, *straps):
        kept = wall or WallClock(kernel=lambda: Clock(synchronised=True, max_error_s=0.0))
        gateway, stop = Gateway(settings, manager=ServiceManager("", 0.0), wall=kept), asyncio.Event()
        task = asyncio.create_task(gateway.run(stop), name="gateway")
        try:
            yield gateway
        finally:
            stop.set()
            await asyncio.wait({task})
            task.result()


def slots(gateway: Gateway) -> dict[str, tuple[str, list[str]]]:
    return {slot["id"]: (slot["subject"], slot["devices"]) for slot in gateway.status.get("slots", ())}


def devices(gateway: Gateway) -> list[str]:
    return [device["id"] for device in gateway.status.get("devices", ())]


def audit(settings: Settings) -> list[dict[str, Any]]:
    """Return the audit that a gateway which has ended left in its outbox."""
    box = Outbox(settings.site.data / "outbox.db")
    rows = [orjson.loads(row.payload) for row in box.read(0, 100_000) if row.rank == AUDIT and not row.slot]
    box.close()
    return rows


def rates(measurements: list[dict[str, Any]]) -> set[float]:
    return {round(m["value"]) for m in measurements if m["value"] is not None}


async def test_one_goes_another_comes_into_the_bed_and_the_neighbour_notices_nothing(
    settings: Settings, desk: Desk
) -> None:
    wearer = Wearer(FIRST_BPM)
    settings = settings.model_copy(update={"recorder": Recorder(enabled=True)})
    async with running(settings, wearer, Wearer(NEIGHBOUR_BPM)) as gateway:
        await until(lambda: desk.of("p-1") and desk.of("p-2"))
        stay = desk.of("p-1")[0]["session"]
        started = await desk.change("session-start", subject="p-1", protocol="10mwt")
        await until(lambda: any(m["session"] == started["session"] for m in desk.of("p-1")))
        await desk.change("session-end", session="p-1")
        count = len(desk.of("p-1"))
        await until(lambda: [m for m in desk.of("p-1")[count:] if m["session"] == stay])
        await desk.change("discharge", subject="p-1")
        await until(lambda: devices(gateway) == ["strap-2"])
        assert slots(gateway) == {"bay-2": ("p-2", ["strap-2"])}  # of the same status
        wearer.put_on(SECOND_BPM)
        await until(lambda: wearer.beats_since > 2 * AVERAGED_BEATS)
        await desk.change("admit", subject="p-3", bed="bay-1")
        await desk.change("assign", device="strap-1", bed="bay-1", placement="chest")
        await until(lambda: len(desk.of("p-3")) > 2)
        await until(lambda: slots(gateway)["bay-1"] == ("p-3", ["strap-1"]))
        await until(lambda: desk.ward.get("number") == 7)
    ward = read_state(ward_path(settings))
    session = ward.session(started["session"])
    assert session is not None
    assert session.ended_us is not None
    measured = [m for m in desk.of("p-1") if m["session"] == session.id]
    assert min(m["start_us"] for m in measured) >= session.started_us
    assert max(m["end_us"] for m in measured) <= session.ended_us + 2 * STEP_US
    assert {m["session"] for m in desk.of("p-1")} == {stay, session.id}
    assert (rates(desk.of("p-1")), rates(desk.of("p-3"))) == ({FIRST_BPM}, {SECOND_BPM})
    assert {m["slot"] for m in desk.of("p-3")} == {"bay-1"}
    neighbour = desk.of("p-2")
    assert (len({m["session"] for m in neighbour}), rates(neighbour)) == (1, {NEIGHBOUR_BPM})
    ends = [m["end_us"] for m in neighbour]
    assert max(np.diff(ends)) < LONGEST_BETWEEN_US
    changes = [(e["change"], e["by"], e["from"]) for e in audit(settings) if e["what"] == "ward-changed"]
    assert changes == [
        (name, "anna", "ward-desk") for name in ("session-start", "session-end", "discharge", "admit", "assign")
    ]
    (recording,) = (settings.site.data / "recordings").iterdir()
    again = [orjson.loads(orjson.dumps(m.as_dict())) for step in Replay(recording).steps() for m in step]
    await until(lambda: len(desk.measurements) >= len(again))
    live = sorted(desk.measurements, key=lambda m: int(m["seq"]))
    assert [{k: v for k, v in m.items() if k != "seq"} for m in live] == again


async def test_who_moves_keeps_session_and_connection(settings: Settings, desk: Desk) -> None:
    async with running(settings, Wearer(FIRST_BPM), Wearer(NEIGHBOUR_BPM)) as gateway:
        await until(lambda: desk.of("p-1"))
        started = await desk.change("session-start", subject="p-1", protocol="6mwt")
        await desk.change("add-bed", bed="bay-3")
        await desk.change("move", subject="p-1", bed="bay-3")
        await until(lambda: [m for m in desk.of("p-1") if m["slot"] == "bay-3"])
        part = gateway.supervision.parts["device:strap-1"]
        await until(lambda: slots(gateway).get("bay-3") == ("p-1", ["strap-1"]))
        assert part.failures == 0
        frames = [d for d in gateway.status["devices"] if d["id"] == "strap-1"]
        assert (len(frames), frames[0]["slot"], frames[0]["state"]) == (1, "bay-3", "streaming")
        (moved,) = {m["session"] for m in desk.of("p-1") if m["slot"] == "bay-3"}
        assert moved == started["session"]


async def test_what_cannot_be_is_one_sentence_and_changes_nothing(settings: Settings, desk: Desk) -> None:
    async with running(settings, Wearer(FIRST_BPM), Wearer(NEIGHBOUR_BPM)):
        await until(lambda: desk.of("p-1"))
        asked: list[tuple[str, dict[str, Any]]] = [
            ("admit", {"subject": "p-9", "bed": "bay-1"}),
            ("assign", {"device": "strap-1", "bed": "bay-2", "placement": "chest"}),
            ("discharge", {"subject": "nobody"}),
            ("session-end", {"session": "p-1"}),
            ("gateway-starts", {}),
        ]
        answers = [await asyncio.to_thread(partial(desk.ask, name, **fields)) for name, fields in asked]
        assert [answer and answer["ok"] for answer in answers] == [False] * 5
        assert answers[0] == {
            "v": 1, "ok": False, "error": "'p-1' is in bed 'bay-1': discharge or move them first",
            "said": {"key": "bed_taken", "values": {"bed": "bay-1", "subject": "p-1"}},
        }  # fmt: skip
    assert read_state(ward_path(settings)).number == 2


async def test_a_ward_with_nobody_waits_for_somebody(settings: Settings, desk: Desk) -> None:
    wearer = Wearer(FIRST_BPM)
    async with running(settings, wearer, Wearer(NEIGHBOUR_BPM)):
        await until(lambda: desk.ward)
        for subject in ("p-1", "p-2"):
            await desk.change("discharge", subject=subject)
    async with running(settings, wearer, Wearer(NEIGHBOUR_BPM)) as gateway:
        await until(lambda: gateway.status.get("publisher", {}).get("connected"))  # before, nobody hears a command
        assert slots(gateway) == {}
        await desk.change("admit", subject="p-4", bed="bay-2")
        await desk.change("assign", device="strap-1", bed="bay-2", placement="chest")
        await until(lambda: desk.of("p-4"))


async def test_a_file_that_was_edited_after_a_change_is_reported(settings: Settings, desk: Desk) -> None:
    async with running(settings, Wearer(FIRST_BPM), Wearer(NEIGHBOUR_BPM)):
        await until(lambda: desk.ward)
        await desk.change("discharge", subject="p-1")
    edited = settings.model_copy(update={"slot": settings.slot[:1]})
    async with running(edited, Wearer(FIRST_BPM), Wearer(NEIGHBOUR_BPM)) as gateway:
        await until(lambda: gateway.status.get("notices", {}).get("active"))
        assert slots(gateway) == {"bay-2": ("p-2", ["strap-2"])}
        assert "ward-file-differs" in [notice["id"] for notice in gateway.status["notices"]["active"]]


async def test_a_clock_that_is_set_moves_the_times_of_who_has_left_too(settings: Settings, desk: Desk) -> None:
    shift_us = [0]

    def shifted() -> Reading | None:
        now = read()
        return now and replace(now, wall_us=now.wall_us + shift_us[0])

    wall = WallClock(shifted, lambda: Clock(synchronised=True, max_error_s=0.0))
    async with running(settings, Wearer(FIRST_BPM), Wearer(NEIGHBOUR_BPM), wall=wall):
        await until(lambda: desk.of("p-1"))
        started = await desk.change("session-start", subject="p-1", protocol="10mwt")
        await until(lambda: [m for m in desk.of("p-1") if m["session"] == started["session"]])
        await desk.change("discharge", subject="p-1")
        shift_us[0] = HOUR_US
        await until(lambda: desk.of("p-2", METRIC))
        sessions = {m["session"] for subject in ("p-1", "p-2") for m in desk.of(subject)}
        await until(lambda: {m["session"] for s in ("p-1", "p-2") for m in desk.of(s, METRIC)} == sessions)
    assert {round(m["value"]) for m in desk.of("p-1", METRIC)} == {HOUR_US // MICRO}


async def test_what_begins_while_the_clock_is_not_believed_is_doubted_too(settings: Settings, desk: Desk) -> None:
    wall = WallClock(read, lambda: Clock(synchronised=False, max_error_s=0.0))
    async with running(settings, Wearer(FIRST_BPM), Wearer(NEIGHBOUR_BPM), wall=wall):
        await until(lambda: desk.of("p-1"))
        started = await desk.change("session-start", subject="p-1", protocol="rest")
        await desk.change("discharge", subject="p-2")
        await desk.change("admit", subject="p-3", bed="bay-2")
        await desk.change("assign", device="strap-2", bed="bay-2", placement="chest")
        await until(lambda: [m for m in desk.of("p-1") if m["session"] == started["session"]] and desk.of("p-3"))
        sessions = {m["session"] for subject in ("p-1", "p-3") for m in desk.of(subject)}
        await until(lambda: {m["session"] for s in ("p-1", "p-3") for m in desk.of(s, METRIC)} >= sessions)
        words = [m for subject in ("p-1", "p-3") for m in desk.of(subject, METRIC)]
    assert {(m["value"], m["quality"], m["reason"]) for m in words} == {(0.0, "degraded", NOT_KEPT)}
    assert len({m["session"] for m in words}) == len(words), "once of each"


async def test_a_step_that_fails_does_not_undo_a_change(
    settings: Settings, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, failed = Pipeline.step, threading.Event()

    def failing(self: Pipeline, frames: Sequence[Numbered]) -> Measurements:
        if not failed.is_set() and any(frame.channel == WARD_CHANNEL for _, frame in frames):
            failed.set()
            raise ZeroDivisionError("by design")
        return step(self, frames)

    monkeypatch.setattr(Pipeline, "step", failing)
    async with running(settings, Wearer(FIRST_BPM), Wearer(NEIGHBOUR_BPM)) as gateway:
        await until(lambda: desk.of("p-1"))
        await desk.change("discharge", subject="p-1")
        await until(failed.is_set)
        await until(lambda: slots(gateway) == {"bay-2": ("p-2", ["strap-2"])})


async def test_a_broker_that_has_forgotten_the_ward_gets_it_again(
    settings: Settings, mosquitto: Child, desk: Desk
) -> None:
    async with running(settings, Wearer(FIRST_BPM), Wearer(NEIGHBOUR_BPM)):
        await until(lambda: desk.ward)
        await desk.change("discharge", subject="p-1")
        desk.forget_ward()
        await asyncio.to_thread(mosquitto.end)
        await asyncio.to_thread(mosquitto.start)
        back = Desk(mosquitto.port, TOPICS)
        await until(lambda: back.ward.get("number") == 3)
        assert [subject["id"] for subject in back.ward["subjects"]] == ["p-2"]
        back.close()


@contextmanager
def process(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A gateway of its own, as a service manager starts it."""
    child = subprocess.Popen(
        [sys.executable, "-m", "gateway", "run", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def test_a_kill_loses_no_acknowledged_change(tmp_path: Path, mosquitto: Child, desk: Desk) -> None:
    config = tmp_path / "ward.toml"
    config.write_text(
        f'simulated = true\n[site]\ndata = "{tmp_path}/data"\n[broker]\nembedded = false\nport = {mosquitto.port}\n'
        f'[radio]\nname = "simulated"\nsocket = "{tmp_path}/radio"\n[[slot]]\nid = "bay-1"\nsubject = "p-1"\n'
        f'[[slot.device]]\nid = "strap"\ndriver = "heart_rate"\nplacement = "chest"\naddress = "{ADDRESSES[0]}"\n'
    )
    acknowledged: list[str] = []
    for run in range(2):
        desk.ward = {}
        with process(config) as child:
            wait_until(lambda: desk.ward, 120.0)
            killer = threading.Timer(0.05, os.kill, (child.pid, signal.SIGKILL))  # somewhere within some commands
            for n in range(10_000):
                if n == FIRST_CHANGES:
                    killer.start()
                answer = desk.ask("add-bed", bed=f"bed-{run}-{n}", within_s=3.0 if n > FIRST_CHANGES else 30.0)
                if answer is None:
                    break
                assert answer["ok"]
                acknowledged.append(f"bed-{run}-{n}")
            killer.join()
        beds = [bed.id for bed in read_state(tmp_path / "data" / "ward.db").beds]
        assert [bed for bed in acknowledged if bed not in beds] == []
        assert len(beds) - 1 - len(acknowledged) in range(run + 2)  # the last of each may be there, unanswered
    assert len(acknowledged) >= 2 * FIRST_CHANGES
    desk.ward = {}
    with process(config):
        wait_until(lambda: desk.ward, 120.0)
    assert [bed["id"] for bed in desk.ward["beds"]] == beds
