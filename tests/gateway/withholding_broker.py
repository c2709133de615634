"""An MQTT 5 server that acknowledges only when told to: what a broker in trouble looks like from outside."""

from __future__ import annotations

import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import BinaryIO


@dataclass
class Seen:
    """One connection: the QoS 1 messages that came, and how many of them wait for an acknowledgement."""

    sock: socket.socket
    waiting: list[int] = field(default_factory=list)
    most_waiting: int = 0
    messages: list[tuple[str, bytes]] = field(default_factory=list)
    will: bool = False


class WithholdingBroker:
    def __init__(self, *, receive_maximum: int = 5, code: int = 0) -> None:
        self.receive_maximum = receive_maximum
        self.acknowledging = False
        self.code = code
        self.connections: list[Seen] = []
        self._lock = threading.Lock()
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def acknowledge_all(self) -> None:
        """Acknowledge what waits, and from now on everything at once."""
        with self._lock:
            self.acknowledging = True
            for seen in self.connections:
                self._acknowledge(seen)

    def drop(self) -> None:
        """Cut all connections."""
        with self._lock:
            for seen in self.connections:
                _cut(seen.sock)

    def close(self) -> None:
        _cut(self._server)
        self._server.close()
        self.drop()
        for thread in self._threads:
            thread.join(5)

    def send(self, topic: str, payload: bytes, properties: bytes = b"") -> None:
        """Publish with QoS 0 on the latest connection."""
        body = struct.pack(">H", len(topic)) + topic.encode() + bytes([len(properties)]) + properties + payload
        self.connections[-1].sock.sendall(b"\x30" + _varint(len(body)) + body)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._server.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        seen = Seen(sock)
        with sock, sock.makefile("rb") as stream:
            try:
                while head := stream.read(1):
                    self._packet(seen, head[0], stream.read(_length(stream)))
            except OSError:
                return

    def _packet(self, seen: Seen, head: int, body: bytes) -> None:
        kind = head >> 4
        if kind == 1:
            seen.will = bool(body[7] & 0x04)
            properties = b"\x21" + struct.pack(">H", self.receive_maximum)
            seen.sock.sendall(b"\x20" + bytes([3 + len(properties), 0, 0, len(properties)]) + properties)
            with self._lock:
                self.connections.append(seen)
        elif kind == 8:
            # Two filters, granted with QoS 1.
            seen.sock.sendall(b"\x90" + bytes([5]) + body[:2] + b"\x00\x01\x01")
        elif kind == 12:
            seen.sock.sendall(b"\xd0\x00")
        elif kind == 3 and head & 0x06:
            with self._lock:
                end = 2 + int.from_bytes(body[:2], "big")
                seen.waiting.append(int.from_bytes(body[end : end + 2], "big"))
                seen.most_waiting = max(seen.most_waiting, len(seen.waiting))
                skip = end + 3 + body[end + 2]
                seen.messages.append((body[2:end].decode(), body[skip:]))
                if self.acknowledging:
                    self._acknowledge(seen)

    def _acknowledge(self, seen: Seen) -> None:
        while seen.waiting:
            number = struct.pack(">H", seen.waiting.pop(0))
            try:
                seen.sock.sendall(b"\x40\x02" + number if not self.code else b"\x40\x03" + number + bytes([self.code]))
            except OSError:
                return


def _length(stream: BinaryIO) -> int:
    value = shift = 0
    while True:
        byte = stream.read(1)[0]
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value


def _cut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def _varint(number: int) -> bytes:
    """Return a length as MQTT writes it: seven bits a byte, the lowest first."""
    made = bytearray()
    while number >= 128:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*made, number])
