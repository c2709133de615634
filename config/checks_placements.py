"""Where devices cannot be worn: a strap on a foot, two motion sensors on one limb."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from config.lines import Path
from config.settings import Settings

Finding = tuple[Path, str]


@dataclass(frozen=True, slots=True)
class KnownDriver:
    """What a configuration may say of a driver; the caller tells, because config imports no driver.

    Attributes:
        transport: ``"ble"``, ``"serial"`` or ``"udp"``.
        build: Takes the driver's options as keywords and raises ValueError with a clear sentence.
        sensors: What its device is, in words such as "motion sensor"; none where nobody knows.
        placements: Where such a device may be worn; empty for anywhere.
        doubts: What is wrong with what it sends, in sentences; nothing of a driver that sends what it always does.
        refined: Takes the options of one device and returns what is known of that one; None where all are alike.
    """

    transport: Literal["ble", "serial", "udp"]
    build: Callable[..., object]
    sensors: tuple[str, ...] = ()
    placements: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    refined: Callable[[Mapping[str, object]], KnownDriver] | None = None

    def of(self, options: Mapping[str, object]) -> KnownDriver:
        """Return what is known of a device with such options."""
        return self if self.refined is None else self.refined(options)


Drivers = Mapping[str, KnownDriver]
"""By name; a look-up raises ValueError, with a sentence, for a driver that is installed and cannot be loaded."""


def check_placements(settings: Settings, drivers: Drivers) -> Iterator[Finding]:
    """Yield every device that is worn where it cannot be, or where another one is that measures the same."""
    for i, slot in enumerate(settings.slot):
        there: dict[tuple[str, str], str] = {}
        for j, device in enumerate(slot.device):
            known = _known(drivers, device.driver)
            if known is None:
                continue
            known = known.of(device.options)
            path: Path = ("slot", i, "device", j, "placement")
            setting = f"slot.device.placement = '{device.placement}'"
            if known.placements and device.placement not in known.placements:
                yield path, f"{setting} is no place for a {device.driver}: choose one of {', '.join(known.placements)}"
                continue
            for sensor in dict.fromkeys(known.sensors):  # of two kinds of signal, and one sentence
                other = there.setdefault((sensor, device.placement), device.driver)
                if other != device.driver:  # two of one driver have a check of their own
                    yield path, f"{setting} already has a {other} in this slot: one {sensor} a place"


def _known(drivers: Drivers, name: str) -> KnownDriver | None:
    """Return what is known of a driver; one that is not there, or does not load, has a check of its own."""
    try:
        return drivers.get(name)
    except ValueError:
        return None
