"""The ward behind HTTP: as it is, and changes of it, asked for by whoever is signed in and decided by the gateway.

A change is ``POST /api/ward/<name>`` with the fields of the command of that name as JSON. Where several gateways are
shown, ``?gateway=<id>`` says whose bed is meant: a bed of that name elsewhere is somebody else's. A header
``Idempotency-Key`` makes a request that is sent twice one request; ``Signed-In-As`` has it
refused where that is somebody else by now.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import orjson
from aiohttp import web

from gateway.dashboard import signin
from gateway.dashboard.access import CHANGES
from gateway.dashboard.bed_views import beds_view
from gateway.dashboard.feed import Feed
from gateway.dashboard.looks import people
from gateway.dashboard.outside_text import clean
from gateway.dashboard.page_states import LONGEST_NAME
from gateway.dashboard.site import Site
from gateway.dashboard.ward import Ward
from gateway.dashboard.ward_requests import NoAnswerError, NotSentError, WardRequests
from gateway.texts.languages import spoken, text
from gateway.ward.refusals import read_said, said_words
from gateway.wire.commands import WARD

LARGEST_BODY = 2048  # bytes: a pseudonym, a few numbers and two lines of text
BODY_WITHIN_S = 10.0
KEY_HEADER = "Idempotency-Key"
AS_HEADER = "Signed-In-As"
"""Whose name stands on the page that asks: the cookie is the browser's, and somebody else may have signed in."""
KEY = re.compile(r"[A-Za-z0-9_-]{8,64}")
KEYS_KEPT = 512
"""Requests that are known again; a person clicks twice within a second, a network repeats within a minute."""
NOT_ASKED = 503
"""The status where the gateway was not reached."""
OURS = frozenset({"by"})
"""What the dashboard says of whoever asks; nobody says it for somebody else."""

Json = dict[str, Any]


class MalformedError(Exception):
    """What came is no change; the text goes into the answer, with the status."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Outcome(NamedTuple):
    """What became of a request: the status of the answer, and what is in it."""

    status: int
    body: Json


Ask = Callable[["WardApi", Ward, str, Json], Awaitable[Outcome]]
"""Asks the gateway of a ward for something by its name, with its fields, and returns what became of it."""


@dataclass(slots=True)
class Asked:
    """A request that is known again: what it said, and what becomes of it."""

    asked: Json
    outcome: asyncio.Task[Outcome]


@dataclass(slots=True)
class WardApi:
    """What the handlers share."""

    site: Site
    feed: Feed
    requests: WardRequests
    asked: OrderedDict[tuple[str, str], Asked] = field(default_factory=OrderedDict)


API = web.AppKey("ward api", WardApi)


def add_routes(app: web.Application) -> None:
    """Add the route of the ward, and one for each change."""
    app.router.add_get("/api/ward", show)
    for name in WARD:
        if name in CHANGES:
            app.router.add_post(f"/api/ward/{name}", _change(name))


async def show(request: web.Request) -> web.Response:
    """Say who is in which bed, wearing what, in which session."""
    try:
        ward = _ward(request)
    except MalformedError as error:
        return answer_of(error_of(error.status, str(error)))
    signin.note_look(request, "beds", people(ward))
    gateways = [other.gateway for other in request.app[API].site.wards()]
    return answer_of(Outcome(200, {**beds_view(ward), "gateway_state": ward.gateway_state(), "gateways": gateways}))


def _ward(request: web.Request) -> Ward:
    """Return the ward of the gateway that is meant, the first where none is named; raises MalformedError."""
    named = request.query.getall("gateway", [])
    if len(named) > 1:
        raise MalformedError(400, "More than one gateway is named. Nothing was changed.")
    ward = request.app[API].site.ward("".join(named))
    if ward is None:
        raise MalformedError(404, text("answers.no_gateway", gateway=clean(named[0], LONGEST_NAME)))
    return ward


def _change(name: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    return asked(name, _ask)


def asked(name: str, to: Ask) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return a handler that asks the gateway for what is called so, in the name of whoever is signed in."""

    async def handler(request: web.Request) -> web.Response:
        session = request.get(signin.SESSION)
        if session is None:
            return answer_of(error_of(403, text("answers.needs_users")))
        if request.headers.get(AS_HEADER, session.user.name) != session.user.name:
            return answer_of(error_of(403, text("answers.another")))
        key = request.headers.get(KEY_HEADER, "")
        if key and not KEY.fullmatch(key):
            return answer_of(error_of(400, f"{KEY_HEADER} has 8 to 64 letters, digits, '-' and '_'."))
        try:
            ward, fields = _ward(request), await _fields(request)
        except MalformedError as error:
            return answer_of(error_of(error.status, str(error)))
        by = f"{session.user.name} ({session.user.role})"
        ask = partial(to, request.app[API], ward, name, {**fields, "by": by})
        same = {"gateway": ward.gateway, "change": name, "fields": fields}
        return answer_of(await _once(request.app[API], (session.user.name, key), same, ask))

    return handler


