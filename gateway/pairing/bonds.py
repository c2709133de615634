"""Keys between a device and this computer: made, and removed, when a person asks for that and never otherwise."""

from __future__ import annotations

import asyncio

from bleak import BleakClient
from bleak.backends.device import BLEDevice

from drivers.errors import ConnectError, NotFoundError
from drivers.transport.radio import BLEAK_ERRORS
from drivers.transport.radios import Radios
from drivers.transport.search import Wanted

SEARCH_S = 15.0
PAIR_S = 40.0  # either side may take 30 s for a step of it
UNPAIR_S = 10.0
BLUEZ = "bluez"


async def bond(radio: Radios, kind: str, address: str, passkey: int | None) -> str:
    """Bond with a device; return the address under which it is known from now on.

    Args:
        radio: That hears it.
        kind: Of the radio, as a configuration names it.
        address: Of the device.
        passkey: The six digits that it shows; None for one that asks for none.

    Raises:
        LinkError: It cannot be reached, or does not bond.
        ValueError: The passkey is none.
    """
    if kind == BLUEZ:
        from drivers.transport.pairing import pair

        return await pair(address, passkey)
    client = await _client(radio, address)
    try:
        async with asyncio.timeout(PAIR_S):
            await client.connect()
            await client.pair()
    except BLEAK_ERRORS as problem:
        raise ConnectError(f"could not bond with {address}: {problem or 'no answer in time'}") from problem
    finally:
        await client.disconnect()
    return address


async def unbond(radio: Radios, kind: str, address: str) -> None:
    """Have the system forget the keys of a device, and whatever else it knows of it.

    Raises:
        NotFoundError: It has none.
        LinkError: The system does not answer, or refuses.
    """
    clients = await _bonded(address) if kind == BLUEZ else [await _client(radio, address)]
    if not clients:
        raise NotFoundError(f"{address} is not bonded with this computer", advice="There is nothing to forget.")
    for client in clients:
        try:
            async with asyncio.timeout(UNPAIR_S):
                await client.unpair()
        except BLEAK_ERRORS as problem:
            raise ConnectError(f"the bond with {address} could not be removed: {problem}") from problem


async def _bonded(address: str) -> list[BleakClient]:
    """Return a device as BlueZ holds it, once for each adapter that has keys for it."""
    from drivers.transport.bluez import DEVICE, managed_objects, paired

    found = []
    for path, interfaces in (await managed_objects()).items():
        props = interfaces.get(DEVICE)
        if props is not None and str(props.get("Address", "")).upper() == address and paired(props):
            details = {"path": path, "props": dict(props)}
            found.append(BleakClient(BLEDevice(address, str(props.get("Name", "")), details)))
    return found


async def _client(radio: Radios, address: str) -> BleakClient:
    placed = await radio.place(Wanted(address), timeout_s=SEARCH_S)
    return placed.radio.client(placed.device, lambda _: None)
