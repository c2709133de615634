"""People, audit and the log of looks over HTTP: for an admin alone, page by page, and whether the chains are whole."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from config.settings import Broker, Dashboard, Settings, Site
from gateway.audit import access_log, newest
from gateway.dashboard import signin, tokens
from gateway.dashboard.access import ROLES
from gateway.dashboard.outside_text import REPLACEMENT
from gateway.dashboard.records_view import KEPT_S, MOST_CHECKED, Checked, Kept, chains_view, check_both
from gateway.dashboard.server import make_app
from gateway.dashboard.users import User, Users, save
from gateway.history.history import History
from gateway.model.records import Record
from gateway.model.row import AUDIT
from gateway.outbox.outbox import Outbox
from gateway.wire.payload import decode_records, encode_records
from tests.gateway.dashboard.api_document import said
from tests.gateway.dashboard.conftest import free_port
from tests.servers import wait_until

PASSWORD = "correct horse battery"  # noqa: S105 - of people who do not exist
ROUTES = ("/api/people", "/api/audit", "/api/access-log", "/api/chains")
MANY = newest.PAGE * 2 + 7
DAY_US = 86_400_000_000
FROM_US = 1_760_000_000_000_000
TURNED = "evil\u202etxt"
WITHIN_S = 30.0

Client = TestClient[Any, Any]
Json = dict[str, Any]


def store_audit(folder: Path) -> None:
    """Write a history of an audit: changes of the ward, one an hour, and a start."""
    box = Outbox(folder / "outbox.db", commit_s=0.01)
    box.record(Record("audit", "start", FROM_US, {"version": TURNED}))
    for n in range(1, MANY):
        about = {"number": n, "change": "admit", "by": "anna (clinician)", "bed": "bay-1", "subject": f"p-{n}"}
        box.record(Record("audit", "ward-changed", FROM_US + n * DAY_US // 24, {**about, "from": "dashboard"}))
    assert box.flush()
    rows = [row for row in box.read(0, 1000) if row.rank == AUDIT]
    with closing(History(folder / "history.db")) as history:
        history.store([decode_records("gateway-1", encode_records("gateway-1", box.epoch, 0, rows))])
    box.close()


@dataclass
class Place:
    """A running dashboard with users and tokens of every role, and an audit."""

    client: Client
    folder: Path
    secrets: dict[str, str]

    async def get(self, path: str, role: str = "admin") -> tuple[int, Any]:
        """Ask with a token of a role."""
        headers = {"Authorization": f"Bearer {self.secrets[role]}"}
        async with self.client.get(path, headers=headers) as answer:
            return answer.status, await answer.json() if answer.content_type == "application/json" else None

    async def told(self, path: str) -> Json:
        """Return what an admin is told, as the document says it."""
        status, found = await self.get(path)
        assert status == 200, found
        said("GET", path).validate(found)
        answer: Json = found
        return answer

    async def sign_in(self, name: str) -> None:
        """Sign somebody in, in the one browser there is."""
        origin = str(self.client.make_url("/")).rstrip("/")
        form = {"name": name, "password": PASSWORD}
        async with self.client.post("/login", data=form, headers={"Origin": origin}, allow_redirects=False) as answer:
            assert answer.status == 303


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    store_audit(tmp_path)
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    save(tmp_path / "users.jsonl", [User(f"{role}-1", role, digest) for role in ROLES])
    made = {role: tokens.make(f"{role}-tool", role, days=1, now_s=time.time()) for role in ROLES}
    over, _ = tokens.make("old-tool", "viewer", days=1, now_s=1.0)
    tokens.save(tmp_path / tokens.FILE_NAME, [*(token for token, _ in made.values()), over])
    settings = Settings(
        site=Site(data=tmp_path), broker=Broker(embedded=False, port=free_port()),
        dashboard=Dashboard(port=free_port(), users_file=tmp_path / "users.jsonl"),
    )  # fmt: skip
    app = make_app(settings, users=Users(tmp_path / "users.jsonl"))
    async with TestClient(TestServer(app, host="localhost")) as client:
        yield Place(client, tmp_path, {role: secret for role, (_, secret) in made.items()})


async def test_each_role_but_admin_is_refused_all_of_it(place: Place) -> None:
    for role in ROLES:
        for route in (*ROUTES, *(route.replace("/api/", "/api/v1/") for route in ROUTES)):
            status, found = await place.get(route, role)
            assert status == (200 if role == "admin" else 403), (role, route)
            assert role == "admin" or found is None
    for role in ROLES:
        place.client.session.cookie_jar.clear()
        await place.sign_in(f"{role}-1")
        for route in ("/people", "/events?view=people", *ROUTES):
            async with place.client.get(route) as answer:
                assert answer.status == (200 if role == "admin" else 403), (role, route)
    place.client.session.cookie_jar.clear()
    for route in ROUTES:
        assert (await place.client.get(route)).status == 401


async def test_without_users_nothing_of_it_is_told(tmp_path: Path) -> None:
    store_audit(tmp_path)
    app = make_app(Settings(site=Site(data=tmp_path), broker=Broker(embedded=False, port=free_port())))
    async with TestClient(TestServer(app, host="localhost")) as client:
        for route in ROUTES:
            answer = await client.get(route)
            assert answer.status == 403
            assert "dashboard.users_file" in (await answer.json())["error"]


async def test_users_and_tokens_are_told_and_no_secret(place: Place) -> None:
    await place.sign_in("clinician-1")
    looks = place.folder / access_log.NAME
    await asyncio.to_thread(wait_until, lambda: "clinician-1" in newest.last_sign_ins(looks), WITHIN_S)
    gate = place.client.server.app[signin.GATE]  # type: ignore[attr-defined]
    admin = gate.users.get("admin-1")
    await asyncio.to_thread(gate.pins.set, admin, "739164")
    found = await place.told("/api/people")
    users = {user.pop("name"): user for user in found["users"]}
    assert users["admin-1"] == {"role": "admin", "pin": True, "last_us": None}
    assert users["clinician-1"]["pin"] is False
    assert abs(users["clinician-1"]["last_us"] - time.time() * 1e6) < WITHIN_S * 1e6
    programs = {token["name"]: token for token in found["tokens"]}
    assert programs["old-tool"]["over"]
    assert not programs["admin-tool"]["over"]
    assert programs["admin-tool"]["role"] == "admin"
    whole = str(found)
    secret = [
        *place.secrets.values(),
        admin.hash,
        *(of.digest for of in tokens.load(place.folder / tokens.FILE_NAME).values()),
    ]
    assert not [one for one in secret if one in whole]


async def test_the_audit_is_told_page_by_page_newest_first_and_each_record_once(place: Place) -> None:
    found: list[Json] = []
    before, pages = "", 0
    while pages == 0 or before:
        page = await place.told(f"/api/audit?before={before}")
        assert len(page["entries"]) <= newest.PAGE
        found += page["entries"]
        before, pages = page["older"], pages + 1
    assert pages == 3
    assert [one["subject"] for one in found] == [*(f"p-{n}" for n in range(MANY - 1, 0, -1)), ""]
    first = found[0]
    assert (first["who"], first["what"], first["bed"]) == ("anna (clinician)", "ward-changed", "bay-1")
    assert first["text"] == f"change admit, from dashboard, number {MANY - 1}"
    assert first["gateway"] == "gateway-1"
    assert page["kinds"] == ["start", "ward-changed"]
    assert found[-1]["text"] == f"version evil{REPLACEMENT}txt", "what turns a line round is not on the page"


async def test_records_made_in_one_moment_are_told_once_each(tmp_path: Path) -> None:
    with closing(Outbox(tmp_path / "outbox.db", commit_s=0.01)) as box:
        for n in range(MANY):
            box.record(Record("audit", "clock", FROM_US, {"by_s": n}))
        assert box.flush()
        rows = [row for row in box.read(0, 1000) if row.rank == AUDIT]
        with closing(History(tmp_path / "history.db")) as history:
            history.store([decode_records("gateway-1", encode_records("gateway-1", box.epoch, 0, rows))])
    found: list[int] = []
    page = newest.newest_records(tmp_path / "history.db", newest.Wanted())
    found += [one.fields["by_s"] for one in page.entries]
    while page.older:
        page = newest.newest_records(tmp_path / "history.db", newest.Wanted(before=page.older))
        found += [one.fields["by_s"] for one in page.entries]
    assert found == list(range(MANY - 1, -1, -1))


async def test_the_audit_is_filtered_by_kind_and_by_day(place: Place) -> None:
    (start,) = (await place.told("/api/audit?kind=start"))["entries"]
    assert start["what"] == "start"
    day = await place.told(f"/api/audit?kind=ward-changed&from_us={FROM_US + DAY_US}&to_us={FROM_US + 2 * DAY_US}")
    assert [one["subject"] for one in day["entries"]] == [f"p-{n}" for n in range(47, 23, -1)]
    assert (await place.told("/api/audit?kind=nothing"))["entries"] == []
    for wrong in ("before=x", "before=1", "from_us=-1", "to_us=", "kind=A%20B", "from_us=1e5"):
        assert (await place.get(f"/api/audit?{wrong}"))[0] == 400, wrong
    assert (await place.get("/api/access-log?before=1-2-3"))[0] == 400


async def test_looking_at_it_stands_in_the_log_that_it_shows(place: Place) -> None:
    for route in ROUTES:
        await place.told(route)
    looks = place.folder / access_log.NAME

    def told() -> set[str]:
        page = newest.newest_looks(looks, newest.Wanted(kind="look"))
        return {one.fields["page"] for one in page.entries if one.fields["user"] == "token:admin-tool"}

    await asyncio.to_thread(wait_until, lambda: told() == {"people", "audit", "access-log", "chains"}, WITHIN_S)
    page = await place.told("/api/access-log?kind=look")
    assert {one["text"] for one in page["entries"]} >= {"page audit", "page access-log"}
    assert {(one["who"], one["role"], one["what"]) for one in page["entries"]} == {
        ("token:admin-tool", "admin", "look")
    }


async def test_looks_are_told_page_by_page_with_whom_they_were_about(place: Place) -> None:
    log = access_log.AccessLog(place.folder / access_log.NAME, keep_days=9999, keep_people_days=9999)
    for n in range(MANY):
        log.write("look", [access_log.Person("bay-1", f"p-{n}", "s-1")], user="anna", role="clinician", page="patient")
    log.close()
    found: list[Json] = []
    page = await place.told("/api/access-log?kind=look")
    found += page["entries"]
    while page["older"]:
        page = await place.told(f"/api/access-log?kind=look&before={page['older']}")
        found += page["entries"]
    about = [one["people"] for one in found if one["who"] == "anna"]
    assert about == [[{"bed": "bay-1", "subject": f"p-{n}"}] for n in range(MANY - 1, -1, -1)]


async def test_chains_are_whole_and_what_is_taken_out_shows(place: Place) -> None:
    found = await place.told("/api/chains")
    (chain,) = found["audit"]
    assert (chain["gateway"], chain["whole"], chain["troubles"]) == ("gateway-1", True, [])
    assert chain["text"] == f"The chain is whole: {MANY} records."
    assert found["access_log"]["text"] == "The log is whole."
    with closing(sqlite3.connect(place.folder / "history.db", isolation_level=None)) as db:
        db.execute("DELETE FROM records WHERE kind = 'audit' AND seq = 5")
    with closing(sqlite3.connect(place.folder / access_log.NAME, isolation_level=None)) as db:
        db.execute("UPDATE entries SET body = 'not JSON' WHERE n = 1")
    assert (await place.told("/api/chains")) == found, "as of at most a minute ago, and it says of when"
    again = chains_view(check_both(place.folder / "history.db", place.folder / access_log.NAME, sharing=False))
    (chain,) = again["audit"]
    assert chain["whole"] is False
    assert chain["text"] == "The chain is not whole: broken in 1 place."
    assert chain["troubles"] == ["record 5 is missing without a told gap"]
    assert again["access_log"]["text"].startswith("The log is not whole: entry 1 is not as it was written")
    page = await place.told("/api/access-log")
    assert page["entries"], "an entry that is spoilt hides no other"
    with closing(sqlite3.connect(place.folder / access_log.NAME, isolation_level=None)) as db:
        db.execute("DELETE FROM entries")
    again = chains_view(check_both(place.folder / "history.db", place.folder / access_log.NAME, sharing=False))
    assert again["access_log"]["whole"] is False, "one from which all was taken is no log that has not begun"


def test_what_is_too_long_to_check_is_said_to_be_unchecked() -> None:
    found = chains_view(Checked(1, None, MOST_CHECKED + 1, None, MOST_CHECKED + 2))
    assert [one["whole"] for one in (*found["audit"], found["access_log"])] == [None, None]
    assert "rehab-gateway audit verify" in found["access_log"]["text"]


async def test_a_history_that_is_not_there_yet_holds_no_audit(tmp_path: Path) -> None:
    assert newest.newest_records(tmp_path / "history.db", newest.Wanted()) == ([], "")
    assert newest.newest_looks(tmp_path / access_log.NAME, newest.Wanted()) == ([], "")
    found = chains_view(check_both(tmp_path / "history.db", tmp_path / access_log.NAME, sharing=False))
    assert found["audit"][0]["text"] == "The history holds no audit."
    assert found["access_log"]["text"] != "The log is whole.", "of what is not there nothing is said to be well"


async def test_the_check_is_made_once_a_minute_however_many_ask_and_a_failure_is_not_kept() -> None:
    now, made, go = [0.0], list[int](), threading.Event()

    def make() -> int:
        assert go.wait(WITHIN_S)
        made.append(1)
        if len(made) == 2:
            raise OSError("no disk")
        return len(made)

    kept = Kept(make, clock=lambda: now[0])
    asking = [asyncio.ensure_future(kept.get()) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()  # goes away: the others wait for the same
    go.set()
    assert await asyncio.gather(*asking[1:]) == [1, 1, 1, 1]
    now[0] = KEPT_S - 1
    assert await kept.get() == 1
    now[0] = KEPT_S
    with pytest.raises(OSError, match="no disk"):
        await kept.get()
    assert await kept.get() == 3
