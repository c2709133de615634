"""Who is seen on a live page or in a stream, told to the log for as long as it is open."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from aiohttp import web

from gateway.audit.access_log import Person
from gateway.dashboard import signin

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
    """What a live page shows to whom, told to the log at its start and when there is somebody else in a bed.

    Args:
        request: Whose page it is.
        page: Its name in the log.
        who: Says who is seen now.
        fields: What the log is told besides.
    """

    def __init__(self, request: web.Request, page: str, who: Callable[[], Sequence[Person]], **fields: str) -> None:
        self._request, self._page, self._who, self._fields = request, page, who, fields
        self._people: Sequence[Person] | None = None
        self._due = 0.0
        self.renew()

    def renew(self) -> None:
        """Look who is there, now and then."""
        now = time.monotonic()
        if now < self._due:
            return
        self._due = now + WHO_S
        there = self._who()
        if there != self._people:
            self._people = there
            signin.note_look(self._request, self._page, there, **self._fields)
