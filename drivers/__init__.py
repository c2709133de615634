"""Devices: bytes in, samples out. `DRIVERS` names every kind of device that the gateway can read."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from drivers.driver import Driver
from drivers.heart_rate.driver import HeartRate
from drivers.movella_dot.driver import MovellaDot
from drivers.shimmer3.driver import Shimmer3

__all__ = ["DRIVERS", "make"]

DRIVERS: Mapping[str, type[Driver]] = MappingProxyType(
    {driver.name: driver for driver in (HeartRate, MovellaDot, Shimmer3)}
)


def make(name: str, options: Mapping[str, Any] | None = None) -> Driver:
    """Return a driver with its options.

    Raises:
        ValueError: no driver of that name (the message names those there are), or an option it does not take.
    """
    if name not in DRIVERS:
        raise ValueError(f"no driver '{name}': known are {', '.join(sorted(DRIVERS))}")
    return DRIVERS[name](**dict(options or {}))
