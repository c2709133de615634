from __future__ import annotations

import logging
import random
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from config.settings import Broker
from gateway.delivery import in_flight as window_module
from gateway.delivery import sender as sender_module
from gateway.delivery.publisher import Publisher
from gateway.delivery.refusals import Refusals
from gateway.delivery.side_messages import LIVE_MAX, Waveforms
from gateway.machine.fault_counts import FaultCounts
from gateway.outbox.outbox import Outbox
from gateway.wire.receipt import Receipt
from gateway.wire.topics import Topics
from tests.gateway.damage import run_sql
from tests.gateway.samples import measurement, ward
from tests.gateway.withholding_broker import WithholdingBroker
from tests.servers import wait_until

TOPICS = Topics("demo", "g-1")


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db", commit_s=0.01)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[WithholdingBroker]:
    made = WithholdingBroker()
    yield made
    made.close()


@pytest.fixture
def publisher(outbox: Outbox, server: WithholdingBroker) -> Iterator[Publisher]:
    made = Publisher(outbox, TOPICS, Broker(port=server.port), on_command=command, rng=random.Random(1))
    made.start()
    wait_until(lambda: made.state().connected)
    yield made
    made.stop()


def command(name: str, payload: dict[str, Any]) -> dict[str, Any]:
    if name == "fail":
        raise ValueError("not today")
    return {"name": name, "got": payload}


def numbers(messages: list[tuple[str, bytes]]) -> list[int]:
    return [
        m["seq"] for topic, body in messages if "/measurements/" in topic for m in orjson.loads(body)["measurements"]
    ]


def fill(outbox: Outbox, n: int, *, slots: int = 100) -> None:
    outbox.append(ward(n, slots=slots))
    assert outbox.flush()


def test_never_more_under_way_than_the_broker_allows_also_after_reconnecting(
    outbox: Outbox, server: WithholdingBroker, publisher: Publisher
) -> None:
    fill(outbox, 1000)
    wait_until(lambda: server.connections[0].most_waiting == 5)
    first = [body for _, body in server.connections[0].messages]
    server.drop()
    wait_until(lambda: len(server.connections) == 2 and server.connections[1].most_waiting == 5)
    # The same five, in the same order: nothing was acknowledged.
    assert [body for _, body in server.connections[1].messages] == first
    server.receive_maximum = 2
    server.drop()
    wait_until(lambda: len(server.connections) == 3 and server.connections[2].most_waiting == 2)
    server.acknowledge_all()
    wait_until(lambda: publisher.state().taken == 1000)
    assert [seen.most_waiting for seen in server.connections] == [5, 5, 2]
    assert sorted(set(numbers(server.connections[2].messages))) == list(range(1, 1001))


def test_own_window_holds_where_the_broker_sets_no_limit(outbox: Outbox) -> None:
    server = WithholdingBroker(receive_maximum=65_535)
    made = Publisher(outbox, TOPICS, Broker(port=server.port, window=7), rng=random.Random(1))
    made.start()
    fill(outbox, 500)
    wait_until(lambda: server.connections and server.connections[0].most_waiting == 7)
    assert made.state().under_way == 7
    server.acknowledge_all()
    wait_until(lambda: made.state().taken == 500)
    assert server.connections[0].most_waiting == 7
    made.stop()
    server.close()


def test_broker_that_never_acknowledges_gets_a_new_connection(
    outbox: Outbox, server: WithholdingBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender_module, "ACK_TIMEOUT_S", 0.3)
    made = Publisher(outbox, TOPICS, Broker(port=server.port), rng=random.Random(1))
    made.start()
    fill(outbox, 10)
    wait_until(lambda: len(server.connections) >= 2)
    assert made.state().errors["no acknowledgement"] >= 1
    server.acknowledge_all()
    wait_until(lambda: made.state().taken == 10)
    made.stop()


