"""Timed tests over HTTP, before a broker and a gateway that says what the contract says."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import orjson
import pytest
from playwright.async_api import Page, expect

from config.settings import Settings
from gateway.history.history import History
from gateway.wire.payload import Message
from gateway.wire.topics import Topics
from tests.gateway.dashboard.api_document import said
from tests.gateway.dashboard.simulated_gateway import SimulatedGateway, Walker
from tests.gateway.samples import measurement

pytestmark = [pytest.mark.broker, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

WITHIN_S = 30.0
MICRO = 1_000_000

Json = dict[str, Any]


@pytest.fixture
def person() -> Walker:
    return Walker(1)


@pytest.fixture
def walking(settings: Settings, topics: Topics, person: Walker) -> Iterator[SimulatedGateway]:
    with SimulatedGateway(settings.broker.port, [person], topics=topics) as made:
        yield made


def registry(person: Walker, sessions: list[Json], ended: list[Json], number: int = 1) -> bytes:
    """Return what the topic of the ward says of one bed, whose sensors the person wears."""
    subject = {"id": person.subject, "bed": person.slot, "since_us": 1, "height_m": 1.7}
    devices = [
        {"id": one["id"], "driver": one["driver"], "bed": person.slot, "placement": one["placement"], "since_us": 1}
        for one in person.devices()
    ]
    return orjson.dumps({
        "v": 1, "gateway": "gateway-1", "number": number, "beds": [{"id": person.slot, "label": person.label}],
        "subjects": [subject], "devices": devices, "sessions": sessions, "ended": ended,
    })  # fmt: skip


def session(person: Walker, protocol: str = "10mwt pace=comfortable", **fields: Any) -> Json:
    return {
        "id": person.session, "bed": person.slot, "subject": person.subject, "protocol": protocol,
        "started_us": round(time.time() * MICRO), **fields,
    }  # fmt: skip


async def ask(address: str, path: str) -> tuple[int, Json]:
    async with aiohttp.ClientSession() as client, client.get(f"{address}{path}") as answer:
        return answer.status, await answer.json()


async def until(address: str, path: str, holds: Callable[[Json], bool]) -> Json:
    """Ask again until an answer is as wanted."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        status, found = await ask(address, path)
        if status == 200 and holds(found):
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.05)


async def test_it_says_which_tests_and_forms_there_are(address: str) -> None:
    status, found = await ask(address, "api/tests")
    assert status == 200
    walk = next(one for one in found["tests"] if one["id"] == "10mwt-comfortable")
    assert (walk["timed"], walk["word"], walk["laps"]) == ("tmwt10_time", "10mwt", False)
    assert next(f for f in walk["fields"] if f["name"] == "start")["required"] is True
    assert [form["id"] for form in found["forms"]] == ["five-questions"]
    assert found["reported"] == ["borg_cr10", "borg_rpe", "pain_nrs"]


async def test_the_movement_of_a_test_is_kept_while_it_runs_and_shown_afterwards(
    address: str, walking: SimulatedGateway, person: Walker
) -> None:
    running = session(person, state="running", parts=[person.session], marks_us=[])
    walking.publish_ward(registry(person, [running], []))
    path = f"api/test/{person.slot}?session={person.session}"
    found = await until(address, path, lambda found: bool(found["trace"]) and len(found["trace"]["acc"]) > 10)
    assert found["trace"]["placement"] == "lower_back"
    over = session(person, ended_us=round(time.time() * MICRO) + 1, discarded=False)
    walking.publish_ward(registry(person, [], [over], 2))
    result = person.measurement("tmwt10_time", 8.0, "none", time.time() - 9.0, time.time() - 1.0)
    by_hand = result | {"seq": 2, "value": 7.5, "algorithm": "by-hand/1", "devices": [], "placement": []}
    walking.publish(person, [result | {"seq": 1}, by_hand])
    found = await until(address, path, lambda found: len(found["results"]) == 2 and found["state"] == "ended")
    said("GET", "/api/test/{bed}").validate(found)
    assert [(one["value"], one["algorithm"]) for one in found["results"]] == [(8.0, "test/1"), (7.5, "by-hand/1")]
    assert found["outside"] == []
    assert len(found["trace"]["acc"]) > 10
    assert 5.0 < np.median([value for value in found["trace"]["acc"] if value is not None]) < 20.0


