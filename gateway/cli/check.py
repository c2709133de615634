"""``rehab-gateway check``: what a configuration that is right says, in a table."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

from rich.table import Table
from rich.text import Text

from config.settings import Settings
from config.wording import without_password
from gateway.broker.door import FOLDER, where
from gateway.cli.bands import bands_in_words
from gateway.cli.doctor.files import missing_files
from gateway.cli.terminal import Terminal
from gateway.fleet.member_folder import MEMBER, member_folder
from gateway.historian.postgres_writer import NEEDS
from gateway.machine.plain_text import visible
from gateway.ward.kept_ward import ward_path
from gateway.ward.registry import RegistryError, read_state


def show(path: Path, settings: Settings) -> None:
    """Print what would run."""
    bands = bands_in_words(settings)  # where one is wrong, nothing is right
    console = Terminal()
    devices = sum(len(slot.device) for slot in settings.slot)
    console.print(f"{visible(path)} is right: {_count(len(settings.slot), 'slot')}, {_count(devices, 'device')}.")
    if devices:
        console.print(_devices(settings))
    broker, store = settings.broker, settings.historian.store
    how = "TLS" if broker.ca_file else "without TLS"
    rows = {
        "gateway": f"{settings.site.site}/{settings.site.gateway}{' (simulated)' if settings.simulated else ''}",
        "data": str(settings.site.data),
        "broker": f"embedded, in {settings.site.data / FOLDER}" if broker.embedded else f"{where(broker)}, {how}",
        "history": str(settings.history_file),
        "store": f"{store.kind} at {without_password(store.url)}" if store else "none",
        "bands": bands,
        "dashboard": f"http{'s' if settings.dashboard.cert_file else ''}://{settings.dashboard.host}:{settings.dashboard.port}",
    }
    if os.access((folder := member_folder(settings)) / MEMBER, os.F_OK):
        rows["fleet"] = str(folder)
    grid = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        grid.add_row(Text(name, "dim"), visible(value))
    console.print(grid)
    if found := _ward(settings):
        console.print(Text.assemble(("▲ ", "bold yellow"), found))
    if store is not None and store.kind == "postgresql" and find_spec("asyncpg") is None:
        console.print(Text.assemble(("▲ ", "bold yellow"), NEEDS))
    for key, trouble in missing_files(settings):
        console.print(Text.assemble(("▲ ", "bold yellow"), f"{key} {trouble}: it has to be there where this runs"))


def _ward(settings: Settings) -> str:
    """Return what is to be known of the ward that people have made; empty where the file's is in force."""
    try:
        ward = read_state(ward_path(settings))
    except (OSError, RegistryError) as error:
        return "" if isinstance(error, FileNotFoundError | PermissionError) else str(error)
    if not ward.by_hand:
        return ""
    there = _count(len(ward.subjects), "person") if len(ward.subjects) == 1 else f"{len(ward.subjects)} people"
    return f"people have changed the ward ({there} there): it is in force, not these slots"


def _devices(settings: Settings) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("slot", "device", "driver", "placement", "found by"):
        table.add_column(heading, overflow="fold")  # an id or an address that is cut short is no use
    for slot in settings.slot:
        for i, device in enumerate(slot.device):
            found = device.address or device.name or device.listen or str(device.port)
            table.add_row(
                slot.id if i == 0 else "", device.id, device.driver, device.placement.replace("_", " "), visible(found)
            )
    return table


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
