"""Keys between a device and this computer: made, and removed, when a person asks for that and never otherwise."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bleak import BleakClient
from bleak.backends.device import BLEDevice

from drivers.errors import ConnectError, NotFoundError
from drivers.transport.bluez import DEVICE, managed_objects, paired
from drivers.transport.radio import BLEAK_ERRORS, Radio

SEARCH_S = 15.0
PAIR_S = 40.0  # either side may take 30 s for a step of it
UNPAIR_S = 10.0
BLUEZ = "bluez"


async def bond(radio: Radio, address: str, passkey: int | None) -> str:
    """Bond with a device; return the address under which it is known from now on.

    Raises:
        LinkError: It cannot be reached, or does not bond.
        ValueError: The passkey is none.
    """
    if radio.name == BLUEZ:
        from drivers.transport.pairing import pair

        return await pair(address, passkey, adapter=radio.adapter)
    device = await radio.find(address=address, timeout_s=SEARCH_S)
    async with _connected(radio, device) as client, asyncio.timeout(PAIR_S):
        await client.pair()
    return address


async def unbond(radio: Radio, address: str) -> None:
    """Have the system forget the keys of a device, and whatever else it knows of it.

    Raises:
        NotFoundError: It has none.
        LinkError: The system does not answer, or refuses.
    """
    devices = await _bonded(radio, address)
    if not devices:
        raise NotFoundError(f"{address} is not bonded with this computer", advice="There is nothing to forget.")
    for device in devices:
        try:
            async with asyncio.timeout(UNPAIR_S):
                await radio.client(device, lambda _: None).unpair()
        except BLEAK_ERRORS as problem:
            raise ConnectError(f"the bond with {address} could not be removed: {problem}") from problem


async def _bonded(radio: Radio, address: str) -> list[BLEDevice]:
    """Return a device as the system holds it, once for each adapter that has keys for it."""
    if radio.name != BLUEZ:  # a simulated radio keeps no keys beyond its own end
        return [await radio.find(address=address, timeout_s=SEARCH_S)]
    found = []
    for path, interfaces in (await managed_objects()).items():
        props = interfaces.get(DEVICE)
        if props is not None and str(props.get("Address", "")).upper() == address and paired(props):
            found.append(BLEDevice(address, str(props.get("Name", "")), {"path": path, "props": dict(props)}))
    return found


@asynccontextmanager
async def _connected(radio: Radio, device: BLEDevice) -> AsyncIterator[BleakClient]:
    client = radio.client(device, lambda _: None)
    try:
        async with radio.quiet():
            await client.connect()
        yield client
    except BLEAK_ERRORS as problem:
        raise ConnectError(f"could not bond with {device.address}: {problem or 'no answer in time'}") from problem
    finally:
        await client.disconnect()
