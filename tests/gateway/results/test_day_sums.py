"""Which days have to be counted by single stretches, because two sources told of one time."""

from __future__ import annotations

from gateway.results.day_sums import Told, contested_days


def test_days_are_contested_where_two_sources_told_of_one_time() -> None:
    told = [
        Told(1, "a", 0, 100), Told(1, "b", 100, 200),  # one after the other
        Told(2, "a", 1000, 1500), Told(2, "a", 1200, 1600),  # rows and minutes of one source
        Told(4, "a", 3000, 3500), Told(5, "b", 3400, 3900),  # over midnight
        Told(7, "a", 6000, 6900), Told(7, "b", 6100, 6200), Told(7, "c", 6300, 6400),
    ]  # fmt: skip
    assert contested_days(told) == contested_days(told[::-1]) == [4, 5, 7]
    assert contested_days([]) == []
