"""Devices that nothing here can read: their driver is gone, does not load, or takes no such options.

A ward keeps its devices from one run to the next, and a driver may have been uninstalled meanwhile. Such a device stays
silent and says why; everybody else's are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from config.settings import Device
from drivers.driver import Decoder, Driver, Link
from drivers.packet import Frame, Packet, StreamSpec
from drivers.registry import make_driver

ADVICE = "Install the package that brings its driver, or correct its options; then start the gateway again."


def open_driver(device: Device) -> tuple[Driver, str]:
    """Return the driver of a device, and why nothing can be read from it: empty if it can."""
    try:
        return make_driver(device.driver, device.options), ""
    except (TypeError, ValueError) as problem:
        return NoDriver(), str(problem)


def may_send(device: Device, stream: str) -> bool:
    """Whether a device may have a stream, by what its driver says; of one that says nothing nobody knows."""
    streams = open_driver(device)[0].decoder().streams
    return not streams or stream in streams


class NoDecoder(Decoder):
    """Makes nothing of any bytes."""

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """None."""
        return {}

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Return nothing."""
        del frames
        return []


class NoDriver(Driver):
    """In the place of a driver that there is not. Nothing connects to its device, and nothing is written to it."""

    name: ClassVar[str] = ""
    title: ClassVar[str] = "no driver"
    transport: ClassVar[Literal["ble", "serial", "udp"]] = "serial"

    def allows(self, characteristic: str, data: bytes) -> bool:
        """Permit nothing."""
        del characteristic, data
        return False

    def decoder(self) -> Decoder:
        """Return one that makes nothing of any bytes."""
        return NoDecoder()

    async def start(self, link: Link) -> None:
        """Nothing to start."""

    async def stop(self, link: Link) -> None:
        """Nothing to stop."""
