"""The fleet behind HTTP, for the hospital's own programs: what its page is sent, once."""

from __future__ import annotations

import orjson
from aiohttp import web

from gateway.dashboard import signin
from gateway.dashboard.fleet_view import fleet_view
from gateway.dashboard.parts import PARTS


def add_routes(app: web.Application) -> None:
    """Add the route."""
    app.router.add_get("/api/fleet", fleet)


async def fleet(request: web.Request) -> web.Response:
    """Tell how each gateway is, and how the roll-out goes."""
    signin.note_look(request, "fleet")
    site = request.app[PARTS].site
    return web.Response(body=orjson.dumps(fleet_view(site)["fleet"]), content_type="application/json")
