"""Answers to notices behind HTTP: seen by somebody, quiet for a while; asked of the gateway, which keeps them.

``POST /api/notices/<name>`` with the fields of the command ``notice-<name>`` as JSON, under the same rules as a
change of the ward (`ward_api`).
"""

from __future__ import annotations

from aiohttp import web

from gateway.dashboard.access import NOTICE_WORK
from gateway.dashboard.ward import Ward
from gateway.dashboard.ward_api import Json, Outcome, WardApi, ask_gateway, asked


def add_routes(app: web.Application) -> None:
    """Add a route for each answer."""
    for name in NOTICE_WORK:
        app.router.add_post(f"/api/notices/{name}", asked(f"notice-{name}", _answer))


async def _answer(api: WardApi, ward: Ward, name: str, payload: Json) -> Outcome:
    return await ask_gateway(
        api, ward, name, payload, kept=("notice", "bed", "code", "until_us"), unknown="answers.unknown_answer"
    )
