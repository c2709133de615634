"""The export of one person: whole, theirs alone, for researchers, in the log; nobody else can."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from config.settings import Broker, Dashboard, Settings, Site
from gateway.audit import access_log
from gateway.dashboard.access import ROLES
from gateway.dashboard.export import as_csv
from gateway.dashboard.server import make_app
from gateway.dashboard.tokens import FILE_NAME, make, save
from gateway.dashboard.users import User, Users
from gateway.dashboard.users import save as save_users
from gateway.history.export import COLUMNS, PAGE
from gateway.history.history import History
from gateway.wire.payload import Message
from tests.gateway.dashboard.conftest import free_port
from tests.gateway.samples import measurement

Client = TestClient[Any, Any]

MANY = PAGE + 7  # more than a page
ROWS = [measurement(i) for i in range(MANY)]
GAP = measurement(MANY, value=None)
OTHERS = [replace(measurement(i), subject="p-02", session="s-2", value=99.0) for i in range(5)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A history of two people."""
    folder = tmp_path_factory.mktemp("export")
    history = History(folder / "history.db")
    history.store([Message("gateway-1", "0" * 16, 0, list(enumerate([*ROWS, GAP, *OTHERS], 1)))])
    history.close()
    return folder


@pytest.fixture
async def place(data: Path) -> AsyncIterator[tuple[Client, dict[str, str]]]:
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("x")
    save_users(data / "users.jsonl", [User("admin-1", "admin", digest)])
    made = {role: make(f"{role}-tool", role, days=1, now_s=time.time()) for role in ROLES}
    save(data / FILE_NAME, [token for token, _ in made.values()])
    settings = Settings(
        site=Site(data=data), broker=Broker(embedded=False, port=free_port()),
        dashboard=Dashboard(port=free_port(), users_file=data / "users.jsonl"),
    )  # fmt: skip
    app = make_app(settings, users=Users(data / "users.jsonl"))
    async with TestClient(TestServer(app, host="localhost")) as client:
        yield client, {role: f"Bearer {secret}" for role, (_, secret) in made.items()}


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


async def test_a_researcher_gets_every_row_of_one_person_and_of_nobody_else(
    place: tuple[Client, dict[str, str]], data: Path
) -> None:
    client, bearers = place
    for role in ROLES:
        answer = await client.get("/api/v1/export?subject=p-01", headers={"Authorization": bearers[role]})
        assert answer.status == (200 if role in {"researcher", "admin"} else 403), role
    assert (await client.get("/api/v1/export?subject=p-01")).status == 401
    answer = await client.get("/api/v1/export?subject=p-01", headers={"Authorization": bearers["researcher"]})
    assert answer.content_type == "text/csv"
    found = read(await answer.text())
    assert [int(row["end_us"]) for row in found] == [row.end_us for row in [*ROWS, GAP]]
    assert {row["subject"] for row in found} == {"p-01"}
    assert (found[0]["value"], found[0]["unit"], found[0]["simulated"]) == ("1.25", "{steps}/min", "true")
    assert (found[-1]["value"], found[-1]["quality"], found[-1]["reason"]) == ("", "invalid", "too few steps")
    await client.close()
    told = [entry for entry in access_log.read(data / access_log.NAME) if entry.fields["what"] == "export"]
    assert {entry.fields["user"] for entry in told} == {"token:researcher-tool", "token:admin-tool"}
    assert {person.subject for entry in told for person in entry.people} == {"p-01"}


async def test_a_stretch_of_time_and_questions_that_are_none(place: tuple[Client, dict[str, str]]) -> None:
    client, bearers = place
    asked = {"Authorization": bearers["researcher"]}
    first, last = ROWS[10].end_us, ROWS[20].end_us
    answer = await client.get(f"/api/v1/export?subject=p-01&from_us={first}&to_us={last}", headers=asked)
    assert [int(row["end_us"]) for row in read(await answer.text())] == [row.end_us for row in ROWS[10:20]]
    nobody = await client.get("/api/v1/export?subject=p-99", headers=asked)
    assert (nobody.status, await nobody.text()) == (200, f"{','.join(COLUMNS)}\r\n")
    for query in ("", "?subject=", "?subject=../x", "?subject=p-01&from_us=x", "?subject=p-01&to_us=-1"):
        assert (await client.get(f"/api/v1/export{query}", headers=asked)).status == 400, query


def test_the_command_prints_the_same(data: Path, tmp_path: Path) -> None:
    config = tmp_path / "ward.toml"
    config.write_text(f'[site]\ndata = "{data}"\n')
    command = [sys.executable, "-m", "gateway", "history", "export", str(config), "p-02"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert [(row["subject"], row["value"]) for row in read(done.stdout)] == [("p-02", "99.0")] * len(OTHERS)


def test_a_text_is_no_formula() -> None:
    assert as_csv([("=1+1", "-x", None, -1.5, True)]) == b"'=1+1,'-x,,-1.5,true\r\n"
