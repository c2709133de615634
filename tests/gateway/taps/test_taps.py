"""Raw samples beside a running gateway, against what the device sent: none missing, none twice, none of another."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.settings import Broker, Device, Radio, Settings, Site, Slot
from gateway.analysis.warm_up import warm_up
from gateway.clocks.wall_clock import WallClock
from gateway.machine.facts import Clock
from gateway.machine.watchdog import ServiceManager
from gateway.run.run import Gateway
from gateway.taps import Batch, Taps
from gateway.taps import taps as taps_module
from gateway.taps.batch import batch_of
from gateway.wire.waveform import TakenFrom, encode
from simulators.devices.movella_dot import MovellaDot
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from tests.servers import Child
from tests.simulators.helpers import Counting, on_air

COLD_S = 600.0  # where nothing has been compiled yet, and the machine is busy
pytestmark = [pytest.mark.broker, pytest.mark.timeout(COLD_S)]

DOT = "D4:22:CD:00:02:00"
ROOT = Path(__file__).parents[3]
RATE_HZ = 60.0
WITHIN_S = 60.0
RAMP = 1000  # sample k of the source has k in thousandths, up to here
PERIOD_US = 1e6 / RATE_HZ


@pytest.fixture(scope="module", autouse=True)
def kernels() -> None:
    """Compile first: the loop serves the simulator too."""
    warm_up()


@pytest.fixture
def settings(tmp_path: Path, mosquitto: Child) -> Settings:
    dot = Device(id="dot", driver="movella_dot", placement="left_foot", address=DOT, axes="-x -y z")
    return Settings(
        site=Site(data=tmp_path / "data"), broker=Broker(embedded=False, port=mosquitto.port), simulated=True,
        radio=Radio(name="simulated", socket=tmp_path / "radio"),
        slot=[Slot(id="bay-1", subject="p-1", device=[dot])],
    )  # fmt: skip


@asynccontextmanager
async def running(settings: Settings, *, lose: int = 0) -> AsyncIterator[Gateway]:
    """A DOT on the air, every ``lose``-th of whose samples is lost there, and a gateway that reads it."""
    hub = Hub()
    dot = MovellaDot(name="dot", timeline=Timeline(), hub=hub, address=DOT, source=Counting(RATE_HZ, lose=lose))
    assert settings.radio.socket
    async with on_air(hub, settings.radio.socket, dot):
        wall = WallClock(kernel=lambda: Clock(synchronised=True, max_error_s=0.0))
        gateway, stop = Gateway(settings, manager=ServiceManager("", 0.0), wall=wall), asyncio.Event()
        task = asyncio.create_task(gateway.run(stop), name="gateway")
        try:
            yield gateway
        finally:
            stop.set()
            await asyncio.wait({task})
            task.result()


async def collect(taps: Taps, samples: int) -> list[Batch]:
    """Read so many samples."""
    found: list[Batch] = []
    async with asyncio.timeout(WITHIN_S), aclosing(taps.read("dot", "imu")) as batches:
        async for batch in batches:
            found.append(batch)
            if batch.end - found[0].first >= samples:
                break
    return found


def numbers(batch: Batch) -> list[int]:
    """Return which samples of the source a batch holds; -1 for lost ones."""
    acc_x = batch.samples[:, batch.channels.index("acc_x")]
    return [-1 if np.isnan(x) else round(float(x) * RAMP) for x in acc_x]


def run_of(batches: list[Batch]) -> list[int]:
    return [number for batch in batches for number in [-1] * batch.lost + numbers(batch)]


async def test_every_sample_that_the_device_sent_comes_once_in_order_on_gateway_time(settings: Settings) -> None:
    async with running(settings), Taps(settings) as taps:
        before_us = time.time_ns() // 1000
        found = await collect(taps, 300)
        after_us = time.time_ns() // 1000
    got = run_of(found)
    assert got == [(got[0] + i) % RAMP for i in range(len(got))]
    assert [batch.first for batch in found[1:]] == [batch.end for batch in found[:-1]]
    assert sum(batch.lost + batch.missed for batch in found) == 0
    assert not taps.dropped
    times = np.concatenate([batch.time_us for batch in found])
    assert before_us - 5e6 < times[0]
    assert times[-1] < after_us
    assert np.median(np.diff(times)) == pytest.approx(PERIOD_US, rel=0.01)
    first = found[0]
    assert (first.slot, first.subject, first.placement, first.axes) == ("bay-1", "p-1", "left_foot", "-x -y z")
    assert first.session.startswith("bay-1-")
    assert first.simulated
    assert dict(zip(first.channels, first.units, strict=True))["acc_x"] == "m/s2"
    assert (first.samples.dtype.name, first.time_us.dtype.name, first.rate_hz) == ("float32", "int64", RATE_HZ)


async def test_what_the_radio_lost_is_reported_in_its_place(settings: Settings) -> None:
    async with running(settings, lose=10), Taps(settings) as taps:
        got = run_of(await collect(taps, 120))
    whole = [n for n in got if n >= 0]
    assert -1 in got
    start = whole[0] - got.index(whole[0])
    assert got == [-1 if (start + i) % 10 == 0 else (start + i) % RAMP for i in range(len(got))]


async def test_a_slow_reader_learns_what_it_missed_and_slows_nobody(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taps_module, "BATCHES", 5)
    async with running(settings) as gateway, Taps(settings) as taps:
        async with asyncio.timeout(WITHIN_S), aclosing(taps.read("dot", "imu")) as slow:
            first = await anext(slow)
            quick = await collect(taps, 120)  # meanwhile
            late = await anext(slow)
        latency_ms = gateway.status["pipeline"]["latency_ms"]
    assert sum(batch.missed for batch in quick) == 0
    assert taps.dropped["reader too slow"] > 0
    assert late.missed == late.first - first.end > 0
    assert latency_ms is not None


async def test_a_reader_goes_on_when_the_broker_comes_back(settings: Settings, mosquitto: Child) -> None:
    async with (
        running(settings),
        Taps(settings) as taps,
        asyncio.timeout(WITHIN_S),
        aclosing(taps.read("dot", "imu")) as batches,
    ):
        found = [await anext(batches) for _ in range(5)]
        mosquitto.end(signal.SIGKILL)
        mosquitto.start()
        while not found[-1].missed:
            found.append(await anext(batches))
        found += [await anext(batches) for _ in range(5)]
    ends = [before.end + after.missed + after.lost for before, after in pairwise(found)]
    assert [batch.first for batch in found[1:]] == ends
    got = [number for batch in found for number in [-1] * (batch.missed + batch.lost) + numbers(batch)]
    assert got == [-1 if number < 0 else (got[0] + i) % RAMP for i, number in enumerate(got)]


async def test_a_device_that_is_not_there_is_reported_and_waited_for(settings: Settings) -> None:
    async with running(settings), Taps(settings) as taps, asyncio.timeout(WITHIN_S):
        batches = taps.read("dto", "imu")
        waiting = asyncio.ensure_future(anext(batches))
        while taps.refused != "no device 'dto'":  # noqa: ASYNC110 - said on the link's thread
            await asyncio.sleep(0.02)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


async def test_the_program_of_the_docs_runs(settings: Settings, tmp_path: Path, mosquitto: Child) -> None:
    """What a newcomer copies: with the gateway's file and the names of a device and a stream."""
    page = (ROOT / "docs/raw-samples.md").read_text("utf-8")
    program, file = tmp_path / "read_dot.py", tmp_path / "ward.toml"
    program.write_text(page.partition("```python\n")[2].partition("```")[0], "utf-8")
    file.write_text(f"[broker]\nembedded = false\nport = {mosquitto.port}\n", "utf-8")
    async with running(settings), asyncio.timeout(WITHIN_S):
        reader = await asyncio.create_subprocess_exec(
            sys.executable, str(program), str(file), "dot", "imu", stdout=asyncio.subprocess.PIPE
        )
        assert reader.stdout
        lines = [(await reader.stdout.readline()).decode() for _ in range(5)]
        reader.terminate()
        await reader.wait()
    assert all("left_foot of p-1" in line and "acc_x" in line and "m/s2" in line for line in lines), lines


