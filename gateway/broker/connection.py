"""One connection to a broker: one paho client and its callbacks, and the words in which a link speaks of it."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from paho.mqtt import client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from config.secret import read_secret
from config.settings import Broker
from gateway.broker.certificates import context_for, explain, is_tls_trouble, refusal
from gateway.broker.door import LOOPBACK, USER, Door, OwnBroker, read_door
from gateway.broker.paho_client import CONNECT_TIMEOUT_S, PahoClient, prepare_socket

log = logging.getLogger(__name__)

KEEPALIVE_S = 10
"""A link that swallows everything is noticed within this time and a half."""
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


@dataclass(frozen=True, slots=True)
class Terms:
    """What a link asks for on every connection; `Link` says what the fields are."""

    client_id: str
    subscriptions: Sequence[tuple[str, SubscribeOptions]] = ()
    will: Will | None = None
    session_s: int = 0
    receive_maximum: int | None = None
    largest_packet: int | None = None
    manual_ack: bool = False


class Connection:
    """One connection, from the first packet to the last.

    Args:
        number: Which one of its link.
        broker: Address, credentials, certificates; read again for each connection.
        terms: What is asked for.
        handler: Is called with what happens.
        errors: Where defects of the handler are counted, and topics that are no text.

    Attributes:
        accepted: Whether the broker has accepted us and our subscriptions.
        refused: Whether it refused in the words of MQTT: then TLS had let us in.

    Raises:
        DoorError: The embedded broker cannot be reached.
        OSError, ValueError: Credentials or certificates cannot be used.
    """

    def __init__(self, number: int, broker: Broker, terms: Terms, handler: Handler, errors: Counter[str]) -> None:
        self.number = number
        self.accepted = self.refused = False
        self._broker = broker
        self._terms = terms
        self._handler = handler
        self._errors = errors
        self._limits = Limits()
        door = read_door(broker.folder) if isinstance(broker, OwnBroker) else None
        self._client = PahoClient(
            door, client_id=terms.client_id, manual_ack=terms.manual_ack,
            transport="unix" if door is not None and door.socket else "tcp",
        )  # fmt: skip
        self._prepare(self._client, door)

    def _prepare(self, client: PahoClient, door: Door | None) -> None:
        broker = self._broker
        client.connect_timeout = CONNECT_TIMEOUT_S
        # The user of the link bounds what is under way; paho must neither queue nor hold back.
        client.max_inflight_messages_set(NO_LIMIT)
        if door is not None and door.secret:
            client.username_pw_set(USER, door.secret)
        elif broker.username is not None:
            password = read_secret(broker.password_file) if broker.password_file else None
            client.username_pw_set(broker.username, password)
        context = context_for(broker) if door is None else None
        if context is not None:
            client.tls_set_context(context)
            client.on_log = self._on_log
        if self._terms.will is not None:
            client.will_set(self._terms.will.topic, self._terms.will.payload, qos=1, retain=True)
        client.on_socket_open = prepare_socket
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_subscribe = self._on_subscribe

    @property
    def is_up(self) -> bool:
        """Return whether the broker has accepted it and it has not ended."""
        return self.accepted and not self._client.ended.is_set()

    def open(self) -> None:
        """Connect; raises DoorError, OSError, ValueError."""
        host, port = address_of(self._broker, self._client.door)
        try:
            self._client.connect(
                host, port, keepalive=KEEPALIVE_S, clean_start=self._terms.session_s == 0,
                properties=self._connect_properties(),
            )  # fmt: skip
        except BaseException:
            self._client.forget_users()
            raise

    def live(self, stop: threading.Event) -> None:
        """Carry messages until the connection ends, or is to stop."""
        client = self._client
        client.loop_start()
        if not client.answered.wait(CONNECT_TIMEOUT_S):
            client.cut("the broker did not answer")
        if stop.is_set():
            client.disconnect()
        while not client.ended.wait(END_S):
            if stop.is_set() or client.reason:
                client.cut("stopped")

    def end(self, *, stopping: bool) -> str:
        """Tell the handler that it is over, and let go of paho's client; return why it ended."""
        client = self._client
        if self.accepted:
            self._call(self._handler.lost, self.number, client.reason)
        self._client.forget_users()
        if not (self.accepted or self.refused or stopping):
            return ("" if client.door else refusal(self._broker)) or client.reason or "connection closed"
        return client.reason or "connection closed"

    def publish(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int,
        retain: bool,
        correlation: bytes,
        response_topic: str,
        about: Sequence[tuple[str, str]],
    ) -> paho.MQTTMessageInfo:
        """Hand a message to paho."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call] # paho's
        if correlation:
            properties.CorrelationData = correlation
        if response_topic:
            properties.ResponseTopic = response_topic
        if about:
            properties.UserProperty = list(about)
        return self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties)

    def acknowledge(self, message: Incoming, *, all_before: bool) -> None:
        """Acknowledge a message, when all that came before is acknowledged, too; with ``all_before`` that is now."""
        self._client.order.done(message.number, all_before=all_before)

    def disconnect(self, *, forget: bool) -> None:
        """Disconnect in good order; ``forget`` has the broker queue nothing for us meanwhile."""
        properties = None
        if forget:
            properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call] # paho's
            properties.SessionExpiryInterval = 0
        self._client.disconnect(properties=properties)

    def cut(self, reason: str) -> None:
        """End it at once."""
        self._client.cut(reason)

    def _connect_properties(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call] # paho's
        properties.SessionExpiryInterval = self._terms.session_s
        if self._terms.receive_maximum is not None:
            properties.ReceiveMaximum = self._terms.receive_maximum
        if self._terms.largest_packet is not None:
            properties.MaximumPacketSize = self._terms.largest_packet
        return properties

    def _call(self, callback: Callable[..., None], *args: Any) -> None:
        """Call the handler so that its defects cost one event and not the connection."""
        try:
            callback(*args)
        except Exception:
            self._errors["handler"] += 1
            log.exception("handling an MQTT event failed")

    def _on_connect(
        self,
        _client: paho.Client,
        _data: Any,
        flags: paho.ConnectFlags,
        code: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if code.is_failure:
            self.refused, self._client.reason = True, f"the broker refused: {code}"
            return
        self._limits = Limits(
            getattr(properties, "ReceiveMaximum", NO_LIMIT),
            getattr(properties, "MaximumPacketSize", LARGEST_PACKET),
            flags.session_present,
        )
        if self._terms.subscriptions:
            self._client.subscribe(list(self._terms.subscriptions))
        else:
            self._ready()

    def _ready(self) -> None:
        self.accepted = True
        self._call(self._handler.connected, self.number, self._limits)
        self._client.answered.set()

    def _on_disconnect(
        self, _client: paho.Client, _data: Any, _flags: Any, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._client.reason = self._client.reason or f"disconnected: {code}"

    def _on_log(self, _client: paho.Client, _data: Any, _level: int, text: str) -> None:
        """Take the broker's word on our certificate: with TLS 1.3 it comes after the handshake, and only to the log."""
        if not self._client.reason and is_tls_trouble(text):
            self._client.reason = explain(text)

    def _on_publish(
        self, _client: paho.Client, _data: Any, number: int, code: ReasonCode, _properties: Properties
    ) -> None:
        self._call(self._handler.acknowledged, self.number, number, code.value)

    def _on_subscribe(
        self, _client: paho.Client, _data: Any, _number: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        if any(code.is_failure for code in codes):
            self._client.cut(f"the broker refused a subscription: {', '.join(map(str, codes))}")
        else:
            self._ready()

    def _on_message(self, _client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        properties = message.properties
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._errors["topic is not text"] += 1
            topic = ""
        if self._terms.manual_ack and message.qos:
            self._client.order.arrived(message.mid)
        self._call(
            self._handler.arrived,
            Incoming(
                self.number, message.mid, topic, bytes(message.payload), message.qos, message.retain,
                getattr(properties, "ResponseTopic", ""), getattr(properties, "CorrelationData", b""),
                tuple(getattr(properties, "UserProperty", ())),
            ),
        )  # fmt: skip


def address_of(broker: Broker, door: Door | None) -> tuple[str, int]:
    """Return where to connect to: a host, or the path of a socket, and a port."""
    if door is None or not isinstance(broker, OwnBroker):
        return broker.host, broker.port
    return (str(broker.folder / door.socket), 1) if door.socket else (LOOPBACK, door.port)
