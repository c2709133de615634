"""The open exoskeleton frame over Bluetooth: a part a notification, read by the decoder of `drivers.exo_frame`."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from drivers.driver import Link
from drivers.exo_frame.driver import PART_CHANNEL, Telemetry
from drivers.gatt.information import read_information
from drivers.identity import Identity

PARTS: Final = "5b0d0002-7c6e-4f6c-9d3a-2f1f5a9e6b10"


class ExoFrameBle(Telemetry):
    """Subscribes to the one characteristic, and writes nothing."""

    name: ClassVar[str] = "exo_frame_ble"
    title: ClassVar[str] = "Exoskeleton with the open exoskeleton frame, over Bluetooth"
    transport: ClassVar[Literal["ble", "serial", "udp"]] = "ble"

    async def identify(self, link: Link) -> Identity:
        """Read its serial number, which is the one of the frame, where it has Device Information."""
        return await read_information(link)

    async def start(self, link: Link) -> None:
        """Subscribe: it streams from then on."""
        await link.subscribe(PART_CHANNEL, PARTS)
