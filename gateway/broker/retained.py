"""What a broker still holds of topics: asked once, over a connection of its own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from typing import Final

from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Broker
from gateway.broker.connection import Connection, Incoming, Limits, Terms

LISTEN_S: Final = 1.0
"""From the broker's yes to a subscription: MQTT has no word for "there is nothing retained"."""
ANSWER_S: Final = 10.0
"""Wait for that yes; a broker that is not there says so at once."""


class _Listener:
    """Hears whether anything retained comes; a handler of one connection."""

    def __init__(self) -> None:
        self.subscribed, self.heard, self.over = threading.Event(), threading.Event(), threading.Event()
        self.topic = ""

    def connected(self, connection: int, limits: Limits) -> None:
        del connection, limits
        self.subscribed.set()

    def lost(self, connection: int, reason: str) -> None:
        del connection, reason

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        """Nothing is sent."""

    def arrived(self, message: Incoming) -> None:
        if message.retained and message.payload and not self.topic:
            self.topic = message.topic
            self.heard.set()


def retained_topic(broker: Broker, client_id: str, filters: Sequence[str]) -> str:
    """Return the first of some topics of which a broker holds a message; empty where it holds none, or cannot be asked.

    Args:
        broker: Address, credentials, certificates.
        client_id: As the broker knows this client.
        filters: The topics.
    """
    listener = _Listener()
    terms = Terms(client_id, [(topic, SubscribeOptions(qos=1)) for topic in filters])
    try:
        connection = Connection(1, broker, terms, listener, Counter())
        connection.open()
    except (OSError, ValueError):
        return ""
    stop = threading.Event()

    def live() -> None:
        connection.live(stop)
        listener.over.set()
        listener.subscribed.set()

    thread = threading.Thread(target=live, name="mqtt-retained", daemon=True)
    thread.start()
    if listener.subscribed.wait(ANSWER_S) and not listener.over.is_set():
        listener.heard.wait(LISTEN_S)
    stop.set()
    connection.disconnect(forget=True)
    thread.join()
    connection.end(stopping=True)
    return listener.topic