async def _fields(request: web.Request) -> Json:
    """Return the fields of a change; raises MalformedError."""
    if request.content_type != "application/json":
        raise MalformedError(415, "A change of the ward is JSON: Content-Type has to be application/json.")
    fields = _parsed(await _body(request))
    if taken := OURS & fields.keys():
        raise MalformedError(400, f"'{min(taken)}' is whoever is signed in: leave it out.")
    return fields


async def _body(request: web.Request) -> bytes:
    body = b""
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while len(body) <= LARGEST_BODY and not request.content.at_eof():
                body += await request.content.read(LARGEST_BODY + 1 - len(body))
    except TimeoutError:
        raise MalformedError(408, text("answers.did_not_come")) from None
    if len(body) > LARGEST_BODY:
        raise MalformedError(413, f"A change of the ward has at most {LARGEST_BODY} bytes.")
    return body


def _parsed(body: bytes) -> Json:
    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise MalformedError(400, "A change of the ward is JSON.") from None
    if not isinstance(fields, dict):
        raise MalformedError(400, "A change of the ward is a JSON object.")
    return fields


async def _once(api: WardApi, key: tuple[str, str], asked: Json, ask: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Ask once for each key: who sends a request again hears what became of the first."""
    if not key[1]:
        return await ask()
    known = api.asked.get(key)
    if known is not None and known.asked != asked:
        return error_of(422, f"This {KEY_HEADER} was sent with another change.")
    if known is None:
        known = api.asked[key] = Asked(asked, asyncio.ensure_future(_as_task(ask)))
        while len(api.asked) > KEYS_KEPT:
            api.asked.popitem(last=False)
    outcome = await asyncio.shield(known.outcome)  # one who goes away does not end what the other waits for
    if outcome.status == NOT_ASKED and api.asked.get(key) is known:
        api.asked.pop(key, None)  # the gateway knows nothing of it: the same may be asked again
    return outcome


async def _as_task(ask: Callable[[], Awaitable[Outcome]]) -> Outcome:
    return await ask()


async def _ask(api: WardApi, ward: Ward, name: str, payload: Json) -> Outcome:
    outcome = await ask_gateway(
        api, ward, name, payload, kept=("number", "change", "session", "note", "said"), unknown="answers.unknown_change"
    )
    said = outcome.body.pop("said", None)
    if "note" in outcome.body:
        outcome.body["note"] = in_language(said, outcome.body["note"])
    return outcome


async def ask_gateway(
    api: WardApi, ward: Ward, name: str, payload: Json, *, kept: tuple[str, ...], unknown: str
) -> Outcome:
    """Ask the gateway for something that it keeps on its disk.

    Args:
        api: Whom to ask through.
        ward: Of which gateway.
        name: Of the command.
        payload: Its fields.
        kept: The fields of its answer that go to the browser.
        unknown: Key of what to say where no answer came: it may have been done, or be done yet.
    """
    if ward.gateway_state() == "offline":
        return error_of(NOT_ASKED, text("answers.offline"))
    try:
        answer = await api.requests.ask(api.feed, api.site.topics(ward), name, payload)
    except NotSentError as error:
        return error_of(NOT_ASKED, not_asked(error))
    except NoAnswerError as error:
        words = text("answers.no_answer", seconds=f"{error.after_s:g}", unknown=text(unknown))
        return Outcome(504, {"error": words, "unknown": True})
    if answer["ok"] is not True:
        return error_of(409, refusal_of(answer))
    return Outcome(200, {key: answer[key] for key in kept if key in answer})


def refusal_of(answer: Json) -> str:
    """Return why the gateway said no, in the language that is spoken; in its own English where it names no sentence."""
    return in_language(answer.get("said"), answer.get("error") or text("answers.said_no"))


def in_language(told: Any, english: object) -> str:
    """Return what a gateway says, in the language that is spoken; in its own English where it names no sentence."""
    said = read_said(told)
    return clean(sentence(str(english) if said is None else said_words(said, spoken())))


def not_asked(error: NotSentError) -> str:
    """Return why the gateway was not asked, as a sentence."""
    return text(f"answers.{error.key}", **error.values)


def sentence(words: str) -> str:
    """Return what the gateway says as a sentence."""
    return f"{words[0].upper()}{words[1:]}{'' if words.endswith(('.', '?')) else '.'}"


def error_of(status: int, words: str) -> Outcome:
    """Return the outcome of what was refused."""
    return Outcome(status, {"error": words})


def answer_of(outcome: Outcome) -> web.Response:
    """Return an outcome as it goes to the browser."""
    return web.Response(body=orjson.dumps(outcome.body), status=outcome.status, content_type="application/json")
