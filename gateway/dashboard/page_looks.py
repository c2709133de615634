"""Who is seen on a live page, told to the log for as long as it is open."""

from __future__ import annotations

import time

from aiohttp import web

from gateway.audit.access_log import Person
from gateway.dashboard import signin
from gateway.dashboard.site import Site, read_view

WHO_S = 2.0  # a live page that shows somebody else is in the log at most this much later
PAGE_NAMES = {
    "ward": "ward",
    "slot": "patient",
    "feedback": "feedback",
    "devices": "devices",
    "beds": "beds",
    "bed": "bed",
    "dock": "dock",
    "fleet": "fleet",
    "people": "people",
    "test": "test",
}
"""Of views, in the log."""


class Look:
    """What a live page shows to whom, told to the log at its start and when there is somebody else in a bed."""

    def __init__(self, request: web.Request, site: Site, view: str) -> None:
        self._request, self._site = request, site
        self._view = read_view(view)
        self._page = PAGE_NAMES[self._view.kind]
        self._people: list[Person] | None = None
        self._due = 0.0
        self.renew()

    def renew(self) -> None:
        """Look who is there, now and then."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + WHO_S
        there = self._site.people(self._view)
        if there != self._people:
            self._people = there
            signin.note_look(self._request, self._page, there)
