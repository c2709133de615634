"""A no, as a sentence of the texts: in English for programs and logs, by its key for whoever reads another language.

What is refused says a key of ``[refusals]`` (`gateway/texts/languages`) and what stands in its braces. The gateway says
the sentence in English; a page says it in its own language (`said_words`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from dsp.catalogue import CATALOGUE
from gateway.texts.languages import ENGLISH, PLACES, Language, english

LONGEST: Final = 400  # characters of what stands in a sentence
MOST_VALUES: Final = 8
WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "state": {"running": "common.running", "paused": "words.paused", "ended": "words.ended"},
    "placement": PLACES,
}
"""Keys of what stands in a sentence by its name there, and has words in every language."""
FIELDS: Final[Mapping[str, str]] = {
    "subject": "common.pseudonym", "bed": "common.bed", "protocol": "common.protocol",
    "aids": "changes.walking_aids", "notes": "changes.notes", "note": "changes.notes",
    "text": "changes.what_happened", "why": "changes.what_went_wrong", "label": "ward_beds.what_ward_calls_them",
    "first": "ward_beds.first_number", "last": "ward_beds.last_number", "height_m": "changes.height_m",
    "leg_length_m": "changes.leg_length_m", "mass_kg": "changes.mass_kg",
    "sessions_a_week": "plan.sessions_planned_a_week",
}  # fmt: skip
"""What the pages call the fields of changes. In English they have the names that programs know."""


class Said(NamedTuple):
    """Which sentence, and what stands in it, by name."""

    key: str
    values: dict[str, str]


class RefusedError(ValueError):
    """A change that cannot be; the text is one sentence for whoever asked.

    Attributes:
        said: The sentence among the texts; None for one of other words, such as a driver's.
    """

    def __init__(self, text: str, said: Said | None = None) -> None:
        super().__init__(text)
        self.said = said


def refused(key: str, **values: object) -> RefusedError:
    """Return what to raise, by the key of its sentence in ``[refusals]`` and what stands in it."""
    said = Said(key, {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in values.items()})
    return RefusedError(said_words(said, english()), said)


def said_of(error: Exception) -> Said | None:
    """Return which sentence of the texts an error is; None for one of other words."""
    return error.said if isinstance(error, RefusedError) else None


def named(said: Said | None) -> dict[str, Any]:
    """Return what an answer has beside its English, by which a page says it in its own language (`read_said`)."""
    return {} if said is None else {"said": said._asdict()}


def said_words(said: Said, language: Language) -> str:
    """Return a sentence in a language; raises KeyError where something is missing that stands in it."""
    shown = {name: _word(name, value, language) for name, value in said.values.items()}
    return language.text(f"refusals.{said.key}", **shown)


def read_said(told: Any) -> Said | None:
    """Return the sentence that another process names; None where it names none that is known."""
    if not isinstance(told, dict) or f"refusals.{told.get('key')}" not in english().entries:
        return None
    values = told.get("values")
    if not isinstance(values, dict) or len(values) > MOST_VALUES:
        return None
    if not all(isinstance(value, str) and len(value) <= LONGEST for value in values.values()):
        return None
    said = Said(told["key"], {str(name): value for name, value in values.items()})
    try:
        said_words(said, english())
    except (KeyError, ValueError):
        return None
    return said


def _word(name: str, value: str, language: Language) -> str:
    """Return what stands in a sentence: the state of a session, a placement and a metric have words of the language."""
    if name == "metric" and value in CATALOGUE:
        return language.metrics.get(value, CATALOGUE[value].title)
    if name == "field" and value in FIELDS and language.code != ENGLISH:
        return language.text(FIELDS[value])
    key = WORDS.get(name, {}).get(value)
    return language.text(key).lower() if key else value
