"""Devices become the ward's, are put on somebody, and leave: changes of its registry, with what the radio tells."""

from __future__ import annotations

from typing import Any

import typer

from config.hardware import bluetooth_address
from config.settings import Settings
from gateway.cli.devices_desk import do
from gateway.cli.devices_pages import ask_for_lift, lift_sentence, print_json, say, which
from gateway.cli.ending import FAILURE
from gateway.cli.ward_desk import make_change, read
from gateway.pairing.motion import limb_of, side_of
from gateway.ward.refusals import RefusedError
from gateway.ward.rules import find_device

Json = dict[str, Any]


def pair_device(
    settings: Settings, address: str, device: str, *, driver: str, placement: str, bond: bool, passkey: int | None,
    by: str, as_json: bool,
) -> None:  # fmt: skip
    """Make a device the ward's; raises RefusedError."""
    try:
        address = bluetooth_address(address)
    except ValueError as error:
        raise RefusedError(f"'{address}' {error}") from None
    driver = driver or _driver_of(settings, address, by)
    found: Json = {}
    if bond:
        found = do(settings, "bond", {"address": address, "passkey": passkey}, by=by)
        address = found["address"]
        say(f"{address} is bonded with the gateway's computer.", as_json=as_json)
    about = {"id": device, "driver": driver, "placement": placement, "address": address}
    change = make_change(settings, "add-device", {"device": about}, by=by)
    if as_json:
        print_json({**found, **change, "device": about})
    say(f"{device} ({driver}, {address}) is one of the ward's: 'devices assign' puts it on somebody.", as_json=as_json)


def assign_device(settings: Settings, fields: Json, *, lift: bool, for_s: float | None, by: str, as_json: bool) -> None:
    """Put a device on somebody, see on which limb it is; raises RefusedError, and Exit where it is on the other one."""
    device, side, limb = fields["device"], side_of(fields["placement"]), limb_of(fields["placement"])
    change = make_change(settings, "assign", fields, by=by)
    where = f"{device} is on the {fields['placement'].replace('_', ' ')} in bed {fields['bed']}"
    if side is None or limb is None or not lift:
        if as_json:
            print_json({**change, "lift": None})
        say(f"{where}.", as_json=as_json)
        return
    say(f"{where}, says the ward. Now it is seen whether that is so.", as_json=as_json)
    ask_for_lift(side, limb, as_json=as_json)
    found = do(settings, "lift", {"bed": fields["bed"], "side": side, **which(limb), "for_s": for_s}, by=by)
    wrong = found["moved"] not in (None, side) or device in found["still"]
    if wrong:
        make_change(settings, "take-off", {"device": device}, by=by)
    if as_json:
        print_json({**change, "lift": found, "taken_off": wrong})
    say(f"{lift_sentence(found)}{f' {device} was taken off again.' if wrong else ''}", as_json=as_json)
    if not found["ok"] or device in found["not_seen"]:
        raise typer.Exit(FAILURE)


def forget_device(settings: Settings, device: str, *, bond: bool, by: str, as_json: bool) -> None:
    """Take a device out of the ward, and its bond where somebody asks for that; raises RefusedError."""
    address = find_device(read(settings), device).device.address if bond else None
    if bond and address is None:
        raise RefusedError(f"'{device}' is not known by a Bluetooth address: there is no bond to remove")
    change = make_change(settings, "remove-device", {"device": device}, by=by)
    if bond:
        do(settings, "unbond", {"address": address}, by=by)
    if as_json:
        print_json({**change, "bond_removed": bond})
    kept = "Its Bluetooth bond was removed too" if bond else "A Bluetooth bond that it has stays: --bond removes it"
    say(f"{device} is no device of the ward any more. {kept}.", as_json=as_json)


def _driver_of(settings: Settings, address: str, by: str) -> str:
    """Return the driver that would read a device that is in range; raises RefusedError where it is not clear."""
    heard = {one["address"]: one for one in do(settings, "scan", {}, by=by)["heard"]}
    if address not in heard:
        raise RefusedError(f"{address} is not heard: is it charged, switched on, and not connected to a phone?")
    if heard[address]["device"]:
        raise RefusedError(f"{address} is '{heard[address]['device']}' of this ward already")
    drivers: list[str] = heard[address]["drivers"]
    if not drivers:
        raise RefusedError(f"no driver knows '{heard[address]['name']}': name one with --driver")
    return drivers[0]
