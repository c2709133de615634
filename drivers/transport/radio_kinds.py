"""The kinds of radio, by the name in the configuration: the computer's own, and those that installed packages bring."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

from drivers.transport.placement import DEFAULT_LINKS
from drivers.transport.radio import Radio
from drivers.transport.radios import Radios

ENTRY_POINTS = "rehab_gateway.radios"


def open_radios(
    *, name: str = "bluez", socket: Path | None = None, adapters: Sequence[str] = (), links: int | None = None
) -> Radios:
    """Make all radios that a gateway uses, not yet started.

    Args:
        name: Their kind.
        socket: Unix socket of a simulated radio.
        adapters: Adapters to use; empty for all that there are.
        links: How many links each may have; None for what is usual.

    Raises:
        ValueError: no installed package provides it.
    """
    if name == "bluez":
        from drivers.transport.bluez_radios import BluezRadios

        return BluezRadios(adapters, limit=links or DEFAULT_LINKS)
    radios = [open_radio(name=name, socket=socket, adapter=adapter) for adapter in adapters or (None,)]
    for radio in radios:
        radio.limit = links
    return Radios(radios)


def open_radio(*, name: str = "bluez", socket: Path | None = None, adapter: str | None = None) -> Radio:
    """Make the radio of that name, not yet started.

    Raises:
        ValueError: no installed package provides it.
    """
    if name == "bluez":
        from drivers.transport.bluez_radio import BluezRadio

        return BluezRadio(name=name, socket=socket, adapter=adapter)
    known = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
    if name not in known:
        raise ValueError(f"no radio '{name}': known are {', '.join(sorted(['bluez', *known]))}")
    kind: type[Radio] = known[name].load()
    return kind(name=name, socket=socket, adapter=adapter)
