"""Sessions mended afterwards: the numbers follow, whatever comes first; what it said before stays readable."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway.history.export import rows_of
from gateway.history.history import History
from gateway.history.minutes import MINUTE_US, delete_rows
from gateway.history.reader import HistoryReader
from gateway.model import wall_correction
from gateway.upkeep.erasure import erase
from gateway.upkeep.upkeep import Upkeep
from gateway.ward.registry import Registry
from gateway.wire.payload import Message
from tests.gateway.history.ward_gateway import EPOCH, SECOND_US, Gateway, us, word

WRONG, RIGHT = "p-wrong", "p-right"
BEGIN, END = 120, 240
"""Seconds of the session: whole minutes."""
LAST = 360
BEFORE, WITHIN, AFTER = 1.0, 2.0, 3.0
"""Values of the stay before it, of the session, and of the stay after it."""


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A stay, a session of two minutes, and the stay again."""
    made = Gateway(tmp_path)
    made.measure(0, BEGIN, value=BEFORE)
    made.session(BEGIN, END, value=WITHIN)
    made.measure(END, LAST, value=AFTER)
    yield made
    made.registry.close()


def session_of(gateway: Gateway) -> str:
    return gateway.registry.state.sessions[-1].id


def roll_up(history: History) -> None:
    upkeep = Upkeep(history.database, keep_days=100_000, share=0.05)
    while upkeep.step():
        pass


def rows(path: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query, values).fetchall()


def values(path: Path, **chosen: Any) -> dict[float | None, int]:
    """Return how often each value is read of somebody, by rows."""
    with closing(HistoryReader(path)) as reader:
        found: dict[float | None, int] = {}
        for point in reader.series(None, "cadence", **chosen):
            found[point.value] = found.get(point.value, 0) + 1
        return found


def trends(path: Path, **chosen: Any) -> tuple[int, int, int]:
    """Return how many measurements trends have of somebody: a narrow one, a wide one, and the minute values."""
    with closing(HistoryReader(path)) as reader:
        narrow, wide = (
            sum(one.n for one in reader.trend("cadence", from_us=us(-span), to_us=us(span), **chosen))
            for span in (3_000, 30_000)
        )
    minutes = rows(path, "SELECT coalesce(sum(n), 0) FROM session_values WHERE subject = ?", chosen["subject"])
    return narrow, wide, minutes[0][0]


