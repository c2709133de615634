"""A Bluetooth adapter that the kernel takes for real, with the simulated air for an antenna (`/dev/vhci`)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from bumble.transport.vhci import open_vhci_transport

from drivers.errors import AdapterError
from drivers.transport.bluez import ADAPTER, managed_objects
from simulators.radio.hub import Hub

VHCI = "/dev/vhci"
ADDRESS = "02:00:5E:00:00:01"  # locally administered: no real adapter has it
APPEARS_S = 20.0  # kernel and bluetoothd need seconds on an emulated machine
LOOK_S = 0.2


class CannotRunError(Exception):
    """This machine has no virtual adapter, or no bluetoothd: nothing was tried."""


@asynccontextmanager
async def virtual_adapter(hub: Hub) -> AsyncIterator[str]:
    """Plug in an adapter that is on the air of a hub; yields its name once BlueZ has switched it on.

    Raises:
        CannotRunError: It cannot be made here.
    """
    if not os.access(VHCI, os.R_OK | os.W_OK):
        raise CannotRunError(f"no Bluetooth adapter: {VHCI} is not there for this user ('sudo modprobe hci_vhci')")
    try:
        await managed_objects()
    except AdapterError as problem:
        raise CannotRunError(f"no Bluetooth adapter: {problem}") from problem
    transport = await open_vhci_transport(VHCI)
    try:
        controller = hub.controller("gateway", ADDRESS)
        controller.host = transport.sink
        transport.source.set_packet_sink(controller)
        yield await _name()
    finally:
        await transport.close()


async def _name() -> str:
    """Wait until BlueZ has the adapter switched on, and return its name."""
    async with asyncio.timeout(APPEARS_S):
        while True:
            with suppress(AdapterError):  # a slow computer answers later: it is asked again, within the bound
                for path, of in (await managed_objects()).items():
                    props = of.get(ADAPTER, {})
                    if props.get("Address") == ADDRESS and props.get("Powered"):
                        return path.rsplit("/", 1)[1]
            await asyncio.sleep(LOOK_S)


__all__ = ["ADDRESS", "CannotRunError", "virtual_adapter"]
