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


def test_no_metric_that_is_reviewed_calls_itself_an_alarm() -> None:
    for metric in CATALOGUE.values():
        assert "alarm" not in metric.review.lower()
        assert metric.review == metric.review.strip().rstrip(".")
