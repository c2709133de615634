"""The whole way on real parts: outbox, publisher, mosquitto, historian, history."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.settings import Broker, Settings, Site
from config.settings import Historian as HistorianSettings
from gateway.audit.chain import Books, check
from gateway.broker.certificates import broker_for
from gateway.broker.door import FOLDER
from gateway.broker.embedded import EmbeddedBroker
from gateway.broker.link import Limits, Link
from gateway.delivery.publisher import Publisher
from gateway.historian.historian import Historian
from gateway.history.reader import HistoryReader
from gateway.model.measurement import Measurement
from gateway.model.records import Record
from gateway.outbox.outbox import OUTBOX_FULL, Outbox
from gateway.wire.payload import encode_measurements
from gateway.wire.topics import Topics
from tests.gateway.samples import START_US, ward
from tests.servers import Child, free_port, wait_until

TOPICS = Topics("demo", "gateway-1")


def settings(port: int | None, folder: Path) -> Settings:
    """Of a broker on a port, or of the embedded one of the folder."""
    broker = Broker() if port is None else Broker(embedded=False, port=port)
    # The samples are of 2025: keep them.
    return Settings(site=Site(data=folder), broker=broker, historian=HistorianSettings(keep_days=100_000))


class Chain:
    """A gateway's end and a historian around one broker, each of which can be stopped and started."""

    def __init__(self, port: int | None, folder: Path, *, resend_after_s: float = 30.0, max_bytes: int = 2**29) -> None:
        self.settings = settings(port, folder)
        self.resend_after_s = resend_after_s
        self.outbox = Outbox(folder / "outbox.db", commit_s=0.02, max_bytes=max_bytes)
        self.publisher = self.new_publisher()
        self.historian: Historian | None = None
        self.reader = HistoryReader(self.settings.history_file)
        self.made: list[Measurement] = []

    def new_publisher(self) -> Publisher:
        return Publisher(
            self.outbox,
            TOPICS,
            broker_for(self.settings, "gateway"),
            resend_after_s=self.resend_after_s,
            rng=random.Random(1),
        )

    def start(self) -> Chain:
        """Start both ends; the broker keeps nothing for a historian that it has never met."""
        self.start_historian()
        self.publisher.start()
        return self

    def start_historian(self) -> None:
        self.historian = Historian(self.settings, rng=random.Random(2))
        self.historian.start()
        wait_until(lambda: self.historian and self.historian.state().connected)

    def stop_historian(self) -> None:
        if self.historian is not None:
            self.historian.stop()
            self.historian = None

    def make(self, n: int) -> None:
        made = ward(n, seed=len(self.made))
        self.made += made
        self.outbox.append(made, urgent=True)
        assert self.outbox.flush()

    def broker_has_all(self) -> None:
        wait_until(lambda: self.publisher.state().taken == len(self.made))

    def everything_arrived(self) -> None:
        wait_until(lambda: self.outbox.state().depth == 0)
        stored = sorted(self.reader.stored(), key=lambda s: s.seq)
        assert [s.seq for s in stored] == list(range(1, len(self.made) + 1))
        assert [s.measurement for s in stored] == self.made
        assert self.reader.count() == len(self.made)

    def close(self) -> None:
        self.publisher.stop()
        self.stop_historian()
        self.outbox.close()
        self.reader.close()


@pytest.fixture
def chain(mosquitto: Child, tmp_path: Path) -> Iterator[Callable[..., Chain]]:
    made: list[Chain] = []

    def make(**options: float) -> Chain:
        made.append(Chain(mosquitto.port, tmp_path, **options))  # type: ignore[arg-type] # max_bytes is whole
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_every_measurement_arrives_once_with_every_field(chain: Callable[..., Chain]) -> None:
    whole = chain().start()
    for _ in range(10):
        whole.make(100)
    whole.everything_arrived()
    assert whole.publisher.state().errors == {}
    assert whole.historian
    assert whole.historian.state().bad == {}


def test_broker_killed_midway_loses_nothing(chain: Callable[..., Chain], mosquitto: Child) -> None:
    whole = chain(resend_after_s=0.5).start()
    for _ in range(3):
        whole.make(150)
        mosquitto.end(signal.SIGKILL)
        whole.make(150)
        mosquitto.start()
        whole.make(50)
    whole.everything_arrived()


