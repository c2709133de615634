"""What was heard on the air beside what the ward has: whose each device is, and why one of ours is not heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from config.settings import Device
from drivers.driver import Driver
from drivers.registry import driver_names, load_driver
from drivers.transport.survey import Sighting, named, readers
from gateway.ward.state import Equipment, WardState

EMPTY_PERCENT = 10.0
"""A battery that was so low when it was last told is the likely cause of silence."""
MOST_LISTED = 200

PHONE = (
    "a phone or tablet that holds its connection is the likely cause: while it is connected it does not advertise."
    " Close its maker's app there, or switch Bluetooth off; if that is not it, it is switched off or out of range"
)
EMPTY = "its battery was at {level:.0f} % when it was last read: charge it"
NOTHING = "nothing at all is heard: is the adapter plugged in, and the antenna near?"
NEW = "it has never been met here: is it charged, switched on, not connected to a phone, and is its {what} right?"

Json = dict[str, Any]


def bluetooth_drivers() -> dict[str, type[Driver]]:
    """Import the drivers of Bluetooth devices and return them by name; one that cannot be loaded is left out."""
    found: dict[str, type[Driver]] = {}
    for name in driver_names():
        try:
            driver = load_driver(name)
        except ValueError:  # `check` and `doctor` tell of it: here it only reads nothing
            continue
        if driver.transport == "ble":
            found[name] = driver
    return found


def listing(
    sightings: Sequence[Sighting],
    ward: WardState,
    *,
    drivers: Mapping[str, type[Driver]],
    connected: Mapping[str, str],
    met: Callable[[Device], str | None],
    battery: Callable[[str], float | None],
) -> Json:
    """Return what is in range, and what of the ward is not.

    Args:
        sightings: Who was heard.
        ward: The devices that the ward has.
        drivers: That read Bluetooth devices.
        connected: Addresses of devices that we are connected to at this moment, by id: they do not advertise.
        met: Under which address a device was met last; None where it never was.
        battery: Level of a device's battery as it was told last, percent; None if it never was.
    """
    ours = {
        one.device.id: (one, _sighted(sightings, one.device, met(one.device)))
        for one in ward.devices
        if one.device.driver in drivers
    }
    of_address = {sighting.address: one for one, sighting in ours.values() if sighting is not None}
    held = [_held(one, connected[name], battery) for name, (one, _) in ours.items() if name in connected]
    heard = [_heard(sighting, of_address.get(sighting.address), drivers, battery) for sighting in sightings]
    anything = bool(sightings or connected)
    missing = [
        _missing(one, met(one.device), battery, anything=anything)
        for name, (one, sighting) in ours.items()
        if sighting is None and name not in connected
    ]
    return {"heard": [*held, *heard[:MOST_LISTED]], "missing": missing}


def _heard(
    sighting: Sighting,
    one: Equipment | None,
    drivers: Mapping[str, type[Driver]],
    battery: Callable[[str], float | None],
) -> Json:
    """Return a device that advertises."""
    return {
        "address": sighting.address, "name": sighting.name, "rssi_dbm": sighting.rssi,
        "drivers": readers(sighting, drivers), "state": "heard", **_ours(one, battery),
    }  # fmt: skip


def _held(one: Equipment, address: str, battery: Callable[[str], float | None]) -> Json:
    """Return a device that we are connected to."""
    return {
        "address": address, "name": one.device.name or "", "rssi_dbm": None, "drivers": [one.device.driver],
        "state": "connected", **_ours(one, battery),
    }  # fmt: skip


def _missing(one: Equipment, met: str | None, battery: Callable[[str], float | None], *, anything: bool) -> Json:
    """Return a device of the ward that is not heard, and why that likely is."""
    cause = cause_of_silence(one.device, met, battery(one.device.id), anything=anything)
    return {**_ours(one, battery), "address": one.device.address or met or "", "cause": cause}


def cause_of_silence(device: Device, met: str | None, level: float | None, *, anything: bool) -> str:
    """Say why a device of the ward is likely not heard, and what to do.

    Args:
        device: It.
        met: Under which address it was met; None if never.
        level: Its battery as it was last told, percent.
        anything: Whether anything else is heard.
    """
    if not anything:
        return NOTHING
    if level is not None and level <= EMPTY_PERCENT:
        return EMPTY.format(level=level)
    if met is None:
        return NEW.format(what="address" if device.address else "name")
    return PHONE


def _sighted(sightings: Sequence[Sighting], device: Device, met: str | None) -> Sighting | None:
    """Return what was heard of a device: by its address, or by that of last time, or by its name."""
    if device.address is not None:
        return named(sightings, device.address, None)
    return (named(sightings, met, None) if met else None) or named(sightings, None, device.name)


def _ours(one: Equipment | None, battery: Callable[[str], float | None]) -> Json:
    """Return what the ward knows of a device: nothing of one that is not its."""
    if one is None:
        return {"device": None, "bed": None, "placement": None, "battery_pct": None}
    return {
        "device": one.device.id, "bed": one.bed, "placement": one.device.placement if one.bed else None,
        "battery_pct": battery(one.device.id),
    }  # fmt: skip
