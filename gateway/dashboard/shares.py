"""How many streams one browser and one user may hold, so that nobody takes all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from aiohttp import web

from gateway.dashboard.signin import SESSION


class Share(NamedTuple):
    """The most streams of a browser that is signed in, and of a user in all of theirs."""

    of_browser: int
    of_user: int


PAGES = Share(24, 60)
"""Of 200 that there are: nobody has so many tabs, and an account that many screens share has this many screens."""
STRIPS = Share(24, 40)
"""Of 64: a patient with sensors on whole legs has eight."""


class Shares:
    """Counts the streams that are open. Without users all are of this machine, and not told apart.

    Attributes:
        refused: Streams that were one too many.
    """

    def __init__(self, share: Share) -> None:
        self.refused = 0
        self._share = share
        self._of_browser: Counter[int] = Counter()
        self._of_user: Counter[str] = Counter()

    @contextmanager
    def taken(self, request: web.Request) -> Iterator[None]:
        """Hold a place for a stream; raises HTTPTooManyRequests when whoever asks has too many."""
        session = request.get(SESSION)
        if session is None:
            yield
            return
        browser, user = id(session), session.user.name
        if self._of_browser[browser] >= self._share.of_browser or self._of_user[user] >= self._share.of_user:
            self.refused += 1
            raise web.HTTPTooManyRequests(text="Too many pages of one user are open.\n", headers={"Retry-After": "10"})
        self._of_browser[browser] += 1
        self._of_user[user] += 1
        try:
            yield
        finally:
            self._of_browser -= Counter({browser: 1})  # drops what is at nought
            self._of_user -= Counter({user: 1})
