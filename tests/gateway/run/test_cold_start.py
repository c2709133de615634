"""``rehab-gateway run`` on a computer that has compiled nothing yet: hearts at once, movement when it can be."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from gateway.outbox.outbox import Outbox
from gateway.recordings.replay import Replay
from simulators.body.body import WalkingBody
from simulators.body.programme import Walk
from simulators.devices.heart_rate import HeartRateStrap
from simulators.devices.movella_dot import MovellaDot
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.sensing.clock import Clock
from tests.servers import free_port, wait_until
from tests.simulators.helpers import Metronome, on_air

COLD_S = 600.0  # where nothing has been compiled yet, and the machine is busy
STRAP, DOT = "02:48:52:00:01:00", "D4:22:CD:00:01:00"
pytestmark = [pytest.mark.slow, pytest.mark.compiled, pytest.mark.timeout(2 * COLD_S)]


def configuration(folder: Path) -> Path:
    path = folder / "ward.toml"
    path.write_text(
        f"simulated = true\n[radio]\nname = 'simulated'\nsocket = '{folder}/radio'\n"
        f"[broker]\nembedded = false\nport = {free_port()}\n[recorder]\nenabled = true\n"
        "[[slot]]\nid = 'bay-1'\nsubject = 'p-1'\n"
        f"[[slot.device]]\nid = 'strap'\ndriver = 'heart_rate'\nplacement = 'chest'\naddress = '{STRAP}'\n"
        f"[[slot.device]]\nid = 'dot'\ndriver = 'movella_dot'\nplacement = 'left_foot'\naddress = '{DOT}'\n",
        "utf-8",
    )
    return path


def stored(folder: Path, metric: str) -> bool:
    """Whether a measurement of a metric is on disk."""
    try:
        with closing(sqlite3.connect(f"file:{folder}/var/outbox.db?mode=ro", uri=True)) as db, db:
            wanted = f'"metric":"{metric}"'.encode()
            return any(
                db.execute(f"SELECT 1 FROM {table} WHERE instr(payload, ?) LIMIT 1", (wanted,)).fetchone()  # noqa: S608
                for table in ("metrics", "events")
            )
    except sqlite3.Error:
        return False


async def until(condition: Callable[[], object]) -> float:
    """Wait for a condition; return when it came true, monotonic seconds."""
    await asyncio.to_thread(wait_until, condition, COLD_S)
    return time.monotonic()


async def test_hearts_are_measured_while_movement_is_prepared_and_no_sample_is_lost(tmp_path: Path) -> None:
    path, hub = configuration(tmp_path), Hub()
    body = WalkingBody(3, programme=(Walk(cadence_spm=105.0, stride_m=1.25, duration_s=60.0),))
    strap = HeartRateStrap(name="strap", timeline=Timeline(), hub=hub, address=STRAP, source=Metronome(0.5))
    source = body.sensor("left_foot", rate_hz=60.0, clock=Clock(1))
    dot = MovellaDot(name="dot", timeline=Timeline(), hub=hub, address=DOT, source=source)
    log = tmp_path / "run.log"
    async with on_air(hub, tmp_path / "radio", strap, dot):
        with log.open("wb") as out:
            process = subprocess.Popen(  # noqa: ASYNC220 - it is only started here
                [sys.executable, "-m", "gateway", "run", str(path)],
                stdout=out, stderr=out, env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path / "cache")},
            )  # fmt: skip
        try:
            heart_s = await until(lambda: stored(tmp_path, "heart_rate"))
            assert not stored(tmp_path, "stride_time")
            stride_s = await until(lambda: stored(tmp_path, "stride_time"))
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) == 0
    output = log.read_text("utf-8")
    assert "Preparing movement analysis" in output
    assert "movement analysis is ready" in output
    assert stride_s > heart_s
    with_replay = [m for step in Replay(next((tmp_path / "var/recordings").glob("*.rgrec"))).steps() for m in step]
    box = Outbox(tmp_path / "var/outbox.db")
    rows = [orjson.loads(row.payload) for row in box.read(0, 100_000) if row.slot == "bay-1"]
    box.close()
    kept = sorted((row["metric"], row["start_us"], row["end_us"], row["value"]) for row in rows)
    assert kept == sorted((m.metric, m.start_us, m.end_us, m.value) for m in with_replay)
    assert "stream_gap" not in {metric for metric, *_ in kept}
