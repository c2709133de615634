"""Timed tests behind HTTP: which there are, the forms, and the movement and the results of one test.

Starting, stopping and correcting are changes of the ward (`ward_api`).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web

from config.settings import Settings
from dsp.catalogue import CATALOGUE
from gateway.dashboard import signin
from gateway.dashboard.looks import people
from gateway.dashboard.page_states import unknown
from gateway.dashboard.past import open_history
from gateway.dashboard.registry import is_of
from gateway.dashboard.site import Site
from gateway.dashboard.slot_state import RESULTS
from gateway.dashboard.timed_tests import TESTS, find_test
from gateway.dashboard.timed_traces import TimedTraces
from gateway.dashboard.timed_view import result_json
from gateway.dashboard.ward import Ward
from gateway.history.reader import HistoryReader
from gateway.model.measurement import Measurement
from gateway.results.notes import cut_off
from gateway.texts.languages import text
from gateway.ward.entries import FORM_ANSWER
from gateway.ward.forms import OURS, read_forms

EVENTS: Final = ("initial_contact", "u_turn_angle", "turn_angle", "sit_to_stand_time", "stand_to_sit_time")
"""What is drawn of a test beside its movement."""
MOST_PARTS: Final = 50  # of a session: one more after each pause and each start of its gateway
MOST_EVENTS: Final = 3000

Json = dict[str, Any]


@dataclass(slots=True)
class TimedApi:
    """What the handlers share."""

    site: Site
    traces: TimedTraces
    history: HistoryReader
    forms_folder: Path | None


API = web.AppKey("timed tests", TimedApi)


def add_routes(app: web.Application, settings: Settings, site: Site, name: str) -> None:
    """Add the routes; ``name`` is the pattern of an id."""
    history = open_history(app, settings)
    app[API] = TimedApi(site, TimedTraces(site), history, settings.dashboard.forms_folder)
    app.router.add_get("/api/tests", tests)
    app.router.add_get(f"/api/test/{{bed:{name}}}", test)


async def tests(request: web.Request) -> web.Response:
    """Say which tests there are, and which forms, and what else is reported."""
    forms, problems = await asyncio.to_thread(read_forms, OURS, request.app[API].forms_folder)
    reported = [metric.id for metric in CATALOGUE.values() if metric.kind == "reported" and metric.id != FORM_ANSWER]
    return _answer({
        "tests": [one.as_json() for one in TESTS],
        "forms": [form.model_dump(mode="json") for form in forms],
        "form_problems": problems,
        "reported": reported,
    })  # fmt: skip


async def test(request: web.Request) -> web.Response:
    """Say what there is of one test of who is in a bed: movement, events, results."""
    api, bed, name = request.app[API], request.match_info["bed"], request.query.get("session", "")
    ward = api.site.ward(request.query.get("gateway"))
    if ward is None:
        return _answer({"error": unknown(request.query.get("gateway", ""))}, status=404)
    session = _session(ward, bed, name)
    if session is None:
        return _answer({"error": text("answers.no_such_session")}, status=404)
    signin.note_look(request, "test", people(ward, bed), session_shown=session["id"])
    trace = api.traces.trace(ward.gateway, session["id"])
    try:
        kept, gone = await asyncio.to_thread(_kept, api.history, ward.gateway, session)
        problem = ""
    except sqlite3.Error as error:
        kept, gone, problem = [], [], text("answers.history_unread", error=error)
    of_bed = [one for one in ward.slot(bed).results if is_of(session["id"], one.session)]
    results = [m for m in kept if CATALOGUE[m.metric].kind in RESULTS]
    results += [one for one in of_bed if one not in results]
    cut = [m for m in results if ward.ended.cuts_off(m)]
    return _answer({
        "session": session["id"],
        "state": "discarded" if session.get("discarded") else session.get("state", "ended"),
        "trace": trace and trace.as_json(),
        "events": [result_json(m) for m in kept if m.metric in EVENTS][-MOST_EVENTS:],
        "results": [result_json(m) for m in results if m not in cut],
        "outside": sorted({*gone, *(m.metric for m in cut)}),
        "problem": problem,
    })  # fmt: skip


def _session(ward: Ward, bed: str, name: str) -> Json | None:
    """Return a session, if it is one of who is in a bed now, and a timed test."""
    running = ward.registry.session_in(bed)
    subject = ward.registry.subjects.get(bed)
    if subject is None:
        return None
    known = [one for one in ward.registry.ended if one["subject"] == subject["id"]]
    known += [running] if running else []
    return next((one for one in known if one["id"] == name and find_test(one["protocol"])), None)


def _kept(history: HistoryReader, gateway: str, session: Json) -> tuple[list[Measurement], Sequence[str]]:
    """Return what the history has of a session, and the metrics of tests that its corrected times cut off."""
    found = find_test(session["protocol"])
    reported = [metric.id for metric in CATALOGUE.values() if metric.kind == "reported"]
    metrics = [*EVENTS, *(found.results if found else ()), *reported]
    parts = [session["id"], *(f"{session['id']}-r{n}" for n in range(2, MOST_PARTS))]
    kept = [one for one in history.in_sessions(parts, metrics) if one.subject == session["subject"]]
    return kept, cut_off(history, gateway, parts)


def _answer(data: Json, *, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")
