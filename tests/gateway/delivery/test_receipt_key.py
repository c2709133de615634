"""A receipt counts only from a listed historian, signed where there is a key, and never above what was given."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Broker, Settings, Site
from config.settings import Historian as HistorianSettings
from gateway.broker.link import Incoming, Limits, Link
from gateway.delivery.publisher import Publisher
from gateway.historian.historian import Historian
from gateway.model.status import Status
from gateway.outbox.outbox import Outbox
from gateway.status.notice_rules import Judge
from gateway.wire.payload import decode_measurements
from gateway.wire.receipt import IMPOSSIBLE, UNLISTED, UNSIGNED, HistorianNotice, Receipt
from gateway.wire.receipt_key import FILE, ReceiptKey, ReceiptKeyError, receipt_key
from gateway.wire.topics import Topics
from tests.gateway.samples import ward
from tests.gateway.withholding_broker import WithholdingBroker
from tests.servers import Child, wait_until

TOPICS = Topics("demo", "gateway-1")
KEY = ReceiptKey("a secret of both sides")


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db", commit_s=0.01)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[WithholdingBroker]:
    made = WithholdingBroker()
    made.acknowledge_all()
    yield made
    made.close()


@contextmanager
def published(outbox: Outbox, port: int, **options: object) -> Iterator[Publisher]:
    made = Publisher(outbox, TOPICS, Broker(port=port), rng=random.Random(1), **options)  # type: ignore[arg-type]
    made.start()
    outbox.append(ward(100))
    assert outbox.flush()
    wait_until(lambda: made.state().connected)
    yield made
    made.stop()


def counted(publisher: Publisher, kind: str) -> int:
    return publisher.state().errors.get(kind, 0)


def test_a_receipt_without_our_signature_deletes_nothing(outbox: Outbox, server: WithholdingBroker) -> None:
    with published(outbox, server.port, receipt_key=KEY) as publisher:
        true = Receipt(outbox.epoch, 40).encode()
        signed = KEY.sign(TOPICS.stored, true)
        forged = [
            true,
            ReceiptKey("a secret of somebody else").sign(TOPICS.stored, true),
            KEY.sign(Topics("demo", "gateway-2").stored, true),  # of another gateway
            KEY.sign(TOPICS.stored_by("h-1"), true),
            signed.replace(b'"stored":40', b'"stored":90'),
            signed[:-70] + signed[-70:].upper(),
            signed + signed[-75:],
        ]
        for n, payload in enumerate(forged, 1):
            server.send(TOPICS.stored, payload)
            wait_until(lambda n=n: counted(publisher, UNSIGNED) == n)  # type: ignore[misc]
        assert outbox.state().released_seq == 0
        server.send(TOPICS.stored, signed)
        wait_until(lambda: outbox.state().released_seq == 40)
        found = list(Judge().find(0.0, {"publisher": {"errors": dict(publisher.state().errors)}}, ()))
        assert [finding.rule.code for finding in found] == ["receipt-forged"]


@pytest.mark.parametrize(
    "receipt",
    [(101,), (2**52,), (0, 101), (0, 0, 1 << 100), (50, 60, 0, 1 << 40)],
    ids=["one more", "far more", "received", "beyond", "received beyond"],
)
def test_a_receipt_above_what_was_given_is_not_believed_at_all(
    outbox: Outbox, server: WithholdingBroker, receipt: tuple[int, ...]
) -> None:
    before = outbox.epoch
    with published(outbox, server.port) as publisher:
        names = ("stored", "received", "stored_beyond", "received_beyond")
        made = replace(Receipt(outbox.epoch, 0), **dict(zip(names, receipt, strict=False)))  # type: ignore[arg-type]
        server.send(TOPICS.stored, made.encode())
        wait_until(lambda: counted(publisher, IMPOSSIBLE) == 1)
        # It may also be true of a file that is an older image of itself: what waits goes on, some of it in a new life,
        # which begins with the entry of the audit that says so.
        wait_until(lambda: outbox.epoch != before)
        wait_until(lambda: outbox.state().depth + outbox.state().earlier == 100 + 1)


def test_of_a_life_that_ends_nothing_is_sent_that_may_get_another_number(
    outbox: Outbox, server: WithholdingBroker
) -> None:
    """It would be stored twice: under its old number, and under that of the new life."""
    ended = end_lives(outbox, server, 30)
    assert sum(len(numbers(server, epoch)) for epoch in ended) > 30
    assert_sent_as_given(outbox, server, ended)


def test_nor_when_the_new_life_has_begun_before_anything_is_sent_again(
    outbox: Outbox, server: WithholdingBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer is done in the time in which the sender goes from receipts to rows, on a busy machine."""
    contradicted = outbox.contradicted

    def wait_for_the_new_life(epoch: str, stored: int, *, given: int) -> None:
        contradicted(epoch, stored, given=given)
        wait_until(lambda: outbox.epoch != epoch)

    monkeypatch.setattr(outbox, "contradicted", wait_for_the_new_life)
    assert_sent_as_given(outbox, server, end_lives(outbox, server, 10))


