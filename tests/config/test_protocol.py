"""What a session is: words, fields, and what is said of a field that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.protocol import FIELDS, PROTOCOLS, misfit, read_protocol


def test_a_protocol_is_a_word_with_fields() -> None:
    protocol = read_protocol("balance eyes=closed  surface=foam")
    assert (protocol.word, dict(protocol.fields)) == ("balance", {"eyes": "closed", "surface": "foam"})
    assert read_protocol("6mwt course_m=30").number("course_m") == 30.0
    assert (
        read_protocol("6mwt course_m=x").number("course_m", 20.0)
        == read_protocol("6mwt").number("course_m", 20.0)
        == 20.0
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("balance eyes=shut", "eyes of balance is one of open, closed, not 'shut'"),
        ("balance eye=open", "'eye=open' is no field of balance"),
        ("balance closed", "'closed' is no field of balance"),
        ("6mwt course_m=0", "course_m of 6mwt is a number from 1 to 1000, not '0'"),
        ("6mwt course_m=nan", "course_m of 6mwt is a number from 1 to 1000, not 'nan'"),
        ("10mwt pace=fast pace=comfortable", "pace of 10mwt is given twice"),
        ("free_walk ceiling=300", "ceiling of free_walk is a number from 60 to 220, not '300'"),
    ],
)
def test_what_is_wrong_with_a_field_is_said(text: str, problem: str) -> None:
    assert str(misfit(text)).startswith(problem)


def test_words_that_nobody_knows_may_have_what_they_like() -> None:
    assert misfit("a walk to the window, 2=3") is None
    assert misfit("") is None


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    protocol = read_protocol(text)
    assert "=" not in "".join(protocol.fields)
    assert isinstance(str(misfit(text)), str)


def test_every_word_stands_alone() -> None:
    for word in PROTOCOLS:
        assert misfit(word) is None
        assert read_protocol(word).word == word
        assert all(name.isidentifier() for name in FIELDS[word])
