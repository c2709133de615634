"""The API's document: whole, right in itself, and what a real server says is as it says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from openapi_spec_validator import validate

from config.settings import Settings
from gateway.dashboard import signin
from gateway.dashboard.access import TABLE
from gateway.dashboard.api_entries import ENTRIES, JSON
from gateway.dashboard.openapi import document
from gateway.dashboard.server import make_app
from gateway.dashboard.versions import is_api, versioned
from gateway.wire.topics import Topics
from tests.gateway.dashboard.api_document import said
from tests.gateway.dashboard.simulated_gateway import walking

WITHIN_S = 30.0
VIEWS = ("", "?view=beds", "?view=devices", "?slot=bay-1", "?bed=bay-1")

Client = TestClient[Any, Any]
Json = dict[str, Any]

TRIED_WITH_A_HISTORY = {"/api/report/{session}", "/api/trend/{subject}", "/api/days/{subject}", "/api/test/{bed}"}
"""In `test_results_api` and `test_timed_api`: a ward that has just begun has nothing that they could answer."""

TRIED_WITH_USERS = {"/api/people", "/api/audit", "/api/access-log", "/api/chains"}
"""In `test_people_api`: without users there is no admin, and nobody is told."""


def without_entry(app: web.Application) -> set[tuple[str, str]]:
    """Return the routes of the API that the document lacks."""
    found = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}
    return {(m, r) for m, r in found if m != "HEAD" and is_api(r)} - ENTRIES.keys()


def test_the_document_is_openapi_and_has_every_route() -> None:
    made = document()
    validate(made)
    operations = {(m.upper(), path): of for path, item in made["paths"].items() for m, of in item.items()}
    assert operations.keys() == {(method, versioned(route)) for method, route in ENTRIES}
    assert len({of["operationId"] for of in operations.values()}) == len(operations)
    assert all(of["summary"] for of in operations.values())
    for (method, route), roles in TABLE.items():
        if is_api(route):
            assert operations[method, versioned(route)]["description"] == f"For: {', '.join(sorted(roles))}."


async def test_a_route_without_an_entry_is_found(settings: Settings) -> None:
    app = make_app(settings)
    assert without_entry(app) == set()
    app.router.add_get("/api/new", signin.who_am_i)
    assert without_entry(app) == {("GET", "/api/new")}


@pytest.fixture
async def client(settings: Settings, topics: Topics) -> AsyncIterator[Client]:
    with walking(settings.broker.port, 2, topics=topics):
        async with TestClient(TestServer(make_app(settings))) as made:
            yield made


async def first_state(client: Client, query: str) -> Json:
    """Return a state in which there are numbers."""
    async with asyncio.timeout(WITHIN_S), client.get(f"/api/v1/events{query}") as response:
        assert response.content_type == "text/event-stream"
        async for line in response.content:
            if line.startswith(b"data: ") and (b"cadence" in line or "slot" not in query):
                state: Json = orjson.loads(line.removeprefix(b"data: "))
                return state
    raise AssertionError("the stream ended")


@pytest.mark.broker
async def test_what_a_real_server_answers_is_as_the_document_says(client: Client) -> None:
    assert without_entry(client.app) == set()
    for query in VIEWS:
        said("GET", "/events").validate(await first_state(client, query))
    tried = {
        "/api/openapi.json": "", "/api/session": "", "/api/catalogue": "", "/api/status": "", "/api/ward": "",
        "/api/fleet": "",
        "/api/history": "?slot=bay-1&metric=cadence&side=both", "/api/bands": "", "/api/tests": "",
    }  # fmt: skip
    json = {route for (method, route), entry in ENTRIES.items() if method == "GET" and entry.content == JSON}
    assert tried.keys() | TRIED_WITH_A_HISTORY | TRIED_WITH_USERS == json
    for route, query in tried.items():
        for path in (route, versioned(route)):
            answer = await client.get(path + query)
            assert answer.status == 200, path
            said("GET", route).validate(await answer.json())
    for route in TRIED_WITH_USERS:
        assert (await client.get(versioned(route))).status == 403
    refused = await client.get("/api/v1/history?metric=nothing")
    said("GET", "/api/history", refused.status).validate(await refused.json())


def test_bodies_of_changes_name_no_person() -> None:
    """Who asks is whoever signed in: nobody says it for somebody else."""
    bodies = [entry.body for entry in ENTRIES.values() if entry.body is not None]
    assert len(bodies) > 20
    assert not any("by" in body.get("properties", {}) for body in bodies)
