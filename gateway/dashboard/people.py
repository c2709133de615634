"""Everything about who asks, put into the application: people, their browsers, and the hospital's programs."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import web

from config.settings import Settings
from gateway.dashboard import bearer, openid, pin_entry, pins, signin, tokens
from gateway.dashboard.known_browsers import load_key
from gateway.dashboard.openid_provider import PROVIDER, Provider
from gateway.dashboard.users import Users


def let_in(app: web.Application, settings: Settings, users: Users) -> None:
    """Have the users of a site, its programs, and those whom its trust names sign in. Raises UsageError."""
    dashboard, data = settings.dashboard, settings.site.data
    secure = dashboard.cert_file is not None or dashboard.public_url is not None
    key = load_key(data)
    app[signin.GATE] = signin.make_gate(
        users,
        idle_minutes=dashboard.session_minutes,
        secure=secure,
        key=key,
        pins=pins.Pins(data / pins.FILE_NAME, key),
    )
    app[bearer.TOKENS] = tokens.Tokens(data / tokens.FILE_NAME)
    if dashboard.openid is not None:
        app[PROVIDER] = Provider(dashboard.openid)
        app.cleanup_ctx.append(_until_closed)


def add_routes(app: web.Application) -> None:
    """Add the routes of signing in and out."""
    signin.add_routes(app)
    openid.add_routes(app)
    pin_entry.add_routes(app)


async def _until_closed(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[PROVIDER].close()
