"""A fleet begins: its authority, its signing key, and a certificate for everybody at the desk's side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import orjson

from config.hardware import is_host
from gateway.broker.access_list import DASHBOARD, HISTORIAN
from gateway.fleet.authority import Authority, make_authority
from gateway.fleet.mosquitto import DESK, RESERVED, rights, write_configuration, write_rights
from gateway.fleet.register import FILE, Register
from gateway.fleet.signing import make_key
from gateway.machine.durable import replace_file
from gateway.machine.ownership import give_to_owner_of_folder

UNDER_WAY = ".beginning"
"""Is there while a fleet begins."""


class BegunError(Exception):
    """There is a fleet already."""


def begin(
    folder: Path,
    site: str,
    *,
    hosts: Sequence[str],
    ports: tuple[int, int],
    historians: Sequence[str],
    dashboards: Sequence[str],
) -> None:
    """Make everything in an empty folder; raises BegunError.

    Args:
        folder: Where to.
        site: Whose fleet.
        hosts: By which names and addresses the broker is reached; the first is what gateways are told.
        ports: For who is in the fleet, and for who wants to join.
        historians: Ids of historians that share; the one that shares with nobody is always there.
        dashboards: Names of dashboards beside the usual one.
    """
    stores, pages = list(historians) or [HISTORIAN], list(dashboards) or [DASHBOARD]
    _see_to_names(hosts, (*RESERVED, *stores, *pages))
    _make_room(folder)
    authority = make_authority(folder, f"fleet of {site}")
    make_key(folder / "plan.key")
    _issue(authority, folder, "broker", hosts)
    for name in (DESK, *stores, *pages):
        _issue(authority, folder, name, ())
    _note(
        folder, site=site, host=hosts[0], hosts=_list(hosts), port=str(ports[0]), enrol_port=str(ports[1]),
        historians=_list(historians), dashboards=_list(pages),
    )  # fmt: skip
    write_configuration(folder.resolve(), *ports)
    write_rights(folder, rights(site, [], stores, pages))
    for path in folder.iterdir():
        give_to_owner_of_folder(path)
    (folder / UNDER_WAY).unlink()


def _see_to_names(hosts: Sequence[str], names: Sequence[str]) -> None:
    """Raise BegunError for what is no host, and for two of one name."""
    if wrong := [host for host in hosts if not is_host(host)]:
        raise BegunError(f"'{wrong[0]}' is no name or address of a computer: write it as mqtt.example, without a port")
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BegunError(f"'{twice}' would be two of the fleet: desk, historians and dashboards have a name each")


def _make_room(folder: Path) -> None:
    """Have a folder in which no fleet is, and a mark that one begins; raises BegunError.

    What a beginning has left that did not come to its end is removed: nobody can have joined.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    if (folder / UNDER_WAY).exists():
        for path in folder.iterdir():
            if path.suffix in (".key", ".pem") or path.name.startswith(FILE):
                path.unlink()
    if (folder / FILE).exists() or (folder / "ca.key").exists():
        raise BegunError(f"{folder} has a fleet already: its certificates would be worth nothing any more")
    give_to_owner_of_folder(folder)  # root types it, and the desk has a user of its own
    (folder / UNDER_WAY).touch(0o600)


def _note(folder: Path, **facts: str) -> None:
    """Begin the books with what does not change."""
    register = Register(folder)
    with register.changing():
        for name, value in facts.items():
            register.note(name, value)
    register.close()


def _list(texts: Sequence[str]) -> str:
    return orjson.dumps(list(texts)).decode()


def _issue(authority: Authority, folder: Path, name: str, hosts: Sequence[str]) -> None:
    """Write a certificate and its key, which only its owner reads."""
    pem, key, _ = authority.issue(name, hosts=hosts)
    replace_file(folder / f"{name}.pem", pem.encode(), mode=0o644)
    replace_file(folder / f"{name}.key", key.encode())
