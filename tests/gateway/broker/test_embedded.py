from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from pathlib import Path

import pytest
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Broker
from gateway.broker.embedded import BrokerError, EmbeddedBroker, find_mosquitto
from gateway.broker.link import Incoming, Limits, Link
from tests.servers import accepts, free_port, missing, wait_until

KINDS = ["mosquitto", "iotcore"]


class Listener:
    def __init__(self) -> None:
        self.connections: list[int] = []
        self.messages: list[Incoming] = []

    def connected(self, connection: int, limits: Limits) -> None:
        self.connections.append(connection)

    def lost(self, connection: int, reason: str) -> None: ...

    def acknowledged(self, connection: int, number: int, code: int) -> None: ...

    def arrived(self, message: Incoming) -> None:
        self.messages.append(message)


@pytest.fixture(params=KINDS)
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> EmbeddedBroker:
    if request.param == "mosquitto" and find_mosquitto() is None:
        missing("mosquitto")
    return EmbeddedBroker(free_port(), tmp_path / "broker", kind=request.param)


async def test_it_carries_messages_and_retains(broker: EmbeddedBroker) -> None:
    await broker.start()
    settings = Broker(port=broker.port)
    heard = Listener()
    large = random.Random(1).randbytes(200_000)
    link = Link(settings, client_id="a", handler=heard, subscriptions=[("t/#", SubscribeOptions(qos=1))])
    link.start()
    await asyncio.to_thread(wait_until, lambda: heard.connections)
    link.publish(1, "t/small", b"x", qos=1, retain=True)
    link.publish(1, "t/large", large, qos=1)
    await asyncio.to_thread(wait_until, lambda: len(heard.messages) == 2)
    assert [(m.topic, m.payload) for m in heard.messages] == [("t/small", b"x"), ("t/large", large)]
    late = Listener()
    other = Link(settings, client_id="b", handler=late, subscriptions=[("t/#", SubscribeOptions(qos=1))])
    other.start()
    await asyncio.to_thread(wait_until, lambda: late.messages)
    assert (late.messages[0].payload, late.messages[0].retained) == (b"x", True)
    await asyncio.to_thread(other.stop)
    await asyncio.to_thread(link.stop)
    await broker.stop()
    assert not accepts(broker.port)


def listening() -> set[str]:
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return {line.split()[1] for line in table if line.split()[3] == "0A"}


async def test_it_listens_on_loopback_only(broker: EmbeddedBroker) -> None:
    await broker.start()
    addresses = listening()
    assert f"0100007F:{broker.port:04X}" in addresses
    assert f"00000000:{broker.port:04X}" not in addresses
    await broker.stop()


async def test_it_is_started_again_when_it_dies(broker: EmbeddedBroker) -> None:
    await broker.start()
    first = broker.pid
    assert first
    os.kill(first, signal.SIGKILL)
    await asyncio.to_thread(wait_until, lambda: broker.restarts == 1 and broker.pid != first and accepts(broker.port))
    await broker.stop()
    assert not accepts(broker.port)


async def test_port_in_use_is_one_clear_sentence(broker: EmbeddedBroker, tmp_path: Path) -> None:
    await broker.start()
    with pytest.raises(BrokerError, match=f"port {broker.port} is in use: stop the other broker"):
        await EmbeddedBroker(broker.port, tmp_path / "second").start()
    await broker.stop()


PARENT = """
import asyncio, sys
from pathlib import Path
from gateway.broker.embedded import EmbeddedBroker
async def main():
    broker = EmbeddedBroker(int(sys.argv[1]), Path(sys.argv[2]), kind=sys.argv[3])
    await broker.start()
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


@pytest.mark.parametrize("kind", KINDS)
async def test_it_ends_with_a_killed_gateway(kind: str, tmp_path: Path) -> None:
    if kind == "mosquitto" and find_mosquitto() is None:
        missing("mosquitto")
    port = free_port()
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, str(port), str(tmp_path / "b"), kind, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    assert await parent.stdout.readline() == b"ready\n"
    assert accepts(port)
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(wait_until, lambda: not accepts(port))
