"""Reports, trends and bands over HTTP: what is answered to whom, and who is told in the log."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from config.settings import Broker, Dashboard, Settings, Site
from gateway.audit.access_log import NAME, read
from gateway.dashboard import pages
from gateway.dashboard.server import make_app
from gateway.dashboard.users import User, Users, save
from tests.gateway.dashboard.api_document import said
from tests.gateway.dashboard.conftest import free_port
from tests.gateway.results.clinic import SUBJECT, Clinic
from tests.servers import wait_until

PASSWORD = "correct horse battery"  # noqa: S105 - of people who do not exist
READERS = ("clinician", "researcher", "admin")
OTHERS = ("viewer", "technician")

Client = TestClient[Any, Any]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A history with two sessions; return it, and the second of them."""
    clinic = Clinic(tmp_path_factory.mktemp("clinic"), simulated=True)
    clinic.gateway.do(10, "plan", subject=SUBJECT, bands="stroke-chronic", sessions_a_week=3)
    clinic.test(1, 0.5)
    made = clinic.test(8, 0.8)
    return clinic.store(), made


@pytest.fixture
def session(history: tuple[Path, str], tmp_path: Path) -> str:
    """Copy the history for a test; return a session of it."""
    path, made = history
    shutil.copy(path, tmp_path / "history.db")
    return made


@pytest.fixture
async def client(tmp_path: Path, session: str) -> AsyncIterator[Client]:
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    users = tmp_path / "users.jsonl"
    save(users, [User(f"{role}-1", role, digest) for role in (*READERS, *OTHERS)])  # type: ignore[arg-type]
    settings = Settings(
        site=Site(data=tmp_path), broker=Broker(embedded=False, port=free_port()),
        dashboard=Dashboard(port=free_port(), users_file=users),
    )  # fmt: skip
    server = TestServer(make_app(settings, users=Users(users)), host="localhost")
    async with TestClient(server) as made:
        yield made


async def sign_in(client: Client, role: str) -> None:
    origin = str(client.make_url("/")).rstrip("/")
    form = {"name": f"{role}-1", "password": PASSWORD}
    answer = await client.post("/login", data=form, headers={"Origin": origin}, allow_redirects=False)
    assert answer.status == 303


@pytest.mark.parametrize("role", READERS)
async def test_readers_get_report_and_trend_and_are_in_the_log(
    client: Client, tmp_path: Path, session: str, role: str
) -> None:
    await sign_in(client, role)
    page = await client.get(f"/report/{session}")
    text = await page.text()
    assert page.status == 200
    assert "more than measurement error, for the better" in text
    told = re.search(r'<script type="application/json" id="texts">(.+?)</script>', text)
    assert told is not None
    assert pages.keys_of("session") <= orjson.loads(told[1])["texts"].keys()  # who is signed in, and the way out
    report = await (await client.get(f"/api/report/{session}?subject={SUBJECT}")).json()
    said("GET", "/api/report/{session}").validate(report)
    assert report["session"]["subject"] == SUBJECT
    assert report["bands"]["group"] == "stroke-chronic"
    trend = await (await client.get(f"/api/trend/{SUBJECT}?days=4000&by=session")).json()
    said("GET", "/api/trend/{subject}").validate(trend)
    assert [point["value"] for point in trend["lines"][0]["points"]] == [0.5, 0.8]
    days = await (await client.get(f"/api/days/{SUBJECT}?days=92")).json()
    said("GET", "/api/days/{subject}").validate(days)
    assert (await client.get(f"/trend/{SUBJECT}")).status == 200
    wanted = {("report", "", SUBJECT, session), ("trend", "", SUBJECT, "")}
    await asyncio.to_thread(wait_until, lambda: wanted <= looks(tmp_path), 30)


def looks(folder: Path) -> set[tuple[str, ...]]:
    """Return the pages that the log tells of, with whom each was about."""
    return {(str(entry.fields.get("page")), *entry.people[0]) for entry in read(folder / NAME) if entry.people}


@pytest.mark.parametrize("role", OTHERS)
async def test_nobody_else_does(client: Client, session: str, role: str) -> None:
    await sign_in(client, role)
    for path in (f"/report/{session}", f"/report/{session}/pdf", f"/api/report/{session}", f"/trend/{SUBJECT}",
                 f"/api/trend/{SUBJECT}", f"/api/days/{SUBJECT}"):  # fmt: skip
        assert (await client.get(path)).status == 403, path


async def test_what_is_not_there_is_said(client: Client, session: str) -> None:
    await sign_in(client, "clinician")
    for path, status, words in (
        ("/report/nothing", 404, "knows no session 'nothing'"),
        (f"/report/{session}?subject=p-other", 404, "of p-other"),
        (f"/report/{session}?baseline=nothing", 404, "no other session"),
        ("/trend/p_1", 404, "Not Found"),  # a ward takes no such pseudonym, and an export knows none
        ("/api/trend/p-nobody", 404, "nobody of the pseudonym"),
        ("/api/days/p-nobody", 404, "nobody of the pseudonym"),
        (f"/api/days/{SUBJECT}?days=93", 400, "1 to 92"),
        (f"/api/days/{SUBJECT}?days=x", 400, "1 to 92"),
        (f"/api/days/{SUBJECT}?days={'1' * 5000}", 400, "1 to 92"),
        (f"/api/trend/{SUBJECT}?days=0", 400, "days"),
        (f"/api/trend/{SUBJECT}?metric=nothing", 400, "metric"),
        (f"/api/trend/{SUBJECT}?by=year", 400, "by"),
    ):
        answer = await client.get(path)
        assert (answer.status, words in await answer.text()) == (status, True), path


async def test_the_bands_can_be_read_before_one_is_chosen(client: Client) -> None:
    await sign_in(client, "technician")
    found = await (await client.get("/api/bands")).json()
    assert found["stroke-chronic"]["band"][0]["citation"].startswith("Lewek and Sykes 2019")