def test_refused_messages_come_again_and_never_pile_up(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_module, "REFUSED_WAIT_S", 0.2)
    server = WithholdingBroker(code=0x97)
    server.acknowledging = True
    made = Publisher(outbox, TOPICS, Broker(port=server.port), rng=random.Random(1))
    made.start()
    fill(outbox, 300)
    wait_until(lambda: made.state().errors.get("refused by the broker", 0) > 10)
    assert len(set(numbers(server.connections[0].messages))) < 30
    assert made.state().taken == 0
    server.code = 0
    wait_until(lambda: made.state().taken == 300)
    made.stop()
    server.close()


def test_event_goes_at_once_and_takes_its_slot_along_the_rest_waits_for_its_second(
    outbox: Outbox, server: WithholdingBroker, publisher: Publisher
) -> None:
    server.acknowledge_all()
    outbox.append([measurement(0)], urgent=True)
    wait_until(lambda: numbers(server.connections[0].messages) == [1])
    outbox.append([measurement(1), measurement(2, slot="bay-9")], urgent=True)
    wait_until(lambda: numbers(server.connections[0].messages) == [1, 3])
    outbox.append([measurement(3, event=True)], urgent=True)
    wait_until(lambda: numbers(server.connections[0].messages) == [1, 3, 2, 4], 0.5)
    assert len(server.connections[0].messages) == 3


def test_receipt_releases_and_others_do_not(outbox: Outbox, server: WithholdingBroker, publisher: Publisher) -> None:
    server.acknowledge_all()
    fill(outbox, 100)
    server.send(TOPICS.stored, Receipt("f" * 16, 90).encode())
    server.send(TOPICS.stored, b"nonsense")
    server.send(TOPICS.stored, Receipt(outbox.epoch, 40).encode())
    wait_until(lambda: outbox.state().released_seq == 40)
    assert outbox.state().depth == 60
    assert publisher.state().errors == {"bad receipt": 1}


def test_broker_mode_releases_with_the_acknowledgement(outbox: Outbox, server: WithholdingBroker) -> None:
    made = Publisher(outbox, TOPICS, Broker(port=server.port), release="broker", rng=random.Random(1))
    made.start()
    fill(outbox, 200)
    wait_until(lambda: server.connections and server.connections[0].most_waiting == 5)
    assert outbox.state().depth == 200
    server.acknowledge_all()
    wait_until(lambda: outbox.state().depth == 0)
    made.stop()


def test_status_is_retained_and_the_end_says_offline(outbox: Outbox, server: WithholdingBroker) -> None:
    made = Publisher(outbox, TOPICS, Broker(port=server.port), rng=random.Random(1))
    made.set_status({"state": "online", "n": 1})
    made.start()
    server.acknowledge_all()
    wait_until(lambda: server.connections and server.connections[0].messages)
    made.set_status({"state": "online", "n": 2})
    wait_until(lambda: len(server.connections[0].messages) == 2)
    made.stop()
    sent = [(topic, orjson.loads(body)) for topic, body in server.connections[0].messages]
    assert sent == [
        (TOPICS.status, {"state": "online", "n": 1}),
        (TOPICS.status, {"state": "online", "n": 2}),
        (TOPICS.status, {"v": 1, "gateway": "g-1", "state": "offline"}),
    ]
    assert server.connections[0].will


def test_of_each_slots_curves_only_the_newest_are_sent(outbox: Outbox, server: WithholdingBroker) -> None:
    made = Publisher(outbox, TOPICS, Broker(port=server.port), rng=random.Random(1))
    for number in range(3):
        made.set_curves("bay-1", b"%d" % number)
    made.set_curves("bay-2", b"7")
    made.start()
    server.acknowledge_all()
    wait_until(lambda: server.connections and len(server.connections[0].messages) == 2)
    made.set_curves("bay-1", b"3")
    wait_until(lambda: len(server.connections[0].messages) == 3)
    made.stop()
    sent = server.connections[0].messages[:3]
    assert sorted(sent[:2]) == [(TOPICS.cycles("bay-1"), b"2"), (TOPICS.cycles("bay-2"), b"7")]
    assert sent[2] == (TOPICS.cycles("bay-1"), b"3")