def end_lives(outbox: Outbox, server: WithholdingBroker, count: int) -> list[str]:
    """Have so many lives end by a receipt of what was never given, while something is sent; return their epochs."""
    ended = []
    with published(outbox, server.port):
        for _ in range(count):
            ended.append(outbox.epoch)
            outbox.append(ward(3), urgent=True)
            server.send(TOPICS.stored, Receipt(ended[-1], 10_000).encode())
            wait_until(lambda: outbox.epoch != ended[-1])
    return ended


def assert_sent_as_given(outbox: Outbox, server: WithholdingBroker, ended: list[str]) -> None:
    """Nothing came under the name of a life that ended but what it says it had given."""
    for epoch in ended:
        given = int(str(outbox.facts.get(f"moved {epoch}")).split()[0])
        assert max(numbers(server, epoch), default=0) <= given


def numbers(server: WithholdingBroker, epoch: str) -> list[int]:
    """Return the numbers of an epoch's measurements that came."""
    came = [each for seen in server.connections for each in seen.messages if "/measurements/" in each[0]]
    messages = [decode_measurements("gateway-1", topic.rpartition("/")[2], payload) for topic, payload in came]
    return [seq for message in messages if message.epoch == epoch for seq, _ in message.measurements]


def test_only_listed_historians_count(outbox: Outbox, server: WithholdingBroker) -> None:
    with published(outbox, server.port, historians=["h-1"]) as publisher:
        for topic in (TOPICS.stored, TOPICS.stored_by("h-2")):
            server.send(topic, Receipt(outbox.epoch, 90).encode())
        wait_until(lambda: counted(publisher, UNLISTED) == 2)
        server.send(TOPICS.stored_by("h-1"), Receipt(outbox.epoch, 40).encode())
        wait_until(lambda: outbox.state().released_seq == 40)


def test_by_default_that_is_the_one_that_shares_with_nobody(outbox: Outbox, server: WithholdingBroker) -> None:
    with published(outbox, server.port) as publisher:
        server.send(TOPICS.stored_by("h-1"), Receipt(outbox.epoch, 90).encode())
        wait_until(lambda: counted(publisher, UNLISTED) == 1)
        assert outbox.state().released_seq == 0


def test_old_receipts_and_those_of_another_epoch_do_no_harm(outbox: Outbox, server: WithholdingBroker) -> None:
    with published(outbox, server.port, receipt_key=KEY):
        for stored in (60, 20, 40):
            server.send(TOPICS.stored, KEY.sign(TOPICS.stored, Receipt(outbox.epoch, stored).encode()))
        server.send(TOPICS.stored, KEY.sign(TOPICS.stored, Receipt("f" * 16, 90).encode()))
        server.send(TOPICS.stored, KEY.sign(TOPICS.stored, Receipt(outbox.epoch, 61).encode()))
        wait_until(lambda: outbox.state().released_seq == 61)


