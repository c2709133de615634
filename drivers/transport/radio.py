"""A Bluetooth radio: one central scanner that finds devices, and clients for what it found.

Drivers and supervisors see only `Radio`; whether BlueZ or a simulation stands behind it is chosen here. Scanning
and connecting at the same time is what most often confuses an adapter, so the base class does one at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar, Protocol

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from drivers.errors import AdapterError
from drivers.transport.ladder import Step
from drivers.transport.search import Wanted
from drivers.transport.searches import Searches
from drivers.transport.seek import seek
from drivers.transport.sighting import Placed
from drivers.transport.stopwatch import Stopwatch
from drivers.transport.system_bus import one_line
from drivers.transport.troubles import unpaired
from drivers.transport.turn import Turn

__all__ = ["BLEAK_ERRORS", "ENTRY_POINTS", "Found", "Lost", "Radio", "Wanted", "open_radio"]

log = logging.getLogger(__name__)

ENTRY_POINTS = "rehab_gateway.radios"

CONNECT_S = 20.0  # BlueZ itself gives up after about 25 s
GATT_S = 5.0  # an operation takes 0.05 to 0.5 s; a hung one must not hold the other devices up
DISCONNECT_S = 5.0
SCAN_CALL_S = 10.0  # start and stop of a scan are D-Bus calls, which are known to hang

STOPPED = "the radio was stopped"
DEAF_S = 30.0  # in any building somebody advertises every few seconds; those who look for nothing do not scan
DEAF_SCANS = 3  # in a row, before more is done than to scan anew

BLEAK_ERRORS = (BleakError, TimeoutError, OSError, EOFError, AssertionError)  # what bleak and dbus-fast let through

Found = Callable[[BLEDevice, AdvertisementData], None]
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
        self._waiting: set[asyncio.Future[None]] = set()  # who searches here
        self._listeners: set[Found] = set()
        self._stopped = False
        self._heard_s = 0.0
        self._deaf_scans = 0
        self._turn = Turn(self.at_once)  # of who scans, or of those who connect
        self._connecting = 0
        self._may_scan = asyncio.Event()
        self._may_scan.set()
        self._scan_over = asyncio.Event()
        self._scanning: asyncio.Task[None] | None = None
        self._listening = Stopwatch()  # with hundreds of devices others connect for minutes

    def __str__(self) -> str:
        """Name it as a person knows it."""
        return f"adapter {self.adapter}" if self.adapter else "the adapter"

    @property
    def deaf(self) -> bool:
        """Whether several scans in a row have heard nobody at all, while it has no link either."""
        return self._deaf_scans >= DEAF_SCANS and not self.links

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
        self._stopped = False

    async def stop(self) -> None:
        """End every search and let go of the adapter."""
        self._stopped = True
        self._fail(AdapterError(STOPPED))
        if self._scanning is not None:
            self._scanning.cancel()
            await asyncio.wait([self._scanning])
            self._scanning = None

    async def reset(self) -> None:  # noqa: B027 - a hook, optional
        """Switch the adapter off and on, if that is possible. The base class can not. Raises AdapterError."""

    async def restart_service(self) -> None:  # noqa: B027 - a hook, optional
        """Start the system's Bluetooth service again, where we may. The base class has none. Raises AdapterError."""

    async def forget(self, device: BLEDevice) -> None:  # noqa: B027 - a hook, optional
        """Drop what the system remembers of a device (a half-open connection). The base class knows nothing."""

    def has_no_keys(self, device: BLEDevice) -> bool:  # noqa: ARG002 - a hook, optional
        """Whether it is known that the system keeps no keys for a device."""
        return False

    async def pair(self, device: BLEDevice, passkey: int | None) -> None:
        """Pair a device. Raises ConnectError, AdapterError."""
        del passkey
        raise unpaired(f"{device.address} must be paired, and {self} cannot do that")

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

    async def keep(self, placed: Placed) -> None:
        """Pair a device, so that the system keeps its keys. Raises ConnectError, AdapterError."""
        await self.pair(placed.device, None)

    async def help(self, placed: Placed | None) -> None:  # noqa: ARG002 - the same for all its devices
        """Do what may help the radio. Raises AdapterError."""
        self.steps[Step.RESET] += 1
        await self.reset()

    async def listen_for(self, found: asyncio.Future[Placed], timeout_s: float) -> None:
        """Scan until a search is over, or the radio has listened for so long.

        Raises:
            AdapterError: the scan cannot be started, or ended.
        """
        if self._stopped:
            raise AdapterError(STOPPED)
        over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        found.add_done_callback(lambda _: None if over.done() else over.set_result(None))
        self._waiting.add(over)
        self._update()
        try:
            if await self._listening.wait(over, timeout_s):
                over.result()
        finally:
            over.cancel()
            self._waiting.discard(over)
            self._update()

    @asynccontextmanager
    async def listen(self, heard: Found) -> AsyncIterator[None]:
        """Call ``heard`` with every advertisement meanwhile, beside whoever searches; connecting goes before it.

        Raises:
            AdapterError: the scan has ended, when it is left: what was heard is not all that there is.
        """
        self._listeners.add(heard)
        self._update()
        try:
            yield
            if self._scanning is None or self._scanning.done():
                raise AdapterError(f"{self} cannot scan")
        finally:
            self._listeners.discard(heard)
            self._update()

    @property
    def _wanted(self) -> bool:
        """Whether somebody searches or listens."""
        return bool(self._waiting or self._listeners)

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[None]:
        """Hold the radio without scanning, with `at_once` others at most: for connecting."""
        self._connecting += 1
        self._update()
        try:
            async with self._turn.together():
                yield
        finally:
            self._connecting -= 1
            self._update()

    def _update(self) -> None:
        """Start, pause, resume or end the scan as the searches and connections now ask."""
        _switch(self._may_scan, not self._connecting)
        _switch(self._scan_over, bool(self._connecting) or not self._wanted)
        if self._wanted and (self._scanning is None or self._scanning.done()):
            self._scanning = asyncio.create_task(self._scan(), name=f"scan:{self}")
            self._scanning.add_done_callback(self._scan_ended)

    def _scan_ended(self, scan: asyncio.Task[None]) -> None:
        """Whatever ends a scan must reach those who wait for it."""
        if not scan.cancelled() and (problem := scan.exception()) is not None:
            self._fail(AdapterError(f"the scan ended: {one_line(problem)}"))

    def _fail(self, problem: AdapterError) -> None:
        """Tell all who listen to this radio that it does not work."""
        for over in self._waiting:
            if not over.done():
                over.set_exception(problem)
        self._waiting.clear()

    async def _scan(self) -> None:
        while self._wanted:
            await self._may_scan.wait()
            async with self._turn.alone():
                try:
                    await self._scan_once()
                except BLEAK_ERRORS as problem:
                    self.steps[Step.RESCAN] += 1
                    self._fail(AdapterError(f"{self} cannot scan: {one_line(problem)}"))
                    if self._listeners:
                        raise

    async def _scan_once(self) -> None:
        self._heard_s = asyncio.get_running_loop().time()
        scanner = self.scanner(self._hear)
        async with asyncio.timeout(SCAN_CALL_S):
            await scanner.start()
        self._listening.run()
        try:
            await self._until_over_or_deaf()
        finally:
            self._listening.pause()
            async with asyncio.timeout(SCAN_CALL_S):
                await scanner.stop()

    def _hear(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        self._heard_s = asyncio.get_running_loop().time()
        self._deaf_scans = 0
        for heard in tuple(self._listeners):
            heard(device, advertisement)
        self.searches.hear(self, device, advertisement)

    async def _until_over_or_deaf(self) -> None:
        """Wait until the scan is to end; one that hears nobody at all is begun again, and the radio then helped."""
        loop = asyncio.get_running_loop()
        while not self._scan_over.is_set():
            left_s = self._heard_s + DEAF_S - loop.time()
            if left_s <= 0:
                self.steps[Step.RESCAN] += 1
                self._deaf_scans += 1
                log.info("%s has heard nobody for %g s: its scan is begun again", self, DEAF_S)
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._scan_over.wait()


def _switch(event: asyncio.Event, on: bool) -> None:
    if on:
        event.set()
    else:
        event.clear()


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
