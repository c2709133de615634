"""The full state to every open page as soon as it changes: encoded once per page, latest wins per viewer."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import orjson

SPACING_S = 0.05  # least time between two states of a page: changes that follow closely share one
BYTES_A_S = 800_000  # of the states of one page: a ward of seventy is told ten times a second, as a tablet can draw it
BEAT_S = 0.5  # what did not change is said again this often, so that ages and silence are seen
VIEWERS = 200  # open pages; far above any ward, a bound on what a wrong client can make us hold


class TooManyViewersError(Exception):
    """No place left."""


class View:
    """One page's state, and the viewers who wait for its next version.

    Attributes:
        behind_since: Until when it was told all, monotonic seconds, where something has changed since; else None.
    """

    def __init__(self) -> None:
        self.revision: object = None
        self.latest = b""
        self.sent_at = -math.inf
        self.behind_since: float | None = None
        self.waiting: set[asyncio.Event] = set()

    def due(self, revision: object, looked_at: float, least_s: float) -> float:
        """Return when the page is to be told next; what was there at the look before this has been seen to."""
        if revision == self.revision:
            return self.sent_at + BEAT_S
        if self.behind_since is None:
            self.behind_since = looked_at
        return self.sent_at + max(least_s, len(self.latest) / BYTES_A_S)

    def send(self, revision: object, data: bytes, now: float) -> None:
        """Replace the state by one of this revision."""
        self.revision, self.sent_at, self.behind_since = revision, now, None
        self.update(data)

    def update(self, data: bytes) -> None:
        """Replace the state; a viewer who was too slow for the last one never sees it."""
        self.latest = data
        for event in self.waiting:
            event.set()


class Live:
    """Tells viewers.

    ``render`` makes the state of a page from its name, ``revision`` says if anything in it changed, ``least_s`` the
    least time between two states of it; ``on_shown`` is called with how many seconds ago every open page that is told
    at once had all that there was.
    """

    def __init__(
        self,
        *,
        render: Callable[[str], dict[str, Any]],
        revision: Callable[[str], object],
        least_s: Callable[[str], float] = lambda _name: SPACING_S,
        on_shown: Callable[[float], None] = lambda _behind_s: None,
    ) -> None:
        self._render = render
        self._revision = revision
        self._least_s = least_s
        self._on_shown = on_shown
        self._changed = asyncio.Event()
        self._looked_at = -math.inf
        self._views: dict[str, View] = {}
        self._closing = False

    @property
    def viewers(self) -> int:
        """How many pages are open."""
        return sum(len(view.waiting) for view in self._views.values())

    def look(self) -> None:
        """Have the pages told that have changed; called on the loop with whatever comes, before or after."""
        self._changed.set()

    async def run(self) -> None:
        """Tell everybody, until cancelled."""
        while True:
            self._changed.clear()
            wait_s = self._send_all(time.monotonic())
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()

    def _send_all(self, now: float) -> float:
        """Tell the pages that are due; return in how many seconds the next is, unless something changes."""
        next_due, oldest = now + BEAT_S, now
        for name, view in list(self._views.items()):
            revision = self._revision(name)
            least_s = self._least_s(name)
            due = view.due(revision, self._looked_at, least_s)
            if due <= now:
                view.send(revision, self._event(name), now)
            else:
                next_due = min(next_due, due)
            if view.behind_since is not None and least_s <= SPACING_S:
                oldest = min(oldest, view.behind_since)
        self._looked_at = now
        self._on_shown(now - oldest)
        return next_due - now

    def close(self) -> None:
        """Let every viewer go: the server stops."""
        self._closing = True
        for view in self._views.values():
            view.update(b"")

    async def follow(self, name: str) -> AsyncGenerator[bytes]:
        """Yield the state of a page now and after each change; raises TooManyViewersError."""
        with self._place(name) as (view, event):
            yield self._event(name)
            while not self._closing:
                await event.wait()
                event.clear()
                if not self._closing:
                    yield view.latest

    @contextmanager
    def _place(self, name: str) -> Iterator[tuple[View, asyncio.Event]]:
        if self.viewers >= VIEWERS:
            raise TooManyViewersError
        view = self._views.setdefault(name, View())
        event = asyncio.Event()
        view.waiting.add(event)
        try:
            yield view, event
        finally:
            view.waiting.discard(event)
            if not view.waiting:
                self._views.pop(name, None)

    def _event(self, name: str) -> bytes:
        return b"data: " + orjson.dumps(self._render(name)) + b"\n\n"
