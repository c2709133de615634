"""Patterns of declarations: what is taken means what `re` means, and takes no longer than its line."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.declared.pattern import NUMBER, PatternError, compiled

TAKEN = [
    r"(-?\d+),(-?\d+)",
    r"^ax:(?P<x>-?\d+(?:\.\d+)?)\s+ay:(?P<y>-?\d+(?:\.\d+)?)$",
    r"([^,]+),([^,]+)",
    r"(?:#.*|([0-9]+))",
    r"(\d{3,5})x",
    r"(\d{2,})(?:;(\d{0,3}))?",
    r"[A-Za-z_]+=(0|[1-9]\d*)",
    r"(a*)(b)",
    r"([\d.eE+-]+)[ \t]+(x|yz?)",
    r"\{\"a\":(-?[0-9]+),\"b\":(-?[0-9]+)\}",
    r"T=(\d+) °C",
    r"(\d+?),(\d*?)x",
    r"(-?\d+\.?\d*),(-?[0-9]*\.?[0-9]+)",
]
REFUSED = {
    r"(a+)+b": "a value in a repeat",
    r"(?:a+)+(b)": "read 'a' in two ways",
    r"(?:a|a)*(b)": "read 'a' in two ways",
    r"(?:a|ab)(?:c|bcd)(d*)": "read 'a' in two ways",
    r"(.*),(.*)": "read ',' in two ways, at '.*),(.*)' and ',(.*)'",
    r"(?:a?)*(b)": "may be nothing by itself",
    r"(?:a?){3}(b)": "may be nothing by itself",
    r"(?:|)(a)": "may both be nothing",
    r"(\d+)(\d+)": "read '0' in two ways",
    r"{x}{y}": "read '0' in two ways",
    r"\s*\s*(x)": "read ' ' in two ways",
    r"(\d)\1": "an escape that is not known",
    r"(?=a)(a)": "looks around or back",
    r"(?<!a)(a)": "looks around or back",
    r"(?i)(a)": "sets a flag",
    r"(a": "'(' that nothing closes",
    r"a)": "')' that closes nothing",
    r"([a": "'[' that nothing closes",
    r"([z-a])": "a range of letters that is none",
    r"*(a)": "'*' where it means nothing",
    r"(a)**": "a repeat of a repeat",
    r"a**(b)": "a repeat of a repeat",
    r"a{2}{3}(b)": "a repeat of a repeat",
    r"a{500}(b)": "more than 100 times",
    r"a{3,1}(b)": "a repeat of no or more than 100 times",
    r"(?:(?:(?:a{90}){90}){90})(b)": "longer than 2000 letters",
    r"(?P<X>a)": "not lower-case letters",
    r"(?P<x>a)(b)": "names some of its values and others not",
    "": "has no value",
    r"\d+": "has no value",
    r"a\q(b)": "an escape that is not known",
    r"(\b)a": "an escape that is not known",
    "(" * 30 + "a" + ")" * 30: "groups in groups",
    r"(a$)b": "'$' where it means nothing",
    "a{b(c)": "'{' where it means nothing",
    "(a)\\": "an escape that is not known",
}


@pytest.mark.parametrize("text", TAKEN)
@given(data=st.data())
def test_what_is_taken_matches_what_re_matches(text: str, data: st.DataObject) -> None:
    ours, theirs = compiled(text).regex, re.compile(text.encode(), re.DOTALL)
    alike = st.from_regex(theirs, fullmatch=True) | st.text("0123459.,;-+ axybTz#", max_size=12).map(str.encode)
    line = data.draw(alike)
    one, other = ours.fullmatch(line), theirs.fullmatch(line)
    assert (one is None) == (other is None)
    if one and other:
        assert one.groups() == other.groups()


@pytest.mark.parametrize("text", REFUSED)
def test_what_could_take_for_ever_or_means_nothing_is_refused_in_words(text: str) -> None:
    with pytest.raises(PatternError, match=re.escape(REFUSED[text])):
        compiled(text)


ALPHABET = st.sampled_from(
    ["a", "b", "[ab]", ".", r"\d", "(?:a|b)", "(?:ab|c)", "(?:a?b)", "(a)", "(b+)", ",", "a|", "{x}"]
)
REPEATS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,3}", "{2,}", "*?"])


@given(
    st.lists(st.tuples(ALPHABET, REPEATS), min_size=1, max_size=9), st.sampled_from([b"a", b"ab", b"b", b"1", b"aab,"])
)
def test_whatever_is_taken_is_matched_in_no_time(parts: list[tuple[str, str]], letters: bytes) -> None:
    """Those that Python would take for ever over are among what is drawn; none of them is taken."""
    try:
        pattern = compiled("".join(part + repeat for part, repeat in parts))
    except PatternError:
        return
    begun = time.process_time()
    pattern.regex.fullmatch((letters * 512)[:511] + b"\xff")
    assert time.process_time() - begun < 0.25


@pytest.mark.parametrize("count", [1, 8, 20])
def test_numbers_as_most_write_them_are_taken_and_matched_at_once(count: int) -> None:
    r"""``\d+\.?\d*`` twenty times over: Python alone takes 6**20 steps to see that the line has a letter at its end."""
    pattern = compiled(",".join([r"(-?\d+\.?\d*)"] * count))
    begun = time.process_time()
    assert pattern.regex.fullmatch(b",".join([b"123456"] * count) + b"x") is None
    assert time.process_time() - begun < 0.25


@pytest.mark.parametrize("number", ["0", "-1", "+2.5", ".5", "5.", "1e5", "-1.5E-3", "nan", "NaN", "-inf", "OVF"])
def test_a_value_is_any_number_that_microcontrollers_print(number: str) -> None:
    match = compiled("a={x} b={imu.y}").regex.fullmatch(f"a={number} b=0".encode())
    assert match is not None
    assert match.groups() == (number.encode(), b"0")
    assert compiled("a={x} b={imu.y}").names == ("x", "imu.y")


@pytest.mark.parametrize("text", ["", "1,5", "1.2.3", "--1", "e5", "1e", "0x1F", "1_000"])
def test_a_value_is_nothing_else(text: str) -> None:
    assert re.fullmatch(NUMBER, text) is None
