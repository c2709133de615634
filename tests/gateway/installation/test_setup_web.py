"""The set-up in a browser: over TLS, behind a code that works once, asking what the terminal asks, and then over."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import ssl
from collections.abc import AsyncIterator
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp.test_utils import TestClient, TestServer
from playwright.async_api import Browser, Page, async_playwright, expect

from config.loader import load
from gateway.installation.setup import Done, SetupError, set_up
from gateway.installation.setup_files import Place
from gateway.installation.setup_questions import QUESTIONS, Answers
from gateway.installation.setup_web import COOKIE, TRIES, Visit, make_app, serve_setup
from tests.browser import QUIET, chromium
from tests.gateway.dashboard import axe
from tests.gateway.installation.whole_ward import PASSWORD
from tests.servers import free_port

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

AXE = "async () => (await axe.run()).violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120))])"
ENDS_WITHIN_S = 30.0


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        yield started
        await started.close()


class Served:
    """A set-up that is being served: what it said, and what became of it."""

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder / "etc", folder / "data", None)
        self.port = free_port()
        self.said: list[str] = []
        self.ready = asyncio.Event()
        self.task = asyncio.create_task(self._serve())

    async def _serve(self) -> Done:
        def carry_out(answers: Answers) -> Done:
            return set_up(answers, self.place, load=load, say=self.said.append)

        def say(words: str) -> None:
            self.said.append(words)
            if "The code" in words:
                self.ready.set()

        return await serve_setup("127.0.0.1", self.port, carry_out=carry_out, say=say)

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self.port}/"

    @property
    def code(self) -> str:
        return next(found[1] for words in self.said if (found := re.search(r"The code.*: (\S+)$", words)))


@pytest_asyncio.fixture(loop_scope="module")
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    made = Served(tmp_path)
    await asyncio.wait_for(made.ready.wait(), ENDS_WITHIN_S)
    yield made
    made.task.cancel()
    await asyncio.gather(made.task, return_exceptions=True)


async def page_of(browser: Browser, **options: Any) -> Page:
    context = await browser.new_context(ignore_https_errors=True, **options)
    return await context.new_page()


async def give_code(page: Page, code: str) -> None:
    await page.fill("[name=code]", code)
    await page.click("button[type=submit]")


async def test_a_ward_is_set_up_in_a_browser(browser: Browser, served: Served, tmp_path: Path) -> None:
    page = await page_of(browser)
    await page.goto(served.address)
    await give_code(page, served.code.lower())
    await expect(page).to_have_url(f"{served.address}questions")
    fields = await page.locator("[name]").evaluate_all("(all) => all.map((one) => one.name)")
    assert set(fields) >= {question.key for question in QUESTIONS}
    await page.get_by_label("What do people call this ward?").fill("Stroke unit")
    await page.get_by_label("A short id for the ward's gateway?").fill("stroke-unit")
    await page.get_by_label("A password for them?").fill("password1234")
    await page.get_by_label("Where do nightly backups go?").fill("")
    await page.click("button[type=submit]")
    await expect(page.get_by_role("alert")).to_contain_text("what everybody tries first")
    await expect(page.locator("[aria-invalid]")).to_have_attribute("name", "admin.password")
    assert not served.place.file.exists()
    await expect(page.get_by_label("What do people call this ward?")).to_have_value("Stroke unit")
    await page.get_by_label("A password for them?").fill(PASSWORD)
    await page.click("button[type=submit]")
    await expect(page.locator("h1")).to_have_text("Stroke unit is set up")
    done = await asyncio.wait_for(served.task, ENDS_WITHIN_S)
    assert served.place.file in done.files
    settings = load(served.place.file)
    assert (settings.site.gateway, settings.backup.folder) == ("stroke-unit", None)
    with pytest.raises(OSError, match=r"refused|Connect"):
        await asyncio.open_connection("127.0.0.1", served.port)


async def test_the_fingerprint_on_the_console_is_the_one_of_the_page(served: Served) -> None:
    def seen() -> bytes:
        return ssl.PEM_cert_to_DER_cert(ssl.get_server_certificate(("127.0.0.1", served.port)))

    data = await asyncio.to_thread(seen)
    assert any(hashlib.sha256(data).hexdigest().upper() in words.replace(":", "") for words in served.said)


async def test_a_code_works_once(browser: Browser, served: Served) -> None:
    first, second = await page_of(browser), await page_of(browser)
    await first.goto(served.address)
    await give_code(first, served.code)
    await expect(first).to_have_url(f"{served.address}questions")
    await second.goto(served.address)
    await give_code(second, served.code)
    await expect(second.get_by_role("alert")).to_contain_text("has been used")
    await second.goto(f"{served.address}questions")
    assert second.url == served.address


async def test_wrong_codes_end_it(browser: Browser, served: Served) -> None:
    page = await page_of(browser)
    await page.goto(served.address)
    for left in range(TRIES - 1, -1, -1):
        await give_code(page, "AAAA-AAAA")
        await expect(page.get_by_role("alert")).to_contain_text(f"Tries left: {left}")
    with pytest.raises(SetupError, match="wrong codes"):
        await asyncio.wait_for(served.task, ENDS_WITHIN_S)
    assert not served.place.file.exists()


@pytest.mark.parametrize(
    ("alphabet", "body", "origin", "status"),
    [("", b"code=x", "https://elsewhere.example", 403), ("", b"code=\xff\xfe", "", 400),
     ("; charset=nonsense", b"code=x", "", 400), ("; charset=base64", b"code=x", "", 400)],
)  # fmt: skip
async def test_a_form_of_another_site_or_of_no_letters_is_refused_and_is_no_try(
    served: Served, alphabet: str, body: bytes, origin: str, status: int
) -> None:
    def post() -> int:
        unverified = ssl.create_default_context()
        unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
        link = HTTPSConnection("127.0.0.1", served.port, context=unverified, timeout=10)
        form = {"Content-Type": f"application/x-www-form-urlencoded{alphabet}"}
        link.request("POST", "/code", body, {**form, "Origin": origin or served.address.rstrip("/")})
        answered = link.getresponse().status
        link.close()
        return answered

    for _ in range(TRIES + 1):
        assert await asyncio.to_thread(post) == status


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_no_violation(browser: Browser, served: Served, scheme: Any) -> None:
    if not await asyncio.to_thread(axe.available):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {axe.PACKAGE} from npm")
    page = await page_of(browser, bypass_csp=True, color_scheme=scheme, viewport={"width": 390, "height": 844})
    await page.goto(served.address)
    await page.add_script_tag(path=axe.SCRIPT)
    assert await page.evaluate(AXE) == []
    await give_code(page, served.code)
    await page.get_by_label("On which port are the pages?").fill("80")
    await page.click("button[type=submit]")
    await expect(page.get_by_role("alert")).to_contain_text("1024")
    await page.add_script_tag(path=axe.SCRIPT)
    assert await page.evaluate(AXE) == []
    wide = await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert wide is False


async def test_a_page_that_is_sent_again_when_all_is_done_sets_nothing_up_again() -> None:
    carried_out: list[Answers] = []

    def carry_out(answers: Answers) -> Done:
        carried_out.append(answers)
        return Done([], [], {"key": f"shown-{len(carried_out)}"}, [], "https://ward-1:8443/")

    visit = Visit(carry_out, "", 0.0, token="of-the-browser")  # noqa: S106 - of this test
    async with TestClient(TestServer(make_app(visit))) as client:
        headers = {"Cookie": f"{COOKIE}=of-the-browser", "Origin": str(client.make_url("/")).rstrip("/")}
        texts = [await (await client.post("/questions", data={}, headers=headers)).text() for _ in range(2)]
    assert ["shown-1" in text for text in texts] == [True, True]
    assert len(carried_out) == 1
