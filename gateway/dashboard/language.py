"""In which language somebody is answered: their choice, else what their browser asks for, else the site's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from multidict import MultiDict

from config.settings import Dashboard
from gateway.dashboard.guard import SAFE_METHODS
from gateway.dashboard.pages import choice_of
from gateway.dashboard.proxies import PROXIES
from gateway.model.usage import UsageError
from gateway.texts.languages import Language, english, read_languages, speak, spoken

COOKIE: Final = "language"
KEEP_S: Final = 365 * 24 * 3600
"""A choice is kept for a year on the tablet on which it was made."""
_ASKED = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]+)?\s*(?:;\s*q=([01](?:\.\d{0,3})?))?\s*")
LONGEST: Final = 500  # characters of a header that are looked at


@dataclass(frozen=True, slots=True)
class Languages:
    """Those that may be chosen.

    Attributes:
        by_code: All of them.
        usual: The one of whoever has asked for none.
    """

    by_code: Mapping[str, Language]
    usual: Language


LANGUAGES = web.AppKey("languages", Languages)


def languages_of(settings: Dashboard) -> Languages:
    """Return the languages of a dashboard; raises UsageError where a file cannot be used or one is missing."""
    by_code = read_languages(settings.texts_folder)
    if settings.language not in by_code:
        known = ", ".join(by_code)
        raise UsageError(f"dashboard.language: there is no file of '{settings.language}'; there are {known}")
    return Languages(by_code, by_code[settings.language])


@web.middleware
async def in_language(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer in the language of whoever asks; a page with ``?language=`` keeps that choice, and is shown without it.

    Programs are answered in English: what is behind ``/api/`` is in another language only where its address says so.
    """
    languages = request.app[LANGUAGES]
    chosen = languages.by_code.get(request.query.get(COOKIE, ""))
    is_page = not request.path.startswith(("/api/", "/static/"))
    speak(chosen or (language_of(request, languages) if is_page else english()))
    if chosen is None or not is_page or request.method not in SAFE_METHODS:
        return await handler(request)
    rest = MultiDict(request.query)
    del rest[COOKIE]
    asked = request.rel_url.with_query(rest).raw_query_string
    # As the browser sees it, behind whatever proxy; "https:elsewhere" is the name of a page only behind "./".
    here = f"./{request.rel_url.raw_path.rpartition('/')[2]}"
    answer = web.HTTPSeeOther(f"{here}?{asked}" if asked else here)
    secure = request.secure or request.app[PROXIES].public_origin is not None
    answer.set_cookie(
        COOKIE, chosen.code, max_age=KEEP_S, httponly=True, samesite="Lax", secure=secure, path="/"
    )  # fmt: skip
    raise answer


def language_of(request: web.Request, languages: Languages) -> Language:
    """Return the language of a request."""
    kept = languages.by_code.get(request.cookies.get(COOKIE, ""))
    return kept or asked_for(request.headers.get(hdrs.ACCEPT_LANGUAGE, ""), languages) or languages.usual


def asked_for(header: str, languages: Languages) -> Language | None:
    """Return the language that a browser asks for most (RFC 9110, section 12.5.4), of those that there are."""
    found: list[tuple[float, Language]] = []
    for part in header[:LONGEST].split(","):
        asked = _ASKED.fullmatch(part)
        language = languages.by_code.get(asked[1].lower()) if asked else None
        if asked and language and (weight := float(asked[2] or 1)) > 0:
            found.append((weight, language))
    return max(found, key=lambda one: one[0])[1] if found else None


def links(request: web.Request, where: str = "?") -> str:
    """Return the links to the other languages, for a page that answers a request."""
    return choice_of(spoken(), request.app[LANGUAGES].by_code, where)
