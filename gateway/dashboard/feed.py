"""From the broker to the event loop: the link's threads fill a bounded inbox, the loop empties it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Broker
from gateway.broker.link import Incoming, Limits, Link

INBOX = 4096
"""Messages that may wait for the event loop: a minute of a full ward, should the loop ever stand that long."""


INBOX_BYTES = 64 << 20
"""And so many bytes of them: a wrong publisher must not fill the memory with a few."""
REFUSED = 0x80
"""Codes of an acknowledgement from here on say that a message was not passed on (MQTT 5, section 3.4.2.1)."""
NEWEST_ONLY = ("status", "cycles", "ward")
"""Kinds of topics of which a newer message makes the older ones worthless: those that are retained."""


class Message(NamedTuple):
    """What arrived: ``retained`` says that it is older than our subscription; an answer says to what."""

    topic: str
    payload: bytes
    retained: bool
    correlation: bytes = b""


class Feed:
    """Subscriptions that survive the broker; a handler of ``gateway.broker.link.Link``.

    Attributes:
        dropped: Messages that were lost between the two threads, by reason.
    """

    def __init__(
        self, broker: Broker, *, filters: Sequence[tuple[str, int]], deliver: Callable[[Message], None]
    ) -> None:
        self.dropped: Counter[str] = Counter()
        self._deliver = deliver
        self._inbox: deque[Message] = deque()
        self._bytes = 0
        self._lock = threading.Lock()
        self._scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: int | None = None
        self._asked: dict[tuple[int, int], Callable[[], None]] = {}  # on the loop: what the broker has not taken yet
        self._link = Link(
            broker,
            client_id=f"dashboard-{secrets.token_hex(4)}",  # several dashboards may look at one gateway
            handler=self,
            subscriptions=[(topic, SubscribeOptions(qos=qos)) for topic, qos in filters],
        )

    @property
    def up(self) -> bool:
        """Whether the broker is there now."""
        return self._connection is not None

    def start(self) -> None:
        """Start connecting; messages are delivered on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._link.start()

    async def stop(self) -> None:
        """Disconnect."""
        await asyncio.to_thread(self._link.stop)

    def publish(self, topic: str, payload: bytes) -> None:
        """Send, if the broker is there; never queue: what is said here is said again a few seconds later."""
        connection = self._connection
        if connection is not None:
            self._link.publish(connection, topic, payload, qos=0)

    def ask(self, topic: str, payload: bytes, *, answers: str, correlation: bytes, refused: Callable[[], None]) -> bool:
        """Send something that is answered on a topic; return whether the broker is there to take it.

        It is handed to the present connection only: what is lost with that is never sent again by itself. ``refused``
        is called when the broker will not pass it on.
        """
        connection = self._connection
        if connection is None:
            return False
        sent = self._link.publish(
            connection, topic, payload, qos=1, response_topic=answers, correlation=correlation
        )  # fmt: skip
        if sent is not None:
            self._asked[connection, sent.mid] = refused
        return sent is not None

    def _on_acknowledged(self, connection: int, number: int, code: int) -> None:
        refused = self._asked.pop((connection, number), None)
        if refused is not None and code >= REFUSED:
            refused()

    def _forget(self, connection: int) -> None:
        self._asked = {key: refused for key, refused in self._asked.items() if key[0] != connection}

    # What follows runs on the link's threads: it only moves things.

    def connected(self, connection: int, limits: Limits) -> None:
        """Note which connection is the present one."""
        del limits
        self._connection = connection

    def lost(self, connection: int, reason: str) -> None:
        """Note that there is none."""
        del reason
        self._connection = None
        self._on_loop(partial(self._forget, connection))

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        """Tell whoever asked whether the broker has passed it on; an answer of the gateway says more."""
        self._on_loop(partial(self._on_acknowledged, connection, number, code))

    def arrived(self, message: Incoming) -> None:
        """Put a message in the inbox; the oldest gives way when it is full."""
        with self._lock:
            self._inbox.append(Message(message.topic, bytes(message.payload), message.retained, message.correlation))
            self._bytes += len(message.payload)
            while len(self._inbox) > INBOX or self._bytes > INBOX_BYTES:
                self._bytes -= len(self._inbox.popleft().payload)
                self.dropped["inbox full"] += 1
            if self._scheduled or self._loop is None:
                return
            self._scheduled = True
        self._on_loop(self._empty)

    def _on_loop(self, call: Callable[[], None]) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has just closed: nobody is left to read
                self._loop.call_soon_threadsafe(call)

    def _empty(self) -> None:
        with self._lock:
            messages = list(self._inbox)
            self._inbox.clear()
            self._bytes = 0
            self._scheduled = False
        for message in newest(messages):
            self._deliver(message)


def newest(messages: Sequence[Message]) -> list[Message]:
    """Leave out what a newer message of the same topic makes worthless; the order stays."""
    last = {message.topic: number for number, message in enumerate(messages)}
    return [
        message
        for number, message in enumerate(messages)
        if last[message.topic] == number or _kind(message.topic) not in NEWEST_ONLY
    ]


def _kind(topic: str) -> str:
    """Return the kind of a topic below ``rehab/v1/<site>/<gateway>/``."""
    parts = topic.split("/", 5)
    return parts[4] if len(parts) > 4 else ""
