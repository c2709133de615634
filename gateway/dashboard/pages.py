"""The pages, put together once from a shell and a body each: plain HTML, readable without any script."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import orjson

from gateway.texts.languages import ENGLISH, FOLDER, Language, english

PAGES = Path(__file__).parent / "pages"
STATIC = Path(__file__).parent / "static"

TITLES = {
    "ward": "common.ward",
    "patient": "common.patient",
    "feedback": "feedback.your_movement",
    "beds": "common.beds",
    "bed": "common.bed",
    "devices": "common.devices",
    "dock": "common.sensors",
    "fleet": "fleet.fleet",
    "people": "people.people",
    "test": "tests.test",
}
"""Of each page: the key of its title."""

ROOTS = {
    "ward": "./", "patient": "../", "feedback": "../", "beds": "./", "bed": "../", "devices": "./", "dock": "./",
    "fleet": "./", "people": "./", "test": "../", "trends": "../",
}  # fmt: skip
"""From each page to where the addresses begin: behind a proxy that may be a folder."""

WITH_NOTICES = frozenset(
    {"notice_says", "notice_advice", "notice_kinds", "device_advice", "device_errors", "gateway_health"}
)
"""Sections of texts that come in English with each notice, and with each device."""

_WORDS = re.compile(r"\{\{([a-z0-9_.]+)\}\}")
_KEYS = re.compile(r'\b(?:t|has)\("([a-z0-9_]+\.[a-z0-9_]+)"')
_SECTIONS = re.compile(r'\ball\("([a-z0-9_]+)"\)')
PLOTS = "vendor/uPlot.esm"
_CATALOGUE = re.compile(r'"api/catalogue"|\bloadCatalogue\(')
_IMPORTS = re.compile(r'from "\./([a-z_]+)\.js"')


def _build() -> str:
    """Return what changes with every file of the pages and scripts: an open page compares it with its own."""
    files = sorted(path for folder in (PAGES, STATIC, FOLDER) for path in folder.rglob("*") if path.is_file())
    return tag(b"".join(path.name.encode() + path.read_bytes() for path in files))


def render(
    name: str, speed: float = 1.0, language: Language | None = None, others: Mapping[str, Language] | None = None
) -> bytes:
    """Return one page as UTF-8 HTML.

    Args:
        name: Which.
        speed: That of simulated time, which the page tells if it is not ours.
        language: In which language; by default English.
        others: All the languages that may be chosen, by code.
    """
    language = language or english()
    body = read("trends") if name == "trends" else read("shell").replace("$body", read(name))
    body = translate(body.replace("$ask\n", read("ask")), language)
    current = {f"current_{page}": ' aria-current="page"' if page == name else "" for page in TITLES}
    made = Template(body).substitute(
        title=escape(language.text(TITLES[name])) if name in TITLES else "", name=name, root=ROOTS[name], build=BUILD,
        pace="" if speed == 1 else escape(language.text("shell.time_at", speed=f"{speed:g}")),
        lang=language.locale, texts=texts_of(name, language), languages=choice_of(language, others or {}), **current,
        draft=draft_of(language), files=FILES, preloads=_preloads(name) + _asked_first(name, language),
    )  # fmt: skip
    return made.encode()


@cache
def read(name: str) -> str:
    """Return a page, or a part of one, as it is written."""
    return (PAGES / f"{name}.html").read_text("utf-8")


def translate(page: str, language: Language) -> str:
    """Return a page as it is written with its sentences in place of their keys; it is a template as before."""
    return _WORDS.sub(lambda found: escape(language.text(found[1])).replace("$", "$$"), page)


def choice_of(language: Language, languages: Mapping[str, Language], where: str = "?") -> str:
    """Return the links to the other languages, each by its own name; ``where`` begins their addresses."""
    return "".join(
        f'<a href="{escape(where)}language={code}" data-language="{code}" hreflang="{one.locale}" lang="{one.locale}">'
        f"{escape(one.name)}</a>"
        for code, one in languages.items()
        if code != language.code
    )


def draft_of(language: Language) -> str:
    """Return the sentence of a language that nobody has checked; empty for one that somebody has."""
    return f'<p class="draft">{escape(language.draft)}</p>' if language.draft else ""


def texts_of(name: str, language: Language) -> str:
    """Return the texts that the scripts of a page say, as JSON that no markup in it can end; ``name`` is its script."""
    given: dict[str, Any] = {
        "code": language.code, "locale": language.locale, "decimal": language.decimal,
        "texts": {key: language.entries[key] for key in sorted(keys_of(name)) if is_needed(key, language)},
    }  # fmt: skip
    if language.reasons and language.code != ENGLISH:
        given["reasons"] = language.reasons
    return orjson.dumps(given).decode().replace("<", "\\u003c")


def is_needed(key: str, language: Language) -> bool:
    """Whether a page has to be given a text: what notices say comes in English with them."""
    return language.code != ENGLISH or key.partition(".")[0] not in WITH_NOTICES


@cache
def _preloads(name: str) -> str:
    """Return the links by which a browser fetches all scripts of a page at once, and not each when another names it."""
    loaded = sorted(scripts_of(name) - {name})
    if any(PLOTS in _script(one) for one in scripts_of(name)):
        loaded.append(PLOTS)
    return "".join(f'<link rel="modulepreload" href="{ROOTS[name]}{FILES}/{one}.js">\n' for one in loaded)


def _asked_first(name: str, language: Language) -> str:
    """Return the links by which a browser asks for what a page needs first, while it still reads scripts."""
    asked = ["api/session"]
    if _CATALOGUE.search(_script(name)):
        asked.append("api/catalogue" if language.code == ENGLISH else f"api/catalogue?language={language.code}")
    return "".join(f'<link rel="preload" as="fetch" crossorigin href="{ROOTS[name]}{one}">\n' for one in asked)


@cache
def _script(name: str) -> str:
    return (STATIC / f"{name}.js").read_text("utf-8")


@cache
def scripts_of(script: str) -> frozenset[str]:
    """Return a script and all those that it loads, by name."""
    found, waiting = {script}, [script]
    while waiting:
        others = set(_IMPORTS.findall(_script(waiting.pop()))) - found
        found |= others
        waiting += others
    return frozenset(found)


@cache
def keys_of(script: str) -> frozenset[str]:
    """Return the keys of the texts that a script and those that it loads may say."""
    found: set[str] = set()
    for one in scripts_of(script):
        written = _script(one)
        found |= set(_KEYS.findall(written))
        for section in _SECTIONS.findall(written):
            found |= {key for key in english().entries if key.startswith(f"{section}.")}
    return frozenset(found)


def tag(data: bytes) -> str:
    """Return an entity tag: it changes exactly when the data does."""
    return hashlib.sha256(data).hexdigest()[:16]


BUILD = _build()
"""Of the files that this process serves."""
FILES = f"static/{BUILD}"
"""Where the pages find scripts, styles and pictures: nothing there ever changes, so a browser need not ask again."""


def has_plotting_library() -> bool:
    """Whether the build has fetched uPlot."""
    return (STATIC / f"{PLOTS}.js").is_file()
