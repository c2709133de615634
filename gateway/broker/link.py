"""A kept-up MQTT 5 connection over paho, with paho's known faults kept out of the way.

Every connection is a new paho client: nothing that an old one still holds can burst into a new connection, no message
number is ever shared by two of them, and certificates and passwords are read again each time. Whoever uses a link keeps
its own books of what was acknowledged; the link only carries. No callback can end paho's thread, and a thread that ends
all the same is noticed, because it says so itself.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.secret import read_secret
from config.settings import Broker
from drivers.transport.unix_path import short_path
from gateway.broker.acknowledgements import InOrder
from gateway.broker.certificates import context_for, explain, is_tls_trouble, refusal
from gateway.broker.door import LOOPBACK, USER, Door, DoorError, OwnBroker, check_holder, read_door, where

log = logging.getLogger(__name__)

KEEPALIVE_S = 10
"""A link that swallows everything is noticed within this time and a half."""
CONNECT_TIMEOUT_S = 5.0
"""For the TCP connection, and again for the broker's answer."""
BACKOFF_FIRST_S = 0.25
BACKOFF_MOST_S = 30.0
"""A ward of gateways must not come back in one instant, nor stay away long."""
STABLE_S = 10.0
"""A connection that held this long was good: the next failure starts from the shortest wait again."""
END_S = 3.0
"""Wait for an orderly end of a connection before its socket is cut."""
NO_LIMIT = 65_535
"""Receive Maximum of a broker that names none (MQTT 5, section 3.2.2.3.3)."""
LARGEST_PACKET = 268_435_455
FOR_ITS_SIZE = ("Packet too large", "Protocol error")
"""In the reason of an end that a message too large for the broker may have brought: the broker's word, or paho's for
an acknowledgement that says so (mosquitto, with ``message_size_limit``), which the standard does not know."""
REFUSED = 0x80
"""Reason codes from here on say no (MQTT 5, section 2.4)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the broker said when it accepted the connection."""

    receive_maximum: int = NO_LIMIT
    largest_packet: int = LARGEST_PACKET
    session_present: bool = False


@dataclass(frozen=True, slots=True)
class Incoming:
    """A message from the broker. ``connection`` and ``number`` are what an acknowledgement needs."""

    connection: int
    number: int
    topic: str
    payload: bytes
    qos: int
    retained: bool
    response_topic: str = ""
    correlation: bytes = b""
    about: tuple[tuple[str, str], ...] = ()


class Handler(Protocol):
    """Who uses a link. Called on the link's threads: put it in a queue and return."""

    def connected(self, connection: int, limits: Limits) -> None:
        """The broker accepted connection number ``connection`` and its subscriptions."""

    def lost(self, connection: int, reason: str) -> None:
        """That connection is over; what it had not acknowledged will not be acknowledged any more."""

    def acknowledged(self, connection: int, number: int, code: int) -> None:
        """The broker took message ``number``, or refused it with a code of 0x80 or more."""

    def arrived(self, message: Incoming) -> None:
        """A message came."""


@dataclass(frozen=True, slots=True)
class Will:
    """What the broker publishes, retained, when the connection breaks."""

    topic: str
    payload: bytes


def backoff_s(attempt: int, rng: random.Random) -> float:
    """Return the wait before connection attempt ``attempt`` (0, 1, 2 …): doubling, with jitter down to one half."""
    longest = min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2.0 ** min(attempt, 16))
    return longest * rng.uniform(0.5, 1.0)


