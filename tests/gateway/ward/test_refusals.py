"""What is refused is one sentence in every language that there is, and what another process names is not believed."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.texts.languages import english, places_in, read_languages
from gateway.ward.changes import read_change
from gateway.ward.refusals import FIELDS, LONGEST, RefusedError, Said, read_said, refused, said_words
from gateway.ward.state import WardState

KEYS = sorted(key.partition(".")[2] for key in english().entries if key.startswith("refusals."))


def no_of(name: str, **fields: object) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        read_change(name, fields).apply(WardState(), 0)
    return caught.value


def test_what_pages_call_a_field_is_a_text() -> None:
    assert set(FIELDS.values()) <= english().entries.keys()


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("code", ["en", "cy"])
def test_each_sentence_is_said_in_each_language_with_all_that_stands_in_it(code: str, key: str) -> None:
    language = read_languages()[code]
    entry = language.entries[f"refusals.{key}"]
    assert isinstance(entry, str)
    values = {name: f"<{name}>" for name in places_in(entry)}
    words = said_words(Said(key, values), language)
    assert all(value in words for value in values.values())
    assert not words.endswith("."), "the page ends it"


def test_a_refusal_is_english_and_names_its_sentence() -> None:
    no = no_of("admit", subject="p-1", bed="bay-1")
    assert (str(no), no.said) == ("there is no bed 'bay-1'", Said("no_bed_at_all", {"bed": "bay-1"}))
    assert said_words(Said("no_bed_at_all", {"bed": "bay-1"}), read_languages()["cy"]) == "nid oes gwely 'bay-1'"


def test_states_placements_and_metrics_have_the_words_of_the_language() -> None:
    welsh = read_languages()["cy"]
    worn = refused("worn_at", device="dot-1", placement="left_foot", bed="bay-1")
    assert str(worn) == "'dot-1' is on the left foot in bed 'bay-1': take it off first"
    assert worn.said is not None
    assert welsh.text("words.left_foot").lower() in said_words(worn.said, welsh)
    state = refused("session_is", session="s-1", state="running")
    assert state.said is not None
    assert welsh.text("common.running") in said_words(state.said, welsh)
    number = refused("text_has_number", field="aids")
    assert str(number).startswith("aids has the form")
    assert number.said is not None
    assert welsh.text("changes.walking_aids") in said_words(number.said, welsh)
    low = refused("implausible", metric="borg_cr10", low=0.0, high=10.0, value=11.5)
    assert str(low) == "Exertion, Borg CR10 is 0 to 10, not 11.5"


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("admit", {"subject": "p-1"}, "bed is missing"),
        ("admit", {"subject": "P 1", "bed": "bay-1"}, "subject = 'P 1' must be lower-case letters"),
        ("plan", {"subject": "p-1", "sessions_a_week": 51}, "sessions_a_week: at most 50"),
        ("plan", {"subject": "p-1", "sessions_a_week": -1}, "sessions_a_week: at least 0"),
        (
            "add-bed",
            {"bed": "bay-1", "colour": "red"},
            "colour is nothing that is asked for here; choose one of bed, label",
        ),
        ("add-bed", {"bed": "bay-1", "label": "x" * 201}, "label must be at most 200 characters long"),
    ],
)
def test_a_field_that_is_not_as_it_has_to_be_is_named(name: str, fields: dict[str, object], words: str) -> None:
    no = no_of(name, **fields)
    assert str(no).startswith(words)
    assert no.said is not None


@pytest.mark.parametrize(
    "told",
    [
        None, "no_bed", [], {}, {"key": "no_such"}, {"key": "no_bed"}, {"key": "no_bed", "values": []},
        {"key": "no_bed", "values": {"bed": "bay-1"}}, {"key": "no_bed", "values": {"bed": 1, "known": "x"}},
        {"key": "no_bed", "values": {"bed": "b" * (LONGEST + 1), "known": "x"}},
        {"key": "no_bed", "values": {str(n): "x" for n in range(9)} | {"bed": "b", "known": "k"}},
    ],
)  # fmt: skip
def test_what_names_no_sentence_is_none(told: Any) -> None:
    assert read_said(told) is None


def test_what_stands_in_a_sentence_is_never_a_sentence_itself() -> None:
    said = read_said({"key": "no_bed_at_all", "values": {"bed": "{bed} {key.__class__}"}})
    assert said is not None
    assert said_words(said, english()) == "there is no bed '{bed} {key.__class__}'"
