"""A language that nobody speaks: every English text with accents, and two fifths longer, as translations may be."""

from __future__ import annotations

import re
from pathlib import Path

import orjson

from dsp.catalogue import METRICS
from gateway.texts.languages import Entry, english

CODE = "qps"
LONGER = 0.4
ACCENTS = str.maketrans("aeioumyAEIOUY", "áéíóúɱýÁÉÍÓÚÝ")
PLACE = re.compile(r"(\{\w+\})")
FILL = " éñô łóřém"
EXACT = {"words.months", "exoskeleton.begin_of_titles", "exoskeleton.end_of_titles"}
"""What is no sentence: a list of twelve, and parts of titles."""


def accented(said: str) -> str:
    """Return a text with accents, its places as they are."""
    return "".join(part if PLACE.fullmatch(part) else part.translate(ACCENTS) for part in PLACE.split(said))


def stretched(said: str) -> str:
    """Return a text with accents and two fifths longer."""
    body = said.rstrip()
    more = round(LONGER * len(PLACE.sub("", body)))
    return accented(body) + (FILL * (more // len(FILL) + 1))[:more].rstrip() + said[len(body) :]


def write_pseudo(folder: Path) -> Path:
    """Write the file of that language into a folder; return the folder."""
    sections: dict[str, list[str]] = {}
    for key, entry in english().entries.items():
        section, _, name = key.partition(".")
        make = accented if key in EXACT else stretched
        sections.setdefault(section, []).append(f"{name} = {_toml(entry, make)}")
    sections["metrics"] = [f"{metric.id} = {_quoted(stretched(metric.title))}" for metric in METRICS]
    units = {metric.unit_text for metric in METRICS if re.search("[a-z]{3}", metric.unit_text)}
    sections["units"] = [f"{_quoted(unit)} = {_quoted(accented(unit))}" for unit in sorted(units)]
    head = f'[language]\nname = "Psëudo"\nlocale = "{CODE}"\ndecimal = ","\ndraft = "Ńót á lángúágé."\n'
    body = "\n".join(f"[{section}]\n" + "\n".join(lines) + "\n" for section, lines in sections.items())
    folder.mkdir(exist_ok=True)
    (folder / f"{CODE}.toml").write_text(head + body, "utf-8")
    return folder


def _toml(entry: Entry, make: object) -> str:
    assert callable(make)
    if isinstance(entry, str):
        return _quoted(make(entry))
    return "{ " + ", ".join(f"{form} = {_quoted(make(said))}" for form, said in entry.items()) + " }"


def _quoted(said: str) -> str:
    return orjson.dumps(said).decode()
