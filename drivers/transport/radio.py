"""A Bluetooth radio: one central scanner that finds devices, and clients for what it found.

Whether BlueZ or a simulation stands behind it is chosen in `drivers.transport.radio_kinds`; who looks for which device
is the business of `drivers.transport.radios`. Scanning and connecting at the same time is what most often confuses an
adapter, so the base class does one at a time.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, ClassVar, Protocol

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from drivers.transport.ladder import Step
from drivers.transport.scan import BLEAK_ERRORS, DEAF_SCANS, Found, Scan
from drivers.transport.search import Wanted
from drivers.transport.troubles import unpaired

__all__ = ["BLEAK_ERRORS", "Found", "Lost", "Radio"]

RESET_EVERY = 3  # failures in a row, before more is done than to scan anew

CONNECT_S = 20.0  # BlueZ itself gives up after about 25 s
GATT_S = 5.0  # an operation takes 0.05 to 0.5 s; a hung one must not hold the other devices up
DISCONNECT_S = 5.0


Lost = Callable[[BleakClient], None]


class Losable(Protocol):
    """A link that can be told that it is gone."""

    lost: asyncio.Event


class Radio(ABC):
    """One Bluetooth adapter. Subclasses make bleak scanners and clients over their own backend.

    Attributes:
        name: As in the configuration: ``"bluez"``, ``"simulated"``.
        socket: Unix socket of a simulated radio.
        adapter: Adapter to use, such as ``"hci0"``; None for the first.
        limit: How many links it may have; None for any number.
        heard: Called with each advertisement that it hears.
        steps: How often each step was taken that helps a radio along.
        links: Open connections.
        trouble: Why its scans since the last that worked could not be begun.
        at_once: Devices that it connects at the same time. An adapter that makes two connections at once fails both.
    """

    at_once: ClassVar[int] = 1

    limit: int | None = None

    def __init__(self, *, name: str = "bluez", socket: Path | None = None, adapter: str | None = None) -> None:
        self.name = name
        self.socket = socket
        self.adapter = adapter
        self.heard: Found = _leave
        self.steps: Counter[Step] = Counter()
        self.links: set[Losable] = set()
        self.trouble: list[str] = []
        self._scan = Scan(
            self.__str__,
            self.scanner,
            self._hear,
            self._scans_again,
            self.trouble.clear,
            at_once=self.at_once,
        )

    def __str__(self) -> str:
        """Name it as a person knows it."""
        return f"adapter {self.adapter}" if self.adapter else "the adapter"

    @property
    def fails(self) -> str:
        """Why it needs help: several scans in a row failed, or heard nobody at all; empty if it does not."""
        if len(self.trouble) >= RESET_EVERY:
            return self.trouble[-1]
        return f"{self} hears nobody" if self._scan.deaf_scans >= DEAF_SCANS and not self.links else ""

    def lose_links(self) -> None:
        """Have whoever uses a link of this radio know that it is gone."""
        for link in tuple(self.links):
            link.lost.set()

    @abstractmethod
    def scanner(self, found: Found) -> BleakScanner:
        """Return a scanner, not started, that calls ``found`` for each advertisement."""

    @abstractmethod
    def client(self, device: BLEDevice, lost: Lost) -> BleakClient:
        """Return a client for a device that `find` returned; ``lost`` is called once when its link drops."""

    async def start(self) -> None:
        """Make the radio ready. Raises AdapterError. The base class needs nothing."""
        self._scan.start()

    async def stop(self) -> None:
        """End every search and let go of the adapter."""
        await self._scan.stop()

    async def reset(self) -> None:  # noqa: B027 - a hook, optional
        """Switch the adapter off and on, if that is possible. The base class can not. Raises AdapterError."""

    async def forget(self, device: BLEDevice) -> None:  # noqa: B027 - a hook, optional
        """Drop what the system remembers of a device (a half-open connection). The base class knows nothing."""

    def has_no_keys(self, device: BLEDevice) -> bool:  # noqa: ARG002 - a hook, optional
        """Whether it is known that the system keeps no keys for a device."""
        return False

    async def keep(self, device: BLEDevice, passkey: int | None = None) -> None:  # noqa: ARG002 - a hook
        """Pair a device, so that the system keeps its keys. Raises ConnectError, AdapterError."""
        raise unpaired(f"{device.address} must be paired, and {self} cannot do that")

    async def held(self, wanted: Wanted, ours: Collection[str]) -> Sequence[BLEDevice]:  # noqa: ARG002 - a hook
        """Return devices that are connected to this adapter already, and so do not advertise.

        Args:
            wanted: Which are asked for.
            ours: Addresses (upper case) of those that this program has: they are left out.

        Raises:
            AdapterError: The system does not say.
        """
        return ()

    async def listen_for(self, found: asyncio.Future[Any], timeout_s: float) -> None:
        """Scan until a search is over, or the radio has listened for so long. Raises AdapterError."""
        await self._scan.listen_for(found, timeout_s)

    def listen(self, heard: Found) -> AbstractAsyncContextManager[None]:
        """Call ``heard`` with every advertisement meanwhile; leaving it raises AdapterError if the scan has ended."""
        return self._scan.listen(heard)

    def quiet(self) -> AbstractAsyncContextManager[None]:
        """Hold the radio without scanning, with `at_once` others at most: for connecting."""
        return self._scan.quiet()

    def _hear(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        self.heard(device, advertisement)

    def _scans_again(self, why: str) -> None:
        self.steps[Step.RESCAN] += 1
        if why:
            self.trouble[:] = [*self.trouble, why][-RESET_EVERY:]


def _leave(device: BLEDevice, advertisement: AdvertisementData) -> None:
    """Leave an advertisement: nobody looks for anything yet."""