@pytest.mark.parametrize("to", ["another", "nobody", "another place"])
async def test_the_movement_of_a_sensor_that_was_taken_off_is_no_movement_of_the_test(
    address: str, walking: SimulatedGateway, person: Walker, to: str
) -> None:
    running = session(person, state="running", parts=[person.session], marks_us=[])
    told = orjson.loads(registry(person, [running], []))
    walking.publish_ward(orjson.dumps(told))
    path = f"api/test/{person.slot}?session={person.session}"
    await until(address, path, lambda found: bool(found["trace"]) and len(found["trace"]["acc"]) > 10)
    told["number"] = 2
    told["beds"].append({"id": "bay-9", "label": "Bay 9"})
    told["subjects"].append({"id": "p-other", "bed": "bay-9", "since_us": 2, "height_m": None})
    (worn,) = [one for one in told["devices"] if one["placement"] == "lower_back"]
    worn |= {"another": {"bed": "bay-9"}, "nobody": {"bed": None}, "another place": {"placement": "chest"}}[to]
    walking.publish_ward(orjson.dumps(told))
    deadline, lengths = time.monotonic() + WITHIN_S, [0, 1]
    while lengths[-1] != lengths[-2]:
        assert time.monotonic() < deadline, "it goes on under the name of who wore it"
        await asyncio.sleep(1.0)  # twenty values
        lengths.append(len((await ask(address, path))[1]["trace"]["acc"]))


async def test_the_movement_is_of_who_is_tested_and_not_of_who_lies_in_their_bed_by_now(
    address: str, walking: SimulatedGateway, person: Walker
) -> None:
    told = orjson.loads(registry(person, [session(person, state="running", parts=[person.session], marks_us=[])], []))
    told["beds"].append({"id": "bay-9", "label": "Bay 9"})
    told["subjects"][0] |= {"bed": "bay-9"}  # moved; the session began where somebody else lies with these sensors
    told["subjects"].append({"id": "p-other", "bed": person.slot, "since_us": 2, "height_m": None})
    walking.publish_ward(orjson.dumps(told))
    path = f"api/test/bay-9?session={person.session}"
    await until(address, path, lambda found: found["session"] == person.session)
    await asyncio.sleep(2.0)  # of a stream that would have been asked for at once
    assert (await ask(address, path))[1]["trace"] is None


async def test_nothing_is_told_of_what_is_no_test_of_who_is_in_the_bed(
    address: str, walking: SimulatedGateway, person: Walker
) -> None:
    ended = {"ended_us": 2, "discarded": False}
    mine = session(person) | ended
    treadmill = session(person, "treadmill") | {"id": "s-treadmill", **ended}
    other = session(person) | {"id": "s-other", "subject": "p-other", **ended}
    walking.publish_ward(registry(person, [], [mine, treadmill, other]))
    await until(address, f"api/test/{person.slot}?session={person.session}", lambda _: True)
    for name in ("s-treadmill", "s-other", "s-none", ""):
        assert (await ask(address, f"api/test/{person.slot}?session={name}"))[0] == 404
    assert (await ask(address, f"api/test/bay-9?session={person.session}"))[0] == 404
    assert (await ask(address, f"api/test/{person.slot}?session={person.session}&gateway=nobody"))[0] == 404


async def test_what_corrected_times_cut_off_is_named_and_no_result(
    address: str, walking: SimulatedGateway, person: Walker
) -> None:
    now = round(time.time() * MICRO)
    made = {"made_started_us": now - 60 * MICRO, "made_ended_us": now}
    over = {"discarded": False, "started_us": now - 60 * MICRO, "ended_us": now, **made}
    walking.publish_ward(registry(person, [], [session(person) | over]))
    first, second = (
        person.measurement(metric, 8.0, "none", now / MICRO - before, now / MICRO - before + 8.0)
        for metric, before in (("tmwt10_time", 50.0), ("tmwt10_speed", 20.0))
    )
    path = f"api/test/{person.slot}?session={person.session}"
    await until(address, path, lambda found: found["state"] == "ended")  # what comes of nobody known is kept by no page
    walking.publish(person, [first | {"seq": 1}, second | {"seq": 2}])
    await until(address, path, lambda found: len(found["results"]) == 2)
    cut = over | {"started_us": now - 30 * MICRO}
    walking.publish_ward(registry(person, [], [session(person) | cut], 2))
    found = await until(address, path, lambda found: len(found["results"]) == 1)
    said("GET", "/api/test/{bed}").validate(found)
    assert [one["metric"] for one in found["results"]] == ["tmwt10_speed"]
    assert found["outside"] == ["tmwt10_time"]


