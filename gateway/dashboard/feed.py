"""From the broker to the event loop: paho's thread fills a bounded inbox, the loop empties it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from config.settings import Broker

INBOX = 4096
"""Messages that may wait for the event loop: a minute of a full ward, should the loop ever stand that long."""

LARGEST_MESSAGE = 1 << 20  # bytes; the status of 70 beds is a tenth of it
KEEPALIVE_S = 5  # a dead broker is noticed within about this time
RETRY_S = (1, 5)  # first and longest wait before the next attempt to connect


class Message(NamedTuple):
    """What arrived: ``retained`` says that it is older than our subscription."""

    topic: str
    payload: bytes
    retained: bool


class Feed:
    """A subscription that survives the broker.

    Attributes:
        connected: Whether the broker is there now.
        dropped: Messages that were lost between the two threads, by reason.
    """

    def __init__(self, broker: Broker, *, deliver: Callable[[Message], None]) -> None:
        self.connected = False
        self.dropped: Counter[str] = Counter()
        self._broker = broker
        self._deliver = deliver
        self._filters: dict[str, int] = {}
        self._lock = threading.Lock()
        self._inbox: deque[Message] = deque()
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client = self._make_client(broker)

    def start(self, filters: Iterable[tuple[str, int]]) -> None:
        """Start connecting, on the running loop; ``filters`` are topic filters with their quality of service."""
        self._loop = asyncio.get_running_loop()
        self._filters.update(filters)
        connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's is not annotated
        connect.MaximumPacketSize = LARGEST_MESSAGE
        self._client.connect_async(
            self._broker.host, self._broker.port, keepalive=KEEPALIVE_S, clean_start=True, properties=connect
        )
        self._client.loop_start()

    async def stop(self) -> None:
        """Disconnect and end the thread."""
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)

    def follow(self, topic: str) -> None:
        """Receive another topic, now and after each reconnect."""
        with self._lock:
            self._filters[topic] = 0
        if self.connected:
            self._client.subscribe(topic, 0)

    def unfollow(self, topic: str) -> None:
        """No longer receive a topic."""
        with self._lock:
            self._filters.pop(topic, None)
        if self.connected:
            self._client.unsubscribe(topic)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send, if the broker is there; never queue: what is said here is said again a few seconds later."""
        if self.connected:
            self._client.publish(topic, payload, qos=0)

    def _make_client(self, broker: Broker) -> Client:
        client = Client(
            CallbackAPIVersion.VERSION2, f"dashboard-{secrets.token_hex(4)}", protocol=MQTTProtocolVersion.MQTTv5
        )
        client.reconnect_delay_set(*RETRY_S)
        if broker.username:
            password = broker.password_file.read_text("utf-8").strip() if broker.password_file else None
            client.username_pw_set(broker.username, password)
        if broker.ca_file:
            client.tls_set(
                str(broker.ca_file),
                certfile=str(broker.cert_file) if broker.cert_file else None,
                keyfile=str(broker.key_file) if broker.key_file else None,
            )
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    # The callbacks run on paho's thread, which an exception would end: they only move things.

    def _on_connect(self, client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if reason.is_failure:
            return
        with self._lock:
            filters = list(self._filters.items())
        client.subscribe(filters)
        self.connected = True

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, _reason: Any, _properties: Any) -> None:
        self.connected = False

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        with self._lock:
            if len(self._inbox) >= INBOX:
                self._inbox.popleft()
                self.dropped["inbox full"] += 1
            self._inbox.append(Message(message.topic, bytes(message.payload), message.retain))
            if self._scheduled or self._loop is None:
                return
            self._scheduled = True
        with contextlib.suppress(RuntimeError):  # the loop has just closed: nobody is left to read
            self._loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        with self._lock:
            messages = list(self._inbox)
            self._inbox.clear()
            self._scheduled = False
        for message in messages:
            self._deliver(message)
