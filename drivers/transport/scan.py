"""The scan of one radio: it runs while somebody searches or listens, and rests while the radio connects."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from bleak import BleakScanner
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakError

from drivers.errors import AdapterError, one_line
from drivers.transport.stopwatch import Stopwatch
from drivers.transport.turn import Turn

log = logging.getLogger(__name__)

SCAN_CALL_S = 10.0  # start and stop of a scan are D-Bus calls, which are known to hang
STOPPED = "the radio was stopped"
DEAF_S = 30.0  # in any building somebody advertises every few seconds; those who look for nothing do not scan
DEAF_SCANS = 3  # in a row, before more is done than to scan anew

BLEAK_ERRORS = (BleakError, TimeoutError, OSError, EOFError, AssertionError)  # what bleak and dbus-fast let through

Found = Callable[[BLEDevice, AdvertisementData], None]


class Scan:
    """One scan for all who want to hear something.

    Args:
        radio: Names the radio in errors.
        scanner: Makes a scanner, not started, that calls what it is given for each advertisement.
        heard: Takes each advertisement.
        again: Called when a scan failed (with why) or heard nobody (without), and is begun again.
        works: Called when a scan has begun.
        at_once: Connections that the radio makes at the same time.

    Attributes:
        deaf_scans: How many scans in a row have heard nobody at all.
    """

    def __init__(
        self,
        radio: Callable[[], str],
        scanner: Callable[[Found], BleakScanner],
        heard: Found,
        again: Callable[[str], None],
        works: Callable[[], None],
        *,
        at_once: int,
    ) -> None:
        self._radio = radio
        self._scanner = scanner
        self._take = heard
        self._again = again
        self._works = works
        self.deaf_scans = 0
        self._waiting: set[asyncio.Future[None]] = set()  # who searches here
        self._listeners: set[Found] = set()
        self._stopped = False
        self._heard_s = 0.0
        self._turn = Turn(at_once)  # of who scans, or of those who connect
        self._connecting = 0
        self._may_scan = asyncio.Event()
        self._may_scan.set()
        self._scan_over = asyncio.Event()
        self._scanning: asyncio.Task[None] | None = None
        self._listening = Stopwatch()  # with hundreds of devices others connect for minutes

    def start(self) -> None:
        """Be ready again after `stop`."""
        self._stopped = False

    async def stop(self) -> None:
        """End the scan, and every wait for it."""
        self._stopped = True
        self._fail(AdapterError(STOPPED))
        if self._scanning is not None:
            self._scanning.cancel()
            await asyncio.wait([self._scanning])
            self._scanning = None

    async def listen_for(self, found: asyncio.Future[Any], timeout_s: float) -> None:
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
                raise AdapterError(f"{self._radio()} cannot scan")
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
            self._scanning = asyncio.create_task(self._scan(), name=f"scan:{self._radio()}")
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
                    why = f"{self._radio()} cannot scan: {one_line(problem)}"
                    self._again(why)
                    self._fail(AdapterError(why))
                    if self._listeners:
                        raise

    async def _scan_once(self) -> None:
        self._heard_s = asyncio.get_running_loop().time()
        scanner = self._scanner(self._hear)
        async with asyncio.timeout(SCAN_CALL_S):
            await scanner.start()
        self._works()
        self._listening.run()
        try:
            await self._until_over_or_deaf()
        finally:
            self._listening.pause()
            async with asyncio.timeout(SCAN_CALL_S):
                await scanner.stop()

    def _hear(self, device: BLEDevice, advertisement: AdvertisementData) -> None:
        self._heard_s = asyncio.get_running_loop().time()
        self.deaf_scans = 0
        for heard in tuple(self._listeners):
            heard(device, advertisement)
        self._take(device, advertisement)

    async def _until_over_or_deaf(self) -> None:
        """Wait until the scan is to end; one that hears nobody at all is begun again, and the radio then helped."""
        loop = asyncio.get_running_loop()
        while not self._scan_over.is_set():
            left_s = self._heard_s + DEAF_S - loop.time()
            if left_s <= 0:
                self._again("")
                self.deaf_scans += 1
                log.info("%s has heard nobody for %g s: its scan is begun again", self._radio(), DEAF_S)
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left_s):
                    await self._scan_over.wait()


def _switch(event: asyncio.Event, on: bool) -> None:
    if on:
        event.set()
    else:
        event.clear()
