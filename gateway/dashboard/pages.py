"""The three pages, put together once from a shell and a body each: plain HTML, readable without any script."""

from __future__ import annotations

import hashlib
from pathlib import Path
from string import Template

PAGES = Path(__file__).parent / "pages"
STATIC = Path(__file__).parent / "static"

TITLES = {"ward": "Ward", "patient": "Patient", "devices": "Devices"}

STATEMENT = (
    "Information for rehabilitation staff and researchers. Not a medical device. Not for diagnosis, treatment "
    "decisions or patient monitoring in place of clinical observation. Alerts may be late or missing."
)


def render(name: str) -> bytes:
    """Return one page as UTF-8 HTML."""
    shell = Template((PAGES / "shell.html").read_text("utf-8"))
    body = (PAGES / f"{name}.html").read_text("utf-8")
    current = {f"current_{page}": ' aria-current="page"' if page == name else "" for page in TITLES}
    return shell.substitute(title=TITLES[name], name=name, body=body, statement=STATEMENT, **current).encode()


def tag(data: bytes) -> str:
    """Return an entity tag: it changes exactly when the data does."""
    return hashlib.sha256(data).hexdigest()[:16]


def has_plotting_library() -> bool:
    """Whether the build has fetched uPlot."""
    return (STATIC / "vendor" / "uPlot.esm.js").is_file()
