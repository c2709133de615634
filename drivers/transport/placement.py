"""Which of several radios takes a device: by load and signal, and none that is full. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NEARLY_AS_STRONG_DB = 10  # a body that turns changes the signal by as much: within it the load decides
UNHEARD_DBM = -128  # where nothing tells the signal


@dataclass(frozen=True, slots=True)
class Offer:
    """A radio that could take a device.

    Attributes:
        links: How many it has, or is about to have.
        limit: How many it may have; None for any number.
        signal_dbm: How it hears the device; None where that is not known.
        holds: Whether it is connected to the device already.
    """

    links: int
    limit: int | None = None
    signal_dbm: int | None = None
    holds: bool = False

    @property
    def has_room(self) -> bool:
        """Whether it may take one more; what it holds already takes no more room."""
        return self.holds or self.limit is None or self.links < self.limit

    @property
    def load(self) -> float:
        """How much of its room is taken, or how many links it has where there is no limit to it."""
        return self.links / self.limit if self.limit else float(self.links)


def choose(offers: Sequence[Offer]) -> int | None:
    """Return the number of the radio to take; None if none has room.

    One that holds the device, else the least loaded of those that hear it about as well as the best does.
    """
    open_ = [number for number, offer in enumerate(offers) if offer.has_room]
    if not open_:
        return None
    best = max(_signal(offers[number]) for number in open_)
    near = [n for n in open_ if offers[n].holds or _signal(offers[n]) >= best - NEARLY_AS_STRONG_DB]
    return min(near, key=lambda n: (not offers[n].holds, offers[n].load, -_signal(offers[n]), n))


def _signal(offer: Offer) -> int:
    return UNHEARD_DBM if offer.signal_dbm is None else offer.signal_dbm
