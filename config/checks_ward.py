"""What a ward cannot be: one person in two beds, two sensors on one limb, a protocol that nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from config.lines import Path
from config.protocol import PROTOCOLS, misfit, read_protocol
from config.settings import Section, Settings
from config.wording import suggestion

Finding = tuple[Path, str]


def check_ward(settings: Settings) -> Iterator[Finding]:
    """Yield what is wrong with beds, people and placements."""
    beds: dict[str, str] = {}
    for i, slot in enumerate(settings.slot):
        other = beds.setdefault(slot.subject, slot.id)
        if other != slot.id:
            yield (
                ("slot", i, "subject"),
                f"slot.subject = '{slot.subject}' is already in slot '{other}': nobody is in two beds",
            )
        if (word := read_protocol(slot.protocol).word) not in PROTOCOLS:
            hint = suggestion(word, PROTOCOLS)
            yield ("slot", i, "protocol"), f"slot.protocol = '{slot.protocol}' is not a protocol{hint}"
        elif problem := misfit(slot.protocol):
            yield ("slot", i, "protocol"), f"slot.protocol = '{slot.protocol}': {problem}"


def check_addresses(settings: Settings) -> Iterator[Finding]:
    """Yield hosts that are no host alone, and ports of this machine that two servers would take."""
    for table, host in (("broker", settings.broker.host), ("dashboard", settings.dashboard.host)):
        if not host or not host.isprintable() or set(host) & set("/@ \t[]"):
            yield (table, "host"), f"{table}.host must be a name or an address alone: the port has a key of its own"
    ports: dict[int, str] = {}
    taken = {"broker.port": settings.broker.port} if settings.broker.embedded else {}
    taken |= {"dashboard.port": settings.dashboard.port}
    taken |= {"prometheus.port": settings.prometheus.port} if settings.prometheus.port else {}
    for key, port in taken.items():
        other = ports.setdefault(port, key)
        if other != key:
            yield tuple(key.split(".")), f"{key} = {port} is already {other}: each server needs its own"


def check_text(settings: Section, path: Path = ()) -> Iterator[Finding]:
    """Yield every text and path with a character that cannot be seen: it would end up in logs and other files."""
    for name, value in settings:
        yield from _check_value(value, (*path, name))


def _check_value(value: Any, path: Path) -> Iterator[Finding]:
    if isinstance(value, Section):
        yield from check_text(value, path)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield from _check_value(item, (*path, i))
    elif isinstance(value, str | FilePath) and any(ord(one) < 0x20 or 0x7F <= ord(one) < 0xA0 for one in str(value)):
        key = ".".join(part for part in path if isinstance(part, str))
        yield path, f"{key} holds a character that cannot be seen, such as a line break: write it anew"
