"""Days and weeks: what adds up, what a bout is made of, what says too little; and who is told apart."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.history.history import History
from gateway.history.minutes import delete_rows
from gateway.history.reader import HistoryReader
from gateway.results.day_sums import DAY_US
from gateway.results.days import Days, make_days
from gateway.results.past_sessions import UnknownSubjectError
from gateway.results.trend import By, Window, make_trend
from tests.gateway.history.ward_gateway import us
from tests.gateway.results.clinic import DAY_S, EARLY_S, FULL, SUBJECT, Clinic, monday_before

FEET: Any = {"placement": ("left_foot", "right_foot"), "algorithm": "walk/1"}
BACK: Any = {"placement": ("lower_back",), "algorithm": "lower-back/4"}


def days(clinic: Clinic, last: int, *others: Clinic, rolled: bool = True) -> Days:
    for other in others:
        other.store(rolled=rolled)
    reader = HistoryReader(clinic.store(rolled=rolled))
    try:
        return make_days(reader, SUBJECT, us(0), us((last + 1) * DAY_S))
    finally:
        reader.close()


def on_two_gateways(folder: Path) -> tuple[Clinic, Clinic]:
    """Return one person who is known to two gateways, each with a session of its own."""
    one, other = Clinic(folder), Clinic(folder, name="g-2")
    other.begin(0.5, "free_walk")
    return one, other


@pytest.mark.parametrize("rolled", [True, False])
def test_a_day_is_the_sum_of_its_quarters(tmp_path: Path, *, rolled: bool) -> None:
    clinic = Clinic(tmp_path)
    clinic.wear(1, FULL)
    clinic.wear(2, 8, quality="degraded")
    found = days(clinic, 3, rolled=rolled)
    full, short = found.days
    assert full.outcomes["wear_time"] == pytest.approx(11.0)
    assert full.outcomes["upright_time"] == pytest.approx(4.4)
    assert (full.quality, full.reason) == ("ok", "")
    assert full.outcomes["n_steps"] is None, "nobody counted steps"
    assert short.outcomes["wear_time"] == pytest.approx(2.0)
    assert short.quality == "degraded"
    assert short.reason == "worn for less than ten hours; a part of it is of doubtful quality"
    assert (full.at_us + DAY_US, full.at_us % DAY_US) == (short.at_us, 0)


@pytest.mark.parametrize("rolled", [True, False])
def test_hours_that_two_gateways_told_count_once(tmp_path: Path, *, rolled: bool) -> None:
    """The back of the one was worn from six to five, the thigh of the other from noon on: it shows posture best."""
    one, other = on_two_gateways(tmp_path)
    one.wear(1, FULL, 0.05, placement="lower_back", transfers=2.0)
    other.wear(1, FULL, 0.2, first=24, transfers=4.0)
    (day,) = days(one, 2, other, rolled=rolled).days
    assert day.outcomes["wear_time"] == pytest.approx((24 + FULL) / 4)
    assert day.outcomes["upright_time"] == pytest.approx(24 * 0.05 + FULL * 0.2)
    assert day.outcomes["sedentary_time"] == pytest.approx(24 * 0.2 + FULL * 0.05)
    assert day.outcomes["transfer_count"] == 24 * 2 + FULL * 4


def test_quarters_that_overlap_in_part_count_for_what_is_left_of_them(tmp_path: Path) -> None:
    one, other = on_two_gateways(tmp_path)
    one.wear(1, 4, transfers=0.0)
    other.wear(1, 4, first=1.4, placement="lower_back", transfers=1.0)
    (day,) = days(one, 2, other).days
    assert day.outcomes["wear_time"] == pytest.approx(5.4 / 4)
    assert day.outcomes["upright_time"] == pytest.approx(0.54)
    assert day.outcomes["transfer_count"] == 1, "of one and four tenths, which nobody does"


def test_who_lies_on_a_table_tells_nothing_of_a_person_that_another_sensor_is_on(tmp_path: Path) -> None:
    one, other = on_two_gateways(tmp_path)
    one.wear(1, FULL, 0.0, wear_h=0.0, transfers=0.0)
    one.give(1, "sedentary_bouts_30", 1.0, second=EARLY_S + 40000, unit="1", algorithm="posture/3", length_s=39000.0,
             placement=("left_thigh",), devices=("left_thigh-1",))  # fmt: skip
    other.wear(1, FULL, 0.1, placement="lower_back", transfers=1.0)
    for second in (9000, 16000):
        other.give(1, "sedentary_bouts_30", 1.0, second=EARLY_S + second, unit="1", algorithm="posture/3",
                   length_s=2400.0, placement=("lower_back",), devices=("lower_back-1",))  # fmt: skip
    (day,) = days(one, 2, other).days
    assert (day.outcomes["wear_time"], day.outcomes["upright_time"]) == pytest.approx((11.0, 4.4))
    assert (day.outcomes["transfer_count"], day.outcomes["sedentary_bouts_30"]) == (44, 2)
    assert day.quality == "ok"


def test_hours_of_which_rows_were_deleted_count_once_too(tmp_path: Path) -> None:
    one, other = on_two_gateways(tmp_path)
    one.wear(1, FULL)
    other.wear(1, FULL, first=4)
    other.store()
    with closing(History(one.store())) as history, history.database.transaction() as db:
        delete_rows(db, 0, 2**62)
    (day,) = days(one, 2).days
    assert day.outcomes["wear_time"] == pytest.approx(12.0)


def test_the_trend_of_hours_is_their_sum_too(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    clinic.wear(1, FULL)
    reader = HistoryReader(clinic.store())
    (line,) = make_trend(reader, SUBJECT, Window(us(0), us(3 * DAY_S), "upright_time", "day")).lines
    assert [point.value for point in line.points] == pytest.approx([4.4])
    reader.close()


@pytest.mark.parametrize("by", ["day", "week"])
@pytest.mark.parametrize("rolled", [True, False])
def test_a_trend_counts_hours_that_two_gateways_told_once_as_days_do(tmp_path: Path, by: By, *, rolled: bool) -> None:
    """On one day both told, on the next the other gateway alone."""
    one, other = on_two_gateways(tmp_path)
    monday = monday_before(9)
    one.wear(monday, FULL, 0.05, placement="lower_back", transfers=2.0)
    other.wear(monday, FULL, 0.2, first=24, transfers=4.0)
    other.wear(monday + 1, FULL, 0.1, transfers=1.0)
    whole = days(one, monday + 2, other, rolled=rolled).days
    with closing(HistoryReader(one.path)) as reader:
        for metric in ("wear_time", "upright_time", "sedentary_time", "transfer_count"):
            found = make_trend(reader, SUBJECT, Window(us(0), us((monday + 3) * DAY_S), metric, by))
            (line,) = found.lines
            expected = [day.outcomes[metric] or 0.0 for day in whole]
            assert [point.value for point in line.points] == pytest.approx(expected if by == "day" else [sum(expected)])
            assert {point.quality for point in line.points} == {"ok"}
            by_session = make_trend(reader, SUBJECT, Window(us(0), us((monday + 3) * DAY_S), metric, "session"))
            assert len(by_session.lines[0].points) == 2, "each session tells what was measured in it"


def test_a_trend_counts_once_what_was_deleted_and_doubts_what_was_doubted(tmp_path: Path) -> None:
    one, other = on_two_gateways(tmp_path)
    one.wear(1, FULL)
    other.wear(1, FULL, first=4, quality="degraded")
    other.store()
    with closing(History(one.store())) as history, history.database.transaction() as db:
        delete_rows(db, 0, 2**62)
    with closing(HistoryReader(one.path)) as reader:
        found = make_trend(reader, SUBJECT, Window(us(0), us(3 * DAY_S), "wear_time", "day"))
    (point,) = found.lines[0].points
    assert point.value == pytest.approx(12.0)
    assert point.quality == "degraded"


def test_a_trend_counts_steps_that_two_gateways_told_once(tmp_path: Path) -> None:
    one, other = on_two_gateways(tmp_path)
    one.bout(1, 100, 20.0, 36, 0.6, **FEET)
    other.bout(1, 99, 18.0, 30, 0.6, **FEET)
    other.bout(1, 5000, 18.0, 30, 0.6, **FEET)
    (day,) = days(one, 2, other).days
    assert day.outcomes["n_steps"] == 66.0
    assert day.outcomes["total_walking_duration_min"] == pytest.approx(38 / 60)
    with closing(HistoryReader(one.path)) as reader:
        for metric, expected in (("n_steps", 66.0), ("walking_time", 38.0)):
            found = make_trend(reader, SUBJECT, Window(us(0), us(3 * DAY_S), metric, "day"))
            assert [point.value for point in found.lines[0].points] == [expected]


def test_bouts_become_the_outcomes_of_mobilise_d_and_of_two_ways_the_one_that_saw_most(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    clinic.bout(1, 100, 20.0, 36, 0.6, **FEET)
    clinic.bout(1, 200, 40.0, 80, 1.0, **FEET)
    clinic.bout(1, 101, 12.0, 20, 0.4, **BACK)
    clinic.give(1, "turn_angle", 90.0, side="left", second=EARLY_S + 95, unit="deg", **BACK)
    (day,) = days(clinic, 2).days
    assert day.outcomes["wb_all__count"] == 2
    assert day.outcomes["n_steps"] == 116, "and not those of the lower back beside them"
    assert day.outcomes["wb_all__n_raw_initial_contacts__sum"] == 116
    assert day.outcomes["total_walking_duration_min"] == pytest.approx(1.0)
    assert day.outcomes["wb_10_30__walking_speed_mps__avg"] == pytest.approx(0.6)
    assert day.outcomes["wb_30__walking_speed_mps__avg"] == pytest.approx(1.0)
    assert day.outcomes["wb_30__stride_duration_s__avg"] == pytest.approx(1.0), "two steps are a stride"
    assert day.outcomes["wb_30__stride_length_m__avg"] is None
    assert day.outcomes["wb_all__n_turns__sum"] is None, "feet tell no turns of the body"
    assert day.reason.startswith("for how long the sensor was worn is not known")


def test_feet_in_the_morning_and_the_lower_back_in_the_afternoon_are_one_day(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    clinic.bout(1, 100, 20.0, 36, 0.6, **FEET)
    clinic.bout(1, 5 * 3600, 40.0, 80, 1.0, **BACK)
    (day,) = days(clinic, 2).days
    assert (day.outcomes["n_steps"], day.outcomes["wb_all__n_raw_initial_contacts__sum"]) == (116, 116)
    assert (day.outcomes["wb_all__count"], day.outcomes["total_walking_duration_min"]) == (2, 1.0)
    assert day.outcomes["wb_30__walking_speed_mps__avg"] == pytest.approx(1.0)
    assert day.outcomes["wb_10_30__walking_speed_mps__avg"] == pytest.approx(0.6)
    assert day.outcomes["wb_all__n_turns__sum"] is None, "nobody knows how often they turned in the morning"


def test_a_walk_that_two_saw_is_told_by_the_one_that_saw_most_of_it(tmp_path: Path) -> None:
    """The feet's radio was lost in the first walk; in the second they saw the short steps that the back did not."""
    one, other = on_two_gateways(tmp_path)
    one.bout(1, 100, 20.0, 36, 0.6, **FEET)
    other.bout(1, 140, 60.0, 110, 0.7, **BACK)
    one.bout(1, 1000, 30.0, 50, 0.8, **FEET)
    other.bout(1, 998, 10.0, 16, 0.9, **BACK)
    (day,) = days(one, 2, other).days
    assert (day.outcomes["n_steps"], day.outcomes["wb_all__n_raw_initial_contacts__sum"]) == (160, 160)
    assert day.outcomes["total_walking_duration_min"] == pytest.approx(1.5)
    assert day.outcomes["wb_30__walking_speed_mps__avg"] == pytest.approx(0.7)
    assert day.outcomes["wb_10_30__walking_speed_mps__avg"] == pytest.approx(0.8)


