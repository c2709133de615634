"""What is in range of a radio: every device that advertises, how strongly, and which driver would read it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from drivers.driver import Driver
from drivers.transport.radios import Radios

MOST_HEARD = 500  # devices; a ward has hundreds of phones and watches around it, and an attacker any number
SILENT_S = 6.0  # that are listened longer where nobody is heard
MOST_SIGNALS = 50  # of one device, of which the median is told: a body that moves shadows a sensor for a moment


@dataclass(slots=True)
class Sighting:
    """A device that advertised.

    Attributes:
        address: Its Bluetooth address, upper case.
        name: The name that it advertised; empty if none.
        services: UUIDs of the services that it advertised.
        signals: Received signal strengths, dBm, the newest last.
    """

    address: str
    name: str = ""
    services: frozenset[str] = frozenset()
    signals: list[int] = field(default_factory=list)

    @property
    def rssi(self) -> int:
        """Return the signal strength, dBm: the median of what was heard."""
        return round(median(self.signals))

    def hear(self, advertisement: AdvertisementData, name: str | None) -> None:
        """Take another advertisement of it; one may leave out what the one before said."""
        self.name = advertisement.local_name or self.name or name or ""
        self.services |= {uuid.lower() for uuid in advertisement.service_uuids}
        self.signals = [*self.signals, advertisement.rssi][-MOST_SIGNALS:]


async def survey(radio: Radios, for_s: float) -> list[Sighting]:
    """Listen for so many seconds and return who was heard, the strongest first.

    Whoever is connected to this radio or to a phone does not advertise, and is not heard.

    Raises:
        AdapterError: the radio does not work.
    """
    heard: dict[str, Sighting] = {}

    def hear(device: BLEDevice, advertisement: AdvertisementData) -> None:
        address = device.address.upper()
        if address in heard or len(heard) < MOST_HEARD:
            heard.setdefault(address, Sighting(address)).hear(advertisement, device.name)

    async with radio.listen(hear):
        await asyncio.sleep(for_s)
        if not heard:  # a radio that cannot begin to listen says so after a while
            await asyncio.sleep(SILENT_S)
    return sorted(heard.values(), key=lambda sighting: (-sighting.rssi, sighting.address))


def readers(sighting: Sighting, drivers: Mapping[str, type[Driver]]) -> list[str]:
    """Return the names of the drivers that would read a device: those that know its name, then those of its services.

    A strap of one maker has the service of every strap, and more behind its name: the name says more.
    """
    by_name = [name for name, driver in drivers.items() if _starts(sighting.name, driver.names)]
    by_service = [name for name, driver in drivers.items() if (driver.service or "").lower() in sighting.services]
    return by_name + [name for name in by_service if name not in by_name]


def _starts(name: str, beginnings: Iterable[str]) -> bool:
    return any(name.casefold().startswith(beginning.casefold()) for beginning in beginnings)


def named(sightings: Sequence[Sighting], address: str | None, name: str | None) -> Sighting | None:
    """Return the one of an address or, where none is given, the only one of a name."""
    if address is not None:
        return next((each for each in sightings if each.address == address.upper()), None)
    found = [each for each in sightings if name is not None and each.name.casefold() == name.casefold()]
    return found[0] if len(found) == 1 else None
