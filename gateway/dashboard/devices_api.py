"""Handing out sensors behind HTTP: what is in range, which is which, on which leg it is; asked of the gateway.

``POST /api/devices/<name>`` with the fields of the command ``devices-<name>`` as JSON, under the same rules as a change
of the ward (`ward_api`). The answer comes when it is done, after seconds. To put a device on somebody, or to take it
into the ward or out of it, is a change of the ward.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from gateway.dashboard.access import DEVICE_WORK
from gateway.dashboard.ward import Ward
from gateway.dashboard.ward_api import NOT_ASKED, Json, Outcome, WardApi, asked, error_of, not_asked, refusal_of
from gateway.dashboard.ward_requests import NoAnswerError, NotSentError
from gateway.texts.languages import text
from gateway.wire.commands import DEVICES_RESULT

POLL_S = 0.3
LONGEST_S = 180.0  # nothing that is asked for takes longer


def add_routes(app: web.Application) -> None:
    """Add a route for each thing that is done with devices."""
    for name in DEVICE_WORK:
        app.router.add_post(f"/api/devices/{name}", asked(f"devices-{name}", _work))


async def _work(api: WardApi, ward: Ward, name: str, payload: Json) -> Outcome:
    """Have the gateway do it, and wait until it is done."""
    if ward.gateway_state() == "offline":
        return error_of(NOT_ASKED, text("answers.offline"))
    try:
        async with asyncio.timeout(LONGEST_S):
            return Outcome(200, await _result(api, ward, name, payload))
    except NotSentError as error:
        return error_of(NOT_ASKED, not_asked(error))
    except NoAnswerError as error:
        return error_of(
            504, text("answers.no_answer", seconds=f"{error.after_s:g}", unknown=text("answers.unknown_work"))
        )
    except TimeoutError:
        return error_of(504, text("answers.not_done", seconds=f"{LONGEST_S:g}"))
    except _RefusedError as error:
        return error_of(409, refusal_of(error.answer))


async def _result(api: WardApi, ward: Ward, name: str, payload: Json) -> Json:
    """Begin, ask until it is done, and return what came of it; raises _RefusedError where nothing did."""
    topics = api.site.topics(ward)
    job = _accepted(await api.requests.ask(api.feed, topics, name, payload))["job"]
    while True:
        found = _accepted(await api.requests.ask(api.feed, topics, DEVICES_RESULT, {"job": job}))
        if found["done"]:
            break
        await asyncio.sleep(POLL_S)
    if "problem" in found:
        raise _RefusedError({**found, "error": found["problem"]})
    result: Json = found["result"]
    return result


def _accepted(answer: Json) -> Json:
    if answer["ok"] is not True:
        raise _RefusedError(answer)
    return answer


class _RefusedError(Exception):
    """The gateway does not do it, or it did not work; ``answer`` says why."""

    def __init__(self, answer: Json) -> None:
        super().__init__()
        self.answer = answer
