"""What a configuration may say of each driver that is installed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from config.checks import KnownDriver
from drivers.driver import Driver
from drivers.registry import driver_names, load_driver
from gateway.analysis.modalities import measured_by


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
        measured = measured_by(_streams(driver))
        placements = [place for modality in measured for place in modality.placements]
        sensors = tuple(modality.sensor for modality in measured)
        return KnownDriver(driver.transport, driver, sensors, tuple(dict.fromkeys(placements)))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def _streams(driver: type[Driver]) -> Iterable[str]:
    """Return the streams of a driver as it comes; none of one that asks for an option first."""
    try:
        return driver().decoder().streams
    except (TypeError, ValueError):
        return ()
