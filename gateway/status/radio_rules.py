"""What deserves a notice of the way to devices: adapters, their room, and who else holds a device. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.model.status import Status
from gateway.status.notices import Finding, Rule, finding

DEVICE_UNPAIRED = Rule(
    "device-unpaired", "medium", 0.0, 2.0, "a device only talks to whom it is paired with, and pairing did not succeed",
)  # fmt: skip
DEVICE_IN_USE = Rule(
    "device-in-use", "medium", 0.0, 2.0, "another program on this computer has a device, and it is left to it",
)  # fmt: skip
RADIO_FULL = Rule(
    "radio-full", "medium", 5.0, 5.0, "more sensors are worn than the Bluetooth adapters may hold",
)  # fmt: skip
RADIO_OFF = Rule(
    "radio-off", "medium", 2.0, 2.0, "a Bluetooth adapter is switched off or not there; the gateway leaves it as it is",
)  # fmt: skip
RADIO_FAILING = Rule(
    "radio-failing", "medium", 5.0, 10.0, "a Bluetooth adapter does not work; it is helped along step by step",
)  # fmt: skip

RADIO_RULES = (DEVICE_UNPAIRED, DEVICE_IN_USE, RADIO_FULL, RADIO_OFF, RADIO_FAILING)
PROBLEMS = {"unpaired": DEVICE_UNPAIRED, "in-use": DEVICE_IN_USE}
"""Rules by the word of a device's error, in place of that it is not connected."""
BY_PERSONS = ("is switched off", "is not there")


def radio_findings(status: Status) -> Iterator[Finding]:
    """Yield what is wrong with the radios, and what a single device says of the way to it."""
    for device in status.get("devices", ()):
        rule = PROBLEMS.get(device.get("problem", ""))
        if rule is not None:
            name, advice, why = device["id"], device.get("advice", ""), device["error"]
            yield finding(rule, device=name, slot=device["slot"], advice=advice, why=why)
    radio = status.get("radio") or {}
    adapters = radio.get("adapters", [])
    for adapter in adapters:
        if trouble := adapter["trouble"]:
            rule = RADIO_OFF if trouble in BY_PERSONS else RADIO_FAILING
            done = _steps(radio.get("steps", {})) if rule is RADIO_FAILING else ""
            yield finding(rule, about=adapter["name"], adapter=adapter["name"], why=trouble, done=done)
    usable = [adapter for adapter in adapters if adapter["trouble"] not in BY_PERSONS]
    worn = sum(device.get("transport") == "ble" for device in status.get("devices", ()))
    if usable and all(adapter["limit"] is not None for adapter in usable):
        room = sum(adapter["limit"] or 0 for adapter in usable)
        if worn > room:
            yield finding(RADIO_FULL, n=len(usable), worn=worn, room=room, waiting=worn - room)


def _steps(steps: dict[str, int]) -> str:
    """Return what was done so far, for a person."""
    done = [f"{name} {count} times" for name, count in steps.items() if count and name != "reconnect"]
    return f" ({', '.join(done)})" if done else ""
