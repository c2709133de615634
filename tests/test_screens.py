"""Every page has its picture in the documentation: a page that somebody adds fails here until it has one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp import web

from config.settings import Dashboard, Settings, Site
from gateway.dashboard.access import TABLE
from gateway.dashboard.server import make_app
from gateway.dashboard.users import Users
from gateway.installation.setup_web import Visit
from gateway.installation.setup_web import make_app as make_set_up
from tests.screens.__main__ import OF_SET_UP, PDF, SCREENS
from tests.screens.screen import FOLDER

PAGE = Path(__file__).resolve().parents[1] / "docs" / "screens.md"
NO_PAGES = {
    "/events", "/waveform/{device}/{stream}", "/static/{path}", "/static",  # streams and files
    "/openid", "/openid/back",  # on to a trust's own sign-in, and back: nobody reads them
    "/report/{session}/pdf",  # a file, of which `PDF` is the picture
}  # fmt: skip
LARGEST = 200_000
"""Bytes of a picture."""
IMAGE = re.compile(r"\]\(images/([a-z-]+)\.png\)")


def pages_of(app: web.Application) -> set[str]:
    """Return the routes of an application that a browser opens as a page."""
    found = {route.resource.canonical for route in app.router.routes() if route.method == "GET" and route.resource}
    return {path for path in found if not path.startswith("/api/")} - NO_PAGES


@pytest.fixture
def users(tmp_path: Path) -> Users:
    (tmp_path / "users.jsonl").touch(0o600)
    return Users(tmp_path / "users.jsonl")


def test_every_page_of_the_dashboard_has_a_picture(tmp_path: Path, users: Users) -> None:
    settings = Settings(site=Site(site="ward", data=tmp_path), dashboard=Dashboard(fleet=True))
    pages = pages_of(make_app(settings, users=users))
    assert {path for method, path in TABLE if method == "GET" and not path.startswith("/api/")} - NO_PAGES == pages
    assert pages == {screen.route for screen in SCREENS if screen not in OF_SET_UP}


def test_every_page_of_the_set_up_has_a_picture() -> None:
    assert pages_of(make_set_up(Visit(lambda _: pytest.fail("nobody answers"), "", 0.0))) == {
        screen.route for screen in OF_SET_UP
    }


def test_every_picture_is_there_and_small_and_shown() -> None:
    names = [*(screen.name for screen in SCREENS), PDF]
    assert len(set(names)) == len(names)
    assert {path.stem for path in FOLDER.glob("*.png")} == set(names)
    assert {path.name: size for path in FOLDER.glob("*.png") if (size := path.stat().st_size) > LARGEST} == {}
    assert set(IMAGE.findall(PAGE.read_text("utf-8"))) == set(names)
