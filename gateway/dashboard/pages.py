"""The pages, put together once from a shell and a body each: plain HTML, readable without any script."""

from __future__ import annotations

import hashlib
from pathlib import Path
from string import Template

from gateway.results import wording

PAGES = Path(__file__).parent / "pages"
STATIC = Path(__file__).parent / "static"

TITLES = {
    "ward": "Ward",
    "patient": "Patient",
    "feedback": "Your movement",
    "beds": "Beds",
    "bed": "Bed",
    "devices": "Devices",
    "dock": "Sensors",
    "fleet": "Fleet",
    "test": "Test",
}

STATEMENT = wording.STATEMENT

ROOTS = {
    "ward": "./", "patient": "../", "feedback": "../", "beds": "./", "bed": "../", "devices": "./", "dock": "./",
    "fleet": "./", "test": "../",
}  # fmt: skip
"""From each page to where the addresses begin: behind a proxy that may be a folder."""


def _build() -> str:
    """Return what changes with every file of the pages and scripts: an open page compares it with its own."""
    files = sorted(path for folder in (PAGES, STATIC) for path in folder.rglob("*") if path.is_file())
    return tag(b"".join(path.name.encode() + path.read_bytes() for path in files))


def render(name: str, speed: float = 1.0) -> bytes:
    """Return one page as UTF-8 HTML; ``speed`` is that of simulated time, which the page tells if it is not ours."""
    shell = Template((PAGES / "shell.html").read_text("utf-8"))
    body = (PAGES / f"{name}.html").read_text("utf-8").replace("$ask\n", (PAGES / "ask.html").read_text("utf-8"))
    current = {f"current_{page}": ' aria-current="page"' if page == name else "" for page in TITLES}
    return shell.substitute(
        title=TITLES[name], name=name, body=body, statement=STATEMENT, root=ROOTS[name], build=BUILD,
        pace="" if speed == 1 else f", time at {speed:g} of real", **current,
    ).encode()  # fmt: skip


def tag(data: bytes) -> str:
    """Return an entity tag: it changes exactly when the data does."""
    return hashlib.sha256(data).hexdigest()[:16]


BUILD = _build()
"""Of the files that this process serves."""


def has_plotting_library() -> bool:
    """Whether the build has fetched uPlot."""
    return (STATIC / "vendor" / "uPlot.esm.js").is_file()
