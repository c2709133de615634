"""Searches for a device on one radio or on several at once; each of them scans while somebody listens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from drivers.errors import AdapterError, NotFoundError
from drivers.transport.radio import Radio
from drivers.transport.search import Search, Wanted
from drivers.transport.searches import Searches, see
from drivers.transport.sighting import Heard, Placed, Sighting
from drivers.transport.troubles import no_room

SETTLE_S = 1.0  # the second radio hears a sensor within a second of the first, if it is in its reach


async def seek(
    radios: Sequence[Radio], searches: Searches, wanted: Wanted, timeout_s: float, owner: object | None
) -> Placed:
    """Wait until one of the radios has the device.

    Args:
        radios: Where to listen; one that is full does not scan for it, which would cost its links airtime.
        searches: Theirs.
        wanted: What to look for.
        timeout_s: Longest wait; only the time counts in which a radio listens, and does not connect others.
        owner: Who has it then, until it is released (`searches`); by default nobody.

    Raises:
        NotFoundError: nothing heard within ``timeout_s``.
        AmbiguousDeviceError: several devices answer to the name or service.
        ConnectError: it is in use, or no radio has room for it.
        AdapterError: no radio can scan.
    """
    if owner is not None:
        searches.release(owner)
    search: Search[Sighting] = Search(wanted, owner if owner is not None else object())
    troubles = await _ask_who_holds(radios, search, searches.taken())
    listening = [radio for radio in radios if searches.has_room(radio)]
    if not listening and not search.heard:
        raise no_room(str(wanted), [str(radio) for radio in radios])
    search.settle_s = SETTLE_S if len(listening) > 1 and not search.heard else 0.0
    future = searches.begin(search)
    try:
        troubles += await _listen(listening, future, timeout_s)
        if future.done():
            return future.result()
        if len(troubles) >= len(listening):
            raise troubles[0]
        raise NotFoundError(f"no advertisement of {wanted} within {timeout_s:g} s")
    finally:
        searches.end(future)
        if owner is None:
            searches.release(search.owner)


async def _ask_who_holds(
    radios: Sequence[Radio], search: Search[Sighting], ours: Collection[str]
) -> list[AdapterError]:
    """Have a search know what is connected already; return what is wrong with radios. Raises ConnectError."""
    troubles = []
    for radio in radios:
        try:
            for device in await radio.held(search.wanted, ours):
                see(search, radio, Heard(device, holds=True))
        except AdapterError as trouble:
            if len(radios) == 1:
                raise
            troubles.append(trouble)
    return troubles


async def _listen(radios: Sequence[Radio], future: asyncio.Future[Placed], timeout_s: float) -> list[AdapterError]:
    """Listen on all radios until the device is found, or has not been for so long; return what is wrong with them."""
    if not radios:
        await asyncio.wait([future], timeout=timeout_s)
        return []
    listening = [asyncio.create_task(radio.listen_for(future, timeout_s)) for radio in radios]
    try:
        await asyncio.wait(listening)
    finally:
        for each in listening:
            each.cancel()
    ended = await asyncio.gather(*listening, return_exceptions=True)
    return [problem for problem in ended if isinstance(problem, AdapterError)]