async def test_the_page_shows_no_result_that_corrected_times_cut_off_and_says_so(
    page: Page, address: str, walking: SimulatedGateway, person: Walker
) -> None:
    now = round(time.time() * MICRO)
    over = {"discarded": False, "started_us": now - 60 * MICRO, "ended_us": now}
    made = {"made_started_us": now - 60 * MICRO, "made_ended_us": now}
    walking.publish_ward(registry(person, [], [session(person) | over | made]))
    result = person.measurement("tmwt10_time", 8.0, "none", now / MICRO - 50.0, now / MICRO - 42.0)
    await until(address, f"api/test/{person.slot}?session={person.session}", lambda found: found["state"] == "ended")
    walking.publish(person, [result | {"seq": 1}])
    await page.goto(f"{address}test/{person.slot}")
    await expect(page.locator(".trials .value").first).to_contain_text("8.0")
    await expect(page.locator("#outside")).to_be_hidden()
    cut = over | made | {"started_us": now - 30 * MICRO}
    walking.publish_ward(registry(person, [], [session(person) | cut], 2))
    await expect(page.locator("#outside")).to_contain_text("Outside of the corrected times")
    await expect(page.locator(".trials li")).to_have_count(0)


def store(path: Path, person: Walker, start_us: int) -> None:
    """Write a history in which a walk of eight seconds was found."""
    found = replace(
        measurement(value=8.0, slot=person.slot), metric="tmwt10_time", unit="s", side="none", algorithm="10mwt/1",
        subject=person.subject, session=person.session, start_us=start_us, end_us=start_us + 8 * MICRO,
    )  # fmt: skip
    with closing(History(path)) as history:
        history.store([Message("gateway-1", "0" * 16, 0, [(1, found)])])


def rename(path: Path, table: str, to: str) -> None:
    """Have a history lack a table: whoever reads it is told that there is none."""
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"ALTER TABLE {table} RENAME TO {to}")


async def test_a_history_that_cannot_be_read_is_no_test_without_a_result_and_is_asked_again(
    page: Page, address: str, settings: Settings, walking: SimulatedGateway, person: Walker
) -> None:
    now = round(time.time() * MICRO)
    over = {"discarded": False, "started_us": now - 120 * MICRO, "ended_us": now - 60 * MICRO}
    walking.publish_ward(registry(person, [], [session(person) | over]))
    store(settings.history_file, person, now - 100 * MICRO)
    rename(settings.history_file, "measurements", "lost")
    asked = f"**/api/test/{person.slot}?*"
    await page.route(asked, lambda route: route.abort())
    await page.goto(f"{address}test/{person.slot}")
    await expect(page.locator("#waits")).to_contain_text("The history cannot be read now")
    async with page.expect_response(asked) as answer:
        await page.unroute(asked)
    assert "no such table" in (await (await answer.value).json())["problem"]
    await expect(page.locator("#waits")).to_contain_text("The history cannot be read now")
    rename(settings.history_file, "lost", "measurements")
    await expect(page.locator(".trials .value").first).to_contain_text("8.0")
    await expect(page.locator("#waits")).to_be_empty()


async def test_that_a_session_was_discarded_is_said_with_its_results(
    address: str, walking: SimulatedGateway, person: Walker
) -> None:
    over = {"ended_us": round(time.time() * MICRO), "discarded": True}
    walking.publish_ward(registry(person, [], [session(person) | over]))
    found = await until(address, f"api/test/{person.slot}?session={person.session}", lambda _: True)
    said("GET", "/api/test/{bed}").validate(found)
    assert found["state"] == "discarded"
