"""A paho client with paho's known faults kept out of the way."""

from __future__ import annotations

import logging
import socket
import threading
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from drivers.transport.unix_path import short_path
from gateway.broker.acknowledgements import InOrder
from gateway.broker.door import Door, DoorError, check_holder

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 5.0
"""For the TCP connection, and again for the broker's answer."""


class PahoClient(paho.Client):
    """A paho client of one connection that says when its thread is at its end, however that came.

    Attributes:
        door: Of an embedded broker.
        answered: Set when the broker has accepted us, or will not.
        ended: Set when the thread is at its end.
        reason: Why it ended; empty while it is not known.
        order: Acknowledges messages in the order in which they came.
    """

    def __init__(self, door: Door | None, **options: Any) -> None:
        super().__init__(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv5, reconnect_on_failure=False, **options)
        self.door = door
        self.answered = threading.Event()
        self.ended = threading.Event()
        self.reason = ""
        self.order = InOrder(lambda message: self.ack(message, 1))

    def loop_forever(self, timeout: float = 1.0, retry_first_connection: bool = False) -> MQTTErrorCode:
        """Carry packets until the connection ends, as paho does, and say so whatever ended it."""
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
        except FileNotFoundError:
            sock.close()
            raise DoorError("its socket is not there: it has ended, or is being started again") from None
        except OSError:
            sock.close()
            raise
        return sock

    def forget_users(self) -> None:
        """Hold nobody who holds this, so that it goes with its last user and closes its sockets then.

        Of a circle the sockets may be collected first, which Python tells as left open. Closing them here would take
        them from under another thread that is just publishing.
        """
        self.on_connect = self.on_disconnect = self.on_publish = None
        self.on_message = self.on_subscribe = self.on_log = None
        self.order = InOrder(_ignore)

    def cut(self, reason: str) -> None:
        """Shut the socket, for a reason that is kept unless there is one already."""
        self.reason = self.reason or reason
        sock = self.socket()
        if isinstance(sock, socket.socket):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                log.debug("the socket was gone already: %s", error)


def _ignore(_message: int) -> None:
    """There is no connection any more on which it could be acknowledged."""


def prepare_socket(client: paho.Client, _data: Any, sock: Any) -> None:
    """Have the kernel wait for no company, and say nothing, our secret least of all, to a stranger on our port.

    A small message after another would lie until that is acknowledged.
    """
    if isinstance(sock, socket.socket) and sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if isinstance(client, PahoClient) and client.door is not None:
        try:
            check_holder(client.door)
        except DoorError:
            sock.close()
            raise
