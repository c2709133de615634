"""What a browser fetches of the pages: packed where that is worth it, not again where it has it, and nothing else."""

from __future__ import annotations

import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer

from config.settings import Settings
from gateway.dashboard import pages
from gateway.dashboard.server import make_app
from gateway.dashboard.static_files import LEAST, Packed, read_files
from gateway.texts.languages import read_languages

GZIP = {"Accept-Encoding": "gzip"}
PRELOAD = re.compile(r'<link rel="modulepreload" href="[./]*static/[0-9a-f]{16}/([a-zA-Z_./]+)\.js">')


@pytest_asyncio.fixture
async def client(tmp_path: Path) -> AsyncIterator[TestClient]:  # type: ignore[type-arg]
    app = make_app(Settings.model_validate({"site": {"data": tmp_path}, "simulated": True}))
    async with TestClient(TestServer(app), auto_decompress=False) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("static/ward.js", "text/javascript; charset=utf-8"), ("static/base.css", "text/css; charset=utf-8"),
        ("static/icon.svg", "image/svg+xml"), ("", "text/html; charset=utf-8"), ("api/catalogue", "application/json"),
    ],
)  # fmt: skip
async def test_a_file_is_packed_for_whom_can_unpack_it_and_not_sent_twice(
    client: TestClient,  # type: ignore[type-arg]
    path: str,
    kind: str,
) -> None:
    plain = await client.get(f"/{path}", headers={"Accept-Encoding": "identity"})
    whole = await plain.read()
    assert (plain.status, plain.headers["Content-Type"], plain.headers["Vary"]) == (200, kind, "Accept-Encoding")
    assert "Content-Encoding" not in plain.headers
    small = await client.get(f"/{path}", headers=GZIP)
    found = await small.read()
    if len(whole) >= LEAST:
        assert small.headers["Content-Encoding"] == "gzip"
        assert len(found) < len(whole)
        found = gzip.decompress(found)
    assert found == whole
    assert plain.headers["ETag"] == small.headers["ETag"]
    again = await client.get(f"/{path}", headers={**GZIP, "If-None-Match": plain.headers["ETag"]})
    assert (again.status, await again.read()) == (304, b"")
    other = await client.get(f"/{path}", headers={**GZIP, "If-None-Match": '"another"'})
    assert other.status == 200


@pytest.mark.parametrize("path", ["static/../server.py", "static/%2e%2e/server.py", "static/", "static/ward.py"])
async def test_nothing_else_of_this_machine_is_served(client: TestClient, path: str) -> None:  # type: ignore[type-arg]
    assert (await client.get(f"/{path}")).status == 404


@pytest.mark.parametrize(
    ("folder", "keeps"), [(pages.FILES, "immutable"), ("static", "no-cache"), (f"static/{'0' * 16}", "no-cache")]
)
async def test_a_browser_keeps_for_good_only_what_its_build_names(
    client: TestClient,  # type: ignore[type-arg]
    folder: str,
    keeps: str,
) -> None:
    """A page that was sent before an update gets what there is now, and may not keep it under the name it knows."""
    answer = await client.get(f"/{folder}/words.js", headers={"Accept-Encoding": "identity"})
    assert await answer.read() == (pages.STATIC / "words.js").read_bytes()
    assert keeps in answer.headers["Cache-Control"]
    again = await client.get(f"/{folder}/words.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status, again.headers["Cache-Control"]) == (304, answer.headers["Cache-Control"])
    missing = await client.get(f"/{folder}/nothing.js")
    assert (missing.status, missing.headers["Cache-Control"]) == (404, "no-cache")


@pytest.mark.parametrize("name", sorted(pages.ROOTS))
def test_a_page_names_every_file_by_its_build(name: str) -> None:
    html = pages.render(name).decode()
    assert html.count("static/") == html.count(f"{pages.FILES}/") > len(pages.scripts_of(name))


def test_what_gains_nothing_is_sent_as_it_is() -> None:
    assert Packed(b"x" * (LEAST - 1), "text/plain").packed is None
    assert Packed(gzip.compress(bytes(range(256)) * 40), "image/png").packed is None
    assert Packed(b"x" * LEAST, "text/plain").packed is not None


def test_the_scripts_of_the_ward_are_a_half_or_less() -> None:
    files = read_files(pages.STATIC)
    loaded = [files[f"{name}.js"] for name in pages.scripts_of("ward")]
    packed = [one.packed for one in loaded if one.packed is not None]
    assert len(packed) == len(loaded)
    assert sum(map(len, packed)) < 0.5 * sum(len(one.body) for one in loaded)


@pytest.mark.parametrize("name", sorted(pages.ROOTS))
def test_a_page_names_all_its_scripts_at_once(name: str) -> None:
    found = PRELOAD.findall(pages.render(name).decode())
    assert {one for one in found if not one.startswith("vendor/")} == pages.scripts_of(name) - {name}
    assert len(found) == len(set(found))
    assert all((pages.STATIC / f"{one}.js").is_file() for one in found)
    plots = any(pages.PLOTS in (pages.STATIC / f"{one}.js").read_text("utf-8") for one in pages.scripts_of(name))
    assert (pages.PLOTS in found) == plots


@pytest.mark.parametrize(("code", "catalogue"), [("en", "api/catalogue"), ("cy", "api/catalogue?language=cy")])
def test_a_page_asks_first_for_what_its_scripts_ask_for(code: str, catalogue: str) -> None:
    """At the very address: what is asked for at another is asked for twice."""
    language = read_languages()[code]
    for name in pages.ROOTS:
        asked = re.findall(
            r'as="fetch" crossorigin href="[./]*([^"]+)"', pages.render(name, language=language).decode()
        )
        needs = name in {"ward", "patient", "feedback", "test", "trends"}
        assert asked == ["api/session", *([catalogue] if needs else [])], name
