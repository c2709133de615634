"""Somebody is taken out of the users file, or has another role, while their pages are open: all of it ends at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from time import monotonic
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientPayloadError, WSMsgType
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from config.settings import Settings
from gateway.dashboard.server import make_app
from gateway.dashboard.users import User, Users, save
from gateway.wire.topics import Topics
from tests.gateway.dashboard.simulated_gateway import walking

pytestmark = [pytest.mark.broker]

PASSWORD = "correct horse battery"  # noqa: S105 - of people who do not exist
DIGEST = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
ANNA, BERT = User("anna", "clinician", DIGEST), User("bert", "admin", DIGEST)
WITHIN_S = 30.0
ENDS_WITHIN_S = 3.0

Client = TestClient[Any, Any]


@pytest_asyncio.fixture
async def anna(settings: Settings) -> AsyncIterator[Client]:
    """Anna, who is signed in and sees a ward."""
    file = settings.site.data / "users.jsonl"
    save(file, [ANNA, BERT])
    settings = settings.model_copy(update={"dashboard": settings.dashboard.model_copy(update={"users_file": file})})
    async with TestClient(TestServer(make_app(settings, users=Users(file)), host="localhost")) as client:
        form = {"name": "anna", "password": PASSWORD}
        assert (await client.post("/login", data=form, headers=origin(client), allow_redirects=False)).status == 303
        yield client


def origin(client: Client) -> dict[str, str]:
    return {"Origin": str(client.make_url("/")).rstrip("/")}


async def drained(stream: Any) -> None:
    """Read server-sent events to their end."""
    try:
        while await stream.content.readany():
            pass
    except ClientPayloadError:
        return


async def drained_socket(socket: Any) -> None:
    """Read a WebSocket to its end."""
    while (await socket.receive()).type not in {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR}:
        pass


@pytest.mark.parametrize("left", [[BERT], [replace(ANNA, role="viewer"), BERT]], ids=["taken out", "lowered"])
async def test_streams_end_within_seconds_and_nothing_is_changed_any_more(
    anna: Client, settings: Settings, topics: Topics, left: Sequence[User]
) -> None:
    with walking(settings.broker.port, 1, topics=topics):
        async with asyncio.timeout(WITHIN_S), anna.ws_connect("/events?page=ward", headers=origin(anna)) as live:
            while not (await live.receive_json())["slots"]:
                pass
            stream = await anna.get("/events?page=ward")
            assert stream.status == 200
            async with anna.ws_connect("/waveform/bay-1-left-foot/imu", headers=origin(anna)) as strip:
                await strip.receive_bytes()
                began = monotonic()
                save(settings.site.data / "users.jsonl", left)
                async with asyncio.timeout(ENDS_WITHIN_S):
                    await asyncio.gather(drained_socket(live), drained(stream), drained_socket(strip))
                assert monotonic() - began < ENDS_WITHIN_S
    for method, path in (("GET", "/api/ward"), ("POST", "/api/ward/discharge"), ("POST", "/api/ward/admit")):
        answer = await anna.request(method, path, json={"subject": "p-1", "bed": "bay-1"}, headers=origin(anna))
        assert answer.status == 401, path


async def test_a_strip_of_a_sensor_that_is_silent_ends_too(anna: Client, settings: Settings, topics: Topics) -> None:
    async with asyncio.timeout(WITHIN_S):
        with walking(settings.broker.port, 1, topics=topics):
            async with anna.ws_connect("/events?page=ward", headers=origin(anna)) as live:
                while not (await live.receive_json())["slots"]:
                    pass
            strip = await anna.ws_connect("/waveform/bay-1-left-foot/imu", headers=origin(anna))
            await strip.receive_bytes()
        save(settings.site.data / "users.jsonl", [BERT])  # the gateway is gone: no frame comes any more
        async with asyncio.timeout(ENDS_WITHIN_S):
            await drained_socket(strip)
