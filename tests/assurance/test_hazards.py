"""The hazard log: whole, rated by its scales, and the page is that of the data."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from pydantic import ValidationError

from tests.assurance import hazards
from tests.assurance.hazards import RATINGS, SEVERITIES, Hazard, Likelihood, Mitigation, Risk, Severity

LOG = hazards.load()

TO_BE_COVERED = {
    "patient", "left", "unit", "old", "lost", "wrong", "notice", "many", "well", "tampered", "seen", "clock",
    "upgrade", "device", "monitor", "corrected", "report", "trend", "read", "startles", "not there", "simulated",
}  # fmt: skip


def test_the_page_is_that_of_the_data() -> None:
    assert hazards.PAGE.read_text("utf-8") == hazards.page(LOG), "run 'make docs'"


def test_numbers_are_given_once_and_in_order() -> None:
    assert [one.id for one in LOG] == [f"H{number:02}" for number in range(1, len(LOG) + 1)]


def test_what_has_to_be_thought_of_is_in_it() -> None:
    titles = " / ".join(one.title.lower() for one in LOG)
    assert sorted(word for word in TO_BE_COVERED if word not in titles) == []


def test_nothing_is_made_worse_and_what_is_made_better_has_a_test() -> None:
    for one in LOG:
        assert one.after.rating <= one.before.rating, one.id
        assert SEVERITIES.index(one.after.severity) <= SEVERITIES.index(one.before.severity), one.id
        if one.after != one.before:
            assert any(done.proved_by for done in one.mitigation), one.id


def test_what_is_left_at_three_or_more_says_what_is_missing() -> None:
    """A risk that is not wanted stays only where something is not done, or is the deployer's."""
    for one in LOG:
        if one.after.rating >= 3:
            assert any(done.not_done or done.deployer for done in one.mitigation), one.id
    assert max(one.after.rating for one in LOG) <= 3


@pytest.mark.parametrize(
    ("severity", "likelihood", "rating"),
    [
        ("minor", "very low", 1),
        ("catastrophic", "very low", 3),
        ("considerable", "medium", 3),
        ("significant", "high", 3),
        ("major", "low", 3),
        ("major", "high", 4),
        ("catastrophic", "very high", 5),
    ],
)
def test_ratings_are_those_of_the_standard(severity: Severity, likelihood: Likelihood, rating: int) -> None:
    assert Risk(severity=severity, likelihood=likelihood).rating == rating


def test_ratings_grow_with_severity_and_with_likelihood() -> None:
    rows = list(RATINGS.values())
    assert all(list(row) == sorted(row) for row in rows)
    for above, below in pairwise(rows):
        assert all(more >= less for more, less in zip(above, below, strict=True))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({}, "either proved_by tests"),
        ({"proved_by": ("tests/test_docs.py",)}, "no test, no row"),
        ({"proved_by": ("looked at it",)}, "no test, no row"),
        ({"proved_by": ("faults:kills",), "not_done": "and yet it is not done"}, "either proved_by tests"),
        ({"proved": ("faults:kills",)}, "Extra inputs"),
        ({"not_done": "?"}, "at least 10 characters"),
    ],
)
def test_a_mitigation_without_proof_or_a_word_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Mitigation.model_validate({"what": "something is done about it", **fields})


def test_a_hazard_without_a_mitigation_is_refused() -> None:
    whole = LOG[0].model_dump()
    assert Hazard.model_validate(whole) == LOG[0]
    with pytest.raises(ValidationError, match="mitigation"):
        Hazard.model_validate({**whole, "mitigation": ()})
    with pytest.raises(ValidationError, match="likelihood"):
        Hazard.model_validate({**whole, "after": {"severity": "minor", "likelihood": "never"}})
