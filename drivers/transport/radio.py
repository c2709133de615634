"""A Bluetooth radio: one central scanner that finds devices, and clients for what it found.

Drivers and supervisors see only `Radio`; whether BlueZ or a simulation stands behind it is chosen here. Scanning
and connecting at the same time is what most often confuses an adapter, so the base class does one at a time.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice

from drivers.transport.ladder import Step
from drivers.transport.placement import DEFAULT_LINKS
from drivers.transport.scan import BLEAK_ERRORS, DEAF_SCANS, Found, Scan
from drivers.transport.search import Wanted
from drivers.transport.searches import Searches
from drivers.transport.seek import seek
from drivers.transport.sighting import Placed
from drivers.transport.troubles import unpaired

if TYPE_CHECKING:
    from drivers.transport.radios import Radios

__all__ = ["BLEAK_ERRORS", "ENTRY_POINTS", "Found", "Lost", "Radio", "Wanted", "open_radio", "open_radios"]

RESET_EVERY = 3  # failures in a row, before more is done than to scan anew
ENTRY_POINTS = "rehab_gateway.radios"

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
        searches: Who looks for which device, and who has which; radios that are used together share it.
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
        self.searches = Searches()
        self.steps: Counter[Step] = Counter()
        self.links: set[Losable] = set()
        self.trouble: list[str] = []
        self._scan = Scan(
            self.__str__,
            self.scanner,
            lambda device, advertisement: self.searches.hear(self, device, advertisement),
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

    async def keep(self, placed: Placed, passkey: int | None = None) -> None:  # noqa: ARG002 - a hook
        """Pair a device, so that the system keeps its keys. Raises ConnectError, AdapterError."""
        raise unpaired(f"{placed.device.address} must be paired, and {self} cannot do that")

    async def held(self, wanted: Wanted) -> Sequence[BLEDevice]:  # noqa: ARG002 - a hook, optional
        """Return devices that are connected to this adapter already, and so do not advertise. Raises AdapterError."""
        return ()

    async def find(
        self, *, address: str | None = None, name: str | None = None, service: str | None = None, timeout_s: float,
        known: str | None = None, owner: object | None = None,
    ) -> BLEDevice:  # fmt: skip
        """Wait for an advertisement of the device: `place`, for whom the radio is no question."""
        return (await self.place(Wanted(address, name, service, known), timeout_s=timeout_s, owner=owner)).device

    async def place(self, wanted: Wanted, *, timeout_s: float, owner: object | None = None) -> Placed:
        """Wait for an advertisement of the device; see `drivers.transport.seek.seek` for what it raises.

        Searches for all devices share one scan, which runs while somebody searches and nobody connects.
        """
        return await seek([self], self.searches, wanted, timeout_s, owner)

    async def help(self, placed: Placed | None) -> None:  # noqa: ARG002 - the same for all its devices
        """Do what may help the radio. Raises AdapterError."""
        self.steps[Step.RESET] += 1
        await self.reset()

    async def listen_for(self, found: asyncio.Future[Placed], timeout_s: float) -> None:
        """Scan until a search is over, or the radio has listened for so long. Raises AdapterError."""
        await self._scan.listen_for(found, timeout_s)

    def listen(self, heard: Found) -> AbstractAsyncContextManager[None]:
        """Call ``heard`` with every advertisement meanwhile; leaving it raises AdapterError if the scan has ended."""
        return self._scan.listen(heard)

    def quiet(self) -> AbstractAsyncContextManager[None]:
        """Hold the radio without scanning, with `at_once` others at most: for connecting."""
        return self._scan.quiet()

    def _scans_again(self, why: str) -> None:
        self.steps[Step.RESCAN] += 1
        if why:
            self.trouble[:] = [*self.trouble, why][-RESET_EVERY:]


def open_radios(
    *, name: str = "bluez", socket: Path | None = None, adapters: Sequence[str] = (), links: int | None = None
) -> Radios:
    """Make all radios that a gateway uses, not yet started.

    Args:
        name: Their kind.
        socket: Unix socket of a simulated radio.
        adapters: Adapters to use; empty for all that there are.
        links: How many links each may have; None for what is usual.

    Raises:
        ValueError: no installed package provides it.
    """
    if name == "bluez":
        from drivers.transport.bluez_radios import BluezRadios

        return BluezRadios(adapters, limit=links or DEFAULT_LINKS)
    from drivers.transport.radios import Radios

    radios = [open_radio(name=name, socket=socket, adapter=adapter) for adapter in adapters or (None,)]
    for radio in radios:
        radio.limit = links
    return Radios(radios)


def open_radio(*, name: str = "bluez", socket: Path | None = None, adapter: str | None = None) -> Radio:
    """Make the radio of that name, not yet started.

    Raises:
        ValueError: no installed package provides it.
    """
    if name == "bluez":
        from drivers.transport.bluez_radio import BluezRadio

        return BluezRadio(name=name, socket=socket, adapter=adapter)
    known = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
    if name not in known:
        raise ValueError(f"no radio '{name}': known are {', '.join(sorted(['bluez', *known]))}")
    kind: type[Radio] = known[name].load()
    return kind(name=name, socket=socket, adapter=adapter)
