"""Why a number is doubtful can be said in every language: no reason that the analysis gives is without its text."""

from __future__ import annotations

import re

import pytest

from gateway.texts.languages import read_languages
from tests.gateway.texts.reason_words import reasons, template

LANGUAGES = read_languages()
NO_REASONS = {
    "both give the lowest free number", "foot contacts", "shank contacts", "lower back", "walk tests",
    "{}: the program failed",
}  # fmt: skip
"""Names of parts, a word to whoever writes one, and a line of the log."""
ONE_OF = r"(?:\{n\}%?|left|right|delivered twice|\S+)"
"""What stands in place of a value."""


def pattern(words: str) -> re.Pattern[str]:
    """Return what finds the text of a reason; of an implausible value the kind of doubt alone has one."""
    kind = words.removesuffix(": {} {}")
    return re.compile(re.escape(template(kind)).replace(r"\{\}", ONE_OF))


def test_each_reason_of_the_analysis_has_a_text_and_each_text_a_reason() -> None:
    found, known = {one: pattern(one) for one in reasons() - NO_REASONS}, LANGUAGES["en"].reasons
    assert [one for one, words in found.items() if not any(words.fullmatch(text) for text in known)] == []
    assert [text for text in known if not any(words.fullmatch(text) for words in found.values())] == []


def test_english_says_a_reason_as_it_comes() -> None:
    assert all(key == said for key, said in LANGUAGES["en"].reasons.items())


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_each_language_has_every_reason_with_as_many_numbers(code: str) -> None:
    said = LANGUAGES[code].reasons
    assert said.keys() == LANGUAGES["en"].reasons.keys()
    assert [key for key, words in said.items() if words.count("{n}") != key.count("{n}")] == []
