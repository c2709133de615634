"""Exoskeletons with the open exoskeleton frame over Bluetooth and over UDP: section 6 of docs/exoskeleton-frame.md."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Final

from bumble.gatt import Service

from simulators.body.exoskeleton import WornExoskeleton
from simulators.devices.exo_frame import ExoTelemetry
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, advertisement, characteristic

SERVICE: Final = "5B0D0001-7C6E-4F6C-9D3A-2F1F5A9E6B10"
PARTS: Final = "5B0D0002-7C6E-4F6C-9D3A-2F1F5A9E6B10"
INFORMATION, SERIAL_NUMBER = "180A", "2A25"


class ExoFrameBle(ExoTelemetry, Peripheral):
    """A simulated exoskeleton that notifies a part at a time, as long as somebody is subscribed.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Public Bluetooth address.
        source: The exoskeleton and who wears it.
        serial: Its number; 0 for none.
    """

    def __init__(
        self, *, name: str, timeline: Timeline, hub: Hub, address: str, source: WornExoskeleton, serial: int = 1001
    ) -> None:
        local_name = f"EXO {address.replace(':', '')[-6:]}"
        super().__init__(
            name=name, timeline=timeline, hub=hub, address=address, local_name=local_name,
            advertised=advertisement(local_name),
        )  # fmt: skip
        self._wear(source, serial)
        self._parts = characteristic(PARTS, notify=True)

    def services(self) -> list[Service]:
        """Return the GATT services."""
        found = [Service(SERVICE, [self._parts])]
        if self.state.serial:
            number = characteristic(SERIAL_NUMBER, read=str(self.state.serial).encode("ascii"))
            found.append(Service(INFORMATION, [number]))
        return found

    @property
    def wanted(self) -> bool:
        """Whether a gateway has subscribed."""
        return self.subscribed(self._parts)

    def _on_link_lost(self) -> None:
        self._describe_anew()

    def _deliver(self, parts: Sequence[bytes]) -> bool:
        return self.notify(self._parts, parts)


class ExoFrameUdp(ExoTelemetry):
    """A simulated exoskeleton that sends a datagram a part, to whoever listens at the other end.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        target: Address and port that it sends to.
        sender: Address that it sends from.
        source: The exoskeleton and who wears it.
        serial: Its number.
    """

    def __init__(
        self, *, name: str, timeline: Timeline, target: tuple[str, int], sender: str, source: WornExoskeleton,
        serial: int = 1001,
    ) -> None:  # fmt: skip
        super().__init__(name=name, timeline=timeline)
        self.target = target
        self._sender = sender
        self._socket: socket.socket | None = None
        self._wear(source, serial)

    @property
    def wanted(self) -> bool:
        """Whether it is on: it streams whether or not anybody listens."""
        return self._socket is not None

    async def _switch_on(self) -> None:
        family = socket.AF_INET6 if ":" in self.target[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind((self._sender, 0))
        self._socket.connect(self.target)
        self._describe_anew()

    async def _switch_off(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _drop(self) -> None:
        await self._switch_off()
        await self._switch_on()

    def _deliver(self, parts: Sequence[bytes]) -> bool:
        """Send; on one computer it shows at once whether anybody has the port."""
        heard = True
        for part in self._as_sent(parts):
            heard = self._send_one(part) and heard
        return heard

    def _send_one(self, part: bytes) -> bool:
        assert self._socket is not None
        try:
            self._socket.send(part)
        except OSError as problem:
            if problem.errno not in {errno.ECONNREFUSED, errno.EAGAIN, errno.ENOBUFS}:
                raise
            return False
        return not self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
