"""The ward changed over HTTP: a real gateway process and a real broker behind a dashboard with users."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from gateway.dashboard.server import make_app
from gateway.dashboard.users import Users
from gateway.dashboard.ward_api import LARGEST_BODY
from tests.gateway.dashboard.api_document import said, taken
from tests.gateway.dashboard.bedside import PASSWORD, Bedside, bedside
from tests.servers import wait_until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(400)]

WITHIN_S = 30.0

Client = TestClient[Any, Any]
Json = dict[str, Any]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, mosquitto_port: int) -> Iterator[Bedside]:
    """A gateway whose tests have a bed each: bay-1 to bay-5, and bay-6 to move to."""
    with bedside(tmp_path_factory.mktemp("bedside"), mosquitto_port, site="ward-api", beds=6) as made:
        yield made


@asynccontextmanager
async def dashboard(settings: Settings, role: str = "clinician") -> AsyncIterator[Client]:
    """Sign somebody in to a dashboard that has heard of the ward."""
    assert settings.dashboard.users_file is not None
    app = make_app(settings, users=Users(settings.dashboard.users_file))
    async with TestClient(TestServer(app, host="localhost")) as client:
        form = {"name": f"{role}-1", "password": PASSWORD}
        answer = await client.post("/login", data=form, headers=origin(client), allow_redirects=False)
        assert answer.status == 303
        await ward_when(client, lambda found: found["number"] is not None)
        yield client


def origin(client: Client) -> dict[str, str]:
    return {"Origin": str(client.make_url("/")).rstrip("/")}


async def ward(client: Client) -> Json:
    answer = await client.get("/api/ward")
    assert answer.status == 200, await answer.text()
    found: Json = await answer.json()
    said("GET", "/api/ward").validate(found)
    return found


async def ward_when(client: Client, condition: Callable[[Json], bool]) -> Json:
    """Return the ward as soon as a condition holds for it."""
    async with asyncio.timeout(WITHIN_S):
        while not condition(found := await ward(client)):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.02)
    return found


async def post(client: Client, name: str, *, key: str = "", **fields: Any) -> tuple[int, Json]:
    headers = origin(client) | ({"Idempotency-Key": key} if key else {})
    answer = await client.post(f"/api/ward/{name}", json=fields, headers=headers)
    found: Json = await answer.json()
    if answer.status == 200:
        taken("POST", f"/api/ward/{name}").validate(fields)
    if answer.status not in {401, 403}:
        said("POST", f"/api/ward/{name}", answer.status).validate(found)
    return answer.status, found


async def done(client: Client, name: str, **fields: Any) -> Json:
    status, answer = await post(client, name, **fields)
    assert status == 200, answer
    return answer


async def bed_after(client: Client, number: int, bed: str) -> Json:
    """Return a bed as the dashboard shows it when it has heard of a change."""
    found = await ward_when(client, lambda found: found["number"] >= number)
    return next(one for one in found["beds"] if one["id"] == bed)


async def test_a_day_in_a_bed_is_shown_and_in_the_audit_with_name_and_role(gateway: Bedside) -> None:
    async with dashboard(gateway.settings) as client:
        await done(client, "discharge", subject="p-1")
        await done(client, "admit", subject="a-1", bed="bay-1", height_m=1.71)
        on = await done(client, "assign", device="strap-1", bed="bay-1", placement="chest", subject="a-1")
        bed = await bed_after(client, on["number"], "bay-1")
        assert (bed["subject"]["id"], bed["subject"]["height_m"]) == ("a-1", 1.71)
        assert [(one["id"], one["placement"]) for one in bed["worn"]] == [("strap-1", "chest")]
        session = (await done(client, "session-start", subject="a-1", protocol="10mwt"))["session"]
        await done(client, "session-pause", session=session)
        await done(client, "session-resume", session=session)
        marked = await done(client, "session-mark", session=session, text="turned at the door")
        bed = await bed_after(client, marked["number"], "bay-1")
        assert (bed["session"]["protocol"], bed["session"]["state"]) == ("10mwt", "running")
        assert len(bed["session"]["marks_us"]) == 1
        ended = await done(client, "session-end", session=session)
        bed = await bed_after(client, ended["number"], "bay-1")
        assert (bed["session"], [(s["id"], s["discarded"]) for s in bed["ended"]]) == (None, [(session, False)])
        answer = await done(client, "session-correct", session=session, subject="a-l")
        assert answer["note"].startswith("Nobody of the pseudonym 'a-l' is on this ward")
        assert "note" not in await done(client, "session-correct", session=session, subject="a-1")
        await done(client, "take-off", device="strap-1", subject="a-1")
        last = await done(client, "discharge", subject="a-1")
        assert (await bed_after(client, last["number"], "bay-1"))["subject"] is None

    def of_bed() -> list[Json]:
        about = {"a-1", session}
        return [c for c in gateway.heard.changes() if about & {c.get("subject"), c.get("session")}]

    await asyncio.to_thread(wait_until, lambda: len(of_bed()) == 11, WITHIN_S)
    assert [c["change"] for c in of_bed()] == [
        "admit", "assign", "session-start", "session-pause", "session-resume", "session-mark", "session-end",
        "session-correct", "session-correct", "take-off", "discharge",
    ]  # fmt: skip
    assert {(c["by"], c["from"]) for c in of_bed()} == {("clinician-1 (clinician)", "dashboard")}


@pytest.mark.parametrize(
    ("name", "fields", "sentence"),
    [
        ("admit", {"subject": "a-2", "bed": "bay-2"}, "'p-2' is in bed 'bay-2': discharge or move them first."),
        ("admit", {"subject": "p-2", "bed": "bay-3"}, "'p-2' is in bed 'bay-2' already: move them instead."),
        ("assign", {"device": "strap-2", "bed": "bay-3", "placement": "wrist"},
         "'strap-2' is on the chest in bed 'bay-2': take it off first."),
        ("assign", {"device": "strap-2", "bed": "bay-2", "placement": "wrist", "subject": "p-9"},
         "'p-2' is in bed 'bay-2' now, and not 'p-9'."),
        ("take-off", {"device": "strap-2", "subject": "p-9"}, "'p-2' is in bed 'bay-2' now, and not 'p-9'."),
        ("session-end", {"session": "bay-2-x"}, "There is no session 'bay-2-x'."),
        ("discharge", {"subject": "p-2", "role": "admin"},
         "Role is nothing that is asked for here; choose one of subject."),
    ],
)  # fmt: skip
async def test_what_the_gateway_refuses_is_its_sentence(
    gateway: Bedside, name: str, fields: Json, sentence: str
) -> None:
    async with dashboard(gateway.settings) as client:
        before = gateway.heard.ward["number"]
        assert await post(client, name, **fields) == (409, {"error": sentence})
        assert gateway.heard.ward["number"] == before


async def test_an_address_may_ask_for_the_sentence_in_another_language(gateway: Bedside) -> None:
    async with dashboard(gateway.settings) as client:
        for query, words in (("", "There is no session 'x'."), ("?language=cy", "Nid oes sesiwn 'x'.")):
            fields = {"session": "x"}
            answer = await client.post(f"/api/ward/session-end{query}", json=fields, headers=origin(client))
            assert (answer.status, await answer.json()) == (409, {"error": words})
        fields = {"subject": "p-3", "protocol": "10mtw"}
        answer = await client.post("/api/ward/session-start?language=cy", json=fields, headers=origin(client))
        begun = await answer.json()
        assert begun["note"] == "Ni fesurir dim yn ôl '10mtw'; ai '10mwt' oedd gennych mewn golwg?"
        assert "said" not in begun
        answer = await client.post("/api/ward/add-bed?language=cy", json={"bed": "x"}, headers=origin(client))
        assert (answer.status, await answer.text()) == (
            403,
            "Nid yw hyn i chi: rydych wedi mewngofnodi fel clinigydd.\n",
        )


@pytest.mark.parametrize(
    ("body", "content_type", "status", "words"),
    [
        (b"{}", "text/plain", 415, "application/json"),
        (b"{", "application/json", 400, "is JSON"),
        (b"[1]", "application/json", 400, "JSON object"),
        (b'{"subject": "p-2", "by": "somebody else"}', "application/json", 400, "'by' is whoever is signed in"),
        (b'"' + b"x" * LARGEST_BODY + b'"', "application/json", 413, "at most"),
    ],
)
async def test_what_is_no_change_reaches_no_gateway(
    gateway: Bedside, body: bytes, content_type: str, status: int, words: str
) -> None:
    async with dashboard(gateway.settings) as client:
        headers = origin(client) | {"Content-Type": content_type}
        answer = await client.post("/api/ward/discharge", data=body, headers=headers)
        assert (answer.status, words in (await answer.json())["error"]) == (status, True)
        assert (await client.post("/api/ward/discharge", json={"subject": "p-2"})).status == 403  # from no page of ours


async def test_a_request_that_is_sent_twice_is_one(gateway: Bedside) -> None:
    async with dashboard(gateway.settings) as client:
        session = (await done(client, "session-start", subject="p-4", protocol="tug"))["session"]
        twice = [post(client, "session-mark", key="k" * 16, session=session, text="up") for _ in range(2)]
        (status, first), again = await asyncio.gather(*twice)
        assert status == 200
        assert again == (200, first)
        assert await post(client, "session-mark", key="k" * 16, session=session, text="up") == (200, first)
        assert (await post(client, "session-mark", key="k" * 16, session=session, text="down"))[0] == 422
        assert (await post(client, "session-mark", key="a b", session=session, text="up"))[0] == 400
        assert len((await bed_after(client, first["number"], "bay-4"))["session"]["marks_us"]) == 1
    async with dashboard(gateway.settings, "admin") as client:  # somebody else's key is another key
        status, other = await post(client, "session-end", key="k" * 16, session=session)
        assert (status, other["number"]) == (200, first["number"] + 1)


async def test_an_open_page_hears_of_a_change_at_once(gateway: Bedside) -> None:
    async with dashboard(gateway.settings) as client, client.get("/events?bed=bay-5") as stream:
        states = (orjson.loads(line[6:]) async for line in stream.content if line.startswith(b"data: "))
        async with asyncio.timeout(WITHIN_S):
            assert (await anext(states))["bed"]["subject"]["id"] == "p-5"
            await done(client, "discharge", subject="p-5")
            async for state in states:
                if state["bed"]["subject"] is None:
                    break
        assert [one["bed"] for one in state["devices"] if one["id"] == "strap-5"] == [None]
        assert all(one.keys() == {"id", "label", "taken"} for one in state["others"])


async def test_without_users_nothing_is_changed(gateway: Bedside) -> None:
    alone = gateway.settings.dashboard.model_copy(update={"users_file": None})
    app = make_app(gateway.settings.model_copy(update={"dashboard": alone}))
    async with TestClient(TestServer(app)) as client:
        status, answer = await post(client, "discharge", subject="p-2")
        assert (status, answer["error"].startswith("Nobody is signed in here")) == (403, True)
        assert await (await client.get("/api/session")).json() == {}


async def test_a_gateway_without_an_answer_is_reported_and_its_late_answer_is_no_second_change(
    tmp_path_factory: pytest.TempPathFactory, mosquitto_port: int
) -> None:
    folder = tmp_path_factory.mktemp("stuck")
    stuck = bedside(folder, mosquitto_port, site="ward-api-stuck")
    made = await asyncio.to_thread(stuck.__enter__)
    try:
        async with dashboard(made.settings) as client:
            before = (await ward(client))["number"]
            made.process.send_signal(signal.SIGSTOP)
            status, answer = await post(client, "discharge", key="s" * 16, subject="p-1")
            assert (status, answer["unknown"]) == (504, True)
            assert "is not known: look at the ward" in answer["error"]
            assert (await ward(client))["number"] == before
            made.process.send_signal(signal.SIGCONT)
            assert (await bed_after(client, before + 1, "bay-1"))["subject"] is None
            assert (await post(client, "discharge", key="s" * 16, subject="p-1"))[0] == 504  # what it was told then
            assert (await ward(client))["number"] == before + 1
            await asyncio.to_thread(made.end)
            await ward_when(client, lambda found: found["gateway_state"] == "offline")
            answer = {"error": "The gateway is offline. Nothing was changed."}
            assert await post(client, "admit", subject="a-1", bed="bay-1") == (503, answer)
    finally:
        made.process.send_signal(signal.SIGCONT)
        await asyncio.to_thread(stuck.__exit__, None, None, None)
