"""A gateway of its own, with a strap and a foot on the air: seconds until a heart rate, and a stride, are on disk."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from benchmarks.entry import Entry, bytecode, show
from simulators.body.body import WalkingBody
from simulators.body.heart import Heart
from simulators.body.programme import Walk
from simulators.devices.heart_rate import HeartRateStrap
from simulators.devices.movella_dot import MovellaDot
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.sensing.clock import Clock

STRAP, DOT = "02:48:52:00:01:00", "D4:22:CD:00:01:00"
HEART_S = 3.0  # the goal: from the start of a process on a computer that has compiled nothing
LONGEST_S = 900.0
FIRST = ("heart_rate", "stride_time")
CONFIGURATION = """
simulated = true
[radio]
name = 'simulated'
socket = '{folder}/radio'
[broker]
embedded = false
port = 9
[[slot]]
id = 'bay-1'
subject = 'p-1'
[[slot.device]]
id = 'strap'
driver = 'heart_rate'
placement = 'chest'
address = '02:48:52:00:01:00'
[[slot.device]]
id = 'dot'
driver = 'movella_dot'
placement = 'left_foot'
address = 'D4:22:CD:00:01:00'
"""


def stored(outbox: Path, metric: str) -> bool:
    """Whether a measurement of a metric is on disk."""
    wanted = f'"metric":"{metric}"'.encode()
    try:
        with closing(sqlite3.connect(f"file:{outbox}?mode=ro", uri=True)) as db, db:
            return any(
                db.execute(f"SELECT 1 FROM {table} WHERE instr(payload, ?) LIMIT 1", (wanted,)).fetchone()  # noqa: S608
                for table in ("metrics", "events")
            )
    except sqlite3.Error:
        return False


async def first(folder: Path, environment: dict[str, str]) -> dict[str, float]:
    """Start a process in this environment; return the seconds until the first of each metric is on disk."""
    hub = Hub()
    body = WalkingBody(3, programme=(Walk(cadence_spm=105.0, stride_m=1.25, duration_s=60.0),))
    devices = (
        HeartRateStrap(name="strap", timeline=Timeline(), hub=hub, address=STRAP, source=Heart(3)),
        MovellaDot(
            name="dot", timeline=Timeline(), hub=hub, address=DOT,
            source=body.sensor("left_foot", rate_hz=60.0, clock=Clock(1)),
        ),
    )  # fmt: skip
    for device in devices:
        await device.start()
    await hub.serve(folder / "radio")
    path = folder / "ward.toml"
    path.write_text(CONFIGURATION.format(folder=folder), "utf-8")
    begun = time.monotonic()
    process = subprocess.Popen(  # noqa: ASYNC220, S603 - it is only started here, and is this program
        [sys.executable, "-m", "gateway", "run", str(path)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=os.environ | environment,
    )  # fmt: skip
    took: dict[str, float] = {}
    try:
        while len(took) < len(FIRST) and time.monotonic() - begun < LONGEST_S:
            for metric in FIRST:
                if metric not in took and await asyncio.to_thread(stored, folder / "var/outbox.db", metric):
                    took[metric] = time.monotonic() - begun
            await asyncio.sleep(0.02)
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait)
        for device in devices:
            await device.stop()
        await hub.stop()
    return took


def entries() -> list[Entry]:
    """Measure; the second start finds what the first has compiled."""
    found: list[Entry] = []
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryDirectory() as modules:
        environment = {**bytecode(Path(modules)), "NUMBA_CACHE_DIR": cache}
        for state in ("cold", "warm"):
            with tempfile.TemporaryDirectory() as folder:
                took = asyncio.run(first(Path(folder), environment))
            heart, stride = (took.get(metric, LONGEST_S) for metric in FIRST)
            found += [
                Entry(f"start of the process to first heart rate on disk, {state} cache", heart, "s", HEART_S),
                Entry(f"start of the process to first stride on disk, {state} cache", stride, "s"),
            ]
    return found


if __name__ == "__main__":
    show(entries())