def test_queue_that_the_broker_lost_is_sent_again(chain: Callable[..., Chain], mosquitto: Child) -> None:
    whole = chain(resend_after_s=0.5).start()
    whole.make(50)
    whole.everything_arrived()
    whole.stop_historian()
    whole.make(2000)
    whole.broker_has_all()
    # Everything is acknowledged and lies in the broker's queue for the historian; the kill takes it away.
    mosquitto.end(signal.SIGKILL)
    mosquitto.start()
    whole.start_historian()
    whole.everything_arrived()
    assert whole.publisher.state().resent >= 1


def test_receipts_catch_up_after_the_historian_was_away(chain: Callable[..., Chain]) -> None:
    whole = chain().start()
    whole.make(100)
    whole.everything_arrived()
    whole.stop_historian()
    whole.make(500)
    whole.broker_has_all()
    assert whole.outbox.state().depth == 500
    whole.start_historian()
    whole.everything_arrived()


def test_long_backlog_goes_out_beside_the_present(chain: Callable[..., Chain]) -> None:
    whole = chain()
    whole.make(8_000)
    whole.start()
    whole.make(10)
    whole.everything_arrived()


def test_publisher_that_starts_again_doubles_nothing(chain: Callable[..., Chain]) -> None:
    whole = chain().start()
    whole.stop_historian()
    whole.make(300)
    whole.broker_has_all()
    whole.publisher.stop()
    whole.publisher = whole.new_publisher()
    whole.publisher.start()
    whole.start_historian()
    whole.everything_arrived()


def test_dropped_measurements_reach_the_history_as_a_gap(chain: Callable[..., Chain]) -> None:
    whole = chain(max_bytes=100_000)
    for _ in range(10):
        whole.make(100)
    gaps = whole.outbox.gaps()
    gone = {seq for gap in gaps for seq in range(gap.first, gap.last + 1)}
    assert len(gone) == whole.outbox.state().dropped[OUTBOX_FULL] > 500
    assert len(gaps) > 20  # events that stayed lie between
    whole.start()
    wait_until(lambda: whole.outbox.state().depth == 0 and not whole.outbox.gaps())
    assert sorted(s.seq for s in whole.reader.stored()) == sorted(set(range(1, 1001)) - gone)
    assert whole.reader.gaps() == [("gateway-1", whole.outbox.epoch, gap.first, gap.last, OUTBOX_FULL) for gap in gaps]


def test_notices_and_the_audit_reach_the_history_once(chain: Callable[..., Chain]) -> None:
    whole = chain(resend_after_s=0.5)
    whole.make(20)
    for n in range(3):
        whole.outbox.record(Record("audit", "start", START_US + n, {"version": "0.1.0"}))
        whole.outbox.record(Record("notice", "link-lost", START_US + n, {"state": "raised", "device": "dot-1"}))
    whole.publisher.start()  # the broker takes them for nobody: they come again
    wait_until(lambda: whole.publisher.state().taken == 26)
    whole.start_historian()
    wait_until(lambda: whole.outbox.state().depth == 0)
    assert sorted(m.seq for m in whole.reader.stored()) == list(range(1, 21))
    notices, audit = whole.reader.records("notice"), whole.reader.records("audit")
    assert [(r.seq, r.what, r.time_us - START_US) for r in notices] == [(22 + 2 * n, "link-lost", n) for n in range(3)]
    assert [r.seq for r in audit] == [21, 23, 25]
    assert [link.state for link in check(audit, Books([]))] == ["begin", "ok", "ok"]
    assert whole.reader.gaps() == []
    assert whole.reader.unexplained("gateway-1", whole.outbox.epoch, 25) == 0


def test_history_that_was_deleted_holds_no_gateway_up(chain: Callable[..., Chain], tmp_path: Path) -> None:
    whole = chain().start()
    whole.make(100)
    whole.everything_arrived()
    whole.stop_historian()
    whole.reader.close()
    for piece in tmp_path.glob("history.db*"):
        piece.unlink()
    whole.start_historian()
    whole.make(50)
    wait_until(lambda: whole.outbox.state().depth == 0)
    assert sorted(s.seq for s in whole.reader.stored()) == list(range(101, 151))


def test_history_that_cannot_be_written_keeps_everything_waiting(chain: Callable[..., Chain], tmp_path: Path) -> None:
    whole = chain().start()
    whole.make(10)
    whole.everything_arrived()
    db = sqlite3.connect(tmp_path / "history.db", isolation_level=None)
    db.execute("CREATE TRIGGER full BEFORE INSERT ON measurements BEGIN SELECT raise(abort, 'disk full'); END")
    whole.make(40)
    assert whole.historian
    wait_until(lambda: whole.historian and whole.historian.state().errors.get("history"))
    assert whole.outbox.state().depth == 40
    db.execute("DROP TRIGGER full")
    db.close()
    whole.everything_arrived()


