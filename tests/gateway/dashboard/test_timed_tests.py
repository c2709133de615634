"""The timed tests and forms that the page offers: words, needs and fields that agree with what is computed."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.protocol import misfit
from dsp.catalogue import CATALOGUE
from gateway.analysis.motions import MOTIONS
from gateway.dashboard.timed_tests import TESTS, TimedTest, find_test
from gateway.ward.entries import TIMED
from gateway.ward.forms import OURS, read_forms

FORM = 'id = "day"\nversion = 2\ntitle = "The day"\n[[item]]\nid = "sleep"\ntext = "Sleep"\n'
ANSWERS = 'answers = [{ value = 1, text = "well" }, { value = 2, text = "badly" }]\n'


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.id)
def test_each_is_a_protocol_that_is_taken_and_gives_results_that_there_are(test: TimedTest) -> None:
    assert misfit(test.protocol) is None
    assert set(test.results) <= CATALOGUE.keys()
    assert test.timed in {"", *test.results}
    assert test.timed == TIMED.get(test.word, "")
    for field in test.as_json()["fields"]:
        value = field["choices"][0]["value"] if "choices" in field else field["low"]
        assert misfit(f"{test.protocol} {field['name']}={value}") is None


@pytest.mark.parametrize("test", TESTS, ids=lambda test: test.id)
def test_what_it_needs_is_where_its_operator_is_attached(test: TimedTest) -> None:
    rows = [row for row in MOTIONS if test.word in row.protocols and set(row.metrics) & set(test.results)]
    for row in rows:
        assert set(test.needs[0].places) == {place for group in row.places for place in group}


def test_a_session_is_known_by_its_word_and_fields() -> None:
    fast = find_test("10mwt pace=fast start=static aid=stick")
    assert fast is not None
    assert fast.id == "10mwt-fast"
    unsaid = find_test("10mwt")
    assert unsaid is not None
    assert unsaid.word == "10mwt"
    assert find_test("treadmill") is None
    assert find_test("") is None


def test_the_example_of_a_form_can_be_read_and_says_what_it_is_not() -> None:
    forms, problems = read_forms(OURS, None)
    assert problems == []
    (form,) = forms
    assert len(form.item) == 6
    assert "without validation" in form.note


def test_a_ward_has_forms_of_its_own_and_hears_what_is_wrong_with_them(tmp_path: Path) -> None:
    (tmp_path / "good.toml").write_text(FORM + ANSWERS)
    (tmp_path / "none.toml").write_text(FORM)
    (tmp_path / "both.toml").write_text(f"{FORM}{ANSWERS}low = 0\nhigh = 9\n")
    (tmp_path / "below.toml").write_text(f"{FORM}low = -5\nhigh = 9\n")
    (tmp_path / "twice.toml").write_text(f'{FORM}{ANSWERS}[[item]]\nid = "sleep"\ntext = "Again"\n{ANSWERS}')
    (tmp_path / "torn.toml").write_text("id = ")
    (tmp_path / "large.toml").write_text("#" * 100_000)
    forms, problems = read_forms(tmp_path)
    assert [(form.id, form.version) for form in forms] == [("day", 2)]
    assert len(problems) == 6
    for name, words in {
        "none": "answers, or low and high", "both": "answers, or low and high", "below": "0 or more",
        "twice": "two items have one id", "large": "larger than",
    }.items():  # fmt: skip
        assert any(one.startswith(f"{name}.toml cannot be used as a form") and words in one for one in problems), words


def test_a_wards_own_form_takes_the_place_of_the_example(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(FORM.replace('"day"', '"five-questions"') + ANSWERS)
    forms, _ = read_forms(OURS, tmp_path)
    assert [form.title for form in forms] == ["The day"]
