"""Answers to notices behind HTTP: seen by somebody, quiet for a while; asked of the gateway, which keeps them.

``POST /api/notices/<name>`` with the fields of the command ``notice-<name>`` as JSON, under the same rules as a
change of the ward (`ward_api`).
"""

from __future__ import annotations

from aiohttp import web

from gateway.dashboard.access import NOTICE_WORK
from gateway.dashboard.outside_text import clean
from gateway.dashboard.ward import Ward
from gateway.dashboard.ward_api import NOT_ASKED, Json, Outcome, WardApi, asked, error_of, sentence
from gateway.dashboard.ward_requests import NoAnswerError, NotSentError

UNKNOWN = "Whether the gateway has taken it is not known: look at the notice before you try again."


def add_routes(app: web.Application) -> None:
    """Add a route for each answer."""
    for name in NOTICE_WORK:
        app.router.add_post(f"/api/notices/{name}", asked(f"notice-{name}", _answer))


async def _answer(api: WardApi, ward: Ward, name: str, payload: Json) -> Outcome:
    if ward.gateway_state() == "offline":
        return error_of(NOT_ASKED, "The gateway is offline. Nothing was changed.")
    try:
        answer = await api.requests.ask(api.feed, api.site.topics(ward), name, payload)
    except NotSentError as error:
        return error_of(NOT_ASKED, f"{error}. Nothing was changed.")
    except NoAnswerError as error:
        return Outcome(504, {"error": f"{error}. {UNKNOWN}", "unknown": True})
    if answer["ok"] is not True:
        return error_of(409, clean(sentence(str(answer.get("error") or "the gateway said no"))))
    return Outcome(200, {key: answer[key] for key in ("notice", "bed", "code", "until_us") if key in answer})
