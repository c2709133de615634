"""Change, not level: what is compared with what, and what a band says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.bands import Band
from gateway.model.measurement import Quality
from gateway.results.change import MDC95_OF_SEM, Result, compare, judge, newest_ok, oldest_ok, words

SENSORS = (("movella_dot", "left_foot"), ("movella_dot", "right_foot"))
NOW = Result("s-2", 2_000_000, 0.8, "m/s", "ok", 3, "timed/2", SENSORS)
VALUES = st.floats(0.01, 1000.0, allow_nan=False)


def band(**fields: Any) -> Band:
    wanted = {"measure": "tmwt10_speed", "kind": "MDC", "value": 0.1, "unit": "m/s", "citation": "Somebody 2020"}
    return Band.model_validate(wanted | fields)


def earlier(value: float | None = 0.7, **other: Any) -> Result:
    return replace(NOW, session="s-1", at_us=1_000_000, value=value, **other)


def test_without_a_band_a_change_is_shown_and_not_judged() -> None:
    found = compare(NOW, earlier(), measure="tmwt10_speed")
    assert found.change == pytest.approx(0.1)
    assert (found.judgements, found.why_not) == ((), "")


@pytest.mark.parametrize(
    ("before", "words_of"),
    [
        (earlier(algorithm="timed/1"), "measured otherwise: not compared (by timed/1 then)"),
        (earlier(sensors=SENSORS[:1]), "measured otherwise: not compared (by other sensors or in other places)"),
        (earlier(unit="km/h"), "measured otherwise: not compared (another unit)"),
        (earlier(quality="degraded"), "not compared: the earlier one is degraded"),
        (earlier(None, quality="invalid"), "not compared: the earlier one is without a value"),
    ],
)
def test_what_was_not_measured_alike_is_not_compared(before: Result, words_of: str) -> None:
    found = compare(NOW, before, [band()], measure="tmwt10_speed")
    assert (found.change, found.judgements, found.why_not) == (None, (), words_of)
    assert found.earlier is before, "it is shown all the same"


def test_a_degraded_result_is_compared_with_nothing() -> None:
    found = compare(replace(NOW, quality="degraded"), earlier(), [band()], measure="tmwt10_speed")
    assert (found.change, found.why_not) == (None, "not compared: this one is degraded")
    assert compare(NOW, None).why_not == "nothing earlier"


@given(before=VALUES, change=st.floats(-500.0, 500.0), size=st.floats(0.01, 100.0))
def test_within_is_less_than_the_band_and_beyond_is_the_rest(before: float, change: float, size: float) -> None:
    found = judge(change, before, band(value=size))
    if abs(change) < size * (1 - 1e-6):
        assert found.verdict == "within"
    if abs(change) > size:
        assert found.verdict == "beyond"
    assert judge(-change, before, band(value=size)).verdict == found.verdict, "error has no direction"


@given(before=VALUES, change=st.floats(-500.0, 500.0), size=st.floats(0.01, 100.0))
def test_better_is_said_only_beyond_a_band_that_says_which_way(before: float, change: float, size: float) -> None:
    higher, lower = (judge(change, before, band(value=size, better=way)) for way in ("higher", "lower"))
    silent = judge(change, before, band(value=size))
    assert silent.better is None
    assert "better" not in words(silent)
    if higher.verdict == "within":
        assert (higher.better, lower.better) == (None, None)
        assert words(higher) == "within measurement error"
    else:
        assert higher.better is (change > 0)
        assert lower.better is (change < 0)
        assert words(higher) == f"more than measurement error, for the {'better' if change > 0 else 'worse'}"


@given(before=VALUES, change=st.floats(-500.0, 500.0))
def test_a_relative_band_grows_with_the_earlier_value(before: float, change: float) -> None:
    found = judge(change, before, band(measure="cadence", unit="%", relative=True, value=21.0))
    assert found.size == pytest.approx(0.21 * before)


def test_an_sem_counts_as_mdc95_and_what_matters_is_said_in_other_words() -> None:
    assert judge(0.2, 1.0, band(kind="SEM", value=0.1)).size == pytest.approx(0.1 * MDC95_OF_SEM)
    assert judge(0.2, 1.0, band(kind="SEM", value=0.1)).verdict == "within"
    assert words(judge(0.16, 1.0, band(kind="MCID", value=0.16))) == "at least the smallest change that matters"
    assert words(judge(0.15, 1.0, band(kind="MID", value=0.16))) == "less than the smallest change that matters"


def test_the_smallest_detectable_change_itself_is_beyond_and_rounding_decides_nothing() -> None:
    assert judge(0.8 - 0.7, 0.7, band(value=0.1)).verdict == "beyond"
    assert judge(0.0, 0.7, band(value=0.1)).verdict == "within"


def test_the_newest_and_the_first_are_of_good_quality_where_there_is_such() -> None:
    graded: list[tuple[int, Quality]] = [(1, "degraded"), (2, "ok"), (3, "ok"), (4, "degraded")]
    many = [replace(NOW, at_us=at, quality=quality) for at, quality in graded]
    newest, oldest = newest_ok(many), oldest_ok(many)
    assert newest is many[2]
    assert oldest is many[1]
    assert newest_ok(many[3:]) is many[3]
    assert newest_ok([]) is None
