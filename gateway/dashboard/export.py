"""Everything that the history has of one person, as CSV: for researchers and their programs, and told to the log."""

from __future__ import annotations

import asyncio
import csv
import io
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import orjson
from aiohttp import hdrs, web

from config.section import IDENTIFIER
from config.settings import Settings
from gateway.audit.access_log import Person
from gateway.dashboard import signin
from gateway.dashboard.looks import LOOKS
from gateway.dashboard.outside_text import clean
from gateway.dashboard.proxies import PROXIES
from gateway.history.export import COLUMNS, Row, rows_of

HISTORY = web.AppKey("history file", Path)
TIME = re.compile(r"[0-9]{1,18}")
PIECE_BYTES = 32 << 10
"""Handed over at one time: who has not read it in time is gone, and somebody on a slow line reads 5 kB a second."""
NEEDED = "subject is needed, a pseudonym; from_us and to_us may be there, microseconds since 1970"


def add_routes(app: web.Application, settings: Settings) -> None:
    """Add the route."""
    app[HISTORY] = settings.history_file
    app.router.add_get("/api/export", export)


async def export(request: web.Request) -> web.StreamResponse:
    """Send everything of one person, a page at a time."""
    query = request.query
    subject, from_us, to_us = query.get("subject", ""), query.get("from_us", "0"), query.get("to_us", str(2**62 - 1))
    is_pseudonym = re.fullmatch(IDENTIFIER, subject) is not None
    if not (is_pseudonym and TIME.fullmatch(from_us) and (TIME.fullmatch(to_us) or "to_us" not in query)):
        return _refuse(400, NEEDED)
    _tell(request, subject)
    pages = rows_of(request.app[HISTORY], subject, from_us=int(from_us), to_us=int(to_us))
    try:
        first = await asyncio.to_thread(_next, pages)
    except (sqlite3.Error, OSError) as error:
        return _refuse(503, f"the history cannot be read: {error}")
    answer = web.StreamResponse(
        headers={
            hdrs.CONTENT_TYPE: "text/csv; charset=utf-8; header=present",
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{subject}.csv"',
        }
    )
    await answer.prepare(request)
    await answer.write(as_csv([COLUMNS]))
    await _send(request, answer, first, pages)
    return answer


async def _send(request: web.Request, answer: web.StreamResponse, page: list[Row], pages: Iterator[list[Row]]) -> None:
    """Send page after page; who may no longer see it, or a history that fails, gets a transfer that is cut off."""
    try:
        while page:
            text = as_csv(page)
            for begin in range(0, len(text), PIECE_BYTES):
                await answer.write(text[begin : begin + PIECE_BYTES])
            if not signin.still_may(request):
                raise ConnectionResetError
            page = await asyncio.to_thread(_next, pages)
    except (sqlite3.Error, OSError):
        if request.transport is not None:
            request.transport.abort()  # not a whole file: nobody should take it for one


def _next(pages: Iterator[list[Row]]) -> list[Row]:
    return next(pages, [])


def as_csv(rows: list[Row]) -> bytes:
    """Return rows as CSV (RFC 4180); a text from outside is never a formula, a value that is not there is empty."""
    text = io.StringIO()
    csv.writer(text).writerows([_plain(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _plain(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return f"'{clean(value)}" if value.startswith(("=", "+", "-", "@")) else clean(value)
    return value


def _tell(request: web.Request, subject: str) -> None:
    session = request.get(signin.SESSION)
    if session is not None:
        request.app[LOOKS].record(
            "export", [Person("", subject, "")], user=session.user.name, role=session.user.role,
            address=request.app[PROXIES].client(request),
        )  # fmt: skip


def _refuse(status: int, text: str) -> web.Response:
    return web.Response(body=orjson.dumps({"error": text}), status=status, content_type="application/json")
