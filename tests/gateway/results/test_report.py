"""Reports from a history: what stands beside what, gaps, corrections, and where each number is from."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from weakref import finalize

import pytest

from config.settings import Settings
from gateway.history.reader import HistoryReader
from gateway.results import page, pdf
from gateway.results.bands import band_groups
from gateway.results.past_sessions import UnknownSessionError
from gateway.results.report import Line, Report, Wanted, make_report
from tests.gateway.history.ward_gateway import us
from tests.gateway.results.clinic import DAY_S, SUBJECT, Clinic
from tests.servers import missing

GROUPS = band_groups(Settings())


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path)


class Desk:
    """Makes reports of a clinic's history."""

    def __init__(self, clinic: Clinic, *, rolled: bool = True) -> None:
        self.reader = HistoryReader(clinic.store(rolled=rolled))
        finalize(self, self.reader.close)

    def report(self, session: str, **wanted: str) -> Report:
        return make_report(self.reader, Wanted(session, **wanted), GROUPS, now_us=us(100 * DAY_S))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Three tests: 0.50, 0.60 and 0.62 m/s; nobody changes them."""
    clinic = Clinic(tmp_path_factory.mktemp("desk"))
    clinic.gateway.do(10, "plan", subject=SUBJECT, bands="stroke-chronic", sessions_a_week=5)
    for day, speed in ((1, 0.50), (8, 0.60), (15, 0.62)):
        clinic.test(day, speed)
    made = Desk(clinic)
    yield made
    made.reader.close()


def sessions(desk: Desk) -> list[str]:
    rows = desk.reader.rows("SELECT session FROM ward_sessions ORDER BY started_us", ())
    return [session for (session,) in rows]


def line(report: Report, metric: str, side: str = "none") -> Line:
    return next(one for one in report.lines if one.measured.key == (metric, side))


def test_a_result_stands_beside_the_previous_and_the_first(desk: Desk) -> None:
    first, second, third = sessions(desk)
    found = line(desk.report(third), "tmwt10_speed")
    assert found.measured.result.value == pytest.approx(0.62)
    assert found.previous.earlier is not None
    assert found.previous.earlier.session == second
    assert found.previous.change == pytest.approx(0.02)
    assert found.baseline.change == pytest.approx(0.12)
    assert [one.verdict for one in (*found.previous.judgements, *found.baseline.judgements)] == ["within", "within"]
    chosen = line(desk.report(third, baseline=second), "tmwt10_speed")
    assert chosen.baseline.change == pytest.approx(0.02)
    assert line(desk.report(first), "tmwt10_speed").previous.why_not == "nothing earlier"


def test_a_later_session_is_no_baseline(desk: Desk) -> None:
    _, second, third = sessions(desk)
    assert third not in [one.session for one in desk.report(second).choices]
    with pytest.raises(UnknownSessionError, match="before this one"):  # getting better backwards is getting worse
        desk.report(second, baseline=third)


def test_a_correction_of_a_correction_holds_and_no_mean_of_both(clinic: Clinic) -> None:
    session = clinic.begin(1)
    clinic.give(1, "tmwt10_time", 20.0, second=30, unit="s")
    clinic.give(1, "tmwt10_time", 18.0, second=90, unit="s")
    clinic.end(1)
    day = round(DAY_S)
    for found, start, end in ((25, 5, 55), (25, 24, 34), (85, 80, 92)):  # a slip, what was meant, and another trial
        clinic.gateway.do(
            day + 400, "test-correct", session=session, metric="tmwt10_time", found_start_us=us(day + found),
            found_end_us=us(day + found + 5), start_us=us(day + start), end_us=us(day + end),
        )  # fmt: skip
    clinic.store()
    desk = Desk(clinic)
    report = desk.report(session)
    by_hand = next(
        one for one in report.lines if one.metric.id == "tmwt10_time" and one.measured.result.algorithm == "by-hand/1"
    )
    assert [trial.value for trial in by_hand.trials] == [10.0, 12.0]
    assert (by_hand.measured.result.value, by_hand.measured.result.n) == (11.0, 2)


def test_only_the_same_protocol_is_beside_and_nothing_discarded(clinic: Clinic) -> None:
    slow = clinic.test(1, 0.5)
    clinic.test(2, 0.9, protocol="10mwt pace=fast")
    wrong = clinic.test(3, 0.1)
    last = clinic.test(4, 0.7)
    clinic.gateway.do(4 * DAY_S + 900, "session-discard", session=wrong, why="a sensor hung loose")
    desk = Desk(clinic)
    found = line(desk.report(last), "tmwt10_speed")
    assert found.previous.earlier is not None
    assert found.previous.earlier.session == slow
    assert "This session was discarded" in page.render(desk.report(wrong), head="")


def test_what_was_measured_otherwise_is_shown_and_not_compared(clinic: Clinic) -> None:
    clinic.test(1, 0.5, algorithm="timed/1")
    last = clinic.test(2, 0.7)
    desk = Desk(clinic)
    text = page.render(desk.report(last), head="")
    assert "measured otherwise: not compared (by timed/1 then)" in text
    assert "0.50" in text


def test_another_sensor_of_the_same_kind_in_the_same_place_is_as_good(clinic: Clinic) -> None:
    dot = {"id": "dot-7", "driver": "movella_dot", "placement": "left_foot", "address": "D4:22:CD:00:00:07"}
    clinic.gateway.do(20, "add-device", device=dot)
    clinic.test(1, 0.5, devices=("dot-1",), placement=("left_foot",))
    clinic.gateway.do(2 * DAY_S - 60, "take-off", device="dot-1")
    clinic.gateway.do(2 * DAY_S - 50, "assign", device="dot-7", bed="bay-1", placement="left_foot")
    last = clinic.test(2, 0.7, devices=("dot-7",), placement=("left_foot",))
    desk = Desk(clinic)
    assert line(desk.report(last), "tmwt10_speed").previous.change == pytest.approx(0.2)
    assert [one.device for one in desk.report(last).notes.sensors] == ["dot-7"]


@pytest.mark.parametrize("rolled", [True, False])
def test_a_session_is_the_mean_of_what_is_ok_with_its_gaps(clinic: Clinic, *, rolled: bool) -> None:
    session = clinic.walk(1, 100.0, minutes=8, but={2: "degraded", 4: "invalid", 5: "invalid"})
    desk = Desk(clinic, rolled=rolled)
    report = desk.report(session)
    found = line(report, "cadence", "both")
    ok = [100.0 + (second % 60) / 10 - 2.5 for second in range(10, 480, 10) if second // 60 not in (2, 4, 5)]
    assert found.measured.result.value == pytest.approx(sum(ok) / len(ok))
    assert (found.measured.result.quality, found.measured.degraded) == ("ok", 6)
    assert [gap.to_us - gap.from_us for gap in report.gaps] == [125_000_000]
    assert list(report.curves[0].sides) == ["both"]
    text = page.render(report, head="")
    assert "6 degraded, 0 invalid of 35" in text
    assert text.count("<polyline") == 2, "the curve is broken where nothing was measured"


def test_mostly_degraded_is_degraded_and_a_test_shows_its_trials(clinic: Clinic) -> None:
    session = clinic.begin(1)
    for n, quality in enumerate(("ok", "degraded", "degraded")):
        clinic.give(1, "tmwt10_speed", 0.5 + n / 10, second=30 + n, quality=quality)  # type: ignore[arg-type]
    clinic.end(1)
    desk = Desk(clinic)
    found = line(desk.report(session), "tmwt10_speed")
    assert found.measured.result.quality == "degraded"
    assert found.measured.result.value == pytest.approx(0.6)
    assert [trial.quality for trial in found.trials] == ["ok", "degraded", "degraded"]


def test_each_number_leads_to_its_measurements(desk: Desk) -> None:
    report = desk.report(sessions(desk)[2])
    (source,) = report.sources
    (numbers,) = source.numbers
    rows = desk.reader.rows(
        "SELECT value, algorithm FROM readable WHERE gateway = ? AND epoch = ? AND seq = ?",
        (numbers.gateway, numbers.epoch, numbers.first),
    )
    assert rows == [(0.62, "timed/2")]
    text = page.render(report, head="")
    assert text.count('href="#source-') == len(report.lines) == text.count('<tr id="source-')
    assert f"g-1 {numbers.epoch} {numbers.first}" in text


def test_the_page_says_bands_corrections_and_marks_and_escapes_them(clinic: Clinic) -> None:
    clinic.gateway.do(10, "plan", subject=SUBJECT, bands="stroke-chronic")
    session = clinic.begin(1)
    clinic.give(1, "tmwt10_speed", 0.5)
    clinic.gateway.do(DAY_S + 60, "session-mark", session=session, text="<b>stumbled</b>")
    clinic.end(1)
    clinic.gateway.do(DAY_S + 600, "session-correct", session=session, start_us=us(DAY_S + 5), why="began late")
    desk = Desk(clinic)
    text = page.render(desk.report(session), head="")
    assert "&lt;b&gt;stumbled&lt;/b&gt;" in text
    assert "began late" in text
    assert "Lewek and Sykes 2019" in text
    assert "Chronic stroke" in text
    assert "<script" not in text
    assert "style=" not in text


def test_a_time_that_is_not_of_the_day_of_the_session_says_its_day(clinic: Clinic) -> None:
    session = clinic.begin(1)
    clinic.give(1, "tmwt10_speed", 0.5)
    clinic.gateway.do(DAY_S + 60, "session-mark", session=session, text="stumbled")
    clinic.end(1)
    moved = {"start_us": us(2 * DAY_S), "end_us": us(2 * DAY_S + 300)}
    clinic.gateway.do(3 * DAY_S, "session-correct", session=session, **moved, why="the wrong day")
    text = page.render(Desk(clinic).report(session), head="")
    (changed,) = re.findall(r"<td>([^<]*)</td><td>the wrong day", text)
    clock, day = r"\d\d:\d\d:\d\d", r"\d+ \w{3} \d{4}, "
    assert re.search(f"{day}{clock}.{clock} to {clock}.{clock}$", changed), changed
    assert re.search(f'<th scope="row">{day}{clock}</th><td>stumbled', text)


def test_without_a_plan_no_band_is_chosen_and_a_missing_file_is_said(clinic: Clinic) -> None:
    first, second = clinic.test(1, 0.5), clinic.test(2, 0.9)
    desk = Desk(clinic)
    text = page.render(desk.report(second), head="")
    assert "no band chosen" in text
    assert "improved" not in text
    assert not re.search(r"measurement error[ ,(]", text)
    clinic.gateway.do(3 * DAY_S, "plan", subject=SUBJECT, bands="our-own")
    third = clinic.test(4, 0.9)
    desk = Desk(clinic)
    assert desk.report(third).bands_missing == "our-own"
    assert desk.report(first).bands_missing == "", "it was chosen later"


def test_an_unknown_session_is_said(desk: Desk) -> None:
    with pytest.raises(UnknownSessionError, match="knows no session 'nothing'"):
        desk.report("nothing")
    with pytest.raises(UnknownSessionError, match="is no other session"):
        desk.report(sessions(desk)[0], baseline="nothing")
    with pytest.raises(UnknownSessionError, match="of p-other"):
        desk.report(sessions(desk)[0], subject="p-other")


def test_what_was_corrected_to_another_person_is_in_their_report_only(clinic: Clinic) -> None:
    session = clinic.test(1, 0.5)
    clinic.gateway.do(2 * DAY_S, "session-correct", session=session, subject="p-other")
    desk = Desk(clinic)
    report = desk.report(session)
    assert report.session.subject == "p-other"
    assert line(report, "tmwt10_speed").measured.n == 1
    with pytest.raises(UnknownSessionError):
        desk.report(session, subject=SUBJECT)


def test_the_sensors_of_a_session_are_those_that_measured_it_whosever_it_became(clinic: Clinic) -> None:
    """Its new person wore others elsewhere at that time, and has another height: neither made these numbers."""
    dot = {"id": "dot-7", "driver": "movella_dot", "placement": "lower_back", "address": "D4:22:CD:00:00:07"}
    for change in (
        ("add-bed", {"bed": "bay-2"}), ("add-device", {"device": dot}),
        ("admit", {"subject": "p-other", "bed": "bay-2", "height_m": 1.55}),
        ("assign", {"device": "dot-7", "bed": "bay-2", "placement": "lower_back"}),
    ):  # fmt: skip
        clinic.gateway.do(20, change[0], **change[1])
    session = clinic.test(1, 0.5, devices=("dot-1",), placement=("left_foot",))
    clinic.gateway.do(2 * DAY_S, "session-correct", session=session, subject="p-other")
    report = Desk(clinic).report(session)
    assert [one.device for one in report.notes.sensors] == ["dot-1"]
    assert report.notes.body is not None
    assert report.notes.body.height_m == 1.55
    text = page.render(report, head="")
    assert "dot-7" not in text
    assert f"<dt>Computed with the body of</dt><dd>{SUBJECT}: Height 1.70 m</dd>" in text


def test_an_answer_is_named_by_its_form_and_item(clinic: Clinic) -> None:
    session = clinic.test(1, 0.5)
    clinic.gateway.do(2 * DAY_S, "session-report", session=session, form="day", answers={"sleep": 2, "health": 40})
    text = page.render(Desk(clinic).report(session), head="")
    for item in ("sleep", "health"):
        assert f'<th scope="row">Answer in a form <small>day: {item}</small></th>' in text


def test_a_test_that_corrected_times_cut_off_is_named_and_not_gone_without_a_word(clinic: Clinic) -> None:
    session = clinic.begin(1)
    clinic.give(1, "sway_path", 300.0, unit="mm", second=60, length_s=55)
    clinic.give(1, "tmwt10_speed", 0.5, second=90)
    clinic.end(1)
    clinic.gateway.do(2 * DAY_S, "session-correct", session=session, start_us=us(DAY_S + 20))
    report = Desk(clinic).report(session)
    assert [one.metric.id for one in report.lines] == ["tmwt10_speed"]
    text = page.render(report, head="")
    assert "reaches beyond them: Sway path" in text
    assert "Every measurement is of good quality" not in text


def test_the_page_becomes_a_tagged_pdf(desk: Desk) -> None:
    if pdf.program() is None:
        missing("chromium")
    made = pdf.make_pdf(page.render(desk.report(sessions(desk)[2]), head=""))
    assert made.startswith(b"%PDF-")
    assert b"/StructTreeRoot" in made
    assert b"/Marked true" in made
    assert b"/Outlines" in made
