"""In which language pages and programs are answered: by choice, by browser, by site; and what a choice leaves."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from config.settings import Broker, Dashboard, Settings, Site
from gateway.dashboard.language import asked_for, languages_of
from gateway.dashboard.server import make_app
from gateway.model.usage import UsageError

LANGUAGES = languages_of(Dashboard())
WELSH = {"Accept-Language": "cy-GB, cy;q=0.9, en;q=0.5"}


def settings_of(folder: Path, **fields: object) -> Settings:
    return Settings(
        site=Site(data=folder), broker=Broker(embedded=False, port=1), dashboard=Dashboard.model_validate(fields),
        simulated=True,
    )  # fmt: skip


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[TestClient]:  # type: ignore[type-arg]
    async with TestClient(TestServer(make_app(settings_of(tmp_path)))) as made:
        yield made


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("cy", "cy"), ("cy-GB,en;q=0.8", "cy"), ("en-GB,cy;q=0.3", "en"), ("de, cy;q=0.2", "cy"), ("de", None),
        ("", None), ("cy;q=0", None), ("*", None), ("cy;q=x", None), ("c" * 10_000, None),
    ],
)  # fmt: skip
def test_a_browser_asks_for_a_language(header: str, code: str | None) -> None:
    found = asked_for(header, LANGUAGES)
    assert (found and found.code) == code


async def test_a_page_is_in_the_language_of_the_browser(client: TestClient) -> None:  # type: ignore[type-arg]
    english = await (await client.get("/beds")).text()
    welsh = await (await client.get("/beds", headers=WELSH)).text()
    assert '<html lang="en-GB"' in english
    assert '<html lang="cy"' in welsh
    assert ("<h1>Beds</h1>" in english, "<h1>Gwelyau</h1>" in welsh) == (True, True)
    assert "Drafft: " in welsh
    assert 'class="draft"' not in english
    build = r'data-build="(\w+)"'
    assert re.findall(build, english) == re.findall(build, welsh)  # an open page does not load again for a language


async def test_a_choice_is_kept_and_leaves_the_rest_of_the_address(client: TestClient) -> None:  # type: ignore[type-arg]
    answer = await client.get("/bed/bay-1?gateway=north&language=cy", allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "./bay-1?gateway=north")
    cookie = answer.cookies["language"]
    assert (cookie.value, cookie["samesite"], bool(cookie["httponly"])) == ("cy", "Lax", True)
    assert '<html lang="cy"' in await (await client.get("/bed/bay-1?gateway=north")).text()
    back = await client.get("/beds?language=en", headers=WELSH)
    assert '<html lang="en-GB"' in await back.text()
    assert '<html lang="en-GB"' in await (await client.get("/beds", headers=WELSH)).text()


@pytest.mark.parametrize("path", ["/https:evil.example", "/bed/https:evil.example", "/x//evil.example", "/"])
async def test_a_choice_never_leads_to_another_site(client: TestClient, path: str) -> None:  # type: ignore[type-arg]
    address = URL(f"http://{client.host}:{client.port}{path}?language=cy", encoded=True)
    answer = await client.session.get(address, allow_redirects=False)
    assert answer.status == 303
    where = urljoin(str(address), answer.headers["Location"])  # as a browser reads it (RFC 3986, section 5)
    assert where.startswith(f"http://{client.host}:{client.port}/")


async def test_a_language_that_is_not_there_is_no_choice(client: TestClient) -> None:  # type: ignore[type-arg]
    answer = await client.get("/beds?language=tlh", allow_redirects=False)
    assert answer.status == 200
    assert "language" not in answer.cookies


async def test_programs_are_answered_in_english_but_where_they_ask(client: TestClient) -> None:  # type: ignore[type-arg]
    plain = await (await client.get("/api/v1/catalogue", headers=WELSH)).json()
    welsh = await (await client.get("/api/catalogue?language=cy")).json()
    assert plain["cadence"]["title"] == "Cadence"
    assert (welsh["cadence"]["title"], welsh["cadence"]["unit_text"]) == ("Diweddeb", "camau/mun")
    tests = [
        (await (await client.get(f"/api/tests{query}", headers=WELSH)).json())["tests"]
        for query in ("", "?language=cy")
    ]
    assert [found[5]["stop"][:11] for found in tests] == ["Press Stop ", "Pwyswch Sto"]


async def test_a_site_has_a_language_of_its_own(tmp_path: Path) -> None:
    async with TestClient(TestServer(make_app(settings_of(tmp_path, language="cy")))) as client:
        assert '<html lang="cy"' in await (await client.get("/beds")).text()
        assert '<html lang="en-GB"' in await (await client.get("/beds", headers={"Accept-Language": "en"})).text()


def test_a_language_without_a_file_is_said_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file of 'de'; there are en, cy"):
        make_app(settings_of(tmp_path, language="de"))
