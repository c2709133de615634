"""What ``rehab-gateway fleet`` does at the desk: init, desk, invite, ring, revoke, list."""

from __future__ import annotations

import signal
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import typer
from rich.table import Table

from config.settings import Settings
from gateway.cli.acl import check_name
from gateway.cli.ending import FAILURE, print_line
from gateway.cli.terminal import Terminal
from gateway.fleet.beginning import BegunError, begin
from gateway.fleet.desk import Desk
from gateway.fleet.disk_trouble import REFUSES, DiskTrouble
from gateway.fleet.enrolment import EnrolmentError
from gateway.fleet.enrolment import invite as make_invitation
from gateway.fleet.health import MICRO
from gateway.fleet.members import FleetFolder
from gateway.fleet.overview import overview
from gateway.fleet.roll_outs import RollOuts
from gateway.machine.file_lock import FileLock
from gateway.machine.ownership import acting_as_owner_of
from gateway.model.usage import UsageError

LOOK_AGAIN_S = 2.0
"""Until a desk that could not begin looks whether its disk has room."""


def folder_of(settings: Settings) -> Path:
    """Return where the fleet's keys and books are."""
    return settings.fleet.folder or settings.site.data / "fleet"


@contextmanager
def opened(settings: Settings, *, waiting: bool = False) -> Iterator[FleetFolder]:
    """Open the fleet; raises UsageError where there is none, or, unless somebody waits for it, where its disk refuses.

    Root is the folder's owner meanwhile, the desk's user.

    Raises:
        OSError, sqlite3.OperationalError: The disk refuses, and ``waiting`` is true.
    """
    with acting_as_owner_of(folder_of(settings)), _opened(settings, waiting=waiting) as fleet:
        yield fleet


@contextmanager
def _opened(settings: Settings, *, waiting: bool) -> Iterator[FleetFolder]:
    folder = folder_of(settings)
    try:
        fleet = FleetFolder(folder, settings.fleet.reload_command)
    except FileNotFoundError:
        raise UsageError(f"there is no fleet in {folder}: 'rehab-gateway fleet init' makes one") from None
    except (OSError, ValueError, sqlite3.Error) as error:
        if waiting and isinstance(error, REFUSES) and not isinstance(error, PermissionError):
            raise
        raise UsageError(f"the fleet in {folder} cannot be used by this user: {error}") from None
    try:
        yield fleet
    finally:
        fleet.register.close()


def init(
    settings: Settings,
    hosts: Sequence[str],
    ports: tuple[int, int],
    historians: Sequence[str],
    dashboards: Sequence[str],
) -> None:
    """Make a fleet and say what comes next; raises UsageError."""
    for name in (*historians, *dashboards):
        check_name(name)
    if ports[0] == ports[1]:
        raise UsageError("--port and --enrol-port are two")
    folder = folder_of(settings)
    try:
        with acting_as_owner_of(folder):
            begin(folder, settings.site.site, hosts=hosts, ports=ports, historians=historians, dashboards=dashboards)
    except BegunError as error:
        raise UsageError(str(error)) from None
    typer.echo(f"The fleet of {settings.site.site} is in {folder}. Keep a copy of ca.key and plan.key in a safe place.")
    typer.echo(f"1. Have mosquitto read {folder}/mosquitto.conf, and own broker.key; restart it.")
    typer.echo("2. Run 'rehab-gateway fleet desk' as a service.")
    typer.echo("3. 'rehab-gateway fleet invite' a gateway.")


def run_desk(settings: Settings) -> None:
    """Work until SIGTERM or Ctrl-C; raises HeldError where this fleet's desk runs already.

    Two of them would end each other's connection in turn: the broker knows one of their name, the one that came last.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    trouble = DiskTrouble(folder_of(settings), "the fleet's desk waits: nobody joins, and no roll-out goes on")
    while not stop.is_set():
        with trouble.outlived(), opened(settings, waiting=True) as fleet, FileLock(fleet.folder / "desk"):
            desk = Desk(fleet)
            trouble.look()
            desk.run(stop)
        trouble.look()
        stop.wait(LOOK_AGAIN_S)


def invite(settings: Settings, name: str, ring: str, minutes: float) -> None:
    """Print a code, and the command that uses it."""
    check_name(name)
    check_name(ring)
    with opened(settings) as fleet:
        try:
            code = make_invitation(fleet.register, name, ring, minutes=minutes, now_s=time.time())
        except EnrolmentError as refusal:
            raise UsageError(str(refusal)) from None
        at = f"{fleet.register.fact('host')}:{fleet.register.fact('enrol_port')}"
    typer.echo(code)
    typer.echo(f"For {name}, once, within {minutes:.0f} minutes. On the gateway:", err=True)
    typer.echo(f"  rehab-gateway fleet join CONFIG {name} {code} --broker {at}", err=True)


def set_ring(settings: Settings, name: str, ring: str) -> None:
    """Put a gateway into a ring; raises UsageError where there is none."""
    check_name(ring)
    with opened(settings) as fleet:
        if not fleet.register.set_ring(name, ring):
            raise UsageError(f"no gateway '{name}' is in the fleet")


def revoke(settings: Settings, name: str, why: str) -> int:
    """Take a gateway out; return the exit status."""
    with opened(settings) as fleet:
        withdrawn = any(one.gateway == name for one in fleet.register.open_invitations(time.time()))
        troubles = fleet.revoke(name, why)
    if withdrawn:
        typer.echo(f"The invitation of {name} is taken back: its code opens nothing any more.")
    if troubles is None and withdrawn:
        return 0
    if troubles is None:
        raise UsageError(f"no gateway '{name}' is in the fleet")
    for trouble in troubles:
        print_line(trouble)
    if troubles:
        print_line(
            f"{name} is on the revocation list, and may still be connected: see to the broker, and revoke it again"
        )
        return FAILURE
    typer.echo(f"{name} is out of the fleet: its connections have ended, and its certificates open nothing any more.")
    return 0


def show(settings: Settings, *, as_json: bool) -> None:
    """Print who is in the fleet."""
    with opened(settings) as fleet:
        told = overview(fleet.register, RollOuts(fleet.register).newest(), time.time())
    if as_json:
        sys.stdout.write(orjson.dumps(told).decode() + "\n")
        return
    table = Table("gateway", "ring", "since", "state", box=None)
    for member in told["members"]:
        out = member["revoked_us"] is not None
        state = f"revoked {_day(member['revoked_us'])} {member['why']}".rstrip() if out else "in the fleet"
        table.add_row(member["gateway"], member["ring"], _day(member["joined_us"]), state)
    for one in told["invitations"]:
        table.add_row(one["gateway"], one["ring"], "", "invited")
    Terminal().print(table if table.row_count else "Nobody is in the fleet yet.")
    if told["roll_out"] is not None:
        Terminal().print(words_of(told["roll_out"]))


def words_of(roll_out: dict[str, Any]) -> str:
    """Return how a roll-out goes, in a line."""
    rings = [ring["name"] for ring in roll_out["rings"]]
    where = f"ring {roll_out['open']} of {len(rings)} ({rings[roll_out['open'] - 1]})"
    return f"roll-out {roll_out['id']} of {roll_out['version']}: {roll_out['state']}, {where}: {roll_out['why']}"


def _day(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / MICRO, UTC).strftime("%Y-%m-%d")
