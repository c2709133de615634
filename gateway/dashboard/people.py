"""Everything about who asks, put into the application: people, their browsers, and the hospital's programs."""

from __future__ import annotations

from aiohttp import web

from config.settings import Settings
from gateway.dashboard import bearer, signin, tokens
from gateway.dashboard.known_browsers import load_key
from gateway.dashboard.users import Users


def let_in(app: web.Application, settings: Settings, users: Users) -> None:
    """Have the users of a site, and its programs, sign in. Raises UsageError."""
    secure = settings.dashboard.cert_file is not None or settings.dashboard.public_url is not None
    key, idle_minutes = load_key(settings.site.data), settings.dashboard.session_minutes
    app[signin.GATE] = signin.make_gate(users, idle_minutes=idle_minutes, secure=secure, key=key)
    app[bearer.TOKENS] = tokens.Tokens(settings.site.data / tokens.FILE_NAME)
