"""What a configuration may say of each driver that is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from config.checks import KnownDriver
from drivers.driver import Driver
from drivers.packet import StreamSpec
from drivers.registry import driver_names, load_driver
from gateway.analysis.modalities import by_stream, measured_by


class KnownDrivers(Mapping[str, KnownDriver]):
    """The drivers that were installed when this was made, by name. A driver is imported when it is looked up.

    A look-up raises ValueError, as `drivers.registry.load_driver` does, for a driver that cannot be loaded.
    """

    def __init__(self) -> None:
        self._names = driver_names()

    def __getitem__(self, name: str) -> KnownDriver:
        if name not in self._names:
            raise KeyError(name)
        driver = load_driver(name)
        return _known(driver, driver.example)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _known(driver: type[Driver], options: Mapping[str, Any]) -> KnownDriver:
    streams = _streams(driver, options)
    measured = measured_by(streams)
    placements = [place for modality in measured for place in modality.placements]
    return KnownDriver(
        driver.transport,
        driver,
        tuple(modality.sensor for modality in measured),
        tuple(dict.fromkeys(placements)),
        tuple(_doubts(streams)) if driver.example else (),
        lambda of_one: _known(driver, of_one),
    )


def _streams(driver: type[Driver], options: Mapping[str, Any]) -> Mapping[str, StreamSpec]:
    """Return the streams of a device with such options; none where its driver does not take them."""
    try:
        return driver(**options).decoder().streams
    except (TypeError, ValueError):
        return {}


def _doubts(streams: Mapping[str, StreamSpec]) -> Iterator[str]:
    """Yield what is wrong with streams that a configuration has declared."""
    table = by_stream()
    for name, spec in streams.items():
        if name in table:
            misfit = table[name][1].misfit(spec)
            if misfit:
                yield misfit
        elif near := get_close_matches(name, table, n=1):
            yield f"there is no stream '{name}' that anything is computed from; did you mean '{near[0]}'?"
