"""Trends: what is put into a point, what stays a gap, milestones and adherence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.history.reader import HistoryReader
from gateway.history.row_sums import row_sum
from gateway.results.day_sums import DAY_US
from gateway.results.milestones import WEEK_US, monday
from gateway.results.past_sessions import UnknownSubjectError
from gateway.results.trend import By, Trend, Window, make_trend
from tests.gateway.history.ward_gateway import us
from tests.gateway.results.clinic import DAY_S, SUBJECT, Clinic


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HistoryReader]:
    """Read a history that nobody changes."""
    clinic = Clinic(tmp_path_factory.mktemp("clinic"))
    clinic.gateway.do(20, "plan", subject=SUBJECT, sessions_a_week=2)
    for day, speed in ((1, 0.5), (2, 0.6), (20, 0.8)):
        clinic.test(day, speed)
    wrong = clinic.test(21, 9.0)
    clinic.gateway.do(21 * DAY_S + 900, "session-discard", session=wrong, why="not theirs")
    session = clinic.begin(22, "free_walk")
    clinic.give(22, "cadence", 100.0, side="both", unit="{steps}/min", algorithm="gait/3")
    clinic.gateway.do(22 * DAY_S + 60, "session-mark", session=session, text="first time without a stick")
    clinic.gateway.do(22 * DAY_S + 70, "session-mark", session=session, text="lap")
    clinic.end(22)
    clinic.gateway.do(23 * DAY_S, "discharge", subject=SUBJECT)
    made = HistoryReader(clinic.store())
    yield made
    made.close()


def trend(reader: HistoryReader, by: By | None = None, metric: str = "", days: int = 30) -> Trend:
    return make_trend(reader, SUBJECT, Window(us(30 * DAY_S) - days * DAY_US - 60_000_000, us(30 * DAY_S), metric, by))


def test_each_session_is_a_point_and_what_was_discarded_is_none(reader: HistoryReader) -> None:
    found = trend(reader)
    assert (found.metric, found.by, found.metrics) == ("tmwt10_speed", "session", ["tmwt10_speed", "cadence"])
    (line,) = found.lines
    assert [point.value for point in line.points] == pytest.approx([0.5, 0.6, 0.8])
    assert len({point.session for point in line.points}) == 3


def test_rows_that_are_in_no_minute_yet_are_not_looked_for_in_each_series(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row that is looked at has its sum made: of some thousand series and rows that took most of a minute."""
    looked_at = []

    def counting(*of: Any) -> int | None:
        looked_at.append(of)
        return row_sum(*of)

    clinic, days = Clinic(tmp_path), 24
    for day in range(1, days + 1):
        clinic.test(day, 0.5 + day / 100)
    monkeypatch.setattr("gateway.history.row_sums.row_sum", counting)
    reader = HistoryReader(clinic.store(rolled=False))
    looked_at.clear()
    (line,) = trend(reader).lines
    reader.close()
    assert [point.value for point in line.points] == pytest.approx([0.5 + day / 100 for day in range(1, days + 1)])
    assert days <= len(looked_at) <= 4 * days


def test_a_week_is_the_mean_of_its_days_and_a_week_without_is_no_point(reader: HistoryReader) -> None:
    (line,) = trend(reader, "week").lines
    weeks = {monday(us(day * DAY_S)) for day in (1, 2, 20)}
    assert {point.at_us for point in line.points} == weeks
    assert sum(point.n for point in line.points) == 3
    (by_day,) = trend(reader, "day").lines
    assert [point.at_us % DAY_US for point in by_day.points] == [0, 0, 0]


def test_a_long_time_is_by_weeks_unless_it_is_asked_otherwise(reader: HistoryReader) -> None:
    assert [trend(reader, days=days).by for days in (30, 100, 1000)] == ["session", "day", "week"]


def test_milestones_are_those_of_the_way_and_no_marks_of_a_test(reader: HistoryReader) -> None:
    found = [(one.kind, one.text) for one in trend(reader).milestones]
    test = ("test", "10-metre walk, comfortable")
    walk = ("mark", "first time without a stick")
    assert found == [("admitted", "Admitted to bay-1"), test, test, test, walk, ("discharged", "Discharged")]


def test_weeks_count_sessions_against_what_was_planned_then(reader: HistoryReader) -> None:
    weeks = trend(reader).weeks
    assert [week.from_us % WEEK_US for week in weeks] == [monday(0) % WEEK_US] * len(weeks)
    assert sum(week.sessions for week in weeks) == 4
    assert weeks[0].planned == 2
    assert weeks[-1].planned == 0, "who was discharged has no plan"


def test_nobody_of_that_pseudonym_is_said(reader: HistoryReader) -> None:
    with pytest.raises(UnknownSubjectError, match="'p-nobody'"):
        make_trend(reader, "p-nobody", Window(0, 1))


def test_a_stay_over_days_is_told_apart_by_day(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    for day in (1, 2):
        clinic.give(day, "cadence", 80.0 + day, side="both", unit="{steps}/min", algorithm="gait/3")
    reader = HistoryReader(clinic.store())
    (line,) = make_trend(reader, SUBJECT, Window(us(0), us(10 * DAY_S), "cadence", "day")).lines
    assert [point.value for point in line.points] == [81.0, 82.0]
    reader.close()


@pytest.mark.parametrize("by", ["session", "day", "week"])
@pytest.mark.parametrize("rolled", [True, False])
def test_what_people_entered_again_is_the_last_word_and_no_mean(tmp_path: Path, by: By, *, rolled: bool) -> None:
    clinic = Clinic(tmp_path, simulated=True)
    session = clinic.begin(29)
    clinic.give(29, "tmwt10_time", 20.0, second=30, unit="s")
    clinic.give(29, "borg_cr10", 7.0, second=100, unit="1", algorithm="reported/1")
    clinic.give(29, "borg_cr10", 3.0, second=105, unit="1", algorithm="reported/1")
    clinic.end(29)
    day = round(29 * DAY_S)
    for start, end in ((5, 55), (24, 34)):  # a slip, and what was meant
        clinic.gateway.do(
            day + 400, "test-correct", session=session, metric="tmwt10_time", found_start_us=us(day + 25),
            found_end_us=us(day + 30), start_us=us(day + start), end_us=us(day + end),
        )  # fmt: skip
    reader = HistoryReader(clinic.store(rolled=rolled))
    by_hand = next(line for line in trend(reader, by, "tmwt10_time").lines if line.algorithm == "by-hand/1")
    assert [(one.value, one.n, one.low, one.high) for one in by_hand.points] == [(10.0, 1, 10.0, 10.0)]
    assert [one.value for one in trend(reader, by, "borg_cr10").lines[0].points] == [3.0]
    reader.close()


@pytest.mark.parametrize("by", ["session", "day", "week"])
@pytest.mark.parametrize("rolled", [True, False])
def test_a_test_that_corrected_times_cut_off_is_no_point(tmp_path: Path, by: By, *, rolled: bool) -> None:
    clinic = Clinic(tmp_path)
    session = clinic.begin(1)
    clinic.give(1, "tmwt10_speed", 9.0, second=30)
    clinic.give(1, "tmwt10_speed", 0.5, second=90)
    clinic.end(1)
    clinic.gateway.do(2 * DAY_S, "session-correct", session=session, start_us=us(DAY_S + 60))
    reader = HistoryReader(clinic.store(rolled=rolled))
    (line,) = make_trend(reader, SUBJECT, Window(us(0), us(10 * DAY_S), "tmwt10_speed", by)).lines
    assert [(point.value, point.n) for point in line.points] == [(0.5, 1)]
    reader.close()
