"""The export of one person: whole, theirs alone, for researchers, in the log; nobody else can."""

from __future__ import annotations

import asyncio
import csv
import io
import socket
import sqlite3
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from config.settings import Broker, Dashboard, Settings, Site
from gateway.audit import access_log
from gateway.dashboard.access import ROLES
from gateway.dashboard.connections import READ_WITHIN_S
from gateway.dashboard.export import as_csv
from gateway.dashboard.server import make_app
from gateway.dashboard.tokens import FILE_NAME, make, save
from gateway.dashboard.users import User, Users
from gateway.dashboard.users import save as save_users
from gateway.history.export import COLUMNS, PAGE
from gateway.history.history import History
from gateway.wire.payload import Message
from tests.certificates import Authority
from tests.gateway.dashboard.conftest import free_port
from tests.gateway.dashboard.served import served
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


PAGES = 5  # some megabytes: more than the system takes from us for one connection
SLOWLY_BYTES_S = 12_000
SLOWLY_S = READ_WITHIN_S + 14
"""A line on which a page of the export takes more than the time in which somebody has to read; TLS takes the first half
megabyte ahead, and a second one when a little of that is read."""


@pytest.mark.timeout(240)
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_a_slow_line_gets_it_whole_and_who_reads_nothing_holds_nothing(tmp_path: Path, tls: bool) -> None:
    history = History(tmp_path / "history.db")
    save_users(tmp_path / "users.jsonl", [])
    token, secret = make("tool", "researcher", days=1, now_s=time.time())
    save(tmp_path / FILE_NAME, [token])
    files: dict[str, Any] = {"users_file": tmp_path / "users.jsonl"}
    if tls:
        files["cert_file"], files["key_file"] = Authority(tmp_path / "ca").issue("localhost", server=True)
    settings = Settings(
        site=Site(data=tmp_path), broker=Broker(embedded=False, port=free_port()),
        dashboard=Dashboard(port=free_port(), **files),
    )  # fmt: skip
    rows = [measurement(i) for i in range(PAGES * PAGE)]
    history.store([Message("gateway-1", "0" * 16, 0, list(enumerate(rows, 1)))])
    async with served(settings):
        slow, stuck = [await asyncio.to_thread(asked, settings.dashboard.port, secret, tls=tls) for _ in range(2)]
        reading = asyncio.create_task(asyncio.to_thread(read_slowly, slow))
        await asyncio.sleep(1)  # both have read from the history by now
        history.store([Message("gateway-1", "0" * 16, 0, [(len(rows) + 1, OTHERS[0])])])
        with closing(sqlite3.connect(tmp_path / "history.db")) as db:
            assert db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() == (0, 0, 0)  # nobody holds the log open
        found = await reading
        stuck.close()
    history.close()
    assert len(read(found.partition(b"\r\n\r\n")[2].decode())) == len(rows)


def asked(port: int, secret: str, *, tls: bool) -> socket.socket:
    """Ask for an export over a connection that takes a little at a time."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    made.connect(("127.0.0.1", port))
    if tls:
        trust = ssl.create_default_context()
        trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
        made = trust.wrap_socket(made)
    head = f"GET /api/export?subject=p-01 HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {secret}\r\n\r\n"
    made.sendall(head.encode())
    return made


def read_slowly(made: socket.socket) -> bytes:
    found, began = b"", time.monotonic()
    with made:
        while piece := made.recv(4096):
            found += piece
            if time.monotonic() - began < SLOWLY_S:
                time.sleep(len(piece) / SLOWLY_BYTES_S)
    return found