@pytest.mark.parametrize("rolled", [False, True])
def test_a_session_of_the_wrong_patient_is_read_as_the_right_ones_only(
    rolled: bool, path: Path, history: History, gateway: Gateway
) -> None:
    gateway.send(history)
    if rolled:
        roll_up(history)
        assert trends(path, subject=WRONG) == (LAST, LAST, LAST)
    assert values(path, subject=WRONG) == {BEFORE: 120, WITHIN: 120, AFTER: 120}
    session = session_of(gateway)
    gateway.do(400, "session-correct", session=session, subject=RIGHT, why="the neighbour walked")
    gateway.send(history)
    assert values(path, subject=WRONG) == {BEFORE: 120, AFTER: 120}
    assert values(path, subject=RIGHT) == {WITHIN: 120}
    assert values(path, subject=WRONG, session=session) == {}
    roll_up(history)
    assert trends(path, subject=WRONG) == (240, 240, 240)
    assert trends(path, subject=RIGHT) == (120, 120, 120)
    with closing(HistoryReader(path)) as reader:
        assert [(s.session, s.subject, s.measurements) for s in reader.sessions(subject=RIGHT)] == [
            (session, RIGHT, 120)
        ]
        assert session not in [s.session for s in reader.sessions(subject=WRONG)]
        assert {m.subject for m in reader.latest("bay-1")} == {WRONG}
        assert reader.count() == LAST
        made = {(row.as_made().subject, row.as_made().session) for row in reader.stored(session=session)}
    assert made == {(WRONG, session)}
    assert rows(path, "SELECT subject_before, subject, person, why FROM ward_corrections") == [
        (WRONG, RIGHT, "Anna Weiss", "the neighbour walked")
    ]
    assert rows(path, "SELECT subject, made_subject, protocol, state, corrected FROM ward_sessions") == [
        (RIGHT, WRONG, "10mwt", "ended", 1)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_words_and_measurements_may_come_in_any_order_and_twice(
    seed: int, path: Path, history: History, gateway: Gateway, tmp_path: Path
) -> None:
    session = session_of(gateway)
    gateway.do(400, "session-correct", session=session, subject="p-other", start_us=us(BEGIN + 30))
    gateway.do(401, "session-correct", session=session, subject=RIGHT, start_us=us(BEGIN - 30), end_us=us(END - 20))
    messages = gateway.messages()
    history.store(messages)
    other = History(tmp_path / "other.db")
    shuffled = [*messages, *messages[::3]]
    random.Random(seed).shuffle(shuffled)
    for message in shuffled:
        other.store([message])
    query = "SELECT seq, session, subject, made_session, made_subject, value, start_us FROM readable ORDER BY seq"
    assert rows(path, query) == rows(tmp_path / "other.db", query)
    for history_of in (history, other):
        roll_up(history_of)
    query = "SELECT session, subject, first_us, last_us, measurements FROM sessions ORDER BY 1, 2"
    assert rows(path, query) == rows(tmp_path / "other.db", query)
    query = "SELECT session, subject, n, mean, first_us, last_us FROM session_values ORDER BY 1, 2"
    assert rows(path, query) == rows(tmp_path / "other.db", query)
    assert other.receipt("g-1", EPOCH).stored == history.receipt("g-1", EPOCH).stored == gateway.seq
    assert rows(tmp_path / "other.db", "SELECT count(*) FROM conflicts") == [(0,)]
    other.close()


def test_times_that_were_wrong_are_mended_both_ways(path: Path, history: History, gateway: Gateway) -> None:
    gateway.send(history)
    roll_up(history)
    session = session_of(gateway)
    gateway.do(400, "session-correct", session=session, start_us=us(BEGIN - 30), end_us=us(END - 20))
    gateway.send(history)
    roll_up(history)
    assert values(path, subject=WRONG, session=session) == {BEFORE: 30, WITHIN: 100}
    assert values(path, subject=WRONG) == {BEFORE: 120, WITHIN: 120, AFTER: 120}
    gateway.do(500, "session-correct", session=session, start_us=us(BEGIN + 10), end_us=us(END + 15))
    gateway.send(history)
    roll_up(history)
    assert values(path, subject=WRONG, session=session) == {WITHIN: 110, AFTER: 15}
    gateway.do(600, "session-correct", session=session, start_us=us(BEGIN), end_us=us(END))
    gateway.send(history)
    assert values(path, subject=WRONG, session=session) == {WITHIN: 120}
    assert rows(path, "SELECT count(*) FROM measurements WHERE made_series IS NOT NULL") == [(0,)]
    assert trends(path, subject=WRONG) == (LAST, LAST, LAST)
    roll_up(history)
    assert trends(path, subject=WRONG) == (LAST, LAST, LAST)


def test_minutes_whose_rows_are_gone_follow_too(path: Path, history: History, gateway: Gateway) -> None:
    gateway.send(history)
    roll_up(history)
    with history.database.transaction() as db:
        newest = db.execute("SELECT max(id) FROM measurements").fetchone()[0]
        assert delete_rows(db, 0, newest) == LAST
    session = session_of(gateway)
    gateway.do(400, "session-correct", session=session, subject="p-other")
    gateway.send(history)
    gateway.do(401, "session-correct", session=session, subject=RIGHT)
    gateway.send(history)
    assert trends(path, subject=RIGHT) == (120, 120, 120)
    assert trends(path, subject=WRONG) == (240, 240, 240)
    with closing(HistoryReader(path)) as reader:
        assert reader.trend("cadence", from_us=us(-10), to_us=us(3_000), subject="p-other") == []
        assert [(s.subject, s.measurements) for s in reader.sessions(session=session)] == [(RIGHT, 120)]
    assert (BEGIN * SECOND_US) % MINUTE_US == 0


def test_a_discarded_session_is_shown_to_nobody_who_does_not_ask(
    path: Path, history: History, gateway: Gateway
) -> None:
    session = session_of(gateway)
    gateway.do(400, "session-discard", session=session, why="a sensor hung loose")
    gateway.send(history)
    roll_up(history)
    assert values(path, subject=WRONG) == {BEFORE: 120, AFTER: 120}
    assert values(path, subject=WRONG, session=session) == {}
    assert trends(path, subject=WRONG)[:2] == (240, 240)
    assert sum(map(len, rows_of(path, WRONG))) == 240
    assert values(path, subject=WRONG, discarded=True) == {BEFORE: 120, WITHIN: 120, AFTER: 120}
    with closing(HistoryReader(path)) as reader:
        assert [s.session for s in reader.sessions(session=session)] == []
        assert [s.session for s in reader.sessions(session=session, discarded=True)] == [session]
        assert len(reader.stored(session=session)) == 120
    gateway.do(500, "session-discard", session=session, take_back=True)
    gateway.send(history)
    assert trends(path, subject=WRONG)[:2] == (LAST, LAST)


def test_another_gateway_with_the_same_bed_and_second_is_left_alone(
    path: Path, history: History, gateway: Gateway, tmp_path: Path
) -> None:
    twin = Gateway(tmp_path, "g-2", subject="p-twin", epoch="fedcba9876543210")
    session = twin.session(BEGIN, END, value=9.0)
    assert session == session_of(gateway)
    twin.send(history)
    gateway.send(history)
    gateway.do(400, "session-correct", session=session, subject=RIGHT)
    gateway.send(history)
    assert values(path, subject="p-twin") == {9.0: 120}
    assert values(path, subject=RIGHT) == {WITHIN: 120}
    gateway.do(401, "session-discard", session=session)
    gateway.send(history)
    assert values(path, subject="p-twin") == {9.0: 120}
    twin.registry.close()


def without_rows(history: History) -> None:
    """Have retention leave minutes only."""
    roll_up(history)
    with history.database.transaction() as db:
        newest = db.execute("SELECT max(id) FROM measurements").fetchone()[0]
        assert delete_rows(db, 0, newest) > 0


def test_minutes_of_another_gateway_with_the_same_bed_and_second_stay_its_own(
    path: Path, history: History, gateway: Gateway, tmp_path: Path
) -> None:
    twin = Gateway(tmp_path, "g-2", subject="p-twin", epoch="fedcba9876543210")
    session = twin.session(BEGIN, END, value=9.0)
    twin.send(history)
    gateway.send(history)
    without_rows(history)
    gateway.do(400, "session-correct", session=session, subject=RIGHT)
    gateway.send(history)
    assert trends(path, subject="p-twin") == (120, 120, 120)
    assert trends(path, subject=RIGHT) == (120, 120, 120)
    assert trends(path, subject=WRONG) == (240, 240, 240)
    twin.registry.close()


@pytest.mark.parametrize("of", ["session", "stay"])
@pytest.mark.parametrize("stranger_says", ["discarded", "another person's"])
def test_a_gateway_changes_nothing_of_another_ones_people(
    of: str, stranger_says: str, path: Path, history: History, gateway: Gateway
) -> None:
    gateway.send(history)
    without_rows(history)
    name = session_of(gateway) if of == "session" else gateway.registry.state.subjects[0].stay
    discarded = stranger_says == "discarded"
    fields: dict[str, Any] = {
        "session": name, "bed": "bay-1", "subject": WRONG if discarded else "p-theirs", "state": "ended", "number": 9,
        "started_us": us(0), "ended_us": us(LAST), "made_subject": WRONG, "made_started_us": us(BEGIN),
        "made_ended_us": us(END), "discarded": int(discarded), "corrected": 1,
    }  # fmt: skip
    stay = {"subject": WRONG, "bed": "bay-1", "stay": gateway.registry.state.subjects[0].stay, "from_us": us(0)}
    words: list[tuple[str, dict[str, Any]]] = [
        ("session", fields),
        ("part", {"session": name, "part": name}),
        ("subject", {**stay, "number": 1}),
    ]
    history.store(
        word("g-stranger", seq, what, us(500), about, epoch="f" * 16)
        for seq, (what, about) in enumerate(words[: 2 if discarded else 3], 1)
    )
    assert trends(path, subject="p-theirs") == (0, 0, 0)
    assert trends(path, subject=WRONG) == (LAST, LAST, LAST)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("corrected_first", [False, True])
def test_erasing_the_right_person_reaches_what_was_corrected_to_them(
    late: bool, corrected_first: bool, path: Path, history: History, gateway: Gateway
) -> None:
    session = session_of(gateway)
    if not late:
        gateway.send(history)
    messages = gateway.messages()
    gateway.do(400, "session-correct", session=session, subject=RIGHT)
    correction = gateway.messages()
    if corrected_first:
        history.store(correction)
    erase(history.database, RIGHT, now_us=us(500))
    history.store(correction)
    history.store(messages)
    roll_up(history)
    assert values(path, subject=RIGHT) == values(path, session=session) == {}
    assert values(path, subject=WRONG) == {BEFORE: 120, AFTER: 120}
    assert history.receipt("g-1", EPOCH).stored == gateway.seq
    history.close()
    for file in path.parent.glob("history.db*"):
        assert RIGHT.encode() not in file.read_bytes()


def test_erasing_the_wrong_person_leaves_the_right_ones_numbers(path: Path, history: History, gateway: Gateway) -> None:
    session = session_of(gateway)
    gateway.do(400, "session-correct", session=session, subject=RIGHT)
    gateway.send(history)
    roll_up(history)
    erase(history.database, WRONG, now_us=us(500))
    assert values(path, subject=RIGHT) == {WITHIN: 120}
    assert trends(path, subject=RIGHT) == (120, 120, 120)
    assert values(path, subject=WRONG) == {}
    history.close()
    for file in path.parent.glob("history.db*"):
        assert WRONG.encode() not in file.read_bytes()


@pytest.mark.parametrize("mended_first", [False, True])
def test_a_clock_that_was_wrong_is_mended_of_what_a_correction_has_moved(
    mended_first: bool, path: Path, history: History, gateway: Gateway
) -> None:
    gateway.send(history)
    roll_up(history)
    session, stay = session_of(gateway), gateway.registry.state.subjects[0].stay
    by_us = 7 * SECOND_US
    corrections = wall_correction.measurements(
        wall_correction.Correction(by_us, believed=True), [(session, WRONG), (stay, WRONG)], at_us=us(450),
        simulated=False,
    )  # fmt: skip
    gateway.do(400, "session-correct", session=session, subject=RIGHT, start_us=us(180), end_us=us(300))
    messages = gateway.messages()
    gateway.seq += len(corrections)
    clocks = [
        Message("g-1", EPOCH, 0, [(gateway.seq - len(corrections) + n, one)]) for n, one in enumerate(corrections, 1)
    ]
    for message in [*clocks, *messages] if mended_first else [*messages, *clocks]:
        history.store([message])
    assert rows(path, "SELECT DISTINCT made_session, end_us - raw_end_us FROM readable ORDER BY 1") == sorted(
        [(session, by_us), (stay, by_us)]
    )
    # Seconds 173 to 293 of those that were measured.
    assert values(path, subject=RIGHT) == {WITHIN: 67, AFTER: 53}
    assert values(path, subject=WRONG) == {BEFORE: 120, WITHIN: 53, AFTER: 67}
    roll_up(history)
    assert trends(path, subject=RIGHT) == (120, 120, 120)
    assert trends(path, subject=WRONG) == (240, 240, 240)
    with closing(HistoryReader(path)) as reader:
        for one in reader.sessions():
            found = rows(
                path, "SELECT min(start_us), max(end_us) FROM readable WHERE session = ? AND subject = ?",
                one.session, one.subject,
            )  # fmt: skip
            assert found == [(one.first_us, one.last_us)]


def test_an_older_image_of_the_registry_may_be_mended_again(
    path: Path, history: History, gateway: Gateway, tmp_path: Path
) -> None:
    session, file = session_of(gateway), gateway.registry.path
    copy = tmp_path / "yesterday.db"
    copy.write_bytes(file.read_bytes())
    gateway.do(400, "session-correct", session=session, subject="p-third")
    gateway.do(410, "session-correct", session=session, subject=WRONG)
    gateway.do(420, "session-correct", session=session, subject="p-third")
    gateway.send(history)
    gateway.registry.close()
    file.write_bytes(copy.read_bytes())
    gateway.registry, gateway.handed = Registry(file), 0
    gateway.do(500, "add-bed", bed="bay-9")  # all that waited then is told again
    gateway.send(history)
    assert values(path, subject="p-third") == {WITHIN: 120}  # what is told again is older than the corrections
    gateway.do(600, "session-correct", session=session, subject=RIGHT, why="put back")
    gateway.send(history)
    assert values(path, subject=RIGHT) == {WITHIN: 120}
    assert values(path, subject="p-third") == {}
    assert rows(path, "SELECT n, subject_before, subject, why FROM ward_corrections ORDER BY n") == [
        (1, WRONG, "p-third", ""), (2, "p-third", WRONG, ""), (3, WRONG, "p-third", ""), (4, WRONG, RIGHT, "put back"),
    ]  # fmt: skip


def test_who_wore_what_and_was_where_is_known_of_any_time(path: Path, history: History, gateway: Gateway) -> None:
    gateway.do(400, "take-off", device="dot-1")
    gateway.do(410, "assign", device="dot-1", bed="bay-1", placement="right_foot", axes="-x -y z")
    gateway.do(500, "discharge", subject=WRONG)
    gateway.do(510, "admit", subject=RIGHT, bed="bay-1")
    gateway.send(history)
    placed = "SELECT device, subject, placement, axes = ?, from_us, to_us FROM placements_in_time ORDER BY from_us"
    assert rows(path, placed, "-x -y z") == [
        ("dot-1", WRONG, "left_foot", 0, us(0), us(400)), ("dot-1", WRONG, "right_foot", 1, us(410), us(500)),
    ]  # fmt: skip
    people = "SELECT subject, bed, height_m, from_us, to_us FROM subjects_in_time ORDER BY from_us"
    assert rows(path, people) == [
        (WRONG, "bay-1", 1.7, us(0), us(500)), (RIGHT, "bay-1", None, us(510), None),
    ]  # fmt: skip


def test_marks_parts_and_notes_are_kept(path: Path, history: History, gateway: Gateway) -> None:
    gateway.do(400, "session-start", subject=WRONG, protocol="tug", notes="with a stick")
    session = session_of(gateway)
    gateway.do(410, "session-mark", session=session, text="turned\nat the door")
    gateway.do(420, "session-pause", session=session)
    gateway.do(430, "session-resume", session=session)
    gateway.send(history)
    assert rows(path, "SELECT at_us, text FROM ward_marks") == [(us(410), "turned\nat the door")]
    assert rows(path, "SELECT part FROM ward_parts WHERE session = ? ORDER BY 1", session) == [
        (session,), (f"{session}-r2",),
    ]  # fmt: skip
    assert rows(path, "SELECT state, notes, ended_us FROM ward_sessions WHERE session = ?", session) == [
        ("running", "with a stick", None)
    ]
