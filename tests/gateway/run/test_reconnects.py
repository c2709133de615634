"""A device that comes and goes a thousand times leaves nothing behind: ``make soak``; fewer times in ``make test``."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from config.settings import Broker, Device, Radio, Settings, Site, Slot
from drivers.transport import supervisor
from gateway.analysis.warm_up import warm_up
from gateway.machine.watchdog import ServiceManager
from gateway.run.run import Gateway
from simulators.devices.movella_dot import MovellaDot
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.servers import Child
from tests.simulators.helpers import Counting, on_air

DOT = "D4:22:CD:00:01:00"
RECONNECTS = int(os.environ.get("RECONNECTS", "60"))
SETTLED = 20  # reconnects after which caches are filled and pools are made
LOOKS = 10  # rows of the table
SAMPLES = 6  # that arrive between two losses of the link: a tenth of a second
ONE_S = 30.0  # for one reconnect on a busy machine
KIB_GROWN = 4096.0  # after that, however often it reconnects: nobody stores, so SQLite's cache of the outbox fills up


@dataclass(frozen=True, slots=True)
class Look:
    """What the process holds."""

    reconnects: int
    seconds: float
    files: int
    tasks: int
    threads: int
    kib: float

    @classmethod
    def now(cls, reconnects: int, begun: float) -> Look:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return cls(
            reconnects, time.monotonic() - begun, len(list(Path("/proc/self/fd").iterdir())), len(asyncio.all_tasks()),
            threading.active_count(), pages * os.sysconf("SC_PAGE_SIZE") / 1024,
        )  # fmt: skip


def show(looks: list[Look]) -> None:
    lines = ["", "reconnects   seconds   descriptors   tasks   threads   memory MiB"]
    lines += [
        f"{of.reconnects:10d}{of.seconds:10.1f}{of.files:14d}{of.tasks:8d}{of.threads:10d}{of.kib / 1024:13.1f}"
        for of in looks
    ]
    sys.stdout.write("\n".join(lines) + "\n")


@pytest.mark.slow
@pytest.mark.broker
@pytest.mark.timeout(3600)
async def test_reconnecting_leaves_nothing_behind(
    tmp_path: Path, mosquitto: Child, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)  # pytest keeps every record, and would be what grows
    monkeypatch.setattr(supervisor, "delay_s", lambda _failures, _chance: 0.0)  # it is the count that is tested
    warm_up()
    device = Device(id="dot", driver="movella_dot", placement="left_foot", address=DOT)
    settings = Settings(
        site=Site(data=tmp_path / "data"), broker=Broker(embedded=False, port=mosquitto.port), simulated=True,
        radio=Radio(name="simulated", socket=tmp_path / "radio"),
        slot=[Slot(id="bay-1", subject="p-1", device=[device])],
    )  # fmt: skip
    hub = Hub()
    dot = MovellaDot(name="dot", timeline=Timeline(), hub=hub, address=DOT, source=Counting())
    looks: list[Look] = []
    async with on_air(hub, tmp_path / "radio", dot):
        gateway, stop = Gateway(settings, manager=ServiceManager("", 0.0)), asyncio.Event()
        running = asyncio.create_task(gateway.run(stop), name="gateway")
        begun = time.monotonic()
        for reconnects in range(RECONNECTS + 1):
            async with asyncio.timeout(ONE_S):
                sent = dot.counts.sent
                while not dot.streaming or dot.counts.sent < sent + SAMPLES:
                    assert not running.done()
                    await asyncio.sleep(0.005)
            if reconnects >= SETTLED and (reconnects - SETTLED) % max(1, (RECONNECTS - SETTLED) // LOOKS) == 0:
                looks.append(Look.now(reconnects, begun))
            await dot.drop()
            async with asyncio.timeout(ONE_S):
                while dot.streaming:  # noqa: ASYNC110 - the same
                    await asyncio.sleep(0.005)
        stop.set()
        await running
    show(looks)
    first, last = looks[0], looks[-1]
    assert max(look.files for look in looks) - first.files <= 3  # a connection that is just being made or ended
    assert max(look.tasks for look in looks) - first.tasks <= 8
    assert last.threads <= first.threads + 1
    assert last.kib - first.kib < KIB_GROWN
