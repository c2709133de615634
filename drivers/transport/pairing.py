"""Pairs a device with this computer through BlueZ, and believes it only once BlueZ has the keys.

BlueZ says "done" to a pairing that left no keys where its kernel lacks a cipher, so `Paired` is read afterwards. Keys
are never removed here, nor anywhere else in this package: a person made them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from dbus_fast import Variant
from dbus_fast.aio import MessageBus

from drivers.errors import AdapterError, ConnectError, NotFoundError
from drivers.transport.agent import JUST_WORKS, WITH_PASSKEY, Agent
from drivers.transport.bluez import ADAPTER, DEVICE, SERVICE, Objects, objects_of, paired
from drivers.transport.system_bus import BusError, call, system_bus
from drivers.transport.troubles import unpaired

log = logging.getLogger(__name__)

PAIR_S = 35.0  # either side may take 30 s for a step of the pairing (Core 5.0, Vol 3, Part H, 3.4)
SEARCH_S = 15.0
LOOK_S = 0.25  # between two looks for a device that is searched for
LARGEST_PASSKEY = 999_999  # six digits
ALREADY = "org.bluez.Error.AlreadyExists"
REASONS = {
    "org.bluez.Error.AuthenticationFailed": "the device refused it, or the passkey is not right",
    "org.bluez.Error.AuthenticationCanceled": "the device ended it",
    "org.bluez.Error.AuthenticationRejected": "it was rejected",
    "org.bluez.Error.AuthenticationTimeout": "the device did not answer in time",
    "org.bluez.Error.ConnectionAttemptFailed": "the device could not be reached",
}
NO_PASSKEY_ADVICE = "Give the six digits that it shows, or has on its label, as its passkey."


async def pair(
    address: str, passkey: int | str | None = None, *, adapter: str | None = None, search_s: float = SEARCH_S
) -> str:
    """Pair the device with an address, unless it is paired already; nothing else of BlueZ is changed.

    Args:
        address: Its Bluetooth address, in any case.
        passkey: The six digits that it shows, or has on its label; None for one that asks for none.
        adapter: Adapter to use, such as ``"hci0"``; by default the one that hears it.
        search_s: How long to search for a device that BlueZ does not know, seconds.

    Returns:
        The address under which it is known from now on: that of a device whose address changes is its identity.

    Raises:
        ValueError: The passkey is none.
        NotFoundError: It is not in range, or not switched on.
        ConnectError: It does not pair (problem ``"unpaired"``); says why.
        AdapterError: BlueZ or its adapter does not work.
    """
    number = _number(passkey)
    try:
        async with system_bus() as bus:
            path = await _path(bus, address.upper(), adapter, search_s)
            if await _pair(bus, path, address, number):
                log.info("%s is paired", address)
            return str((await objects_of(bus))[path][DEVICE]["Address"])
    except BusError as problem:
        raise AdapterError(f"the Bluetooth service does not answer: {problem}") from problem


async def _pair(bus: MessageBus, path: str, address: str, passkey: int | None) -> bool:
    """Pair, and see that it is paired; False where it was before. Raises ConnectError, BusError."""
    if await _is_paired(bus, path):
        return False
    agent = Agent(lambda of: of == path, lambda _: passkey, JUST_WORKS if passkey is None else WITH_PASSKEY)
    await agent.register(bus)
    try:
        await call(bus, SERVICE, path, DEVICE, "Pair", limit_s=PAIR_S)
    except asyncio.CancelledError:
        await _cancel(bus, path)
        raise
    except BusError as problem:
        if problem.name != ALREADY:
            await _cancel(bus, path)
            raise _refusal(address, path, agent, problem) from problem
    if not await _is_paired(bus, path):
        raise unpaired(f"{address} could not be paired: BlueZ says that it is done, and has no keys")
    return True


async def _cancel(bus: MessageBus, path: str) -> None:
    """Have BlueZ give up a pairing that may still be under way."""
    with contextlib.suppress(BusError):
        await call(bus, SERVICE, path, DEVICE, "CancelPairing")


def _refusal(address: str, path: str, agent: Agent, problem: BusError) -> ConnectError:
    if path in agent.missing:
        return unpaired(f"{address} could not be paired: it asks for a passkey", advice=NO_PASSKEY_ADVICE)
    return unpaired(f"{address} could not be paired: {REASONS.get(problem.name, str(problem))}")


def _number(passkey: int | str | None) -> int | None:
    if passkey is None:
        return None
    text = str(passkey).strip()
    if not (text.isascii() and text.isdigit() and int(text) <= LARGEST_PASSKEY):
        raise ValueError(f"a passkey is a number of up to six digits, not '{passkey}'")
    return int(text)


async def _is_paired(bus: MessageBus, path: str) -> bool:
    return paired((await objects_of(bus)).get(path, {}).get(DEVICE, {}))


async def _path(bus: MessageBus, address: str, adapter: str | None, search_s: float) -> str:
    """Return the path of the device's object, searched for where BlueZ has none. Raises NotFoundError, BusError."""
    objects = await objects_of(bus)
    if known := _known(objects, address, adapter):
        return known
    adapters = [path for path, of in objects.items() if of.get(ADAPTER, {}).get("Powered") and _is(path, adapter)]
    if not adapters:
        raise AdapterError(f"no Bluetooth adapter{f' {adapter}' if adapter else ''} is there and switched on")
    await asyncio.gather(*(_scan(bus, path) for path in adapters))
    try:
        async with asyncio.timeout(search_s):
            while not (found := _known(await objects_of(bus), address, adapter)):  # noqa: ASYNC110 - BlueZ is asked
                await asyncio.sleep(LOOK_S)
            return found
    except TimeoutError:
        raise NotFoundError(f"no advertisement of '{address}' within {search_s:g} s") from None
    finally:
        for path in adapters:
            with contextlib.suppress(BusError):
                await call(bus, SERVICE, path, ADAPTER, "StopDiscovery")


async def _scan(bus: MessageBus, path: str) -> None:
    """Have an adapter search for devices; it ends by itself with our connection to the bus. Raises BusError."""
    only_le = {"Transport": Variant("s", "le")}
    await call(bus, SERVICE, path, ADAPTER, "SetDiscoveryFilter", "a{sv}", [only_le])
    await call(bus, SERVICE, path, ADAPTER, "StartDiscovery")


def _known(objects: Objects, address: str, adapter: str | None) -> str | None:
    """Return the path of a device; of two adapters that know it the one that has its keys, or heard it best."""

    def rank(path: str) -> tuple[bool, bool, Any]:
        props = objects[path][DEVICE]
        return paired(props), bool(props.get("Connected")), props.get("RSSI", -128)

    found = [
        path
        for path, of in objects.items()
        if str(of.get(DEVICE, {}).get("Address", "")).upper() == address and _is(path, adapter)
    ]
    return max(found, key=rank, default=None)


def _is(path: str, adapter: str | None) -> bool:
    """Whether an object is of an adapter; of any where none is named."""
    return adapter is None or f"{path}/".startswith(f"/org/bluez/{adapter}/")
