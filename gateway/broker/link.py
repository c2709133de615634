"""A kept-up MQTT 5 connection over paho.

Every connection is a new paho client: nothing that an old one still holds can burst into a new connection, no message
number is ever shared by two of them, and certificates and passwords are read again each time. Whoever uses a link keeps
its own books of what was acknowledged; the link only carries. No callback can end paho's thread, and a thread that ends
all the same is noticed, because it says so itself.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence

from paho.mqtt import client as paho
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.settings import Broker
from gateway.broker.certificates import explain
from gateway.broker.connection import (
    FOR_ITS_SIZE,
    LARGEST_PACKET,
    NO_LIMIT,
    REFUSED,
    Connection,
    Handler,
    Incoming,
    Limits,
    Terms,
    Will,
)
from gateway.broker.door import DoorError, where

__all__ = [
    "FOR_ITS_SIZE", "LARGEST_PACKET", "NO_LIMIT", "REFUSED", "Handler", "Incoming", "Limits", "Link", "Will",
    "backoff_s",
]  # fmt: skip

log = logging.getLogger(__name__)

BACKOFF_FIRST_S = 0.25
BACKOFF_MOST_S = 30.0
"""A ward of gateways must not come back in one instant, nor stay away long."""
STABLE_S = 10.0
"""A connection that held this long was good: the next failure starts from the shortest wait again."""


def backoff_s(attempt: int, rng: random.Random) -> float:
    """Return the wait before connection attempt ``attempt`` (0, 1, 2 …): doubling, with jitter down to one half."""
    longest = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2.0 ** min(attempt, 16))
    return longest * rng.uniform(0.5, 1.0)


class Link:
    """Keep a connection to the broker up, until told to stop.

    Args:
        broker: Address, credentials, certificates.
        client_id: Stable, since the broker knows a session by it.
        handler: Is called with what happens.
        subscriptions: Topic filters with their options, asked for on every connection.
        will: Last will.
        session_s: How long the broker keeps the session, and queues for it, while we are away; 0 for a clean start.
        receive_maximum: Most messages that the broker may send without our acknowledgement.
        largest_packet: Bytes of the largest packet that the broker may send; it leaves out what is larger.
        manual_ack: Whether QoS 1 messages are acknowledged by ``acknowledge`` and not on arrival.
        rng: Source of jitter.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        client_id: str,
        handler: Handler,
        subscriptions: Sequence[tuple[str, SubscribeOptions]] = (),
        will: Will | None = None,
        session_s: int = 0,
        receive_maximum: int | None = None,
        largest_packet: int | None = None,
        manual_ack: bool = False,
        rng: random.Random | None = None,
    ) -> None:
        self.client_id = client_id
        self.errors: Counter[str] = Counter()
        self.last_error = ""
        self._broker = broker
        self._handler = handler
        self._terms = Terms(
            client_id, tuple(subscriptions), will, session_s, receive_maximum, largest_packet, manual_ack
        )
        self._rng = rng or random.Random()
        self._stop = threading.Event()
        self._connection: Connection | None = None
        self._number = 0
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{client_id}", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether a broker has accepted the present connection and its subscriptions."""
        connection = self._connection
        return connection is not None and connection.is_up

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self, *, forget: bool = False) -> None:
        """Disconnect in good order and end the thread; ``forget`` has the broker queue nothing for us meanwhile."""
        self._stop.set()
        connection = self._connection
        if connection is not None:
            connection.disconnect(forget=forget)
        self._thread.join()

    def publish(
        self,
        connection: int,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool = False,
        correlation: bytes = b"",
        response_topic: str = "",
        about: Sequence[tuple[str, str]] = (),
    ) -> paho.MQTTMessageInfo | None:
        """Hand a message to that connection; None if it is over. Its ``mid`` is what ``acknowledged`` will say.

        ``about`` are user properties: names and values for who knows them, and nothing to who does not.
        """
        present = self._connection
        if present is None or present.number != connection or not present.accepted:
            return None
        return present.publish(
            topic, payload, qos=qos, retain=retain, correlation=correlation, response_topic=response_topic, about=about
        )

    def acknowledge(self, message: Incoming, *, all_before: bool = False) -> None:
        """Acknowledge a QoS 1 message (with ``manual_ack``); nothing happens if its connection is over.

        The broker hears of it when all that came before is acknowledged, too; with ``all_before`` that is now.
        """
        connection = self._connection
        if message.qos and connection is not None and connection.number == message.connection:
            connection.acknowledge(message, all_before=all_before)

    def drop(self, reason: str) -> None:
        """Cut the present connection; a new one follows after the usual wait."""
        connection = self._connection
        if connection is not None:
            connection.cut(reason)

    def _run(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            began = time.monotonic()
            reason = self._live_once()
            if self._stop.is_set():
                break
            if time.monotonic() - began > STABLE_S:
                attempt = 0
            wait_s = backoff_s(attempt, self._rng)
            if reason != self.last_error or attempt == 0:
                log.warning("no MQTT connection to %s: %s", where(self._broker), reason)
            self.errors["connection"] += 1
            self.last_error = reason
            self._stop.wait(wait_s)
            attempt += 1

    def _live_once(self) -> str:
        """Live through one connection; return why it ended."""
        self._number += 1
        try:
            connection = Connection(self._number, self._broker, self._terms, self._handler, self.errors)
            self._connection = connection
            connection.open()
        except DoorError as error:
            self._connection = None
            return str(error)
        except (OSError, ValueError) as error:
            self._connection = None
            return explain(error)
        connection.live(self._stop)
        self._connection = None
        return connection.end(stopping=self._stop.is_set())