def ask(server: WithholdingBroker, name: str, payload: bytes, answer: str = "answers/1") -> None:
    properties = b"\x08" + len(answer).to_bytes(2, "big") + answer.encode() + b"\x09\x00\x02id"
    server.send(TOPICS.command(name), payload, properties)


def test_commands_are_answered(outbox: Outbox, server: WithholdingBroker, publisher: Publisher) -> None:
    server.acknowledge_all()
    ask(server, "watch", b'{"for_s":5}')
    ask(server, "fail", b"{}")
    ask(server, "watch", b"[]")
    ask(server, "watch", b"\xff")
    wait_until(lambda: len(server.connections[0].messages) == 4)
    answers = [orjson.loads(body) for topic, body in server.connections[0].messages if topic == "answers/1"]
    assert answers == [
        {"v": 1, "ok": True, "name": "watch", "got": {"for_s": 5}},
        {"v": 1, "ok": False, "error": "not today"},
        {"v": 1, "ok": False, "error": "a command is a JSON object"},
        {"v": 1, "ok": False, "error": "a command is JSON"},
    ]
    assert publisher.state().errors == {"bad command": 3}


def test_no_answer_is_forged_onto_our_own_topics(
    outbox: Outbox, server: WithholdingBroker, publisher: Publisher
) -> None:
    server.acknowledge_all()
    for topic in (TOPICS.stored, TOPICS.measurements("bay-1"), "a/#"):
        ask(server, "watch", b"{}", topic)
    ask(server, "watch", b"{}", "answers/last")
    wait_until(lambda: server.connections[0].messages)
    assert [topic for topic, _ in server.connections[0].messages] == ["answers/last"]


def test_waveforms_are_dropped_and_counted_without_a_connection(outbox: Outbox, server: WithholdingBroker) -> None:
    made = Publisher(outbox, TOPICS, Broker(port=server.port), rng=random.Random(1))
    made.publish_live(TOPICS.waveform("d", "s"), b"x")
    made.start()
    wait_until(lambda: made.state().connected)
    assert made.state().errors == {"waveform dropped: not connected": 1}
    made.stop()


def test_waveforms_are_dropped_and_counted_while_too_many_wait() -> None:
    faults = FaultCounts(logging.getLogger(__name__))
    waveforms = Waveforms(faults, Refusals())
    kept = [waveforms.add(TOPICS.waveform("d", "s"), b"x") for _ in range(LIVE_MAX + 10)]
    assert kept == [True] * LIVE_MAX + [False] * 10
    assert faults.counts() == {"waveform dropped: link busy": 10}


def test_damaged_outbox_goes_on_in_its_new_epoch(
    outbox: Outbox, server: WithholdingBroker, publisher: Publisher
) -> None:
    server.acknowledge_all()
    fill(outbox, 50)
    wait_until(lambda: publisher.state().taken == 50)
    before = outbox.epoch
    run_sql(outbox.path, "DROP TABLE metrics")
    outbox.append(ward(30))
    wait_until(lambda: outbox.epoch != before and publisher.state().taken == 30)
    epochs = {orjson.loads(body)["epoch"] for _, body in server.connections[0].messages}
    assert epochs == {before, outbox.epoch}


def test_publishing_ends_no_thread_and_leaves_none(outbox: Outbox) -> None:
    server = WithholdingBroker()
    before = threading.active_count()
    for _ in range(3):
        made = Publisher(outbox, TOPICS, Broker(port=server.port), rng=random.Random(1))
        made.start()
        wait_until(lambda made=made: made.state().connected)  # type: ignore[misc] # bound at once
        made.stop()
    server.close()
    assert threading.active_count() <= before
