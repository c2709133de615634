"""An exoskeleton with the open exoskeleton frame over UDP: section 6 of docs/exoskeleton-frame.md."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence

from simulators.body.exoskeleton import WornExoskeleton
from simulators.devices.exo_frame import ExoTelemetry
from simulators.motion.timeline import Timeline


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
