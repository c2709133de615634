"""What staff choose for somebody: notices of movement, and what they see of it; it ends with the stay."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.status.reviews import REVIEWED
from gateway.ward.changes import read_change
from gateway.ward.history_words import words
from gateway.ward.preferences import MOVEMENT_KINDS
from gateway.ward.published import published
from gateway.ward.refusals import RefusedError
from gateway.ward.state import WardState

NOW_US = 1_790_000_000_000_000
BAND = {"kind": "lean", "of": "lower_back", "low": 5, "high": 15}


def ward() -> WardState:
    found = WardState()
    for name, fields in (("add-bed", {"bed": "bay-a"}), ("admit", {"subject": "p-1", "bed": "bay-a"})):
        found = change(found, name, **fields)
    return found


def change(found: WardState, name: str, **fields: Any) -> WardState:
    return read_change(name, fields).apply(found, NOW_US)


def test_what_may_be_chosen_is_what_is_reviewed() -> None:
    assert MOVEMENT_KINDS.keys() == REVIEWED.keys()


def test_movement_notices_are_off_until_somebody_chooses_them_and_off_again_for_who_comes_back() -> None:
    found = ward()
    assert found.subjects[0].notices == ()
    found = change(found, "notices-choose", subject="p-1", kinds=["ceiling_exceeded", "fall_event", "fall_event"])
    assert found.subjects[0].notices == ("fall_event", "ceiling_exceeded")
    assert published(found)["subjects"][0]["notices"] == ["fall_event", "ceiling_exceeded"]
    found = change(change(found, "discharge", subject="p-1"), "admit", subject="p-1", bed="bay-a")
    assert found.subjects[0].notices == ()


def test_a_band_is_chosen_moves_with_the_patient_and_is_taken_back() -> None:
    found = change(change(ward(), "feedback-choose", subject="p-1", **BAND), "add-bed", bed="bay-b")
    found = change(found, "move", subject="p-1", bed="bay-b")
    assert published(found)["subjects"][0]["feedback"] == {**BAND, "side": "none", "shape": "bar"}
    assert change(found, "feedback-choose", subject="p-1", kind="none").subjects[0].feedback is None


def test_a_choice_is_no_word_for_the_history() -> None:
    before = ward()
    after = change(before, "feedback-choose", subject="p-1", **BAND)
    assert words(before, after, at_us=NOW_US, by="anna") == []


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("notices-choose", {"subject": "p-1", "kinds": ["hunger"]}),
        ("notices-choose", {"subject": "p-9", "kinds": []}),
        ("notices-choose", {"subject": "p-1", "kinds": []}),  # they are off already
        ("feedback-choose", {"subject": "p-1", **BAND, "low": 15}),
        ("feedback-choose", {"subject": "p-1", **BAND, "of": "The Knee"}),
        ("feedback-choose", {"subject": "p-1", "kind": "lean", "of": "wrist"}),
        ("feedback-choose", {"subject": "p-1", "kind": "torque", "of": "x", "low": 1, "high": 2}),
    ],
)
def test_what_cannot_be_chosen_is_refused(name: str, fields: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        change(ward(), name, **fields)


def test_of_two_who_choose_at_one_time_the_second_is_told() -> None:
    """Each page shows that nothing is chosen; the second would switch off in silence what the first has chosen."""
    found = change(ward(), "notices-choose", subject="p-1", kinds=["fall_event"], was=[])
    with pytest.raises(RefusedError, match="somebody has changed that meanwhile"):
        change(found, "notices-choose", subject="p-1", kinds=["ceiling_exceeded"], was=[])
    both = ["ceiling_exceeded", "fall_event"]
    found = change(found, "notices-choose", subject="p-1", kinds=both, was=["fall_event"])
    assert found.subjects[0].notices == ("fall_event", "ceiling_exceeded")
    assert change(found, "notices-choose", subject="p-1", kinds=[], was=both).subjects[0].notices == ()