class Quiet:
    def connected(self, connection: int, limits: Limits) -> None: ...
    def lost(self, connection: int, reason: str) -> None: ...
    def acknowledged(self, connection: int, number: int, code: int) -> None: ...
    def arrived(self, message: object) -> None: ...


def test_garbage_is_counted_and_stops_nobody(chain: Callable[..., Chain]) -> None:
    whole = chain().start()
    stranger = Link(whole.settings.broker, client_id="stranger", handler=Quiet())
    stranger.start()
    wait_until(lambda: stranger.connected)
    rng = random.Random(4)
    row_of = whole.outbox.read
    whole.make(1)
    wait_until(lambda: whole.reader.count() == 1)
    good = b'{"v":1,"gateway":"gateway-1","epoch":"%s","slot":"bay-1","measurements":[{"seq":1}]}' % b"0" * 16
    bad = [b"", b"[]", b"{}", b"\xff", rng.randbytes(500), good[:-1], good, b"[" * 100_000]
    for payload in bad:
        stranger.publish(1, TOPICS.measurements("bay-1"), payload, qos=1)
        stranger.publish(1, TOPICS.gaps, payload, qos=1)
        stranger.publish(1, TOPICS.stored, payload, qos=1)
    whole.make(20)
    whole.everything_arrived()
    historian, publisher = whole.historian, whole.publisher
    assert historian
    # They came by another connection: what the gateway sent after them may have been stored before.
    wait_until(lambda: sum(historian.state().bad.values()) >= 2 * len(bad))
    wait_until(lambda: publisher.state().errors.get("bad receipt", 0) >= len(bad))
    assert sum(historian.state().bad.values()) == 2 * len(bad)
    assert publisher.state().errors["bad receipt"] == len(bad)
    assert row_of(0, 10) == []
    stranger.stop()


def test_duplicates_change_nothing(chain: Callable[..., Chain]) -> None:
    whole = chain()
    whole.make(60)
    rows = [row for row in whole.outbox.read(0, 100) if row.slot == "bay-1"]
    payload = encode_measurements("gateway-1", whole.outbox.epoch, 0, rows)
    whole.start()
    stranger = Link(whole.settings.broker, client_id="stranger", handler=Quiet())
    stranger.start()
    wait_until(lambda: stranger.connected)
    for _ in range(5):
        stranger.publish(1, TOPICS.measurements("bay-1"), payload, qos=1)
    whole.everything_arrived()
    wait_until(lambda: whole.historian and whole.historian.state().messages >= 5)
    whole.everything_arrived()
    stranger.stop()


async def test_the_same_over_iotcore(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path / FOLDER, port=free_port(), kind="iotcore")
    broker.start()
    await broker.ready()
    whole = Chain(None, tmp_path, resend_after_s=0.5)
    await asyncio.to_thread(whole.start)
    await asyncio.to_thread(whole.make, 300)
    first = broker.pid
    assert first
    os.kill(first, signal.SIGKILL)
    await asyncio.to_thread(whole.make, 300)
    await asyncio.to_thread(wait_until, lambda: broker.pid != first)
    await asyncio.to_thread(whole.everything_arrived)
    await asyncio.to_thread(whole.close)
    await broker.stop()


RUN = """
import asyncio, sys
from pathlib import Path
from config.settings import Settings
from gateway.historian.historian import run_historian
asyncio.run(run_historian(Settings.model_validate_json(sys.argv[1])))
"""


def test_command_ends_cleanly_on_sigterm_and_sigkill_loses_nothing(
    chain: Callable[..., Chain], mosquitto: Child
) -> None:
    # The broker has met the historian, and queues for it: what is made before it stands waits for no sending again,
    # which comes more and more seldom for as long as nobody answers.
    whole = chain(resend_after_s=0.5).start()
    whole.stop_historian()

    async def live(number: int, made: int) -> int:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", RUN, whole.settings.model_dump_json(), stderr=asyncio.subprocess.PIPE
        )
        await asyncio.to_thread(whole.make, made)
        count = len(whole.made)
        await asyncio.to_thread(wait_until, lambda: whole.reader.count() >= count - made + 1)
        child.send_signal(number)
        _, errors = await child.communicate()
        assert b"Traceback" not in errors
        return child.returncode or 0

    assert asyncio.run(live(signal.SIGKILL, 400)) == -signal.SIGKILL
    assert asyncio.run(live(signal.SIGTERM, 200)) == 0
    whole.start_historian()
    whole.everything_arrived()
