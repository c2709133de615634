"""The full state to every open page, several times a second: encoded once per page, latest wins per viewer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson

TICK_S = 0.1  # a new value is on the wire at most this much later
BEAT = 5  # ticks: what did not change is said again this often, so that ages and silence are seen (2 Hz)
VIEWERS = 200  # open pages; far above any ward, a bound on what a wrong client can make us hold


class TooManyViewersError(Exception):
    """No place left."""


class View:
    """One page's state, and the viewers who wait for its next version."""

    def __init__(self) -> None:
        self.revision: object = None
        self.latest = b""
        self.waiting: set[asyncio.Event] = set()

    def update(self, data: bytes) -> None:
        """Replace the state; a viewer who was too slow for the last one never sees it."""
        self.latest = data
        for event in self.waiting:
            event.set()


class Live:
    """Tells viewers.

    ``render`` makes the state of a page from its name, ``revision`` says if anything in it changed, ``on_shown`` is
    called when every open page has what there was.
    """

    def __init__(
        self,
        *,
        render: Callable[[str], dict[str, Any]],
        revision: Callable[[str], object],
        on_shown: Callable[[], None] = lambda: None,
    ) -> None:
        self._render = render
        self._revision = revision
        self._on_shown = on_shown
        self._views: dict[str, View] = {}
        self._closing = False

    @property
    def viewers(self) -> int:
        """How many pages are open."""
        return sum(len(view.waiting) for view in self._views.values())

    async def run(self) -> None:
        """Tell everybody, until cancelled."""
        tick = 0
        while True:
            beat = tick % BEAT == 0
            for name, view in list(self._views.items()):
                revision = self._revision(name)
                if beat or revision != view.revision:
                    view.revision = revision
                    view.update(self._event(name))
            self._on_shown()
            tick += 1
            await asyncio.sleep(TICK_S)

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
