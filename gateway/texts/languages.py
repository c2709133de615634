"""The languages that there are, and sentences of them by key.

A language is a TOML file by its code (``cy.toml``): a head that says how it is written, then sections of sentences.
What changes stands in braces, ``{n}``; a sentence that counts has a form for each kind of number that its language
tells apart:

    [language]
    name = "Cymraeg"
    locale = "cy"
    decimal = "."
    draft = "Said on every page while nobody who speaks it has read it; empty otherwise."
    [ward]
    beds = { one = "{n} gwely", two = "{n} wely", other = "{n} gwely" }

The files beside this one come along; a folder of the site may hold others, or mend one of these. A sentence that a file
lacks is said in English.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Any, Final

from gateway.model.usage import UsageError
from gateway.texts.plurals import FORMS, form_of

FOLDER: Final = Path(__file__).parent / "languages"
ENGLISH: Final = "en"
LARGEST: Final = 512 * 1024  # bytes of a file: several times the largest that comes along
MOST: Final = 20  # languages: a choice that a header can show
TAG: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")  # BCP 47 (RFC 5646, section 2.1), its form alone
HEAD: Final = ("name", "locale", "decimal", "draft")

PAIRED: Final = ("foot", "shank", "thigh", "wrist")  # of which there is a left one and a right one
PLACES: Final = {
    **{f"{side}_{part}": f"words.{side}_{part}" for side in ("left", "right") for part in PAIRED},
    **{
        name: f"words.{name}"
        for name in ("lower_back", "chest", "wrist", "exoskeleton", "upper_arm", "finger", "ear_lobe")
    },
    "bedside": "words.beside_the_bed",
}
"""Keys of where sensors are worn."""

Entry = str | Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Language:
    """One language.

    Attributes:
        code: Its file's name: the subtag of BCP 47, as ``cy``.
        name: What its speakers call it.
        locale: For ``lang`` and for the browser: ``en-GB``.
        decimal: What stands between a number and its decimals.
        draft: What is said on every page while it is a draft; empty for one that a speaker has read.
        entries: The sentences, by section and key: ``ward.beds``.
        metrics: Titles of metrics by id, where they are not the catalogue's.
        reasons: Why a number is doubtful: by the words that the analysis sends.
        units: Of metrics, by what the catalogue calls them.
    """

    code: str
    name: str
    locale: str
    decimal: str
    draft: str
    entries: Mapping[str, Entry]
    metrics: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)

    def text(self, key: str, **values: object) -> str:
        """Return a sentence; of one that counts, the form that fits ``n``."""
        entry = self.entries[key]
        if not isinstance(entry, str):
            entry = entry.get(form_of(self.code, int(str(values["n"]))), entry["other"])
        return entry.format_map(values) if values else entry


def read_languages(folder: Path | None = None) -> dict[str, Language]:
    """Return the languages by code, English first; raises UsageError for a file that cannot be used."""
    found = {path.stem: read_language(path) for path in _files(FOLDER)}
    own = found[ENGLISH]
    for path in _files(folder) if folder else ():
        found[path.stem] = read_language(path, found.get(path.stem))
        _judge(path, found[path.stem], own)
    if len(found) > MOST:
        raise UsageError(f"{len(found)} languages are too many: {MOST} are possible")
    english = found.pop(ENGLISH)
    return {ENGLISH: english, **{code: _filled(one, english) for code, one in sorted(found.items())}}


def read_language(path: Path, before: Language | None = None) -> Language:
    """Return the language of one file; ``before`` is what it mends. Raises UsageError."""
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is larger than {LARGEST} bytes: is it a file of texts?")
        found: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be used as a language, which is a TOML file in UTF-8: {error}") from None
    head = found.pop("language", {})
    if sorted(head) != sorted(HEAD) or not all(isinstance(value, str) for value in head.values()):
        raise UsageError(f"{path} has no head of a language: [language] with {', '.join(HEAD)}, each a text")
    named = {name: _texts(path, name, found.pop(name, {})) for name in ("metrics", "reasons", "units")}
    entries = dict(_entries(path, found))
    if before is not None:
        entries = {**before.entries, **entries}
        named = {name: {**getattr(before, name), **given} for name, given in named.items()}
    name, locale, decimal, draft = (head[one] for one in HEAD)
    return Language(path.stem, name, locale, decimal, draft, entries, **named)


def _judge(path: Path, language: Language, english: Language) -> None:
    """Raise UsageError where no page could be made with a language: on a page it would be too late."""
    for what, tag in (("its name", language.code), ("its locale", language.locale)):
        if not TAG.fullmatch(tag):
            raise UsageError(f"{path}: {what} is '{tag}', which is no tag of a language, such as cy or en-GB")
    for key, entry in language.entries.items():
        usual = english.entries.get(key, "")
        if isinstance(usual, str) and not isinstance(entry, str):
            raise UsageError(f"{path}: {key} counts nothing: it is one text, without forms")
        known = set().union(*map(places_in, _forms(usual)))
        for form in _forms(entry) if key in english.entries else ():
            try:
                foreign = places_in(form) - known
            except ValueError as error:
                raise UsageError(f"{path}: {key} has braces that do not fit together: {error}") from None
            if foreign:
                there = ", ".join(f"{{{one}}}" for one in sorted(known)) or "none"
                raise UsageError(f"{path}: {key} has {{{min(foreign)}}}; in braces it may have: {there}")


def places_in(text: str) -> set[str]:
    """Return what stands in braces in a text; raises ValueError where they do not fit together."""
    return {
        f"{name}{f'!{how}' if how else ''}{f':{form}' if form else ''}"
        for _, name, form, how in Formatter().parse(text)
        if name is not None
    }


def _forms(entry: Entry) -> Iterable[str]:
    return (entry,) if isinstance(entry, str) else entry.values()


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.glob("*.toml"))


def _entries(path: Path, found: Mapping[str, Any]) -> Iterator[tuple[str, Entry]]:
    for section, of in found.items():
        for key, entry in of.items() if isinstance(of, dict) else ():
            forms = isinstance(entry, dict) and "other" in entry and entry.keys() <= set(FORMS)
            if not (isinstance(entry, str) or (forms and all(isinstance(one, str) for one in entry.values()))):
                raise UsageError(f"{path}: {section}.{key} is no text, and no forms of one ({', '.join(FORMS)})")
            yield f"{section}.{key}", entry


def _texts(path: Path, name: str, found: Any) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(one, str) for one in found.values()):
        raise UsageError(f"{path}: {name} are no texts by their ids")
    return found


def _filled(one: Language, english: Language) -> Language:
    """Return a language with English where a sentence is missing."""
    missing = {key: entry for key, entry in english.entries.items() if key not in one.entries}
    if not missing:
        return one
    return replace(one, entries={**one.entries, **missing})


@cache
def english() -> Language:
    """Return English, read once."""
    return read_languages()[ENGLISH]


_spoken: ContextVar[Language | None] = ContextVar("language", default=None)


def speak(language: Language) -> None:
    """From here on, in this task and in the threads that it starts, say everything in a language."""
    _spoken.set(language)


def spoken() -> Language:
    """Return the language that is spoken: English until another is chosen."""
    return _spoken.get() or english()


def text(key: str, **values: object) -> str:
    """Return a sentence in the language that is spoken."""
    return spoken().text(key, **values)


def metric_title(metric: str, title: str) -> str:
    """Return the title of a metric; ``title`` is the catalogue's."""
    return spoken().metrics.get(metric, title)


def unit_title(unit: str) -> str:
    """Return the unit of a metric; ``unit`` is the catalogue's."""
    return spoken().units.get(unit, unit)


def place_title(placement: str) -> str:
    """Return where a sensor is worn."""
    key = PLACES.get(placement)
    return text(key) if key else placement.replace("_", " ")


def protocol_title(protocol: str) -> str:
    """Return what a session is, in the language that is spoken; somebody's own word or field as it was written."""
    word, *fields = protocol.split(" ")
    key = f"protocols.{word}"
    said = text(key) if key in spoken().entries else word.replace("_", " ")
    return ", ".join((said, *map(_field_title, fields)))


def _field_title(field: str) -> str:
    """Return a field of a protocol: its value is a word of its own, or a number that a sentence holds."""
    name, _, value = field.partition("=")
    word, number = f"protocol_fields.{name}_{value.replace('-', '_')}", f"protocol_fields.{name}"
    known = spoken().entries
    return text(word) if word in known else text(number, value=value) if number in known else field


def driver_title(driver: str) -> str:
    """Return a kind of device in the language that is spoken; its name as it is where that is no word."""
    key = f"drivers.{driver}"
    return text(key) if key in spoken().entries else driver.replace("_", " ")
