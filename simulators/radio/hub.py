"""Where a gateway attaches to the simulated air: one Bluetooth controller for each connection to a unix socket.

The protocol on the socket is HCI with packet type bytes (H4), which any Bluetooth host speaks.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import cast

from bumble import hci
from bumble.core import InvalidPacketError
from bumble.transport.common import PacketParser

from drivers.transport.unix_path import short_path
from simulators.radio.claim import Claim
from simulators.radio.link import SimulatedController, SimulatedLink

_log = logging.getLogger(__name__)

MAX_BUFFERED = 256 * 1024  # bytes on their way to a slow gateway before the devices wait: about 4000 notifications


class Hub:
    """The air, and the socket that gateways attach to.

    Attributes:
        air: The link that all simulated radios share.
        attached: How many gateways are attached.
    """

    def __init__(self) -> None:
        self.air = SimulatedLink()
        self._attachments: set[_Attachment] = set()
        self._server: asyncio.Server | None = None
        self._path: Path | None = None
        self._claim: Claim | None = None
        self._serial = 0

    @property
    def attached(self) -> int:
        """How many gateways are attached."""
        return len(self._attachments)

    def controller(self, name: str, address: str) -> SimulatedController:
        """Return a new controller with a public address, for a host in this process."""
        return SimulatedController(name, air=self.air, address=hci.Address(address, hci.Address.PUBLIC_DEVICE_ADDRESS))

    def claim(self, path: Path) -> None:
        """Have the path for this hub, before anything there is changed; raises OSError where another has it."""
        if self._claim is None:
            self._claim = Claim(path)

    def _release(self) -> None:
        if self._claim is not None:
            self._claim.release()
            self._claim = None

    async def serve(self, path: Path) -> None:
        """Listen on a unix socket; a stale one is replaced. Raises OSError, also where another simulator serves."""
        self.claim(path)
        _clear(path)
        with short_path(path) as name:
            self._server = await asyncio.get_running_loop().create_unix_server(lambda: _Attachment(self), name)
        self._path = path

    async def stop(self) -> None:
        """Close the socket; attached gateways lose their radio."""
        if self._server is None:
            self._release()
            return
        self._server.close()
        for attachment in list(self._attachments):
            attachment.close()
        await self._server.wait_closed()
        self._server = None
        if self._path is not None:
            _clear(self._path)
        self._release()

    def _attach(self, attachment: _Attachment) -> SimulatedController:
        self._attachments.add(attachment)
        self._serial += 1
        return self.controller(
            f"gateway {self._serial}", f"02:00:00:00:{self._serial >> 8:02X}:{self._serial & 255:02X}"
        )

    def _detach(self, attachment: _Attachment) -> None:
        self._attachments.discard(attachment)


def _clear(path: Path) -> None:
    path.unlink(missing_ok=True)


class _Attachment(asyncio.Protocol):
    """One gateway's connection: parses its commands, and is the sink of its controller's events."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._parser = PacketParser()
        self._outgoing: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=MAX_BUFFERED)
        self._controller = self._hub._attach(self)  # noqa: SLF001 # the two halves of one class
        self._controller.host = self
        self._parser.set_packet_sink(self._controller)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except InvalidPacketError as error:
            _log.warning("a host that does not speak HCI was cut off: %s", error)
            self._transport.abort()

    def on_packet(self, packet: bytes) -> None:
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._write)
        self._outgoing.append(packet)

    def _write(self) -> None:
        """Write what has come in this turn of the loop: a system call for each packet would cost more than it."""
        packets, self._outgoing = self._outgoing, []
        self._transport.write(b"".join(packets))

    def pause_writing(self) -> None:
        self._controller.writable = False

    def resume_writing(self) -> None:
        self._controller.writable = True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 # how it ended does not matter
        self._controller.writable = True
        self._controller.remove()
        self._hub._detach(self)  # noqa: SLF001 # the two halves of one class

    def close(self) -> None:
        self._transport.close()
