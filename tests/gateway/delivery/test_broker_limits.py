"""A broker that takes small packets only, or refuses some of what is sent: real mosquittos, and one that we script."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from config.settings import Broker, Settings, Site
from config.settings import Historian as HistorianSettings
from gateway.broker.embedded import find_mosquitto
from gateway.broker.link import Incoming, Limits, Link
from gateway.cli.status import Listener
from gateway.dashboard.ward import Ward
from gateway.delivery import in_flight as window_module
from gateway.delivery.publisher import Publisher
from gateway.delivery.refusals import LARGE
from gateway.historian.historian import Historian
from gateway.history.reader import HistoryReader
from gateway.model.records import Record
from gateway.outbox.outbox import Outbox
from gateway.status.notice_rules import Judge
from gateway.wire.topics import Topics
from tests.gateway.samples import measurement, ward
from tests.gateway.withholding_broker import WithholdingBroker
from tests.servers import Child, free_port, missing, wait_until

pytestmark = pytest.mark.broker
TOPICS = Topics("demo", "gateway-1")
Make = Callable[..., Publisher]


@contextmanager
def mosquitto_with(folder: Path, more: str) -> Iterator[Child]:
    program = find_mosquitto()
    if program is None:
        missing("mosquitto")
    assert program
    port = free_port()
    path = folder / "limits.conf"
    user = Path("/proc/self").owner()
    path.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nuser {user}\nmax_queued_messages 1000000\n{more}\n"
    )
    child = Child(port, [program, "-c", str(path)])
    try:
        yield child
    finally:
        child.end()


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db", commit_s=0.02)
    yield made
    made.close()


@pytest.fixture
def make(outbox: Outbox) -> Iterator[Make]:
    made: list[Publisher] = []

    def start(port: int, **options: Any) -> Publisher:
        made.append(Publisher(outbox, TOPICS, Broker(embedded=False, port=port), rng=random.Random(1), **options))
        made[-1].start()
        return made[-1]

    yield start
    for publisher in made:
        publisher.stop()


def historian_at(broker: Child, folder: Path) -> Historian:
    """The samples are of 2025: it keeps them."""
    settings = Settings(
        site=Site(data=folder), broker=Broker(embedded=False, port=broker.port),
        historian=HistorianSettings(keep_days=100_000),
    )  # fmt: skip
    historian = Historian(settings)
    historian.start()
    wait_until(lambda: historian.state().connected)
    return historian


def device(number: int) -> dict[str, Any]:
    return {"id": f"dot-{number}", "slot": "bay-1", "state": "streaming", "error": "", "advice": "a" * 400}


def status(devices: int, time_us: int = 7, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"v": 1, "gateway": "gateway-1", "state": "online", "simulated": True, "time_us": time_us}
    return found | {"slots": [{"id": "bay-1"}], "devices": [device(n) for n in range(devices)], **more}


class Reader:
    """Another program that hears everything."""

    def __init__(self, port: int) -> None:
        self.heard: list[Incoming] = []
        self.up = False
        self.link = Link(
            Broker(embedded=False, port=port), client_id="reader", handler=self, subscriptions=[("rehab/#", _options())]
        )
        self.link.start()
        wait_until(lambda: self.up)

    def connected(self, connection: int, limits: Limits) -> None:
        self.up = True

    def lost(self, connection: int, reason: str) -> None: ...

    def acknowledged(self, connection: int, number: int, code: int) -> None: ...

    def arrived(self, message: Incoming) -> None:
        self.heard.append(message)


def _options() -> Any:
    from paho.mqtt.subscribeoptions import SubscribeOptions

    return SubscribeOptions(qos=1)


@pytest.mark.parametrize(
    "limit",
    ["max_packet_size 4096", "max_packet_size 1500", "message_size_limit 3000", "max_packet_size 131072"],
)
def test_a_large_status_reaches_its_readers(tmp_path: Path, make: Make, limit: str) -> None:
    """The first is told by the broker, the third is found out: mosquitto acknowledges with 'packet too large'."""
    with mosquitto_with(tmp_path, limit) as broker:
        settings = Settings(site=Site(data=tmp_path), broker=Broker(embedded=False, port=broker.port))
        publisher = make(broker.port)
        reader = Reader(broker.port)
        listener = Listener(settings)
        listener.start()
        sent = [0]

        def send() -> bool:
            sent[0] += 1
            publisher.set_status(status(300, sent[0]))
            return len(listener.heard.status.get("devices", ())) == 300

        wait_until(send, 40)
        assert listener.heard.status["devices"][299] == device(299)
        seen = Ward("gateway-1")
        wait_until(lambda: send() and _shown(seen, reader) == 300)
        assert publisher.state().pages > 0
        assert publisher.state().connected
        # Somebody who comes late has all of it, from what is retained or with the next.
        late = Listener(settings)
        late.start()
        wait_until(lambda: send() and len(late.heard.status.get("devices", ())) == 300)
        for of in (late, listener):
            of.stop()
        reader.link.stop()


def _shown(seen: Ward, reader: Reader) -> int:
    while reader.heard:
        message = reader.heard.pop(0)
        kind, _, name = message.topic.removeprefix(f"{TOPICS.prefix}/").partition("/")
        seen.on_message(kind, name, message.payload, retained=message.retained)
    return len(seen.devices())


@pytest.mark.parametrize("limit", ["max_packet_size 4096", "max_packet_size 1300", "message_size_limit 2000"])
def test_rows_and_gaps_fit_themselves_to_the_broker(tmp_path: Path, outbox: Outbox, make: Make, limit: str) -> None:
    with mosquitto_with(tmp_path, limit) as broker:
        historian = historian_at(broker, tmp_path)
        outbox.append(ward(300))
        outbox.record(Record("audit", "long", 5, {"text": "y" * 900, "more": "z" * 900, "third": "x" * 900}))
        outbox.append(ward(100))
        publisher = make(broker.port)
        wait_until(lambda: outbox.state().depth == 0, 60)
        reader = HistoryReader(tmp_path / "history.db")
        assert reader.count() == 400
        fits = limit.endswith("4096")
        gaps = [(first, last, why) for _, _, first, last, why in reader.gaps()]
        assert gaps == ([] if fits else [(301, 301, LARGE)])
        assert outbox.state().dropped == ({} if fits else {LARGE: 1})
        assert set(publisher.state().refused) == (set() if fits else {"records"})
        reader.close()
        historian.stop()


def test_a_broker_too_small_for_any_measurement_costs_none(tmp_path: Path, outbox: Outbox, make: Make) -> None:
    with mosquitto_with(tmp_path, "max_packet_size 300") as broker:
        outbox.append(ward(50))
        publisher = make(broker.port)
        wait_until(lambda: publisher.state().refused.get("measurements", {}).get("count", 0) > 0)
        wait_until(lambda: publisher.state().connected)
        assert (outbox.state().depth, outbox.state().dropped) == (50, {})


def test_what_is_left_out_is_reported(tmp_path: Path, outbox: Outbox, make: Make) -> None:
    with mosquitto_with(tmp_path, "max_packet_size 4096") as broker:
        publisher = make(broker.port)
        wait_until(lambda: publisher.state().connected)
        publisher.set_curves("bay-1", b"c" * 9_000)
        publisher.publish_live(TOPICS.waveform("dot-1", "imu"), b"w" * 5_000)
        publisher.publish_notice({"text": "n" * 5_000})
        publisher.set_status(status(1, long="l" * 5_000))
        kinds = {"cycles", "waveform", "notices", "status"}
        wait_until(lambda: set(publisher.state().refused) == kinds)
        judge = Judge()
        shown: Any = {"publisher": {"refused": publisher.state().refused}}
        found = {f.about: f.text for f in judge.find(0.0, shown, ())}
        assert set(found) == kinds
        assert found["cycles"] == f"The broker does not take all of 'cycles': {LARGE}"
        assert found["status"].endswith(f"{LARGE}: long")
        assert publisher.state().errors["waveform dropped: too large for the broker"] == 1
        assert publisher.state().connected


def test_a_topic_that_is_forbidden_holds_up_no_other(tmp_path: Path, outbox: Outbox, make: Make) -> None:
    acl = tmp_path / "acl"
    acl.write_text(f"topic readwrite {TOPICS.measurements('bay-2')}\ntopic write {TOPICS.stored}\ntopic read rehab/#\n")
    with mosquitto_with(tmp_path, f"acl_file {acl}") as broker:
        historian = historian_at(broker, tmp_path)
        publisher = make(broker.port, resend_after_s=0.5)
        rows = [replace(measurement(i), slot=f"bay-{1 + i % 2}") for i in range(1_000)]
        for begin in range(0, 1_000, 100):
            outbox.append(rows[begin : begin + 100])
            publisher.set_curves("bay-1", b"c%d" % begin)
            publisher.publish_notice({"n": begin})
        reader = HistoryReader(tmp_path / "history.db")
        wait_until(lambda: reader.count() == 500, 60)
        by_topic = publisher.state().refused
        assert {"measurements", "cycles", "notices"} <= set(by_topic)
        assert "access list" in by_topic["measurements"]["why"]
        assert (outbox.state().depth, outbox.state().dropped) == (1_000, {})
        # The list is mended: nothing had been lost.
        acl.write_text("topic readwrite rehab/#\n")
        assert broker.process
        broker.process.send_signal(signal.SIGHUP)
        wait_until(lambda: outbox.state().depth == 0, 60)
        assert (reader.count(), reader.gaps()) == (1_000, [])
        reader.close()
        historian.stop()


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (0x80, "no reason"), (0x83, "no reason"), (0x87, "access list"), (0x90, "this topic"), (0x91, "in use"),
        (0x97, "quota"), (0x99, "such contents"),
    ],
)  # fmt: skip
def test_no_answer_of_a_broker_costs_a_row(
    outbox: Outbox, make: Make, monkeypatch: pytest.MonkeyPatch, code: int, why: str
) -> None:
    """Refused with every code there is, and taken when the broker was mended: all are there, and it was told."""
    monkeypatch.setattr(window_module, "REFUSED_WAIT_S", 0.2)
    server = WithholdingBroker(code=code)
    server.acknowledging = True
    publisher = make(server.port, resend_after_s=0.3)
    outbox.append(ward(200))
    wait_until(lambda: publisher.state().refused.get("measurements"))
    assert why in publisher.state().refused["measurements"]["why"]
    assert (outbox.state().depth, outbox.state().dropped) == (200, {})
    server.code = 0
    seen: set[int] = set()

    def all_there() -> bool:
        for _, payload in server.connections[-1].messages:
            seen.update(entry["seq"] for entry in orjson.loads(payload)["measurements"])
        return publisher.state().taken == 200 and len(seen) == 200

    wait_until(all_there, 30)
    server.close()
