"""The simulated Bluetooth adapter: unmodified bleak calls reach simulated peripherals through it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import ClassVar

from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakBluetoothNotAvailableError

from drivers.errors import AdapterError
from drivers.transport.radio import Found, Lost, Radio
from simulators.radio.central import Central
from simulators.radio.client import SimulatedClient
from simulators.radio.scanner import SimulatedScanner

FIRST_ATTACH_S = 2.0  # a simulator that was started together with the gateway is there by then


class SimulatedRadio(Radio):
    """A radio whose antenna is the unix socket of a simulator (`simulators.radio.hub.Hub`, ``rehab-gateway simulate``).

    It attaches again whenever the simulator comes back; until then its scanners and clients fail as those of an
    adapter that was pulled out do.

    Attributes:
        client_type: Backend for ``bleak.BleakClient(..., backend=...)``.
        scanner_type: Backend for ``bleak.BleakScanner(backend=...)``.
    """

    at_once: ClassVar[int] = 8  # this air has no interference: seventy beds would come up one by one for minutes

    def __init__(self, *, name: str = "simulated", socket: Path | None = None, adapter: str | None = None) -> None:
        """Take the options of the configuration's radio table. Raises AdapterError without a socket."""
        super().__init__(name=name, socket=socket, adapter=adapter)
        if socket is None:
            raise AdapterError("the simulated radio needs 'socket' in the [radio] table of the configuration")
        self._central = central = Central(socket)
        self.client_type = type("SimulatedClient", (SimulatedClient,), {"central": central})
        self.scanner_type = type("SimulatedScanner", (SimulatedScanner,), {"central": central})

    @property
    def attached(self) -> bool:
        """Whether the simulator is there."""
        return self._central.attached

    def scanner(self, found: Found) -> BleakScanner:
        """Return a scanner, not started, that calls ``found`` for each advertisement."""
        return BleakScanner(found, backend=self.scanner_type)

    def client(self, device: BLEDevice, lost: Lost) -> BleakClient:
        """Return a client for a device that was found; ``lost`` is called once when its link drops."""
        return BleakClient(device, disconnected_callback=lost, backend=self.client_type)

    async def start(self) -> None:
        """Attach; a simulator that is not there yet is waited for, but not for ever."""
        await super().start()
        await self._central.start()
        with contextlib.suppress(BleakBluetoothNotAvailableError):
            await self._central.device(FIRST_ATTACH_S)

    async def stop(self) -> None:
        """Detach."""
        await super().stop()
        await self._central.stop()
