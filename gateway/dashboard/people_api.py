"""People, the audit and the log of who looked at what, behind HTTP: for whoever is an admin, and for nobody else.

Without users there is no admin: then nothing of it is told, however near whoever asks is.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
from aiohttp import web

from config.settings import Settings
from gateway.audit import newest
from gateway.dashboard import signin
from gateway.dashboard.bearer import TOKENS
from gateway.dashboard.openid_provider import PROVIDER
from gateway.dashboard.records_view import (
    Json,
    Kinds,
    Records,
    audit_view,
    chains_view,
    looks_view,
    people_view,
    records_of,
)
from gateway.model.usage import UsageError
from gateway.texts.languages import text

RECORDS = web.AppKey("records", Records)
KIND = re.compile(r"[a-z0-9-]{1,64}")
TIME = re.compile(r"[0-9]{1,18}")
NEEDED = "kind, from_us, to_us (microseconds since 1970) and before (as 'older' said) are as they may be"


def add_routes(app: web.Application, settings: Settings) -> None:
    """Add the routes."""
    app[RECORDS] = records_of(settings)
    app.router.add_get("/api/people", people)
    app.router.add_get("/api/audit", audit)
    app.router.add_get("/api/access-log", looks)
    app.router.add_get("/api/chains", chains)


async def people(request: web.Request) -> web.Response:
    """Tell who may sign in, and which programs."""
    gate = request.app.get(signin.GATE)
    if gate is None:
        return _without_users()
    records = request.app[RECORDS]
    signin.note_look(request, "people")
    try:
        used = await records.used.get()
        tokens = request.app[TOKENS]
        make = partial(people_view, gate.users, tokens, gate.pins, used, openid=PROVIDER in request.app)
        return _json(await asyncio.to_thread(make))
    except (sqlite3.Error, UsageError, OSError) as error:
        return _unread(error)


async def audit(request: web.Request) -> web.Response:
    """Tell what was done, the newest first."""
    records = request.app[RECORDS]

    def read(wanted: newest.Wanted, kinds: Kinds) -> Json:
        return audit_view(newest.newest_records(records.history, wanted), kinds[0])

    return await _entries(request, "audit", read)


async def looks(request: web.Request) -> web.Response:
    """Tell who looked at what, the newest first."""
    records = request.app[RECORDS]

    def read(wanted: newest.Wanted, kinds: Kinds) -> Json:
        return looks_view(newest.newest_looks(records.looks, wanted), kinds[1])

    return await _entries(request, "access-log", read)


async def _entries(request: web.Request, what: str, read: Callable[[newest.Wanted, Kinds], Json]) -> web.Response:
    """Tell a page of a record; that it was looked at stands in the log under ``what``."""
    if signin.GATE not in request.app:
        return _without_users()
    wanted = _wanted(request)
    if wanted is None:
        return _json({"error": NEEDED}, 400)
    signin.note_look(request, what)
    try:
        kinds = await request.app[RECORDS].kinds.get()
        return _json(await asyncio.to_thread(read, wanted, kinds))
    except ValueError:
        return _json({"error": NEEDED}, 400)
    except (sqlite3.Error, OSError) as error:
        return _unread(error)


async def chains(request: web.Request) -> web.Response:
    """Tell whether both records are whole, as of at most a minute ago."""
    if signin.GATE not in request.app:
        return _without_users()
    signin.note_look(request, "chains")
    try:
        return _json(chains_view(await request.app[RECORDS].checked.get()))
    except (sqlite3.Error, UsageError, OSError) as error:
        return _unread(error)


def _wanted(request: web.Request) -> newest.Wanted | None:
    """Return which entries are asked for; None where that cannot be told."""
    query = request.query
    kind, before = query.get("kind", ""), query.get("before", "")
    from_us, to_us = query.get("from_us", "0"), query.get("to_us", str(newest.END))
    right = TIME.fullmatch(from_us) and (TIME.fullmatch(to_us) or "to_us" not in query)
    if not right or (kind and not KIND.fullmatch(kind)):
        return None
    return newest.Wanted(kind, int(from_us), int(to_us), before)


def _without_users() -> web.Response:
    return _json({"error": text("people.needs_users")}, 403)


def _unread(error: Exception) -> web.Response:
    return _json({"error": text("people.unread", error=error)}, 503)


def _json(data: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")