def test_what_the_historian_tells_reaches_the_status_and_goes_again(outbox: Outbox, server: WithholdingBroker) -> None:
    notice = HistorianNotice("numbers-conflict", "", "Numbers came again with other content")
    with published(outbox, server.port) as publisher:
        server.send(TOPICS.stored, Receipt(outbox.epoch, 40, notices=(notice,)).encode())
        wait_until(lambda: publisher.state().historians)
        assert publisher.state().historians == [(notice.code, notice.about, notice.text)]
        status: Status = {"publisher": {"historians": publisher.state().historians, "errors": {}}}
        [finding] = Judge().find(0.0, status, ())
        assert (finding.rule.code, finding.text) == (notice.code, notice.text)
        server.send(TOPICS.stored, Receipt(outbox.epoch, 41).encode())
        wait_until(lambda: not publisher.state().historians)


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(site=Site(data=tmp_path / "new"))
    keys: list[ReceiptKey | None] = []
    threads = [threading.Thread(target=lambda: keys.append(receipt_key(settings))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    signed = {key.sign("t", b"{}") for key in keys if key}
    assert len(keys) == 8
    assert len(signed) == 1
    [path] = (tmp_path / "new").iterdir()
    assert path.name == FILE
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_none_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "key"
    settings = Settings(broker=Broker(embedded=False), historian=HistorianSettings(receipt_key_file=path))
    assert receipt_key(Settings(broker=Broker(embedded=False))) is None
    for text in (None, "", "short"):
        if text is not None:
            path.write_text(text)
        with pytest.raises(ReceiptKeyError):
            receipt_key(settings)
    path.write_text("0123456789abcdef\n")
    assert receipt_key(settings)


class Listener:
    """Whoever listens to the receipts of a gateway, and may publish some."""

    def __init__(self, broker: Broker) -> None:
        self.heard: list[bytes] = []

        self.link = Link(
            broker, client_id="listener", handler=self, subscriptions=[(TOPICS.stored, SubscribeOptions(qos=1))]
        )
        self.link.start()
        wait_until(lambda: self.link.connected)

    def connected(self, connection: int, limits: Limits) -> None: ...
    def lost(self, connection: int, reason: str) -> None: ...
    def acknowledged(self, connection: int, number: int, code: int) -> None: ...
    def arrived(self, message: Incoming) -> None:
        self.heard.append(message.payload)


FORGED: dict[str, Callable[[str], bytes]] = {
    "more than there is": lambda epoch: Receipt(epoch, 3_000).encode(),
    "of another epoch": lambda _: Receipt("f" * 16, 3_000).encode(),
    "taken away": lambda _: b"",
    "nonsense": lambda _: b"\xff{}",
}


@pytest.mark.broker
@pytest.mark.parametrize("signed", [True, False], ids=["with a key", "without a key"])
@pytest.mark.parametrize("forged", FORGED)
def test_a_retained_forgery_is_undone(mosquitto: Child, tmp_path: Path, forged: str, signed: bool) -> None:
    broker = Broker(port=mosquitto.port, embedded=False)
    (tmp_path / "key").write_text("0123456789abcdef\n")
    historians = HistorianSettings(keep_days=100_000, receipt_key_file=tmp_path / "key" if signed else None)
    settings = Settings(site=Site(data=tmp_path), broker=broker, historian=historians)
    historian = Historian(settings)
    historian.start()
    wait_until(lambda: historian.state().connected)
    key = receipt_key(settings)
    outbox = Outbox(tmp_path / "outbox.db", commit_s=0.02)
    publisher = Publisher(outbox, TOPICS, broker, receipt_key=key, rng=random.Random(1))
    publisher.start()
    outbox.append(ward(50), urgent=True)
    wait_until(lambda: outbox.state().durable_seq == 50 and outbox.state().depth == 0)
    life = outbox.epoch
    forger = Listener(broker)
    forger.link.publish(1, TOPICS.stored, FORGED[forged](life), qos=1, retain=True)
    wait_until(lambda: historian.state().errors.get("forged receipt"))
    wait_until(lambda: forger.heard and b'"notices"' in forger.heard[-1])
    late = Listener(broker)
    wait_until(lambda: late.heard)
    # The life that a forgery ended had 50; the one after it has the entry of the audit that says so.
    right = Receipt.decode(late.heard[0])
    assert (right.epoch, right.stored) in ((life, 50), (outbox.epoch, 50 if outbox.epoch == life else 1))
    assert [notice.code for notice in Receipt.decode(late.heard[0]).notices] == ["receipt-forged"]
    assert key is None or key.is_signed(TOPICS.stored, late.heard[0])
    for each in (forger.link, late.link, publisher, historian):
        each.stop()
    outbox.close()
