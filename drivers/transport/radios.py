"""All radios of a gateway together: each device is heard by all of them, and one takes it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from drivers.errors import AdapterError
from drivers.transport.ladder import Ladder, Step
from drivers.transport.radio import Found, Radio
from drivers.transport.search import Wanted
from drivers.transport.searches import Searches
from drivers.transport.seek import seek
from drivers.transport.sighting import Placed

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RadioState:
    """One radio, as the gateway's status has it.

    Attributes:
        name: Adapter, or what stands for it.
        links: Devices that it has, or is about to connect.
        limit: How many it may have; None for any number.
        most: Most that it had at once.
        trouble: What is wrong with it; empty if nothing is.
    """

    name: str
    links: int
    limit: int | None
    most: int
    trouble: str


class Radios:
    """Several radios that share their searches; the ones given, for as long as the gateway runs.

    Attributes:
        searches: Who looks for which device, and who has which.
        passkeys: The passkey of each device that has one, by address in upper case.
    """

    def __init__(self, radios: Sequence[Radio]) -> None:
        self.searches = Searches()
        self.passkeys: dict[str, int] = {}
        self._radios: dict[str, Radio] = {}
        self._ladders: dict[str, Ladder] = {}
        self._most: Counter[str] = Counter()
        self._troubles: dict[str, str] = {}
        for radio in radios:
            self._add(radio)

    def _add(self, radio: Radio) -> None:
        radio.heard = partial(self.searches.hear, radio)
        self._radios[_key(radio)] = radio
        self._ladders[_key(radio)] = Ladder()

    async def start(self) -> None:
        """Make them ready. Raises AdapterError."""
        for radio in self._radios.values():
            await radio.start()

    async def stop(self) -> None:
        """End every search and let go of the adapters."""
        for radio in self._radios.values():
            await radio.stop()

    async def usable(self) -> list[Radio]:
        """Return the radios that are there and switched on. Raises AdapterError where none is."""
        return list(self._radios.values())

    async def place(self, wanted: Wanted, *, timeout_s: float, owner: object | None = None) -> Placed:
        """Wait until one of the radios has the device; see `drivers.transport.seek.seek` for what it raises."""
        radios = await self.usable()
        try:
            placed = await seek(radios, self.searches, wanted, timeout_s, owner)
        finally:
            for radio in radios:
                if radio.fails:
                    await self._climb(radio)
                elif not radio.trouble:
                    self._ladders[_key(radio)].worked()
        key = _key(placed.radio)
        self._most[key] = max(self._most[key], self.searches.links(placed.radio))
        return placed

    async def keep(self, placed: Placed) -> None:
        """Pair a device, so that the system keeps its keys. Raises ConnectError, AdapterError."""
        await placed.radio.keep(placed.device, self.passkeys.get(placed.device.address.upper()))

    @asynccontextmanager
    async def listen(self, heard: Found) -> AsyncIterator[None]:
        """Call ``heard`` with every advertisement that any radio hears meanwhile. Raises AdapterError."""
        async with AsyncExitStack() as stack:
            for radio in await self.usable():
                await stack.enter_async_context(radio.listen(heard))
            yield

    async def help(self, placed: Placed | None) -> None:
        """Take the next step of the ladder for the radio that cannot connect a device; the others help themselves."""
        if placed is not None:
            await self._climb(placed.radio)

    async def restart_service(self) -> None:
        """Start the system's Bluetooth service again, where we may. Raises AdapterError."""

    async def _climb(self, radio: Radio) -> None:
        """Take the next step for a radio, unless it is not yet time for one; one that has links is left alone."""
        if radio.links:
            return
        step = self._ladders[_key(radio)].climb(asyncio.get_running_loop().time())
        if step is None:
            return
        log.warning("%s does not work: next step is '%s'", radio, step)
        if step is Step.RESTART and any(each.links for each in self._radios.values()):
            step = Step.RESET  # bluetoothd has the links of all adapters
        radio.steps[step] += 1
        try:
            if step is Step.RESET:
                await radio.reset()
            elif step is Step.RESTART:
                await self.restart_service()
        except AdapterError as problem:
            log.warning("%s: %s", radio, problem)

    @property
    def exhausted(self) -> bool:
        """Whether every step was taken for every radio, and none helped: the watchdog has the last word."""
        return bool(self._ladders) and all(ladder.exhausted for ladder in self._ladders.values())

    def states(self) -> list[RadioState]:
        """Return how each radio is, and how much room it has."""
        return [
            RadioState(
                key,
                self.searches.links(radio),
                radio.limit,
                self._most[key],
                self._troubles.get(key) or (radio.trouble[-1] if radio.trouble else radio.fails),
            )
            for key, radio in self._radios.items()
        ]

    def steps(self) -> dict[str, int]:
        """Return how often each step was taken to help a radio, all radios together."""
        total: Counter[str] = Counter()
        for radio in self._radios.values():
            total.update({str(step): count for step, count in radio.steps.items()})
        return {str(step): total[step] for step in Step}


def _key(radio: Radio) -> str:
    return radio.adapter or radio.name
