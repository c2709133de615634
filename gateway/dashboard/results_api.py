"""Reports and trends: pages and the API behind them, by subject and session alone. They read the history only.

Whoever looks is in the access log with whose it is. A report is made in a thread of its own reader, a PDF by the
system's Chromium, one at a time.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar, get_args
from urllib.parse import quote

import orjson
from aiohttp import web

from config.bands import BandFile
from config.section import IDENTIFIER
from config.settings import Settings
from dsp.catalogue import CATALOGUE
from gateway.audit.access_log import Person
from gateway.dashboard import pages, signin
from gateway.dashboard.language import LANGUAGES, links
from gateway.dashboard.looks import LONGEST_ID
from gateway.dashboard.past import open_history
from gateway.history.reader import HistoryReader
from gateway.results import page, pdf
from gateway.results.bands import band_groups
from gateway.results.day_sums import DAY_US
from gateway.results.days import MOST_DAYS, make_days
from gateway.results.past_sessions import UnknownSessionError, UnknownSubjectError
from gateway.results.report import Report, Wanted, make_report
from gateway.results.trend import LONGEST_DAYS, By, Window, make_trend
from gateway.texts.languages import spoken, text

SESSION = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}"
AT_ONCE = 2
"""Reports and trends that are read at once: each is a moment of one core."""
WAIT_S = 20.0
"""For the others to be done; a page should rather say no than nothing."""
DEFAULT_DAYS = 90
STYLES = ("base.css", "report.css")
SCRIPT = """<script type="application/json" id="texts">{texts}</script>
<script type="module" src="../{files}/session.js"></script>"""
"""Who is signed in, on the page alone: a report locks as every other page does. In a file there is no script."""

Answer = TypeVar("Answer")


@dataclass(slots=True)
class Results:
    """What the handlers share."""

    reader: HistoryReader
    groups: dict[str, BandFile]
    has_pdf: bool
    reading: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    printing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))


RESULTS = web.AppKey("results", Results)


def add_routes(app: web.Application, settings: Settings) -> None:
    """Add the pages and their API; raises ConfigError where a band file cannot be used."""
    app[RESULTS] = Results(open_history(app, settings), band_groups(settings), pdf.program() is not None)
    app.router.add_get(f"/report/{{session:{SESSION}}}", report_page)
    app.router.add_get(f"/report/{{session:{SESSION}}}/pdf", report_pdf)
    app.router.add_get(f"/api/report/{{session:{SESSION}}}", report_data)
    app.router.add_get(f"/trend/{{subject:{IDENTIFIER}}}", trend_page)
    app.router.add_get(f"/api/trend/{{subject:{IDENTIFIER}}}", trend_data)
    app.router.add_get(f"/api/days/{{subject:{IDENTIFIER}}}", days_data)
    app.router.add_get("/api/bands", bands)


async def report_page(request: web.Request) -> web.Response:
    """Show the report of a session."""
    report = await _report(request, "report")
    root = "../"
    styled = "".join(f'<link rel="stylesheet" href="{root}{pages.FILES}/{name}">' for name in STYLES)
    query = f"?{request.query_string}" if request.query_string else ""
    above = page.tools(
        report, root=root, pdf=request.app[RESULTS].has_pdf, query=query, languages=links(request, _again(request))
    )
    icon = f'<link rel="icon" href="{root}{pages.FILES}/icon.svg" type="image/svg+xml">'
    script = SCRIPT.format(files=pages.FILES, texts=pages.texts_of("session", spoken()))
    return web.Response(text=page.render(report, head=icon + styled + script, tools=above), content_type="text/html")


def _again(request: web.Request) -> str:
    """Return the begin of the address of the same report in another language."""
    rest = "&".join(f"{name}={quote(value, safe='')}" for name, value in request.query.items() if name != "language")
    return f"?{rest}&" if rest else "?"


async def report_pdf(request: web.Request) -> web.Response:
    """Return the same page as a PDF."""
    report = await _report(request, "report-pdf")
    html = page.render(report, head=styles())
    try:
        made = await _in_turn(request.app[RESULTS].printing, partial(pdf.make_pdf, html))
    except pdf.PdfError as error:
        return web.Response(status=503, text=text("answers.no_pdf", error=error) + "\n")
    name = f"{report.session.subject}-{report.session.session}.pdf"
    disposition = {"Content-Disposition": f'inline; filename="{name}"'}
    return web.Response(body=made, content_type="application/pdf", headers=disposition)


async def report_data(request: web.Request) -> web.Response:
    """Return what stands in the report of a session, as JSON."""
    return _json(await _report(request, "report"))


def styles() -> str:
    """Return the styles of a report for a file that has no server."""
    policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    return policy + "".join(f"<style>{(pages.STATIC / name).read_text('utf-8')}</style>" for name in STYLES)


async def _report(request: web.Request, what: str) -> Report:
    results, query = request.app[RESULTS], request.query
    wanted = Wanted(
        request.match_info["session"], query.get("subject", ""), query.get("gateway", ""), query.get("baseline", "")
    )
    make = partial(make_report, results.reader, wanted, results.groups, now_us=time.time_ns() // 1000)
    try:
        report = await _in_turn(results.reading, make)
    except UnknownSessionError as error:
        raise web.HTTPNotFound(text=f"{error}\n") from None
    except sqlite3.Error as error:
        raise web.HTTPServiceUnavailable(text=text("answers.history_unread", error=error) + "\n") from None
    _note(request, what, report.session.subject, report.session.session)
    return report


async def trend_page(request: web.Request) -> web.Response:
    """Show the trends of a subject."""
    _note(request, "trend", request.match_info["subject"], "")
    made = pages.render("trends", language=spoken(), others=request.app[LANGUAGES].by_code)
    return web.Response(body=made, content_type="text/html", charset="utf-8")


async def trend_data(request: web.Request) -> web.Response:
    """Return the trend of one metric of a subject, with milestones and adherence, as JSON."""
    window = _window(request)
    if window is None:
        return _json(
            {"error": f"days (1 to {LONGEST_DAYS}), metric and by (session, day or week) are as they may be"}, 400
        )
    return await _of_subject(request, lambda reader, subject: make_trend(reader, subject, window))


async def days_data(request: web.Request) -> web.Response:
    """Return the days and weeks of a subject as JSON: postures, steps, wear, and bouts by Mobilise-D's names."""
    asked = request.query.get("days") or str(DEFAULT_DAYS)
    if asked not in map(str, range(1, MOST_DAYS + 1)):  # int() of five thousand digits raises
        return _json({"error": f"days is 1 to {MOST_DAYS}"}, 400)
    now_us = time.time_ns() // 1000
    from_us = now_us - int(asked) * DAY_US
    return await _of_subject(request, lambda reader, subject: make_days(reader, subject, from_us, now_us))


