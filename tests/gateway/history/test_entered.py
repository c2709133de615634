"""What people entered into a session, in the history: once, beside what was found, and of whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.upkeep.erasure import erase
from tests.gateway.history.ward_gateway import Gateway, us

BEGIN, END = 60, 120
RESULTS = ("tmwt10_time", "tmwt10_speed", "pain_nrs", "form_answer")
Row = tuple[str, str, float | None, str]


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A walk that is over, of which a time was corrected and something said."""
    made = Gateway(tmp_path)
    session = made.session(BEGIN, END)
    made.do(
        200, "test-correct", session=session, metric="tmwt10_time", found_start_us=us(70), found_end_us=us(80),
        start_us=us(71), end_us=us(79),
    )  # fmt: skip
    made.do(210, "session-report", session=session, values={"pain_nrs": 3}, form="day", answers={"sleep": 2})
    made.do(220, "session-report", session=session, values={"pain_nrs": 3})
    yield made
    made.registry.close()


def session_of(gateway: Gateway) -> str:
    return gateway.registry.state.sessions[-1].id


def found(path: Path, *parts: str) -> list[Row]:
    with closing(HistoryReader(path)) as reader:
        return [(m.metric, m.subject, m.value, m.algorithm) for m in reader.in_sessions(parts, RESULTS)]


def of(subject: str) -> list[Row]:
    return [
        ("tmwt10_time", subject, 8.0, "by-hand/1"), ("tmwt10_speed", subject, 1.25, "by-hand/1"),
        ("pain_nrs", subject, 3.0, "reported/1"), ("form_answer", subject, 2.0, "form/day.sleep/1"),
        ("pain_nrs", subject, 3.0, "reported/1"),
    ]  # fmt: skip


def test_what_was_entered_is_stored_with_how_it_came_about(path: Path, history: History, gateway: Gateway) -> None:
    gateway.send(history)
    assert found(path, session_of(gateway)) == of("p-wrong")
    assert found(path, "another-session") == []


def test_what_a_gateway_tells_again_after_a_start_is_there_once(path: Path, history: History, gateway: Gateway) -> None:
    gateway.send(history)
    for event in gateway.registry.untold():
        gateway.tell(event)
    gateway.send(history)
    assert found(path, session_of(gateway)) == of("p-wrong")
    with closing(HistoryReader(path)) as reader:
        assert {reason for *_, reason in reader.gaps()} == {"entered once, told twice"}
        assert reader.unexplained(gateway.name, gateway.epoch, 0) == 0


def test_it_follows_its_session_to_whose_it_was_and_through_other_times(
    path: Path, history: History, gateway: Gateway
) -> None:
    gateway.do(300, "session-correct", session=session_of(gateway), subject="p-right", start_us=us(65), end_us=us(100))
    gateway.send(history)
    assert found(path, session_of(gateway)) == of("p-right")


def test_what_somebody_said_stays_with_its_session_however_much_of_that_is_cut_off(
    path: Path, history: History, gateway: Gateway
) -> None:
    """Who forgot to press Stop reports at once and mends the end afterwards: the middle is then beyond it."""
    gateway.send(history)
    gateway.do(300, "session-correct", session=session_of(gateway), end_us=us(80))
    gateway.send(history)
    assert found(path, session_of(gateway)) == of("p-wrong")
    gateway.do(310, "session-report", session=session_of(gateway), values={"pain_nrs": 4})
    gateway.do(320, "session-correct", session=session_of(gateway), subject="p-right", end_us=us(64))
    gateway.send(history)
    said = [row for row in of("p-right") if not row[0].startswith("tmwt10")]
    assert sorted(found(path, session_of(gateway))) == sorted([*said, ("pain_nrs", "p-right", 4.0, "reported/1")])


def test_it_is_erased_with_its_subject(path: Path, history: History, gateway: Gateway) -> None:
    gateway.send(history)
    erase(history.database, "p-wrong", now_us=us(999))
    assert found(path, session_of(gateway)) == []
