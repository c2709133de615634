"""The real gateway process starts in 1970, measures, and has its clock set: the history tells the right times."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from config.settings import Broker, Settings, Site
from gateway.analysis.warm_up import warm_up
from gateway.historian.historian import Historian
from gateway.history.reader import HistoryReader
from gateway.model.wall_correction import MICRO
from simulators.devices.heart_rate import HeartRateStrap
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.servers import Child
from tests.simulators.helpers import Metronome, on_air

pytestmark = pytest.mark.broker

FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
STRAP = "02:48:52:00:02:00"
WITHIN_S = 120.0
WARD = """\
simulated = true
[site]
data = "{folder}"
[broker]
embedded = false
port = {port}
[radio]
name = "simulated"
socket = "{folder}/radio"
[[slot]]
id = "bay-1"
subject = "p-1"
[[slot.device]]
id = "strap"
driver = "heart_rate"
placement = "chest"
address = "{address}"
"""


@asynccontextmanager
async def gateway_in(folder: Path, port: int, offset: Path) -> AsyncIterator[None]:
    """A gateway whose wall clock, and nothing else, is off by what a file says; stopped in good order at the end."""
    config = folder / "ward.toml"
    config.write_text(WARD.format(folder=folder, port=port, address=STRAP))
    faked = {
        "LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1", "NO_FAKE_STAT": "1",
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "run", str(config), env={**os.environ, **faked}
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WITHIN_S):
            assert await process.wait() == 0


async def until_more(reader: HistoryReader, than: int) -> None:
    async with asyncio.timeout(WITHIN_S):
        while reader.count() <= than:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    """Compile here: what the process does with its clock is not what compilers are made for."""
    warm_up()


@pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime")
async def test_a_gateway_that_starts_in_1970_ends_with_right_times(mosquitto: Child, tmp_path: Path) -> None:
    offset = tmp_path / "offset"
    offset.write_text(f"-{int(time.time()) - 42}")
    settings = Settings(site=Site(data=tmp_path), broker=Broker(embedded=False, port=mosquitto.port))
    historian, reader = Historian(settings), HistoryReader(tmp_path / "history.db")
    historian.start()
    began_us = time.time_ns() // 1000
    hub = Hub()
    strap = HeartRateStrap(name="strap", timeline=Timeline(), hub=hub, address=STRAP, source=Metronome(0.5))
    async with on_air(hub, tmp_path / "radio", strap), gateway_in(tmp_path, mosquitto.port, offset):
        await until_more(reader, 3)
        assert {row.clock for row in reader.stored()} == {"doubtful"}
        offset.write_text("+0")
        async with asyncio.timeout(WITHIN_S):
            while {row.clock for row in reader.stored()} != {"believed", "mended"}:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    await asyncio.to_thread(historian.stop)
    rows = sorted(reader.stored(), key=lambda row: row.seq)
    assert all(row.as_made().end_us < 3_600 * MICRO for row in rows if row.clock == "mended")
    ended_us = time.time_ns() // 1000
    assert all(began_us - MICRO < row.measurement.start_us <= row.measurement.end_us < ended_us for row in rows)
    assert {row.measurement.session[:15] for row in rows} == {"bay-1-19700101t"}
    beats = [row.measurement.end_us for row in rows if row.measurement.metric == "heart_rate"]
    assert len(beats) > 3
    assert beats == sorted(beats)
    reader.close()
