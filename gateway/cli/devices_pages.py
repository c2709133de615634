"""What the commands of ``rehab-gateway devices`` print, for people and for programs."""

from __future__ import annotations

import sys
from typing import Any

import orjson
import typer

from gateway.cli.ending import FAILURE
from gateway.cli.terminal import Terminal
from gateway.machine.plain_text import visible

Json = dict[str, Any]


def print_json(found: Json) -> None:
    """Print what was found for a program."""
    sys.stdout.buffer.write(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")


def say(sentence: str, *, as_json: bool = False) -> None:
    """Tell a person; a program reads the result alone."""
    if not as_json:
        Terminal().print(sentence, soft_wrap=True, markup=False)


def print_scan(found: Json, *, as_json: bool) -> None:
    """Print what is in range, and what of the ward is not."""
    if as_json:
        print_json(found)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("signal", "address", "name", "driver", "device", "worn", "battery"):
        # The address and the id are what one types next: never cut short.
        table.add_column(heading, no_wrap=heading == "address", overflow="fold")
    for one in found["heard"]:
        signal = "connected" if one["rssi_dbm"] is None else f"{one['rssi_dbm']} dBm"
        worn = f"{one['bed']}, {one['placement'].replace('_', ' ')}" if one["bed"] else "-"
        battery = "-" if one["battery_pct"] is None else f"{one['battery_pct']:.0f} %"
        driver = ", ".join(one["drivers"]) or "-"
        table.add_row(signal, one["address"], visible(one["name"]) or "-", driver, one["device"] or "-", worn, battery)
    terminal = Terminal()
    terminal.print(table)
    for one in found["missing"]:
        say(f"{one['device']} is not heard: {one['cause']}.".replace("?.", "?"))


def print_blink(found: Json, *, as_json: bool) -> None:
    """Print that a device blinks."""
    if as_json:
        print_json(found)
    say(f"{found['device']} has been blinking.", as_json=as_json)


def ask_for_tap(*, as_json: bool) -> None:
    """Ask whoever holds a device to tap it."""
    say("Tap the one in your hand with a finger, a few times, until this ends.", as_json=as_json)


def print_tap(found: Json, *, as_json: bool) -> None:
    """Print which device was tapped; status 1 where it is not clear."""
    watched = ", ".join(found["watched"])
    if as_json:
        print_json(found)
    else:
        tapped = f"It is {found['tapped']}." if found["tapped"] else f"None of {watched} was clearly tapped."
        unseen = ", ".join([*found["not_reached"], *found["not_watched"]])
        say(f"{tapped} Not seen: {unseen}." if unseen else tapped)
    if not found["tapped"]:
        raise typer.Exit(FAILURE)


def ask_for_lift(side: str, limb: str = "leg", *, as_json: bool) -> None:
    """Ask for a leg or an arm to be lifted."""
    how = "and put it down again, a few times, until this ends."
    say(f"Ask the patient to lift the {side} {limb} {how}", as_json=as_json)


def which(limb: str) -> Json:
    """Return how a gateway is asked for a limb; of legs one of an earlier version understands as well."""
    return {} if limb == "leg" else {"limb": limb}


def print_lift(found: Json, *, as_json: bool) -> None:
    """Print which leg or arm moved; status 1 where it is the other one, or not clear."""
    if as_json:
        print_json(found)
    say(lift_sentence(found), as_json=as_json)
    if not found["ok"]:
        raise typer.Exit(FAILURE)


def lift_sentence(found: Json) -> str:
    """Return what a lifted leg or arm has told."""
    unseen = f" Of {_names(found['not_seen'])} it cannot be told: no turning is measured." if found["not_seen"] else ""
    return _of_those_that_turn(found) + unseen


def _of_those_that_turn(found: Json) -> str:
    limb = found.get("limb", "leg")  # a gateway of an earlier version knows legs alone
    if found["ok"]:
        return f"{found['device']} moved: it is on the {found['asked']} {limb}."
    if found["moved"] is None:
        again = f"lift the {found['asked']} {limb} once more"
        return f"No sensor clearly moved more than those of the other {limb}: {again}."
    if found["still"]:
        return (
            f"{found['device']} moved, and {_names(found['still'])} did not move with it: not on the"
            f" {found['asked']} {limb}, or not on this patient."
        )
    return (
        f"The {found['asked']} {limb} was lifted, and {found['device']} moved, which is put down as on the"
        f" {found['moved']} {limb}: the two sides are exchanged."
    )


def _names(devices: list[str]) -> str:
    return " and ".join(devices)