def batch(first: int, n: int, session: str = "a", lost: int = 0) -> Batch:
    columns = (("x", "y"), ("1", "1"))
    of = TakenFrom(first - 1 - lost, first, "bay", "p", session, "chest", "x y z", *columns, simulated=False)
    return batch_of("d", "s", encode(1_000_000, 50.0, np.arange(first, first + 2.0 * n).reshape(n, 2)), of.properties())


def test_what_comes_twice_is_left_out_and_what_is_missing_is_counted() -> None:
    before = batch(0, 10)
    assert batch(5, 5).after(before) is None
    overlap = batch(8, 6).after(before)
    assert overlap is not None
    assert (overlap.first, len(overlap.samples), overlap.lost, overlap.missed) == (10, 4, 0, 0)
    assert overlap.time_us.tolist() == [1_040_000 + 20_000 * i for i in range(4)]
    later = batch(15, 2, lost=2).after(before)
    assert later is not None
    assert (later.first, later.lost, later.missed) == (15, 2, 3)


def test_another_run_of_the_gateway_counts_anew() -> None:
    again = batch(0, 5, "b")
    for before in (batch(100, 10), None):
        merged = again.after(before)
        assert merged is not None
        assert (merged.first, len(merged.samples), merged.lost, merged.missed) == (0, 5, 0, 0)
    goes_on = batch(110, 5, "b").after(batch(100, 10))  # another session of the same run
    assert goes_on is not None
    assert (goes_on.lost, goes_on.missed) == (0, 0)


@given(st.binary(max_size=60), st.lists(st.tuples(st.sampled_from(["first", "slot"]), st.text(max_size=5)), max_size=3))
def test_no_message_breaks_a_reader(payload: bytes, about: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match=r".*"):
        batch_of("d", "s", payload, tuple(about))


def test_other_channels_than_it_says_are_refused() -> None:
    of = TakenFrom(-1, 0, "bay", "p", "a", "chest", "x y z", ("x",), ("1",), simulated=False)
    with pytest.raises(ValueError, match="other channels"):
        batch_of("d", "s", encode(0, 50.0, np.zeros((3, 2))), of.properties())
    right = replace(of, channels=("x", "y"), units=("1", "1"))
    assert batch_of("d", "s", encode(0, 50.0, np.zeros((3, 2))), right.properties()).samples.shape == (3, 2)
