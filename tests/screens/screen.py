"""One picture of a screen: where it is, what has to be there, and how it is taken."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image
from playwright.sync_api import Page, expect

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "images"
COLOURS = 128
"""Of a picture: letters keep their edges, and the file is a third of what it was."""
READY_MS = 150_000  # of a demo that has just begun: cadence, joints and curves are there
STILL_MS = 1_500  # for what is drawn after it is there
STRIP_MS = 10_500  # a strip shows ten seconds
DESK, WALL, PHONE, LARGE = (1280, 800), (1920, 1080), (390, 844), (3840, 2160)
LOOKS: tuple[tuple[tuple[int, int], Literal["light", "dark"]], ...] = tuple(
    (size, scheme) for size in (DESK, WALL, PHONE, LARGE) for scheme in ("light", "dark")
)
"""In which sizes and colours people look at every screen that they change."""

Do = Callable[[Page, str], None]


class Screen(NamedTuple):
    """One picture.

    Attributes:
        name: Of its file.
        route: Of which route it is.
        address: Where the page is, from where the dashboard begins.
        there: What has to be visible before it is taken.
        before: What is done with the page instead of opening it.
        size: Of the window.
        dark: Whether the browser asks for dark colours.
        wait_ms: From what is there to the picture.
        whole: Whether the picture is of all of the page, also of what one scrolls to.
    """

    name: str
    route: str
    address: str
    there: str
    before: Do | None = None
    size: tuple[int, int] = DESK
    dark: bool = False
    wait_ms: int = STILL_MS
    whole: bool = False


def take(page: Page, root: str, screen: Screen, looks: Path | None = None) -> list[Path]:
    """Take a picture of a screen, or with ``looks`` one of each size and scheme into that folder; return the files."""
    wanted = LOOKS if looks else ((screen.size, "dark" if screen.dark else "light"),)
    if screen.before:
        _dress(page, *wanted[0])
        screen.before(page, root)
    made = []
    for size, scheme in wanted:
        _dress(page, size, scheme)
        if screen.before is None:
            page.goto(f"{root}{screen.address}")
        picture = _shoot(page, screen, whole=screen.whole or bool(looks and size == PHONE))
        if looks:
            made.append(looks / f"{screen.name}-{size[0]}-{scheme}.png")
            made[-1].write_bytes(picture)
        else:
            made.append(keep(screen.name, picture))
    return made


def _shoot(page: Page, screen: Screen, *, whole: bool) -> bytes:
    expect(page.locator(screen.there).first).to_be_visible(timeout=READY_MS)
    page.wait_for_timeout(screen.wait_ms)
    expect(page.locator(screen.there).first).to_be_visible(timeout=READY_MS)  # a patient stands still now and then
    return page.screenshot(full_page=whole)


def _dress(page: Page, size: tuple[int, int], scheme: Literal["light", "dark"]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=scheme)


def keep(name: str, picture: bytes) -> Path:
    """Write a picture among those of the documentation, with fewer colours; return the file."""
    path = FOLDER / f"{name}.png"
    with Image.open(io.BytesIO(picture)) as image:
        small = image.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
        small.save(path, optimize=True)
    return path
