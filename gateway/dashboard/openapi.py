"""The API's document in OpenAPI 3.1, from the table of its routes; ``make docs`` writes it to docs/openapi.json."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import orjson
from aiohttp import web

from gateway.dashboard.access import TABLE
from gateway.dashboard.api_entries import ENTRIES, JSON, Entry
from gateway.dashboard.api_schemas import SCHEMAS, TEXT, a
from gateway.dashboard.versions import VERSION, versioned
from gateway.texts.languages import english

Json = dict[str, Any]

DOCUMENT_VERSION: Final = f"{VERSION}.0.0"
ABOUT: Final = (
    "What the screens of the dashboard use, for the hospital's own programs. Whatever is named here keeps its name and"
    f" meaning under /api/v{VERSION}; more fields and routes may come. Programs sign in with a token"
    " ('rehab-gateway token add'), as 'Authorization: Bearer …'. A person is a pseudonym. "
)
EVERYWHERE: Final = {
    401: "Nobody is signed in, or the token is none or over.",
    403: "This is not for the role.",
    429: "Too many: try again after the seconds in Retry-After.",
}
CHANGE_HEADERS: Final = (
    ("Idempotency-Key", "Makes a request that is sent twice one request: 8 to 64 letters, digits, '-' and '_'."),
    ("Signed-In-As", "Has the request refused where somebody else is signed in."),
)


def document() -> Json:
    """Return the document."""
    schemas: Json = dict(SCHEMAS)
    paths: Json = {}
    for (method, route), entry in ENTRIES.items():
        schemas.update((entry.body or {}).get("$defs", {}))
        paths.setdefault(versioned(route), {})[method.lower()] = _operation(method, route, entry)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rehab-gateway",
            "version": DOCUMENT_VERSION,
            "description": ABOUT + english().text("shell.statement"),
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-session"},
            },
        },
        "security": [{"token": []}, {"session": []}],
    }


def text() -> str:
    """Return docs/openapi.json."""
    return orjson.dumps(document(), option=orjson.OPT_INDENT_2).decode() + "\n"


def _operation(method: str, route: str, entry: Entry) -> Json:
    operation: Json = {
        "operationId": re.sub(r"[^a-z0-9]+", "_", f"{method} {route.removeprefix('/api')}".lower()).strip("_"),
        "summary": entry.summary,
        "description": f"For: {', '.join(sorted(TABLE[method, route]))}.",
        "responses": _responses(entry),
    }
    parameters = _parameters(route, entry)
    if parameters:
        operation["parameters"] = parameters
    if entry.body is not None:
        body = {key: value for key, value in entry.body.items() if key != "$defs"}
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
    return operation


def _parameters(route: str, entry: Entry) -> list[Json]:
    in_path = [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in re.findall(r"{(\w+)}", route)]
    in_query = [
        {"name": name, "in": "query", "required": name in entry.needed, "schema": schema}
        for name, schema in entry.query.items()
    ]
    in_headers = [
        {"name": name, "in": "header", "required": False, "description": words, "schema": TEXT}
        for name, words in CHANGE_HEADERS
        if entry.body is not None
    ]
    return [*in_path, *in_query, *in_headers]


def _responses(entry: Entry) -> Json:
    if entry.answer is not None:
        well: Json = {"200": {"description": "The answer.", "content": {entry.content: {"schema": entry.answer}}}}
    elif entry.content == "websocket":
        well = {"101": {"description": "The WebSocket is open."}}
    else:
        well = {"204": {"description": "Noted."}}
    refusals = {str(status): {"description": words} for status, words in EVERYWHERE.items()}
    others: Json = {
        str(status): {"description": words, **({"content": {JSON: {"schema": a("Error")}}} if status != 429 else {})}
        for status, words in entry.statuses.items()
    }
    if entry.content != JSON:  # a stream is refused in plain text
        others = {status: {"description": of["description"]} for status, of in others.items()}
    return dict(sorted((well | refusals | others).items()))


def add_routes(app: web.Application) -> None:
    """Add the route of the document."""
    app.router.add_get("/api/openapi.json", show)


async def show(_request: web.Request) -> web.Response:
    """Show the document."""
    return web.Response(body=_bytes(), content_type=JSON)


@cache
def _bytes() -> bytes:
    return orjson.dumps(document())
