"""Drivers by name: found by entry point, ours by the same way as others', and imported when they are asked for.

A package that brings drivers names their classes in the entry point group `ENTRY_POINTS`; to install it is all. What a
driver may write to a device is its own list (`drivers.driver.Driver.allows`), so a name that two packages claim is
refused: nobody replaces a driver that is in use by installing another.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from drivers.driver import Driver

ENTRY_POINTS = "rehab_gateway.drivers"


def driver_names() -> list[str]:
    """Return the names of the drivers that are installed, in order; none of them is imported."""
    return sorted(_found())


def packages_of(name: str) -> list[str]:
    """Return the name and version of each distribution that brings a driver of that name, which is not imported."""
    return sorted(map(_package, _found().get(name, ())))


@cache  # only what was loaded is kept: who mends an installation need not start again
def load_driver(name: str) -> type[Driver]:
    """Import one driver.

    Raises:
        ValueError: no driver of that name (the message names those there are), two packages bring it, or it cannot be
            loaded (the message names the package). The other drivers are not touched.
    """
    found = _found()
    if name not in found:
        known = ", ".join(sorted(found)) or "none: install the package again"
        raise ValueError(f"no driver '{name}': known are {known}")
    points = found[name]
    if len(points) > 1:
        packages = ", ".join(packages_of(name))
        raise ValueError(f"more than one driver '{name}' is installed ({packages}): uninstall all but one")
    return _load(points[0])


def make_driver(name: str, options: Mapping[str, Any] | None = None) -> Driver:
    """Return a driver with its options.

    Raises:
        ValueError: as `load_driver`, or an option that the driver does not take.
    """
    return load_driver(name)(**dict(options or {}))


def example_driver(name: str) -> Driver:
    """Return a driver as a typical device has it: with the options that it asks for, or none. Raises ValueError."""
    return make_driver(name, load_driver(name).example)


def _found() -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=ENTRY_POINTS):
        found.setdefault(point.name, []).append(point)
    return found


def _load(point: EntryPoint) -> type[Driver]:
    of = f"driver '{point.name}' of {_package(point)}"
    try:
        kind = point.load()
    except Exception as error:  # a stranger's module may raise anything, and its neighbours go on
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{of} cannot be loaded: {why}") from error
    if not (isinstance(kind, type) and issubclass(kind, Driver)):
        why = f"{point.value} is not a class made from drivers.driver.Driver"
        raise ValueError(f"{of} is no driver: {why}")  # noqa: TRY004 - one class for all that is wrong with a driver
    if getattr(kind, "name", None) != point.name:
        raise ValueError(f"{of} calls itself '{getattr(kind, 'name', '')}': both names must be one")
    return kind


def _package(point: EntryPoint) -> str:
    """Return the name and version of the distribution that brings an entry point."""
    return "an unknown package" if point.dist is None else f"{point.dist.name} {point.dist.version}"
