"""What a configuration may say of each driver that is installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from config.checks import KnownDriver
from drivers.registry import driver_names, load_driver


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
        return KnownDriver(driver.transport, driver)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
