"""Programs and their tokens: made and taken back by the command line, limited, logged, and no way into a page."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher

from config.loader import load as config_of
from config.settings import Broker, Dashboard, Settings, Site
from gateway.audit import access_log
from gateway.cli import token_desk
from gateway.dashboard.access import ROLES, TABLE, Role, for_programs, may
from gateway.dashboard.server import make_app
from gateway.dashboard.tokens import DAY_S, FILE_NAME, PREFIX, Tokens, load, make, save
from gateway.dashboard.users import User, Users
from gateway.dashboard.users import save as save_users
from gateway.dashboard.versions import unversioned, versioned
from gateway.model.usage import UsageError
from tests.gateway.dashboard.conftest import free_port
from tests.gateway.dashboard.test_access import METHODS, PASSWORD, PATHS, STREAMS, routes

Client = TestClient[Any, Any]


@dataclass
class Place:
    """A dashboard with users, and one token a role."""

    client: Client
    data: Path
    secrets: dict[Role, str]

    def bearer(self, role: Role) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secrets[role]}"}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    digest = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
    save_users(tmp_path / "users.jsonl", [User("admin-1", "admin", digest)])
    made = {role: make(f"{role}-tool", role, days=1, now_s=time.time()) for role in ROLES}
    save(tmp_path / FILE_NAME, [token for token, _ in made.values()])
    settings = Settings(
        site=Site(data=tmp_path),
        broker=Broker(embedded=False, port=free_port()),
        dashboard=Dashboard(port=free_port(), users_file=tmp_path / "users.jsonl"),
    )
    app = make_app(settings, users=Users(tmp_path / "users.jsonl"))
    async with TestClient(TestServer(app, host="localhost")) as client:
        yield Place(client, tmp_path, {role: secret for role, (_, secret) in made.items()})


async def test_every_route_and_method_with_a_token_of_every_role(place: Place) -> None:
    """What a role may of the API, and no page, whatever the role."""
    every = sorted({route for _, route in routes(place.client.app)})
    for role in ROLES:
        for route in every:
            plain = unversioned(route)
            path = PATHS.get(plain, plain).replace("{device}/{stream}", "dot-1/imu")
            path = path if route == plain else versioned(path)
            for method in METHODS:
                async with place.client.request(
                    method, path, headers=place.bearer(role), allow_redirects=False
                ) as answer:
                    asked = (role, method, route, answer.status)
                    known = ("GET" if method == "HEAD" else method, unversioned(route)) in TABLE
                    if known and for_programs(route) and may(role, method, route):
                        no_head = method == "HEAD" and unversioned(route) in STREAMS
                        assert answer.status not in {303, 401, 403, 405} or no_head, asked
                    else:
                        assert answer.status in {403, 405}, asked
                    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("said", ["Bearer", "Bearer x", f"Bearer {PREFIX}x", "Basic YTpi", f"Bearer {'x' * 5000}", ""])
async def test_what_is_no_token_is_told_so(place: Place, said: str) -> None:
    answer = await place.client.get("/api/v1/catalogue", headers={"Authorization": said})
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_a_token_is_no_password_and_a_cookie_does_not_help_a_wrong_one(place: Place) -> None:
    ours = {"Origin": str(place.client.make_url("/")).rstrip("/")}
    form = {"name": "admin-1", "password": place.secrets["admin"]}
    assert (await place.client.post("/login", data=form, headers=ours, allow_redirects=False)).status == 403
    form = {"name": "token:admin-tool", "password": place.secrets["admin"]}
    assert (await place.client.post("/login", data=form, headers=ours, allow_redirects=False)).status == 403
    good = {"name": "admin-1", "password": PASSWORD}
    assert (await place.client.post("/login", data=good, headers=ours, allow_redirects=False)).status == 303
    wrong = {"Authorization": f"Bearer {PREFIX}wrong"}
    assert (await place.client.get("/api/v1/status", headers=wrong)).status == 401


async def test_wrong_tokens_wait_longer_and_longer_and_right_ones_do_not(place: Place) -> None:
    wrong = {"Authorization": f"Bearer {PREFIX}wrong"}
    statuses = [(await place.client.get("/api/v1/status", headers=wrong)).status for _ in range(7)]
    assert statuses == [401] * 5 + [429] * 2
    assert (await place.client.get("/api/v1/status", headers=place.bearer("admin"))).status == 200


async def test_a_token_that_is_revoked_opens_nothing_and_its_stream_ends(place: Place) -> None:
    async with place.client.get("/api/v1/events", headers=place.bearer("viewer")) as stream:
        assert stream.status == 200
        await stream.content.readline()
        save(place.data / FILE_NAME, [])
        async with asyncio.timeout(30):
            await stream.content.read()  # to its end
    assert (await place.client.get("/api/v1/catalogue", headers=place.bearer("viewer"))).status == 401


async def test_every_use_stands_in_the_access_log_under_its_name(place: Place) -> None:
    await place.client.get("/api/v1/catalogue", headers=place.bearer("researcher"))
    await place.client.get("/api/v1/status", headers=place.bearer("researcher"))  # refused: not for the role
    await place.client.get("/api/v1/catalogue", headers={"Authorization": f"Bearer {PREFIX}wrong"})
    await place.client.close()
    entries = list(access_log.read(place.data / access_log.NAME))
    used = [entry.fields for entry in entries if entry.fields.get("user") == "token:researcher-tool"]
    assert [(one["what"], one["method"], one["route"]) for one in used] == [("token", "GET", "/api/v1/catalogue")]
    assert [entry.fields["why"] for entry in entries if entry.fields["what"] == "refused"] == ["wrong token"]
    assert place.secrets["researcher"] not in (place.data / access_log.NAME).read_bytes().decode("latin-1")
    assert access_log.last_uses(place.data / access_log.NAME, "token:") == {"token:researcher-tool": used[0]["time_us"]}


def test_a_token_ends_on_its_day(tmp_path: Path) -> None:
    token, secret = make("warehouse", "researcher", days=2, now_s=1000.0)
    save(tmp_path / FILE_NAME, [token])
    now = 1000.0
    tokens = Tokens(tmp_path / FILE_NAME, now=lambda: now)
    assert tokens.find(secret) == token
    assert tokens.is_good(token)
    now = 1000.0 + 2 * DAY_S
    assert tokens.find(secret) == token
    assert not tokens.is_good(token)
    assert tokens.find(f"{secret}x") is None


@pytest.mark.parametrize(
    ("name", "days", "said"), [("Data", 1, "lower-case"), ("token:x", 1, "lower-case"), ("x", 5000, "1 to 1100 days")]
)
def test_a_token_that_cannot_be_is_refused(name: str, days: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make(name, "viewer", days=days, now_s=0.0)


def test_a_damaged_file_opens_nothing_and_says_where(tmp_path: Path) -> None:
    token, secret = make("warehouse", "researcher", days=2, now_s=time.time())
    path = tmp_path / FILE_NAME
    save(path, [token])
    tokens = Tokens(path)
    path.write_bytes(path.read_bytes() + b'{"name": "x"}\n')
    with pytest.raises(UsageError, match="line 2: is not a token"):
        load(path)
    assert tokens.find(secret) is None
    path.chmod(0o644)
    with pytest.raises(UsageError, match="open to others"):
        load(path)


def test_the_command_shows_a_token_once_and_keeps_its_sum(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "ward.toml"
    config.write_text(f'[site]\ndata = "{tmp_path}/data"\n')
    command = [sys.executable, "-m", "gateway", "token", "add", str(config), "warehouse", "--role", "researcher"]
    done = subprocess.run([*command, "--days", "30"], capture_output=True, text=True, check=True, timeout=120)
    secret, settings, kept = done.stdout.strip(), config_of(config), tmp_path / "data" / FILE_NAME
    assert secret.startswith(PREFIX)
    assert "shown once" in done.stderr
    assert secret not in kept.read_text()
    assert kept.stat().st_mode & 0o777 == 0o600
    found = Tokens(kept).find(secret)
    assert found is not None
    assert (found.name, found.role, found.until_s - found.made_s) == ("warehouse", "researcher", 30 * DAY_S)
    with pytest.raises(UsageError, match="already"):
        token_desk.add(settings, "warehouse", "viewer", 1)
    with pytest.raises(UsageError, match="--role"):
        token_desk.add(settings, "other", "physicist", 1)
    token_desk.show(settings, as_json=False)
    listed = capsys.readouterr().out
    assert "warehouse" in listed
    assert "never" in listed
    assert secret not in listed
    token_desk.revoke(settings, "warehouse")
    with pytest.raises(UsageError, match="no token"):
        token_desk.revoke(settings, "warehouse")
    assert Tokens(kept).find(secret) is None
