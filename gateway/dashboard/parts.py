"""What the handlers of the dashboard share."""

from __future__ import annotations

from dataclasses import dataclass, field

from aiohttp import web

from gateway.dashboard.feed import Feed
from gateway.dashboard.live import Live
from gateway.dashboard.past import Past
from gateway.dashboard.shares import PAGES, STRIPS, Shares
from gateway.dashboard.site import Site


@dataclass(slots=True)
class Parts:
    """What the handlers share."""

    site: Site
    feed: Feed
    live: Live
    past: Past
    started: float
    pages: Shares = field(default_factory=lambda: Shares(PAGES))
    strips: Shares = field(default_factory=lambda: Shares(STRIPS))


PARTS = web.AppKey("parts", Parts)
