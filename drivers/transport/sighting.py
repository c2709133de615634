"""A device as the radios hear it, and the one that was chosen to take it."""

from __future__ import annotations

from dataclasses import dataclass, field

from bleak.backends.device import BLEDevice

from drivers.transport.radio import Radio


@dataclass(frozen=True, slots=True)
class Heard:
    """What one radio has of a device.

    Attributes:
        device: As bleak takes it.
        signal_dbm: How strong its last advertisement was; None where that is not known.
        holds: Whether the radio is connected to it already.
    """

    device: BLEDevice
    signal_dbm: int | None = None
    holds: bool = False


@dataclass(slots=True)
class Sighting:
    """A device that was heard, by one radio or several.

    Attributes:
        address: Its address.
        name: Its name, if it told one.
        by: What each radio has of it.
    """

    address: str
    name: str | None
    by: dict[Radio, Heard] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placed:
    """A device, and the radio that takes it."""

    device: BLEDevice
    radio: Radio
    signal_dbm: int | None = None