def test_a_value_that_was_doubted_changes_no_mean_of_good_ones(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    clinic.give(1, "walking_speed", 9.9, side="both", second=EARLY_S + 95, quality="degraded", **FEET)
    clinic.bout(1, 100, 20.0, 36, 0.6, **FEET)
    (day,) = days(clinic, 2).days
    assert day.outcomes["wb_10_30__walking_speed_mps__avg"] == pytest.approx(0.6)


def test_a_day_of_which_retention_has_deleted_some_bouts_has_none(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    for day in (1, 2):
        for hour in range(4):
            clinic.bout(day, 100 + 3600 * hour, 20.0, 36, 0.6, **FEET)
    with closing(History(clinic.store())) as history, history.database.transaction() as db:
        noon_us = us(DAY_S + EARLY_S + 2 * 3600)
        delete_rows(db, 0, db.execute("SELECT max(id) FROM measurements WHERE end_us < ?", (noon_us,)).fetchone()[0])
    half, whole = days(clinic, 3).days
    assert (half.outcomes["n_steps"], half.outcomes.get("wb_all__count")) == (4 * 36, None)
    assert (whole.outcomes["n_steps"], whole.outcomes["wb_all__count"]) == (4 * 36, 4)


def test_a_lower_back_alone_tells_turns(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    clinic.give(1, "turn_angle", 90.0, side="left", second=EARLY_S + 95, unit="deg", **BACK)
    clinic.bout(1, 100, 20.0, 36, 0.6, **BACK)
    clinic.give(1, "turn_angle", 90.0, side="left", second=EARLY_S + 300, unit="deg", **BACK)
    (day,) = days(clinic, 2).days
    assert day.outcomes["wb_all__n_turns__sum"] == 1, "the other was in no bout"


def test_a_week_is_the_mean_of_its_whole_days(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    monday = monday_before(9)
    for day, quarters, upright_h in ((0, FULL, 0.1), (1, FULL, 0.2), (2, 4, 0.0), (7, 4, 0.1)):
        clinic.wear(monday + day, quarters, upright_h)
    found = days(clinic, monday + 8)
    whole, none = found.weeks
    assert (whole.n_days, none.n_days) == (2, 0)
    assert whole.outcomes["upright_time"] == pytest.approx((4.4 + 8.8) / 2)
    assert none.outcomes.get("upright_time") is None


def test_a_session_that_is_not_theirs_is_left_out(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    session = clinic.begin(1, "free_walk")
    clinic.bout(1, 100, 20.0, 36, 0.6, **BACK)
    clinic.end(1, DAY_S // 2)
    clinic.gateway.do(DAY_S + DAY_S // 2 + 60, "session-discard", session=session, why="not theirs")
    clinic.wear(2, 4)
    assert [day.outcomes.get("wb_all__count") for day in days(clinic, 3).days] == [None]


def test_nobody_of_that_pseudonym_is_said(tmp_path: Path) -> None:
    clinic = Clinic(tmp_path)
    clinic.wear(1, 4)
    reader = HistoryReader(clinic.store())
    with pytest.raises(UnknownSubjectError, match="'p-nobody'"):
        make_days(reader, "p-nobody", 0, us(DAY_S))
    reader.close()
