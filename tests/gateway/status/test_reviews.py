"""What was measured that staff should look at: it stands for a while, with its time, and there is never too much."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from dsp.catalogue import CATALOGUE
from gateway.model.measurements import Measurements
from gateway.status.reviews import MOST, REVIEW_S, Reviews
from tests.gateway.samples import measurement

WORDS = {"cadence": "It may have been a fall"}


def test_it_stands_for_a_quarter_of_an_hour_with_its_time_and_value() -> None:
    reviews = Reviews(WORDS)
    one = replace(measurement(0, slot="bay-2", value=0.84), unit="1", reason="from a chair")
    reviews.add(Measurements.of([one, measurement(1, event=True)]), 100.0)
    (shown,) = reviews.shown(100.0)
    assert (shown["slot"], shown["device"], shown["at_us"]) == ("bay-2", "dot-1", one.end_us)
    assert shown["text"] == "It may have been a fall at 08:53:20 UTC (1 steps/min, from a chair)"
    assert reviews.shown(100.0 + REVIEW_S - 1.0) == [shown]
    assert reviews.shown(100.0 + REVIEW_S) == []


@pytest.mark.parametrize(("quality", "stands"), [("ok", 1), ("degraded", 1), ("invalid", 0)])
def test_what_is_invalid_is_nothing_to_look_at(quality: Literal["ok", "degraded", "invalid"], stands: int) -> None:
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
