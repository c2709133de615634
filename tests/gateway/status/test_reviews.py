"""What was measured that staff should look at: it stands for a while, with its time, and there is never too much."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from dsp.catalogue import CATALOGUE
from gateway.model.measurements import Measurements
from gateway.status.reviews import HOUR_S, LATCH_S, MOST, REVIEW_S, Reviews, finding_of
from tests.gateway.samples import measurement

WORDS = {"cadence": "It may have been a fall"}


def test_it_stands_with_its_time_and_value_a_quarter_of_an_hour_or_until_somebody_has_seen_it() -> None:
    reviews = Reviews(WORDS)
    one = replace(measurement(0, slot="bay-2", value=0.84), unit="1", reason="from a chair")
    reviews.add(Measurements.of([one, measurement(1, event=True)]), 100.0)
    (shown,) = reviews.shown(100.0)
    assert (shown["slot"], shown["device"], shown["at_us"]) == ("bay-2", "dot-1", one.end_us)
    assert shown["text"] == "It may have been a fall at 08:53:20 UTC (1 steps/min, from a chair)"
    seen = {finding_of(shown).id}
    assert reviews.shown(100.0 + REVIEW_S - 1.0, seen=seen) == [shown]
    assert reviews.shown(100.0 + LATCH_S - 1.0) == [shown]
    assert reviews.shown(100.0 + LATCH_S - 1.0, seen=seen) == []


def test_nobody_having_seen_it_it_stands_for_a_shift() -> None:
    reviews = Reviews(WORDS)
    reviews.add(Measurements.of([measurement(0)]), 0.0)
    assert len(reviews.shown(LATCH_S - 1.0)) == 1
    assert reviews.shown(LATCH_S) == []


@pytest.mark.parametrize(("quality", "stands"), [("ok", 1), ("degraded", 0), ("invalid", 0)])
def test_poor_data_raises_nothing(quality: Literal["ok", "degraded", "invalid"], stands: int) -> None:
    reviews = Reviews(WORDS)
    reviews.add(Measurements.of([replace(measurement(0), quality=quality)]), 0.0)
    assert len(reviews.shown(0.0)) == stands


def test_a_sensor_that_is_thrown_about_fills_no_status() -> None:
    reviews = Reviews(WORDS)
    reviews.add(Measurements.of([measurement(i) for i in range(10 * MOST)]), 0.0)
    assert [shown["at_us"] for shown in reviews.shown(0.0)] == [
        measurement(i).end_us for i in range(9 * MOST, 10 * MOST)
    ]  # fmt: skip


def test_a_bed_that_shakes_hides_no_fall_of_another() -> None:
    reviews = Reviews(WORDS)
    reviews.add(Measurements.of([measurement(0, slot="bay-2"), measurement(1, slot="bay-2")]), 0.0)
    reviews.add(Measurements.of([measurement(i) for i in range(10_000)]), 1.0)
    shown = reviews.shown(1.0)
    assert len(shown) == MOST
    assert [review["slot"] for review in shown[:3]] == ["bay-2", "bay-2", "bay-1"]
    assert shown[-1]["at_us"] == measurement(9_999).end_us


def test_what_was_measured_of_the_patient_before_is_not_put_to_who_is_in_the_bed_now() -> None:
    reviews = Reviews(WORDS)
    reviews.add(Measurements.of([measurement(0)]), 0.0)
    (before,) = reviews.shown(1.0, {"bay-1": "p-01"})
    assert (before["slot"], before["device"]) == ("bay-1", "dot-1")
    for present in ({"bay-1": "p-02"}, {}):
        (after,) = reviews.shown(1.0, present)
        assert (after["slot"], after["device"]) == ("", "")
        assert after["text"] == f"{before['text']}: of who was in bay-1 before"
        assert "p-0" not in after["text"]
    assert reviews.shown(1.0, {"bay-1": "p-01"}) == [before]


def test_no_metric_that_is_reviewed_calls_itself_an_alarm() -> None:
    for metric in CATALOGUE.values():
        assert "alarm" not in metric.review.lower()
        assert metric.review == metric.review.strip().rstrip(".")


def test_nothing_is_raised_of_whom_nobody_chose_it_for() -> None:
    chosen = {("p-01", "cadence")}
    reviews = Reviews(WORDS, wanted=lambda subject, metric: (subject, metric) in chosen)
    reviews.add(Measurements.of([measurement(0), replace(measurement(1), subject="p-02")]), 0.0)
    assert [shown["at_us"] for shown in reviews.shown(0.0)] == [measurement(0).end_us]
    assert reviews.held_back == {"not chosen": 1}


def test_of_one_person_no_more_than_the_budget_of_an_hour_is_raised_and_the_rest_is_counted_and_said() -> None:
    reviews = Reviews(WORDS, per_hour=3)
    reviews.add(Measurements.of([measurement(i) for i in range(5)]), 0.0)
    reviews.add(Measurements.of([replace(measurement(9), subject="p-02", slot="bay-2")]), 1.0)
    assert [shown["slot"] for shown in reviews.shown(1.0)] == ["bay-1", "bay-1", "bay-1", "bay-2"]
    assert reviews.held_back == {"budget": 2}
    assert reviews.over_budget(1.0, {"bay-1": "p-01"}) == [("bay-1", 2)]
    assert reviews.over_budget(1.0, {"bay-1": "p-02"}) == []  # somebody else is there
    reviews.add(Measurements.of([measurement(20)]), HOUR_S)
    assert len(reviews.shown(HOUR_S)) == 5
    assert reviews.over_budget(2 * HOUR_S, {"bay-1": "p-01"}) == []


def test_what_was_seen_while_they_were_there_is_not_told_of_them_once_they_have_left() -> None:
    reviews = Reviews(WORDS)
    reviews.add(Measurements.of([measurement(0)]), 0.0)
    (shown,) = reviews.shown(0.0)
    assert reviews.shown(1.0, {"bay-1": "p-02"}, {finding_of(shown).id}) == []


def test_what_nobody_has_seen_outlives_a_restart_with_its_age() -> None:
    before, after = Reviews(WORDS), Reviews(WORDS)
    before.add(Measurements.of([measurement(0)]), 100.0)
    kept = before.kept(160.0, 1_000_000_000)
    after.take_back(kept, 5.0, 1_000_000_000 + 40_000_000)
    assert after.shown(5.0) == before.shown(160.0)
    assert after.shown(5.0 + LATCH_S - 101.0) == before.shown(160.0)
    assert after.shown(5.0 + LATCH_S - 99.0) == []
