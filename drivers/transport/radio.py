"""A Bluetooth radio: one central scanner that finds devices, and clients for what it found.

Drivers and supervisors see only `Radio`; whether BlueZ or a simulation stands behind it is chosen here. Scanning
and connecting at the same time is what most often confuses an adapter, so the base class does one at a time.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from drivers.errors import AdapterError, NotFoundError
from drivers.transport.search import Search, Wanted
from drivers.transport.searches import Searches
from drivers.transport.stopwatch import Stopwatch
from drivers.transport.turn import Turn

__all__ = ["BLEAK_ERRORS", "ENTRY_POINTS", "Found", "Lost", "Radio", "Wanted", "open_radio"]

ENTRY_POINTS = "rehab_gateway.radios"

LONGEST_BUSY_S = 60.0  # that a look around waits for others who connect
SCAN_CALL_S = 10.0  # start and stop of a scan are D-Bus calls, which are known to hang

BLEAK_ERRORS = (BleakError, TimeoutError, OSError, EOFError, AssertionError)  # what bleak and dbus-fast let through

Found = Callable[[BLEDevice, AdvertisementData], None]
Lost = Callable[[BleakClient], None]


class Radio(ABC):
    """One Bluetooth adapter. Subclasses make bleak scanners and clients over their own backend.

    Attributes:
        name: As in the configuration: ``"bluez"``, ``"simulated"``.
        socket: Unix socket of a simulated radio.
        adapter: Adapter to use, such as ``"hci0"``; None for the first.
        searches: Who looks for which device, and who has which.
        at_once: Devices that it connects at the same time. An adapter that makes two connections at once fails both.
    """

    at_once: ClassVar[int] = 1

    def __init__(self, *, name: str = "bluez", socket: Path | None = None, adapter: str | None = None) -> None:
        self.name = name
        self.socket = socket
        self.adapter = adapter
        self.searches = Searches()
        self._listeners: dict[Found, asyncio.Future[None]] = {}
        self._turn = Turn(self.at_once)  # of who scans, or of those who connect
        self._connecting = 0
        self._may_scan = asyncio.Event()
        self._may_scan.set()
        self._scan_over = asyncio.Event()
        self._scanning: asyncio.Task[None] | None = None
        self._listening = Stopwatch()  # with hundreds of devices others connect for minutes

    @abstractmethod
    def scanner(self, found: Found) -> BleakScanner:
        """Return a scanner, not started, that calls ``found`` for each advertisement."""

    @abstractmethod
    def client(self, device: BLEDevice, lost: Lost) -> BleakClient:
        """Return a client for a device that `find` returned; ``lost`` is called once when its link drops."""

    async def start(self) -> None:  # noqa: B027 - a hook, optional
        """Make the radio ready. Raises AdapterError. The base class needs nothing."""

    async def stop(self) -> None:
        """End every search and let go of the adapter."""
        self._fail(AdapterError("the radio was stopped"))
        if self._scanning is not None:
            self._scanning.cancel()
            await asyncio.wait([self._scanning])
            self._scanning = None

    async def reset(self) -> None:  # noqa: B027 - a hook, optional
        """Switch the adapter off and on, if that is possible. The base class can not. Raises AdapterError."""

    async def forget(self, device: BLEDevice) -> None:  # noqa: B027 - a hook, optional
        """Drop what the system remembers of a device (a half-open connection). The base class knows nothing."""

    async def held(self, wanted: Wanted) -> Sequence[BLEDevice]:  # noqa: ARG002 - a hook, optional
        """Return devices that are connected to this adapter already, and so do not advertise. Raises AdapterError."""
        return ()

    async def find(
        self, *, address: str | None = None, name: str | None = None, service: str | None = None, timeout_s: float,
        known: str | None = None, owner: object | None = None,
    ) -> BLEDevice:  # fmt: skip
        """Wait for an advertisement of the device.

        Searches for all devices share one scan, which runs while somebody searches and nobody connects.

        Args:
            address: Its address.
            name: Its name.
            service: A service that it advertises.
            timeout_s: Longest wait; only the time counts in which the radio listens, and not connects others.
            known: Address under which it was met before.
            owner: Who has it then, until it is released (`searches`); by default nobody.

        Raises:
            NotFoundError: nothing heard within ``timeout_s``.
            AmbiguousDeviceError: several devices answer to the name or service.
            AdapterError: the scan cannot be started.
        """
        if owner is not None:
            self.searches.release(owner)
        search = await self._search(Wanted(address, name, service, known), owner if owner is not None else object())
        future = self.searches.begin(search)
        self._update()
        try:
            if not await self._listening.wait(future, timeout_s):
                raise NotFoundError(f"no advertisement of {search.wanted} within {timeout_s:g} s")
            return future.result()
        finally:
            self.searches.end(future)
            if owner is None:
                self.searches.release(search.owner)
            self._update()

    async def _search(self, wanted: Wanted, owner: object) -> Search[BLEDevice]:
        """Return a search that has heard already what is connected to this adapter."""
        search: Search[BLEDevice] = Search(wanted, owner)
        for device in await self.held(wanted):
            if wanted.is_device(device):
                search.hear(device, asyncio.get_running_loop().time())
        return search

    async def listen(self, heard: Found, for_s: float) -> None:
        """Call ``heard`` with every advertisement, for so many seconds in which the radio listens; others may search.

        While others connect it does not listen; so long that it hardly ever did, nobody waits.

        Raises:
            AdapterError: the radio does not work.
        """
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listeners[heard] = failed
        self._update()
        try:
            async with asyncio.timeout(for_s + LONGEST_BUSY_S):
                if await self._listening.wait(failed, for_s):
                    failed.result()
        except TimeoutError:
            raise AdapterError("the adapter is busy connecting to devices") from None
        finally:
            self._listeners.pop(heard, None)
            self._update()

    @property
    def _wanted(self) -> bool:
        """Whether somebody searches or listens."""
        return bool(self.searches or self._listeners)

    def _fail(self, problem: AdapterError) -> None:
        """End every search, and listening, with what is wrong."""
        for failed in self._listeners.values():
            if not failed.done():
                failed.set_exception(problem)
        self._listeners.clear()
        self.searches.fail(problem)

    def _hear(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        for heard in tuple(self._listeners):
            heard(device, advertisement)
        self.searches.hear(device, advertisement)

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
            self._scanning = asyncio.create_task(self._scan(), name=f"scan:{self.name}")
            self._scanning.add_done_callback(self._scan_ended)

    def _scan_ended(self, scan: asyncio.Task[None]) -> None:
        """Whatever ends a scan must reach those who wait for it."""
        if not scan.cancelled() and (problem := scan.exception()) is not None:
            self._fail(AdapterError(f"the scan ended: {problem or type(problem).__name__}"))

    async def _scan(self) -> None:
        while self._wanted:
            await self._may_scan.wait()
            async with self._turn.alone():
                try:
                    await self._scan_once()
                except BLEAK_ERRORS as problem:
                    self._fail(AdapterError(f"the adapter cannot scan: {problem or 'no answer in time'}"))

    async def _scan_once(self) -> None:
        scanner = self.scanner(self._hear)
        async with asyncio.timeout(SCAN_CALL_S):
            await scanner.start()
        self._listening.run()
        try:
            await self._scan_over.wait()
        finally:
            self._listening.pause()
            async with asyncio.timeout(SCAN_CALL_S):
                await scanner.stop()


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
        from drivers.transport.ble import BluezRadio

        return BluezRadio(name=name, socket=socket, adapter=adapter)
    known = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
    if name not in known:
        raise ValueError(f"no radio '{name}': known are {', '.join(sorted(['bluez', *known]))}")
    kind: type[Radio] = known[name].load()
    return kind(name=name, socket=socket, adapter=adapter)
