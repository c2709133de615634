"""A link acknowledges in the order of arrival, whatever the order in which its user is done with messages."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.broker.acknowledgements import InOrder
from gateway.broker.embedded import EmbeddedBroker, find_mosquitto
from gateway.broker.link import Incoming, Limits, Link
from tests.servers import free_port, missing, wait_until

TOPIC = "rehab/v1/demo/g-1/measurements/bay-1"


class Ears:
    """Keeps what arrives, and counts connections."""

    def __init__(self) -> None:
        self.messages: list[Incoming] = []
        self.connections = 0
        self.taken = 0

    def connected(self, connection: int, limits: Limits) -> None:
        self.connections += 1

    def lost(self, connection: int, reason: str) -> None: ...

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        self.taken += 1

    def arrived(self, message: Incoming) -> None:
        self.messages.append(message)


@pytest.fixture(params=["mosquitto", "iotcore"])
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    if request.param == "mosquitto" and find_mosquitto() is None:
        missing("mosquitto")
    made = EmbeddedBroker(tmp_path / "broker", port=free_port(), kind=request.param)
    made.start()
    await made.ready()
    yield made
    await made.stop()


@pytest.mark.broker
async def test_messages_that_are_done_in_any_order_end_no_connection(broker: EmbeddedBroker) -> None:
    await asyncio.to_thread(acknowledge_backwards, broker)


def acknowledge_backwards(broker: EmbeddedBroker) -> None:
    ears, mouth = Ears(), Ears()
    hears = Link(
        broker.settings, client_id="hears", handler=ears, subscriptions=[(TOPIC, SubscribeOptions(qos=1))],
        session_s=60, manual_ack=True, rng=random.Random(1),
    )  # fmt: skip
    says = Link(broker.settings, client_id="says", handler=mouth, rng=random.Random(2))
    for link in (hears, says):
        link.start()
    wait_until(lambda: hears.connected and says.connected)
    for _ in range(5):
        before = len(ears.messages)
        for n in range(8):
            says.publish(1, TOPIC, b"%d" % n, qos=1)
        wait_until(partial(heard, ears, before + 8))
        for message in reversed(ears.messages[-8:]):
            hears.acknowledge(message)
    wait_until(lambda: mouth.taken == 40)
    # A broker takes over the session at once from a connection that it has not read to its end yet: it has read all
    # acknowledgements when it has taken what was sent after them.
    hears.publish(1, f"{TOPIC}/after", b"", qos=1)
    wait_until(lambda: ears.taken == 1)
    assert ears.connections == 1
    hears.stop()
    again = Link(broker.settings, client_id="hears", handler=ears, session_s=60, manual_ack=True)
    again.start()
    wait_until(lambda: ears.connections == 2)
    says.publish(1, TOPIC, b"last", qos=1)
    wait_until(lambda: ears.messages[-1].payload == b"last")
    assert len(ears.messages) == 41, "none of the others came again"
    again.stop()
    says.stop()


def heard(ears: Ears, count: int) -> bool:
    return len(ears.messages) == count


def test_what_is_done_waits_for_what_came_before() -> None:
    sent: list[int] = []
    order = InOrder(sent.append)
    for number in (7, 3, 9, 4):
        order.arrived(number)
    order.done(9)
    order.done(3)
    assert sent == []
    order.done(7)
    assert sent == [7, 3, 9]
    order.done(3)
    order.done(99)
    order.arrived(3)
    order.done(4)
    order.done(3)
    assert sent == [7, 3, 9, 4, 3]


def test_what_need_not_wait_takes_along_what_came_before() -> None:
    sent: list[int] = []
    order = InOrder(sent.append)
    for number in range(6):
        order.arrived(number)
    order.done(4)
    order.done(2, all_before=True)
    assert sent == [0, 1, 2]
    order.done(1)
    order.done(3)
    assert sent == [0, 1, 2, 3, 4]


def test_several_threads_keep_the_order() -> None:
    sent: list[int] = []
    order = InOrder(sent.append)
    numbers = list(range(2_000))
    for number in numbers:
        order.arrived(number)
    random.Random(5).shuffle(numbers)
    threads = [threading.Thread(target=all_done, args=(order, numbers[i::4])) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sent == list(range(2_000))


def all_done(order: InOrder, numbers: list[int]) -> None:
    for number in numbers:
        order.done(number)
