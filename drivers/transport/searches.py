"""Who looks for which device on one radio, and who has which: no device goes to two, and no name is guessed at."""

from __future__ import annotations

import asyncio

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData

from drivers.errors import AmbiguousDeviceError
from drivers.transport.placement import Offer, choose
from drivers.transport.radio import Radio
from drivers.transport.search import LISTEN_S, Search, Wanted
from drivers.transport.sighting import Heard, Placed, Sighting
from drivers.transport.troubles import no_room

TIMER_S = 0.01  # a timer of asyncio may come this much early


class Searches:
    """The searches of one radio or of several together, for one event loop. True while anybody searches.

    A device belongs to one search at a time: who found it has it until `release`. Who will search says what for
    (`register`): an address is then kept for its owner, and a name that two look for finds neither of them anything.
    """

    def __init__(self) -> None:
        self._waiting: dict[asyncio.Future[Placed], Search[Sighting]] = {}
        self._registered: dict[object, Wanted] = {}  # by owner
        self._taken: dict[object, Placed] = {}  # by owner

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def register(self, wanted: Wanted, owner: object) -> None:
        """Say what an owner searches for, now and again, until `unregister`."""
        self._registered[owner] = wanted

    def unregister(self, owner: object) -> None:
        """An owner searches no more."""
        self._registered.pop(owner, None)
        self.release(owner)

    def release(self, owner: object) -> None:
        """Let others have the device that was found for ``owner``."""
        self._taken.pop(owner, None)

    def taken(self) -> set[str]:
        """Return the addresses (upper case) of devices that were found for somebody and not released."""
        return {placed.device.address.upper() for placed in self._taken.values()}

    def is_ours(self, address: str) -> bool:
        """Whether somebody has a device or looks for it by its address."""
        kept = {wanted.address.upper() for wanted in self._registered.values() if wanted.address}
        return address.upper() in self.taken() | kept

    def links(self, radio: Radio) -> int:
        """Return how many devices a radio has, or is about to connect."""
        return sum(placed.radio is radio for placed in self._taken.values())

    def has_room(self, radio: Radio) -> bool:
        """Whether a radio may take one more device."""
        return Offer(self.links(radio), radio.limit).has_room

    def begin(self, search: Search[Sighting]) -> asyncio.Future[Placed]:
        """Begin a search; return what its device, or what is wrong with it, will be set in."""
        future: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()
        self._waiting[future] = search
        self._decide()
        return future

    def end(self, future: asyncio.Future[Placed]) -> None:
        """End a search, found or not."""
        self._waiting.pop(future, None)

    def hear(self, radio: Radio, device: BLEDevice, advertisement: AdvertisementData) -> None:
        """Take an advertisement that a radio has heard."""
        heard = False
        for future, search in self._waiting.items():
            if not future.done() and search.wanted.matches(device, advertisement):
                see(search, radio, Heard(device, advertisement.rssi))
                heard = True
        if heard:  # what nobody looks for decides nothing: hundreds of devices may advertise ten times a second
            self._decide()

    def _decide(self) -> None:
        """Give every search its device that has one; those by address first, and no device to two."""
        loop = asyncio.get_running_loop()
        now_s = loop.time()
        # Only of those that have heard something: with hundreds of searches, each against each would take seconds.
        open_ = {future: search for future, search in self._waiting.items() if search.heard and not future.done()}
        rivals = {future: self._rivals(search) for future, search in open_.items()}
        for future, search in sorted(open_.items(), key=lambda item: item[1].wanted.address is None):
            try:
                found = search.choice(now_s, self._others(search.owner), rivals[future])
            except AmbiguousDeviceError as problem:
                future.set_exception(problem)
                continue
            if found is not None:
                self._place(search.owner, found, future)
            elif search.first_s is not None and not search.timed:
                search.timed = True
                for listened_s in {search.settle_s, LISTEN_S}:
                    loop.call_at(search.first_s + listened_s + TIMER_S, self._decide)

    def _place(self, owner: object, found: Sighting, future: asyncio.Future[Placed]) -> None:
        """Give a device to the radio that suits it best, or say that none has room."""
        radios = list(found.by)
        offers = [
            Offer(self.links(radio), radio.limit, found.by[radio].signal_dbm, found.by[radio].holds) for radio in radios
        ]
        chosen = choose(offers)
        if chosen is None:
            future.set_exception(no_room(found.address, [str(radio.adapter or radio.name) for radio in radios]))
            return
        heard = found.by[radios[chosen]]
        self._taken[owner] = placed = Placed(heard.device, radios[chosen], heard.signal_dbm)
        future.set_result(placed)

    def _others(self, owner: object) -> set[str]:
        """Return the addresses that belong to others than ``owner``."""
        taken = {placed.device.address.upper() for other, placed in self._taken.items() if other is not owner}
        kept = {
            wanted.address.upper()
            for other, wanted in self._registered.items()
            if wanted.address and other is not owner
        }
        return taken | kept

    def _rivals(self, search: Search[Sighting]) -> int:
        """Return how many others look for the same name or service, now or at another time."""
        if search.wanted.address is not None:
            return 0
        wanted = {other.owner: other.wanted for future, other in self._waiting.items() if not future.done()}
        wanted |= self._registered
        return sum(owner is not search.owner and other.same(search.wanted) for owner, other in wanted.items())


def see(search: Search[Sighting], radio: Radio, heard: Heard) -> None:
    """Have a search know what one radio has of a device that answers to it."""
    device = heard.device
    sighting = search.heard.get(device.address.upper()) or Sighting(device.address, device.name)
    sighting.by[radio] = heard
    search.hear(sighting, asyncio.get_running_loop().time())
