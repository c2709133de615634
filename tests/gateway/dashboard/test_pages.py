"""The pages as files: the statement on each, nothing inline, nothing from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from gateway.dashboard import pages
from gateway.texts.languages import english, read_languages

OURS = [path for path in pages.STATIC.glob("*") if path.is_file()]


@pytest.mark.parametrize("name", pages.TITLES)
def test_each_page_says_what_it_is_not(name: str) -> None:
    html = pages.render(name).decode()
    assert "Not a medical device." in html
    assert english().text("shell.statement") in html
    assert 'id="simulated"' in html
    assert 'lang="en-GB"' in html


@pytest.mark.parametrize("name", pages.TITLES)
def test_each_page_says_how_fast_simulated_time_runs_where_it_is_not_ours(name: str) -> None:
    assert ">Simulated data, time at 0.35 of real<" in pages.render(name, 0.35).decode()
    assert ">Simulated data<" in pages.render(name).decode()


@pytest.mark.parametrize("name", pages.TITLES)
def test_no_page_has_code_or_style_in_it(name: str) -> None:
    html = pages.render(name).decode()
    assert not re.search(r"<script(?![^>]*(?:\bsrc=|application.json))", html)
    assert not re.search(r"<style|\sstyle=|\son\w+=", html)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere(path: Path) -> None:
    text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")  # a name, not an address
    assert not re.search(r"https?://", text)


def test_every_file_that_a_page_names_is_there() -> None:
    assert pages.has_plotting_library()
    for name in pages.TITLES:
        html = pages.render(name).decode()
        depth = {"patient": "../", "feedback": "../", "bed": "../", "test": "../"}.get(name, "(?:./)?")
        addresses = re.findall(rf'(?:src|href)="{depth}{pages.FILES}/([^"]+)"', html)
        loaded = {f"{one}.js" for one in pages.scripts_of(name)} | {"vendor/uPlot.esm.js"}
        assert len(set(addresses) - loaded) == 5
        assert f"{name}.js" in addresses
        for address in addresses:
            assert (pages.STATIC / address).is_file(), address


@pytest.mark.parametrize("name", pages.TITLES)
def test_no_address_is_absolute(name: str) -> None:
    """A proxy may put the pages in a folder."""
    assert not re.search(r'(?:src|href|action)="/', pages.render(name).decode())


@pytest.mark.parametrize("path", [path for path in OURS if path.suffix == ".js"], ids=lambda path: path.name)
def test_no_script_makes_html_of_text_or_asks_for_an_absolute_address(path: Path) -> None:
    text = path.read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text)
    assert not re.search(r'(?:fetch|EventSource|WebSocket|assign)\(["`]/', text)


def test_every_module_is_there() -> None:
    for script in pages.STATIC.glob("*.js"):
        for module in re.findall(r'from "\./([^"]+)"', script.read_text("utf-8")):
            assert (pages.STATIC / module).is_file(), f"{script.name} imports {module}"


@pytest.mark.parametrize("code", ["en", "cy"])
@pytest.mark.parametrize("name", pages.TITLES)
def test_each_page_brings_the_texts_that_its_scripts_say(name: str, code: str) -> None:
    html = pages.render(name, language=read_languages()[code]).decode()
    given = orjson.loads(html.partition('id="texts">')[2].partition("</script>")[0])
    said = {key for key in pages.keys_of(name) if code != "en" or key.partition(".")[0] not in pages.WITH_NOTICES}
    assert given["texts"].keys() == said
    assert given["locale"] == {"en": "en-GB", "cy": "cy"}[code]
    assert ("notice_answers.acknowledged" in given["texts"]) == (name == "ward")
