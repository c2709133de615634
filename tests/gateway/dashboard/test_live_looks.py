"""Whose raw samples are seen is in the log of looks, also of who comes to wear that sensor while a strip is open."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from gateway.audit import access_log
from gateway.dashboard.server import make_app
from gateway.dashboard.users import Users, save
from gateway.wire.topics import Topics
from tests.gateway.dashboard.simulated_gateway import Walker, walking
from tests.gateway.dashboard.test_lowered_role import ANNA, PASSWORD, WITHIN_S, origin

pytestmark = [pytest.mark.broker]


async def test_a_strip_that_stays_open_is_told_of_its_next_wearer_too(settings: Settings, topics: Topics) -> None:
    users = settings.site.data / "users.jsonl"
    save(users, [ANNA])
    settings = settings.model_copy(update={"dashboard": settings.dashboard.model_copy(update={"users_file": users})})
    async with (
        asyncio.timeout(WITHIN_S),
        TestClient(TestServer(make_app(settings, users=Users(users)), host="localhost")) as anna,
    ):
        form = {"name": "anna", "password": PASSWORD}
        assert (await anna.post("/login", data=form, headers=origin(anna), allow_redirects=False)).status == 303
        with walking(settings.broker.port, 1, topics=topics) as ward:
            async with anna.ws_connect("/events", headers=origin(anna)) as live:
                while not (await live.receive_json())["slots"]:
                    pass
            strip = await anna.ws_connect("/waveform/bay-1-left-foot/imu", headers=origin(anna))
            first, second = Walker(1), Walker(1)
            second.subject = "p-next"
            while looked_at(settings) != [first.subject]:
                await strip.receive_bytes()
            ward.seat(second)
            while looked_at(settings) != [first.subject, second.subject]:
                await strip.receive_bytes()


def looked_at(settings: Settings) -> list[str]:
    """Return whose raw samples the log says were looked at, in their order."""
    entries = access_log.read(settings.site.data / access_log.NAME)
    return [one.subject for e in entries if e.fields.get("page") == "waveform" for one in e.people]