async def _of_subject(request: web.Request, make: Callable[[HistoryReader, str], Any]) -> web.Response:
    """Return what is made of the history of a subject as JSON, and note who looked."""
    results, subject = request.app[RESULTS], request.match_info["subject"]
    try:
        made = await _in_turn(results.reading, lambda: make(results.reader, subject))
    except UnknownSubjectError as error:
        return _json({"error": str(error)}, 404)
    except sqlite3.Error as error:
        return _json({"error": text("answers.history_unread", error=error)}, 503)
    _note(request, "trend", subject, "")
    return _json(made)


def _window(request: web.Request) -> Window | None:
    """Return the window that is asked for; None where it cannot be told."""
    query = request.query
    by: By | None = next((one for one in get_args(By) if one == query.get("by")), None)
    metric = query.get("metric", "")
    try:
        days = float(query.get("days", DEFAULT_DAYS))
    except ValueError:
        return None
    if not 1 <= days <= LONGEST_DAYS or (metric and metric not in CATALOGUE) or (query.get("by") and by is None):
        return None
    now_us = time.time_ns() // 1000
    return Window(now_us - int(days * DAY_US), now_us, metric, by)


async def bands(request: web.Request) -> web.Response:
    """Return the band files, by group: what there is to choose from."""
    groups = request.app[RESULTS].groups
    return _json({group: one.model_dump(mode="json") for group, one in groups.items()})


async def _in_turn(turn: asyncio.Semaphore, make: Callable[[], Answer]) -> Answer:
    """Do what blocks in a thread, a few at once; raises HTTPServiceUnavailable where the others take too long."""
    try:
        async with asyncio.timeout(WAIT_S):
            await turn.acquire()
    except TimeoutError:
        raise web.HTTPServiceUnavailable(text=text("answers.reports_busy") + "\n") from None
    try:
        return await asyncio.to_thread(make)
    finally:
        turn.release()


def _note(request: web.Request, what: str, subject: str, session: str) -> None:
    signin.note_look(request, what, [Person("", subject[:LONGEST_ID], session[:LONGEST_ID])])


def json_of(data: Any) -> bytes:
    """Return a report, a trend or bands as JSON."""
    return orjson.dumps(data, default=_plain)


def _json(data: Any, status: int = 200) -> web.Response:
    return web.Response(body=json_of(data), status=status, content_type="application/json")


def _plain(value: Any) -> Any:
    """Return a section of settings as plain types."""
    return value.model_dump(mode="json")
