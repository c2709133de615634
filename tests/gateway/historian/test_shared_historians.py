"""Historians that share the load by MQTT 5 shared subscriptions: each has a part, together they empty the outbox."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from config.settings import Broker, Settings, Site, Store
from config.settings import Historian as HistorianSettings
from gateway.broker.certificates import broker_for
from gateway.broker.door import FOLDER
from gateway.broker.embedded import EmbeddedBroker
from gateway.delivery.publisher import Publisher
from gateway.historian.historian import Historian
from gateway.history.reader import HistoryReader
from gateway.model import wall_correction
from gateway.model.measurement import Measurement
from gateway.model.wall_correction import MICRO, Correction
from gateway.outbox.outbox import OUTBOX_FULL, Outbox
from gateway.wire.topics import Topics
from tests.faults import shared
from tests.gateway.samples import START_US, ward
from tests.servers import Child, free_port, wait_until

pytestmark = pytest.mark.broker

TOPICS = Topics("demo", "gateway-1")
NAMES = ("h-1", "h-2", "h-3")
QUIET_WITHIN_S = 30.0


def connected(historian: Historian) -> bool:
    return historian.state().connected


def mended(reader: HistoryReader) -> bool:
    return all(row.clock == "mended" for row in reader.stored())


class Group:
    """A gateway's end, and historians that share."""

    def __init__(self, port: int | None, folder: Path, *, store: Store | None = None, max_bytes: int = 2**29) -> None:
        self.broker = Broker() if port is None else Broker(embedded=False, port=port)  # none: the embedded one
        self.folder, self.store = folder, store
        self.outbox = Outbox(folder / "outbox.db", commit_s=0.02, max_bytes=max_bytes)
        self.publisher = Publisher(
            self.outbox,
            TOPICS,
            broker_for(self.settings("h"), "gateway"),
            historians=NAMES,
            resend_after_s=1.0,
            rng=random.Random(1),
        )
        self.historians: dict[str, Historian] = {}
        self.made: list[Measurement] = []

    def settings(self, name: str) -> Settings:
        # The samples are of 2025: keep them.
        return Settings(
            site=Site(data=self.folder),
            broker=self.broker,
            historian=HistorianSettings(
                id=name, share="ward", database=self.folder / f"{name}.db", keep_days=100_000, store=self.store
            ),
        )

    def join(self, *names: str) -> None:
        for name in names:
            made = self.historians[name] = Historian(self.settings(name), rng=random.Random(name))
            made.start()
            wait_until(partial(connected, made))

    def leave(self, name: str) -> None:
        self.historians.pop(name).stop()

    def make(self, n: int) -> None:
        made = ward(n, seed=len(self.made))
        self.made += made
        self.outbox.append(made, urgent=True)
        assert self.outbox.flush()

    def parts(self) -> list[dict[int, Measurement]]:
        """Return what each history has."""
        found = []
        for name in NAMES:
            reader = HistoryReader(self.folder / f"{name}.db")
            found.append({row.seq: row.measurement for row in reader.stored()})
            assert reader.gaps() == []
            reader.close()
        return found

    def everything_arrived(self) -> list[dict[int, Measurement]]:
        wait_until(lambda: self.outbox.state().depth == 0, QUIET_WITHIN_S)
        parts = self.parts()
        together = {seq: measurement for part in parts for seq, measurement in part.items()}
        assert [together[seq] for seq in sorted(together)] == self.made
        return parts

    def close(self) -> None:
        self.publisher.stop()
        for name in list(self.historians):
            self.leave(name)
        self.outbox.close()


@pytest.fixture
def group(mosquitto: Child, tmp_path: Path) -> Iterator[Callable[..., Group]]:
    made: list[Group] = []

    def make(**options: object) -> Group:
        made.append(Group(mosquitto.port, tmp_path, **options))  # type: ignore[arg-type] # as its arguments say
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_three_share_and_each_number_is_in_one_history(group: Callable[..., Group]) -> None:
    whole = group()
    whole.join(*NAMES)
    whole.publisher.start()
    for _ in range(20):
        whole.make(100)
    parts = whole.everything_arrived()
    assert all(parts)
    assert sum(map(len, parts)) == len(whole.made)
    assert whole.publisher.state().resent == 0
    assert whole.publisher.state().errors == {}


def test_one_that_leaves_for_good_takes_nothing_with_it(group: Callable[..., Group]) -> None:
    whole = group()
    whole.join(*NAMES)
    whole.publisher.start()
    whole.make(300)
    whole.leave("h-2")
    whole.make(300)  # a part of it waits in the broker for who does not come back
    whole.leave("h-3")
    whole.make(300)
    whole.everything_arrived()


def test_one_that_joins_late_waits_for_nothing_that_was_before(group: Callable[..., Group]) -> None:
    whole = group()
    whole.join("h-1")
    whole.publisher.start()
    whole.make(500)
    wait_until(lambda: whole.outbox.state().depth == 0)
    whole.join("h-2")
    whole.make(500)
    parts = whole.everything_arrived()
    assert min(parts[1]) > 500


