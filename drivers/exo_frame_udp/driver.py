"""The open exoskeleton frame over UDP: a part a datagram, read by the decoder of `drivers.exo_frame`."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal

from drivers.driver import Link
from drivers.errors import DialogueError
from drivers.exo_frame.driver import LISTEN_S, PART_CHANNEL, Telemetry, serial_of
from drivers.identity import Identity

MOST_HEARD: Final = 2048  # datagrams: a second and a half of two sides at the highest rates; then it says nothing


class ExoFrameUdp(Telemetry):
    """Listens for datagrams of one address, and sends none."""

    name: ClassVar[str] = "exo_frame_udp"
    title: ClassVar[str] = "Exoskeleton with the open exoskeleton frame, over UDP"
    transport: ClassVar[Literal["ble", "serial", "udp"]] = "udp"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._heard: list[bytes] = []

    async def identify(self, link: Link) -> Identity:
        """Listen until the device says which one it is; what is heard meanwhile is kept for the stream."""
        self._heard = []
        for _ in range(MOST_HEARD):
            try:
                data = await link.datagram(timeout_s=LISTEN_S)
            except DialogueError:
                break
            self._heard.append(data)
            serial = serial_of(data)
            if serial is not None:
                return Identity(serial=serial)
        return Identity()

    async def start(self, link: Link) -> None:
        """Hand on what was heard: it streams by itself."""
        for data in self._heard:
            link.announce(PART_CHANNEL, data)
        self._heard = []
