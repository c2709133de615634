"""A Bluetooth radio: one central scanner that finds devices, and clients for what it found.

Drivers and supervisors see only `Radio`; whether BlueZ or a simulation stands behind it is chosen here. Scanning
and connecting at the same time is what most often confuses an adapter, so the base class does one at a time.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from drivers.errors import AdapterError, NotFoundError

ENTRY_POINTS = "rehab_gateway.radios"

SCAN_CALL_S = 10.0  # start and stop of a scan are D-Bus calls, which are known to hang

BLEAK_ERRORS = (BleakError, TimeoutError, OSError, EOFError, AssertionError)  # what bleak and dbus-fast let through

Found = Callable[[BLEDevice, AdvertisementData], None]
Lost = Callable[[BleakClient], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; None means "any". At least one of address, name and service is given.

    Attributes:
        address: Bluetooth address, in any case.
        name: Advertised name, exactly.
        service: Advertised service UUID; only decides when neither address nor name does.
    """

    address: str | None = None
    name: str | None = None
    service: str | None = None

    def matches(self, device: BLEDevice, advertisement: AdvertisementData) -> bool:
        """Whether this advertisement is of the wanted device."""
        if self.address is not None or self.name is not None:
            return self.is_device(device) or (self.address is None and self.name == advertisement.local_name)
        return self.service is not None and self.service in advertisement.service_uuids

    def is_device(self, device: BLEDevice) -> bool:
        """Whether a device that does not advertise is the wanted one, by address or name."""
        if self.address is not None:
            return device.address.upper() == self.address.upper()
        return self.name is not None and device.name == self.name

    def __str__(self) -> str:
        """Say what is looked for, for error messages."""
        return f"'{self.address or self.name or self.service}'"


class Radio(ABC):
    """One Bluetooth adapter. Subclasses make bleak scanners and clients over their own backend.

    Attributes:
        name: As in the configuration: ``"bluez"``, ``"simulated"``.
        socket: Unix socket of a simulated radio.
        adapter: Adapter to use, such as ``"hci0"``; None for the first.
    """

    def __init__(self, *, name: str = "bluez", socket: Path | None = None, adapter: str | None = None) -> None:
        self.name = name
        self.socket = socket
        self.adapter = adapter
        self._waiting: dict[asyncio.Future[BLEDevice], Wanted] = {}
        self._turn = asyncio.Lock()  # held by who scans or connects
        self._connecting = 0
        self._may_scan = asyncio.Event()
        self._may_scan.set()
        self._scan_over = asyncio.Event()
        self._scanning: asyncio.Task[None] | None = None

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

    async def find(
        self, *, address: str | None = None, name: str | None = None, service: str | None = None, timeout_s: float
    ) -> BLEDevice:
        """Wait for an advertisement of the device.

        Searches for all devices share one scan, which runs while somebody searches and nobody connects.

        Raises:
            NotFoundError: nothing heard within ``timeout_s``.
            AdapterError: the scan cannot be started.
        """
        wanted = Wanted(address, name, service)
        future: asyncio.Future[BLEDevice] = asyncio.get_running_loop().create_future()
        self._waiting[future] = wanted
        self._update()
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError as problem:
            raise NotFoundError(f"no advertisement of {wanted} within {timeout_s:g} s") from problem
        finally:
            self._waiting.pop(future, None)
            self._update()

    @asynccontextmanager
    async def quiet(self) -> AsyncIterator[None]:
        """Hold the radio alone, without scanning: for connecting."""
        self._connecting += 1
        self._update()
        try:
            async with self._turn:
                yield
        finally:
            self._connecting -= 1
            self._update()

    def _update(self) -> None:
        """Start, pause, resume or end the scan as the searches and connections now ask."""
        _switch(self._may_scan, not self._connecting)
        _switch(self._scan_over, bool(self._connecting) or not self._waiting)
        if self._waiting and (self._scanning is None or self._scanning.done()):
            self._scanning = asyncio.create_task(self._scan(), name=f"scan:{self.name}")
            self._scanning.add_done_callback(self._scan_ended)

    def _scan_ended(self, scan: asyncio.Task[None]) -> None:
        """Whatever ends a scan must reach those who wait for it."""
        if not scan.cancelled() and (problem := scan.exception()) is not None:
            self._fail(AdapterError(f"the scan ended: {problem or type(problem).__name__}"))

    async def _scan(self) -> None:
        while self._waiting:
            await self._may_scan.wait()
            async with self._turn:
                try:
                    await self._scan_once()
                except BLEAK_ERRORS as problem:
                    self._fail(AdapterError(f"the adapter cannot scan: {problem or 'no answer in time'}"))

    async def _scan_once(self) -> None:
        scanner = self.scanner(self._found)
        async with asyncio.timeout(SCAN_CALL_S):
            await scanner.start()
        try:
            await self._scan_over.wait()
        finally:
            async with asyncio.timeout(SCAN_CALL_S):
                await scanner.stop()

    def _found(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        for future, wanted in self._waiting.items():
            if not future.done() and wanted.matches(device, advertisement):
                future.set_result(device)

    def _fail(self, problem: AdapterError) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_exception(problem)
        self._waiting.clear()


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
        from drivers.ble import BluezRadio

        return BluezRadio(name=name, socket=socket, adapter=adapter)
    known = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
    if name not in known:
        raise ValueError(f"no radio '{name}': known are {', '.join(sorted(['bluez', *known]))}")
    kind: type[Radio] = known[name].load()
    return kind(name=name, socket=socket, adapter=adapter)