def test_all_that_come_back_after_the_broker_died_go_on(group: Callable[..., Group], mosquitto: Child) -> None:
    whole = group()
    whole.join("h-1", "h-2")
    whole.publisher.start()
    whole.make(300)
    mosquitto.end(signal.SIGKILL)
    whole.make(300)
    mosquitto.start()
    whole.everything_arrived()


def test_a_history_that_is_lost_is_filled_by_the_others(group: Callable[..., Group], tmp_path: Path) -> None:
    """What it alone had, and the store had not for good, comes again as soon as its receipt says less."""
    whole = group(store=Store(kind="victoriametrics", url="http://127.0.0.1:9", hold_back_s=3600))
    whole.join("h-1", "h-2")
    whole.publisher.start()
    whole.make(300)
    wait_until(lambda: sum(map(len, whole.parts())) == 300)
    lost = set(whole.parts()[1])
    whole.leave("h-2")
    for piece in tmp_path.glob("h-2.db*"):
        piece.unlink()
    whole.join("h-2")
    whole.make(30)
    wait_until(lambda: {seq for part in whole.parts() for seq in part} == set(range(1, 331)), QUIET_WITHIN_S)
    assert lost
    assert whole.outbox.state().depth == 330


def test_nothing_is_let_go_before_the_common_store_has_had_it_for_a_while(
    group: Callable[..., Group], victoria_metrics: Child
) -> None:
    hold_back_s = 2.0
    store = Store(kind="victoriametrics", url=f"http://127.0.0.1:{victoria_metrics.port}", hold_back_s=hold_back_s)
    whole = group(store=store)
    whole.join("h-1", "h-2")
    whole.publisher.start()
    began = time.monotonic()
    whole.make(200)
    wait_until(lambda: sum(map(len, whole.parts())) == 200)
    assert whole.outbox.state().depth == 200 or time.monotonic() - began > hold_back_s
    wait_until(lambda: whole.outbox.state().depth < 200)
    assert time.monotonic() - began > hold_back_s
    whole.everything_arrived()


def test_a_clock_that_is_set_right_is_reported_to_all_of_them(group: Callable[..., Group]) -> None:
    whole = group()
    whole.join("h-1", "h-2")
    whole.publisher.start()
    whole.make(100)
    sessions = [("s-1", "p-01")]
    correction = Correction(3_600 * MICRO, believed=True)
    whole.outbox.append(wall_correction.measurements(correction, sessions, at_us=START_US, simulated=True), urgent=True)
    wait_until(lambda: whole.outbox.state().depth == 0)
    for name in ("h-1", "h-2"):
        reader = HistoryReader(whole.folder / f"{name}.db")
        wait_until(partial(mended, reader))
        assert [row.as_made() for row in reader.stored()] == [whole.made[row.seq - 1] for row in reader.stored()]
        assert reader.count() > 0
        reader.close()


def test_what_was_dropped_is_reported_to_one_of_them(group: Callable[..., Group]) -> None:
    whole = group(max_bytes=100_000)
    for _ in range(10):
        whole.make(100)
    gone = [seq for gap in whole.outbox.gaps() for seq in range(gap.first, gap.last + 1)]
    assert len(gone) == whole.outbox.state().dropped[OUTBOX_FULL]
    whole.join("h-1", "h-2")
    whole.publisher.start()
    wait_until(lambda: whole.outbox.state().depth == 0 and not whole.outbox.gaps())
    readers = [HistoryReader(whole.folder / f"{name}.db") for name in ("h-1", "h-2")]
    gaps = [gap for reader in readers for gap in reader.gaps()]
    assert sorted(seq for _, _, first, last, _ in gaps for seq in range(first, last + 1)) == gone
    stored = sorted(row.seq for reader in readers for row in reader.stored())
    assert stored == sorted(set(range(1, 1001)) - set(gone))
    for reader in readers:
        reader.close()


async def test_the_same_over_iotcore(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path / FOLDER, port=free_port(), kind="iotcore")
    broker.start()
    await broker.ready()
    whole = Group(None, tmp_path)
    await asyncio.to_thread(whole.join, "h-1", "h-2")
    whole.publisher.start()
    await asyncio.to_thread(whole.make, 300)
    parts = await asyncio.to_thread(whole.everything_arrived)
    assert all(parts[:2])
    await asyncio.to_thread(whole.close)
    await broker.stop()


@pytest.mark.parametrize("store", ["victoriametrics", "postgresql"])
def test_kills_lose_and_double_nothing(tmp_path: Path, store: shared.Kind) -> None:
    outcome = shared.shared_historians(
        tmp_path / "kills", gateways=2, historians=2, kills=5, hold_back_s=2.0, seed=3, store=store,
        progress=lambda _done: None,
    )  # fmt: skip
    assert outcome.made > 0
    assert outcome.good, outcome
