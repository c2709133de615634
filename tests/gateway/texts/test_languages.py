"""The catalogue: every language says the same in its own way, and a file that cannot be used is refused, and named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dsp.catalogue import METRICS
from gateway.model.usage import UsageError
from gateway.texts.languages import FOLDER, Entry, Language, english, read_language, read_languages, speak, text
from gateway.texts.plurals import FORMS, form_of

LANGUAGES = read_languages()
OTHERS = [code for code in LANGUAGES if code != "en"]
PLACES = re.compile(r"\{(\w+)\}")
HEAD = '[language]\nname = "Test"\nlocale = "xx"\ndecimal = ","\ndraft = ""\n'


def forms(entry: Entry) -> list[str]:
    return [entry] if isinstance(entry, str) else list(entry.values())


@pytest.mark.parametrize("code", OTHERS)
def test_each_language_has_every_text_with_the_same_places(code: str) -> None:
    other = read_language(FOLDER / f"{code}.toml")
    assert other.entries.keys() == english().entries.keys()
    for key, entry in english().entries.items():
        whole = set(PLACES.findall(forms(entry)[-1]))
        said = forms(other.entries[key])
        assert set(PLACES.findall(said[-1])) == whole, key
        assert all(set(PLACES.findall(form)) <= whole for form in said), key
        assert isinstance(entry, str) == isinstance(other.entries[key], str), key
    assert other.metrics.keys() == {metric.id for metric in METRICS}
    assert other.units.keys() <= {metric.unit_text for metric in METRICS}


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_form_is_one_that_the_language_does_not_tell_apart(code: str) -> None:
    known = {form_of(code, n) for n in range(200)} | {"other"}
    for key, entry in LANGUAGES[code].entries.items():
        if not isinstance(entry, str):
            assert entry.keys() <= known, key


def test_welsh_says_that_nobody_has_checked_it() -> None:
    assert LANGUAGES["cy"].draft
    assert "drafft" in LANGUAGES["cy"].name
    assert not LANGUAGES["en"].draft


def test_welsh_counts_in_its_own_forms() -> None:
    found = [LANGUAGES["cy"].text("ward.beds", n=n) for n in (1, 2, 3)]
    assert found == ["1 gwely", "2 wely", "3 gwely"]


def test_a_text_is_in_the_language_that_is_spoken() -> None:
    assert text("common.beds") == "Beds"
    speak(LANGUAGES["cy"])
    try:
        assert text("common.beds") == "Gwelyau"
    finally:
        speak(LANGUAGES["en"])


def test_another_language_is_a_file_alone_and_what_it_lacks_is_english(tmp_path: Path) -> None:
    (tmp_path / "de.toml").write_text(HEAD + '[common]\nbeds = "Betten"\n', "utf-8")
    found = read_languages(tmp_path)
    assert list(found) == ["en", "cy", "de"]
    assert found["de"].text("common.beds") == "Betten"
    assert found["de"].text("common.ward") == "Ward"


def test_a_site_may_mend_a_text_of_a_language_that_comes_along(tmp_path: Path) -> None:
    head = '[language]\nname = "Cymraeg"\nlocale = "cy"\ndecimal = "."\ndraft = ""\n'
    (tmp_path / "cy.toml").write_text(head + '[common]\nbeds = "Y gwelyau"\n[metrics]\ncadence = "Camu"\n', "utf-8")
    welsh: Language = read_languages(tmp_path)["cy"]
    assert (welsh.text("common.beds"), welsh.text("common.ward"), welsh.draft) == ("Y gwelyau", "Ward", "")
    assert (welsh.metrics["cadence"], welsh.metrics["stride_time"]) == ("Camu", "Amser cam llawn")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", "has no head of a language"),
        (HEAD + "[common]\nbeds = 3\n", "common.beds is no text"),
        (HEAD + '[common]\nbeds = { some = "x" }\n', "common.beds is no text"),
        (HEAD + "[common\n", "cannot be used as a language"),
        (HEAD + "[metrics]\ncadence = 1\n", "metrics are no texts"),
        (HEAD.replace('draft = ""\n', ""), "has no head of a language"),
        ("#" * 600_000, "is larger than"),
        (HEAD + '[ward]\nbeds = { other = "{m} beds" }\n', r"ward.beds has {m}; in braces it may have: {n}"),
        (HEAD + '[ward]\nbeds = { other = "{n.x}" }\n', r"ward.beds has {n.x}; in braces"),
        (HEAD + '[common]\nbeds = "Betten {"\n', "common.beds has braces that do not fit"),
        (HEAD + '[common]\nbeds = "{} Betten"\n', "common.beds has {}; in braces it may have: none"),
        (HEAD + '[common]\nbeds = { other = "Betten" }\n', "common.beds counts nothing"),
        (HEAD.replace('"xx"', "'de\" onload=\"'"), "its locale is"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, written: str, why: str) -> None:
    (tmp_path / "xx.toml").write_text(written, "utf-8")
    with pytest.raises(UsageError, match=why):
        read_languages(tmp_path)


def test_forms_are_those_of_cldr() -> None:
    assert [form_of("cy", n) for n in (0, 1, 2, 3, 4, 6, 7)] == ["zero", "one", "two", "few", "other", "many", "other"]
    assert [form_of("en", n) for n in (0, 1, 2)] == ["other", "one", "other"]
    assert all(form_of(code, n) in FORMS for code in ("cy", "en", "fr", "ga", "pl", "xx") for n in range(200))
