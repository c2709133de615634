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

from drivers.errors import AdapterError, AmbiguousDeviceError, NotFoundError
from drivers.transport.search import LISTEN_S, Search, Wanted
from drivers.transport.stopwatch import Stopwatch
from drivers.transport.turn import Turn

__all__ = ["BLEAK_ERRORS", "ENTRY_POINTS", "Found", "Lost", "Radio", "Wanted", "open_radio"]

ENTRY_POINTS = "rehab_gateway.radios"

SCAN_CALL_S = 10.0  # start and stop of a scan are D-Bus calls, which are known to hang

TIMER_S = 0.01  # a timer of asyncio may come this much early

BLEAK_ERRORS = (BleakError, TimeoutError, OSError, EOFError, AssertionError)  # what bleak and dbus-fast let through

Found = Callable[[BLEDevice, AdvertisementData], None]
Lost = Callable[[BleakClient], None]


class Radio(ABC):
    """One Bluetooth adapter. Subclasses make bleak scanners and clients over their own backend.

    A device belongs to one search at a time: who found it has it until `release`. Who will search says what for
    (`register`): an address is then kept for its owner, and a name that two look for finds neither of them anything.

    Attributes:
        name: As in the configuration: ``"bluez"``, ``"simulated"``.
        socket: Unix socket of a simulated radio.
        adapter: Adapter to use, such as ``"hci0"``; None for the first.
        at_once: Devices that it connects at the same time. An adapter that makes two connections at once fails both.
    """

    at_once: ClassVar[int] = 1

    def __init__(self, *, name: str = "bluez", socket: Path | None = None, adapter: str | None = None) -> None:
        self.name = name
        self.socket = socket
        self.adapter = adapter
        self._waiting: dict[asyncio.Future[BLEDevice], Search[BLEDevice]] = {}
        self._registered: dict[object, Wanted] = {}  # by owner
        self._taken: dict[object, str] = {}  # address by owner
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

    def register(self, wanted: Wanted, owner: object) -> None:
        """Say what an owner searches for, now and again, until `unregister`."""
        self._registered[owner] = wanted

    def unregister(self, owner: object) -> None:
        """An owner searches no more."""
        self._registered.pop(owner, None)
        self.release(owner)

    def release(self, owner: object) -> None:
        """Let others have the device that was found for ``owner``."""
        self._taken.pop(owner, None)

    def taken(self) -> set[str]:
        """Return the addresses (upper case) of devices that were found for somebody and not released."""
        return set(self._taken.values())

    async def find(
        self,
        *,
        address: str | None = None,
        name: str | None = None,
        service: str | None = None,
        timeout_s: float,
        known: str | None = None,
        owner: object | None = None,
    ) -> BLEDevice:
        """Wait for an advertisement of the device.

        Searches for all devices share one scan, which runs while somebody searches and nobody connects.

        Args:
            address: Its address.
            name: Its name.
            service: A service that it advertises.
            timeout_s: Longest wait; only the time counts in which the radio listens, and not connects others.
            known: Address under which it was met before.
            owner: Who has it then, until `release`; by default nobody.

        Raises:
            NotFoundError: nothing heard within ``timeout_s``.
            AmbiguousDeviceError: several devices answer to the name or service.
            AdapterError: the scan cannot be started.
        """
        wanted = Wanted(address, name, service, known)
        if owner is not None:
            self.release(owner)
        search: Search[BLEDevice] = Search(wanted, owner if owner is not None else object())
        loop = asyncio.get_running_loop()
        for device in await self.held(wanted):
            if wanted.is_device(device):
                search.hear(device, loop.time())
        future: asyncio.Future[BLEDevice] = loop.create_future()
        self._waiting[future] = search
        self._decide()
        self._update()
        try:
            if not await self._listening.wait(future, timeout_s):
                raise NotFoundError(f"no advertisement of {wanted} within {timeout_s:g} s")
            return future.result()
        finally:
            self._waiting.pop(future, None)
            if owner is None:
                self.release(search.owner)
            self._update()

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
            async with self._turn.alone():
                try:
                    await self._scan_once()
                except BLEAK_ERRORS as problem:
                    self._fail(AdapterError(f"the adapter cannot scan: {problem or 'no answer in time'}"))

    async def _scan_once(self) -> None:
        scanner = self.scanner(self._found)
        async with asyncio.timeout(SCAN_CALL_S):
            await scanner.start()
        self._listening.run()
        try:
            await self._scan_over.wait()
        finally:
            self._listening.pause()
            async with asyncio.timeout(SCAN_CALL_S):
                await scanner.stop()

    def _found(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        now_s = asyncio.get_running_loop().time()
        heard = False
        for future, search in self._waiting.items():
            if not future.done() and search.wanted.matches(device, advertisement):
                search.hear(device, now_s)
                heard = True
        if heard:  # what nobody looks for decides nothing: hundreds of devices may advertise ten times a second
            self._decide()

    def _decide(self) -> None:
        """Give every search its device that has one; those by address first, and no device to two."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        # Only of those that have heard something: with hundreds of searches, each against each would take seconds.
        open_ = {future: search for future, search in self._waiting.items() if search.heard and not future.done()}
        rivals = {future: self._rivals(search) for future, search in open_.items()}
        for future, search in sorted(open_.items(), key=lambda item: item[1].wanted.address is None):
            try:
                found = search.choice(now_s, self._others(search.owner), rivals[future])
            except AmbiguousDeviceError as problem:
                future.set_exception(problem)
                continue
            if found is not None:
                self._taken[search.owner] = found.address.upper()
                future.set_result(found)
            elif search.first_s is not None and not search.timed:
                search.timed = True
                loop.call_at(search.first_s + LISTEN_S + TIMER_S, self._decide)

    def _others(self, owner: object) -> set[str]:
        """Return the addresses that belong to others than ``owner``."""
        taken = {address for other, address in self._taken.items() if other is not owner}
        kept = {
            wanted.address.upper()
            for other, wanted in self._registered.items()
            if wanted.address and other is not owner
        }
        return taken | kept

    def _rivals(self, search: Search[BLEDevice]) -> int:
        """Return how many others look for the same name or service, now or at another time."""
        if search.wanted.address is not None:
            return 0
        wanted = {other.owner: other.wanted for future, other in self._waiting.items() if not future.done()}
        wanted |= self._registered
        return sum(owner is not search.owner and other.same(search.wanted) for owner, other in wanted.items())

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
        from drivers.transport.ble import BluezRadio

        return BluezRadio(name=name, socket=socket, adapter=adapter)
    known = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
    if name not in known:
        raise ValueError(f"no radio '{name}': known are {', '.join(sorted(['bluez', *known]))}")
    kind: type[Radio] = known[name].load()
    return kind(name=name, socket=socket, adapter=adapter)
