"""Who is seen on a live page, told to the log for as long as it is open."""

from __future__ import annotations

import time

from aiohttp import web

from gateway.audit.access_log import Person
from gateway.dashboard import signin
from gateway.dashboard.looks import people
from gateway.dashboard.ward import Ward

WHO_S = 2.0  # a live page that shows somebody else is in the log at most this much later
PAGE_NAMES = {"ward": "ward", "slot": "patient", "devices": "devices", "beds": "beds", "bed": "bed"}
"""Of views, in the log."""


class Look:
    """What a live page shows to whom, told to the log at its start and when there is somebody else in a bed."""

    def __init__(self, request: web.Request, ward: Ward, view: str) -> None:
        self._request, self._ward = request, ward
        kind, _, slot = view.partition("/")
        self._page, self._slot = PAGE_NAMES[kind], slot or None
        self._people: list[Person] | None = None
        self._due = 0.0
        self.renew()

    def renew(self) -> None:
        """Look who is there, now and then."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + WHO_S
        there = [] if self._page == "devices" else people(self._ward, self._slot)
        if there != self._people:
            self._people = there
            signin.note_look(self._request, self._page, there)
