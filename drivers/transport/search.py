"""Which of the devices that are heard is the one that is looked for: pure, so that it can be read without a radio.

An address is one device's; a name or a service may be anybody's. So who is found by name or service is taken only once
it has been listened for so long that another of that name would have been heard, and of two none is chosen.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from drivers.errors import AmbiguousDeviceError

LISTEN_S = 2.5  # sensors and straps advertise every 0.1 to 2 s: a second one of the name has been heard by then
SHOWN = 4  # addresses that an error message names


class Heard(Protocol):
    """A device as bleak has it."""

    address: str
    name: str | None


class Advertised(Protocol):
    """What bleak says of an advertisement."""

    @property
    def local_name(self) -> str | None:
        """The advertised name."""
        ...

    @property
    def service_uuids(self) -> list[str]:
        """The advertised services."""
        ...


D = TypeVar("D", bound=Heard)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to look for; None means "any". At least one of address, name and service is given.

    Attributes:
        address: Bluetooth address, in any case.
        name: Advertised name; case, padding and double spaces do not matter.
        service: Advertised service UUID; only decides when neither address nor name does.
        known: Address under which this device was met before; only decides between several of the name.
    """

    address: str | None = None
    name: str | None = None
    service: str | None = None
    known: str | None = None

    def matches(self, device: Heard, advertisement: Advertised) -> bool:
        """Whether this advertisement is of the wanted device."""
        if self.address is not None or self.name is not None:
            return self.is_device(device) or (
                self.address is None and self.name is not None and _same_name(self.name, advertisement.local_name)
            )
        return self.service is not None and self.service in advertisement.service_uuids

    def is_device(self, device: Heard) -> bool:
        """Whether a device that does not advertise is the wanted one, by address or name."""
        if self.address is not None:
            return device.address.upper() == self.address.upper()
        return self.name is not None and _same_name(self.name, device.name)

    def same(self, other: Wanted) -> bool:
        """Whether both look for the same, neither by address."""
        if self.address is not None or other.address is not None:
            return False
        if self.name is not None or other.name is not None:
            return self.name is not None and _same_name(self.name, other.name)
        return self.service == other.service

    def __str__(self) -> str:
        """Say what is looked for, for error messages."""
        return f"'{self.address or self.name or self.service}'"


@dataclass(slots=True)
class Search(Generic[D]):
    """One search, and who has answered to what it looks for.

    Attributes:
        wanted: What is looked for.
        owner: Who searches.
        heard: Devices that answer to it, by address.
        first_s: When the first was heard, seconds; None before.
        timed: Whether somebody looks at it again once it has been listened for long enough.
        settle_s: How long other radios are given to hear it as well, seconds; 0 where there is one.
    """

    wanted: Wanted
    owner: object
    heard: dict[str, D] = field(default_factory=dict)
    first_s: float | None = None
    timed: bool = False
    settle_s: float = 0.0

    def hear(self, device: D, now_s: float) -> None:
        """Take a device that answers to what is looked for."""
        self.heard[device.address.upper()] = device
        if self.first_s is None:
            self.first_s = now_s

    def choice(self, now_s: float, taken: Collection[str], rivals: int) -> D | None:
        """Return the device; None while it is too early to tell.

        The address that this device had before is preferred: the same address is the same radio, so what is taken is
        what was measured under this id until now.

        Args:
            now_s: Now, seconds.
            taken: Addresses (upper case) of devices that belong to somebody else.
            rivals: How many others look for the same at this moment.

        Raises:
            AmbiguousDeviceError: more than one device answers, or more than one search asks.
        """
        free = {address: device for address, device in self.heard.items() if address not in taken}
        if not free:
            return None
        listened_s = 0.0 if self.first_s is None else now_s - self.first_s
        for address in filter(None, (self.wanted.address, self.wanted.known)):
            if address.upper() in free:
                return free[address.upper()] if listened_s >= self.settle_s else None
        if listened_s < LISTEN_S:
            return None
        if len(free) > 1:
            more = ", ..." if len(free) > SHOWN else ""
            raise AmbiguousDeviceError(
                f"{len(free)} devices answer to {self.wanted} ({', '.join(sorted(free)[:SHOWN])}{more}): none is taken"
            )
        if rivals:
            raise AmbiguousDeviceError(
                f"{next(iter(free))} answers to {self.wanted}, which is looked for {rivals + 1} times: it is not taken"
            )
        return next(iter(free.values()))


def _same_name(wanted: str, found: str | None) -> bool:
    return found is not None and _plain(wanted) == _plain(found)


def _plain(name: str) -> str:
    return " ".join(name.replace("\0", " ").split()).casefold()