class _Client(paho.Client):
    """A paho client of one connection that says when its thread is at its end, however that came."""

    def __init__(self, number: int, **options: Any) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False, **options)
        self.number = number
        self.accepted = False
        self.limits = Limits()
        self.answered = threading.Event()
        self.ended = threading.Event()
        self.reason = ""
        self.refused = False  # in the words of MQTT: TLS has let us in
        self.door: Door | None = None  # of an embedded broker
        self.order = InOrder(lambda message: self.ack(message, 1))

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:
        try:
            return super().loop_forever(timeout, retry_first_connection)
        except Exception as error:
            self.reason = f"network thread: {type(error).__name__}: {error}"
            log.exception("the network thread of an MQTT connection failed")
            return MQTTErrorCode.MQTT_ERR_UNKNOWN
        finally:
            self.answered.set()
            self.ended.set()

    def _create_unix_socket_connection(self) -> socket.socket:
        """Connect as paho does, but to paths of any length, and not for ever."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(CONNECT_TIMEOUT_S)
            with short_path(Path(self.host)) as path:
                sock.connect(path)
        except OSError:
            sock.close()
            raise
        return sock

    def cut(self, reason: str) -> None:
        self.reason = self.reason or reason
        sock = self.socket()
        if isinstance(sock, socket.socket):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                log.debug("the socket was gone already: %s", error)


class Link:
    """Keep a connection to the broker up, until told to stop.

    Args:
        broker: Address, credentials, certificates.
        client_id: Stable, since the broker knows a session by it.
        handler: Who is told what happens.
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
        self._subscriptions = list(subscriptions)
        self._will = will
        self._session_s = session_s
        self._receive_maximum = receive_maximum
        self._largest_packet = largest_packet
        self._manual_ack = manual_ack
        self._rng = rng or random.Random()
        self._stop = threading.Event()
        self._client: _Client | None = None
        self._number = 0
        self._thread = threading.Thread(target=self._run, name=f"mqtt-{client_id}", daemon=True)

    @property
    def connected(self) -> bool:
        """Whether a broker has accepted the present connection and its subscriptions."""
        client = self._client
        return client is not None and client.accepted and not client.ended.is_set()

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def stop(self, *, forget: bool = False) -> None:
        """Disconnect in good order and end the thread; ``forget`` has the broker queue nothing for us meanwhile."""
        self._stop.set()
        client = self._client
        if client is not None:
            properties = None
            if forget:
                properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call] # paho's
                properties.SessionExpiryInterval = 0
            client.disconnect(properties=properties)
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
        client = self._client
        if client is None or client.number != connection or not client.accepted:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's
        if correlation:
            properties.CorrelationData = correlation
        if response_topic:
            properties.ResponseTopic = response_topic
        if about:
            properties.UserProperty = list(about)
        return client.publish(topic, payload, qos=qos, retain=retain, properties=properties)

    def acknowledge(self, message: Incoming, *, all_before: bool = False) -> None:
        """Acknowledge a QoS 1 message (with ``manual_ack``); nothing happens if its connection is over.

        The broker hears of it when all that came before is acknowledged, too; with ``all_before`` that is now.
        """
        client = self._client
        if message.qos and client is not None and client.number == message.connection:
            client.order.done(message.number, all_before=all_before)

    def drop(self, reason: str) -> None:
        """Cut the present connection; a new one follows after the usual wait."""
        client = self._client
        if client is not None:
            client.cut(reason)

    def _run(self) -> None:
        attempt = 0
        while not self._stop.is_set():
            began = time.monotonic()
            reason = self._connection()
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

    def _connection(self) -> str:
        """Live through one connection; return why it ended."""
        self._number += 1
        try:
            client = self._prepare(self._number)
            self._client = client
            host, port = self._address(client.door)
            client.connect(
                host, port, keepalive=KEEPALIVE_S, clean_start=self._session_s == 0,
                properties=self._connect_properties(),
            )  # fmt: skip
        except DoorError as error:
            self._client = None
            return str(error)
        except (OSError, ValueError) as error:
            self._client = None
            return explain(error)
        client.loop_start()
        if not client.answered.wait(CONNECT_TIMEOUT_S):
            client.cut("the broker did not answer")
        if self._stop.is_set():
            client.disconnect()
        while not client.ended.wait(END_S):
            if self._stop.is_set() or client.reason:
                client.cut("stopped")
        self._client = None
        if client.accepted:
            self._call(self._handler.lost, client.number, client.reason)
        # Its callbacks hold the link and paho holds sockets until it is collected.
        client.on_connect = client.on_disconnect = client.on_publish = None
        client.on_message = client.on_subscribe = client.on_log = None
        if not (client.accepted or client.refused or self._stop.is_set()):
            return ("" if client.door else refusal(self._broker)) or client.reason or "connection closed"
        return client.reason or "connection closed"

    def _address(self, door: Door | None) -> tuple[str, int]:
        if door is None or not isinstance(self._broker, OwnBroker):
            return self._broker.host, self._broker.port
        return (str(self._broker.folder / door.socket), 1) if door.socket else (LOOPBACK, door.port)

    def _prepare(self, number: int) -> _Client:
        door = read_door(self._broker.folder) if isinstance(self._broker, OwnBroker) else None
        client = _Client(
            number, client_id=self.client_id, manual_ack=self._manual_ack,
            transport="unix" if door is not None and door.socket else "tcp",
        )  # fmt: skip
        client.door = door
        client.connect_timeout = CONNECT_TIMEOUT_S
        # The user of the link bounds what is under way; paho must neither queue nor hold back.
        client.max_inflight_messages_set(NO_LIMIT)
        broker = self._broker
        if door is not None and door.secret:
            client.username_pw_set(USER, door.secret)
        elif broker.username is not None:
            password = read_secret(broker.password_file) if broker.password_file else None
            client.username_pw_set(broker.username, password)
        context = context_for(broker) if door is None else None
        if context is not None:
            client.tls_set_context(context)
            client.on_log = self._on_log
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, qos=1, retain=True)
        client.on_socket_open = _prepare_socket
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe
        return client

    def _connect_properties(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's
        properties.SessionExpiryInterval = self._session_s
        if self._receive_maximum is not None:
            properties.ReceiveMaximum = self._receive_maximum
        if self._largest_packet is not None:
            properties.MaximumPacketSize = self._largest_packet
        return properties

    def _call(self, told: Callable[..., None], *args: Any) -> None:
        """Call the handler so that its defects cost one event and not the connection."""
        try:
            told(*args)
        except Exception:
            self.errors["handler"] += 1
            log.exception("handling an MQTT event failed")

    def _on_connect(
        self, client: paho.Client, _data: Any, flags: paho.ConnectFlags, code: ReasonCode, properties: Properties | None
    ) -> None:
        assert isinstance(client, _Client)
        if code.is_failure:
            client.refused, client.reason = True, f"the broker refused: {code}"
            return
        client.limits = Limits(
            getattr(properties, "ReceiveMaximum", NO_LIMIT),
            getattr(properties, "MaximumPacketSize", LARGEST_PACKET),
            flags.session_present,
        )
        if self._subscriptions:
            client.subscribe(self._subscriptions)
        else:
            self._ready(client)

    def _ready(self, client: _Client) -> None:
        client.accepted = True
        self._call(self._handler.connected, client.number, client.limits)
        client.answered.set()

    def _on_disconnect(
        self, client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Properties | None
    ) -> None:
        assert isinstance(client, _Client)
        client.reason = client.reason or f"disconnected: {code}"

    def _on_log(self, client: paho.Client, _data: Any, _level: int, text: str) -> None:
        """Take the broker's word on our certificate: with TLS 1.3 it comes after the handshake, and only to the log."""
        assert isinstance(client, _Client)
        if not client.reason and is_tls_trouble(text):
            client.reason = explain(text)

    def _on_publish(
        self, client: paho.Client, _data: Any, number: int, code: ReasonCode, _properties: Properties
    ) -> None:
        assert isinstance(client, _Client)
        self._call(self._handler.acknowledged, client.number, number, code.value)

    def _on_subscribe(
        self, client: paho.Client, _data: Any, _number: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        assert isinstance(client, _Client)
        if any(code.is_failure for code in codes):
            client.cut(f"the broker refused a subscription: {', '.join(map(str, codes))}")
        else:
            self._ready(client)

    def _on_message(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        assert isinstance(client, _Client)
        properties = message.properties
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self.errors["topic is not text"] += 1
            topic = ""
        if self._manual_ack and message.qos:
            client.order.arrived(message.mid)
        self._call(
            self._handler.arrived,
            Incoming(
                client.number, message.mid, topic, bytes(message.payload), message.qos, message.retain,
                getattr(properties, "ResponseTopic", ""), getattr(properties, "CorrelationData", b""),
                tuple(getattr(properties, "UserProperty", ())),
            ),
        )  # fmt: skip


def _prepare_socket(client: paho.Client, _data: Any, sock: Any) -> None:
    """Have the kernel wait for no company, and say nothing, our secret least of all, to a stranger on our port.

    A small message after another would lie until that is acknowledged.
    """
    if isinstance(sock, socket.socket) and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if isinstance(client, _Client) and client.door is not None:
        try:
            check_holder(client.door)
        except DoorError:
            sock.close()
            raise
