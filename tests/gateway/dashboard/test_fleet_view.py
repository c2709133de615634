"""The fleet page's words: who is in the fleet or heard has a row; 'well' is said of what was checked."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from config.settings import Dashboard, Settings
from config.settings import Site as SiteSettings
from gateway.dashboard.feed import Message
from gateway.dashboard.fleet_view import fleet_view
from gateway.dashboard.site import Site
from gateway.fleet.topics import FleetTopics
from gateway.wire.topics import Topics

TOPICS = FleetTopics("north")
MEMBERS = [
    {"gateway": "a", "ring": "first", "joined_us": 1, "revoked_us": None, "why": ""},
    {"gateway": "b", "ring": "ward", "joined_us": 1, "revoked_us": 2, "why": "stolen"},
    {"gateway": "c", "ring": "ward", "joined_us": 1, "revoked_us": None, "why": ""},
]
ROLL_OUT = {
    "id": 3, "kind": "upgrade", "version": "1.1.0", "state": "stopped", "why": "c: broken", "open": 1,
    "rings": [{"name": "first"}, {"name": "all"}],
}  # fmt: skip


def status(gateway: str, **more: Any) -> Message:
    body = {
        "v": 1, "gateway": gateway, "state": "online", "simulated": True, "time_us": time.time_ns() // 1000,
        "slots": [], "devices": [], "version": "1.0.0", "outbox": {"depth": 7},
        "disk": {"free_bytes": 10**10, "total_bytes": 10**11},
        "certificates": [{"name": "x", "days_left": 300.0}, {"name": "y", "days_left": 20.5}],
        "notices": {"active": []}, "publisher": {"connected": True}, **more,
    }  # fmt: skip
    return Message(Topics("north", gateway).status, orjson.dumps(body), retained=False)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Settings(
        site=SiteSettings(site="north", gateway="a", data=tmp_path), dashboard=Dashboard(gateways=["*"], fleet=True)
    )
    return Site(made)


def rows(site: Site) -> dict[str, Any]:
    return {row["gateway"]: row for row in fleet_view(site)["fleet"]["gateways"]}


def test_every_gateway_has_a_row_and_those_that_need_somebody_stand_first(site: Site) -> None:
    site.on_message(Message(TOPICS.overview, orjson.dumps({"members": MEMBERS, "roll_out": ROLL_OUT}), retained=True))
    site.on_message(status("a"))
    site.on_message(status("x"))
    state = orjson.dumps({"bundle": "1.1.0", "outcome": "failed", "why": "broken", "last_refusal": ""})
    site.on_message(Message(TOPICS.state("a"), state, retained=True))
    told = fleet_view(site)["fleet"]
    assert [row["gateway"] for row in told["gateways"]] == ["c", "a", "x", "b"]
    found = rows(site)
    assert found["a"]["health"] == "is well"
    assert (found["a"]["version"], found["a"]["outbox"], found["a"]["certificate_days"]) == ("1.0.0", 7, 20.5)
    assert abs(found["a"]["clock_s"]) < 1
    assert found["a"]["result"] == {"version": "1.1.0", "outcome": "failed", "why": "broken", "refused": ""}
    assert (found["b"]["state"], found["b"]["health"]) == ("revoked", "was taken out of the fleet: stolen")
    assert (found["c"]["well"], found["c"]["health"]) == (False, "has not been heard yet")
    assert (found["x"]["in_fleet"], found["a"]["in_fleet"]) == (False, True)
    assert told["roll_out"] == {**ROLL_OUT, "rings": ["first", "all"]}


@pytest.mark.parametrize(
    ("more", "health"),
    [
        ({"parts": {"outbox": {"given_up": True}}}, "has given up a part of itself: outbox"),
        ({"publisher": {"connected": False}}, "does not reach its broker"),
        ({"notices": {"active": [{"code": "overloaded"}, {"code": "battery-low"}]}}, "says of itself: overloaded"),
    ],
)
def test_what_is_wrong_is_said_and_what_is_about_devices_is_not_the_gateways(
    site: Site, more: dict[str, Any], health: str
) -> None:
    site.on_message(status("a", **more))
    assert (rows(site)["a"]["well"], rows(site)["a"]["health"]) == (False, health)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"\xff", b'{"members": 7, "roll_out": 3}', b'{"members": [1, {"gateway": 5}], "roll_out": {}}']
)
def test_rubbish_is_left(site: Site, body: bytes) -> None:
    for topic in (TOPICS.overview, TOPICS.state("a")):
        site.on_message(Message(topic, body, retained=True))
    fleet_view(site)


def test_without_the_desk_there_are_rows_all_the_same(tmp_path: Path) -> None:
    alone = Site(Settings(site=SiteSettings(site="north", gateway="a", data=tmp_path)))
    alone.on_message(status("a"))
    told = fleet_view(alone)["fleet"]
    assert (told["desk"], told["roll_out"], told["gateways"][0]["in_fleet"]) == (None, None, None)
