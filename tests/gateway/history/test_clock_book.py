"""Wall times that turn out wrong are mended in the history, whatever came first, and nothing else moves."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.historian.store import tags_of
from gateway.history.books.clock_book import HOLD_S, MOST
from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.model import wall_correction
from gateway.model.measurement import Measurement
from gateway.model.wall_correction import MICRO, Correction, Place, Verdict, verdict
from gateway.wire.payload import Message
from tests.gateway.old_histories import make_version_1
from tests.gateway.samples import START_US, measurement

EPOCH = "0123456789abcdef"
HOUR_US = 3_600 * MICRO
NOW_S = START_US / MICRO


class Clock:
    """Monotonic seconds that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(path: Path, clock: Clock) -> Iterator[History]:
    """A history that feeds a remote store."""
    made = opened(path, clock)
    yield made
    made.close()


def opened(path: Path, clock: Clock) -> History:
    return History(path, copying=True, now=lambda: NOW_S, clock=clock)


def corrected_by(seq: int, by_us: int, *, believed: bool = True, session: str = "s-1") -> tuple[int, Measurement]:
    made = wall_correction.measurements(
        Correction(by_us, believed), [(session, "p-01")], at_us=START_US, simulated=True
    )
    return seq, made[0]


def made(seq: int, *, off_us: int = 0, session: str = "s-1") -> tuple[int, Measurement]:
    """Return what was measured in second ``seq`` by a clock that was off by so much."""
    m = measurement(seq)
    return seq, replace(m, start_us=m.start_us - off_us, end_us=m.end_us - off_us, session=session)


def message(*measurements: tuple[int, Measurement], gateway: str = "g-1", epoch: str = EPOCH) -> Message:
    return Message(gateway, epoch, 0, list(measurements))


def rows(path: Path, what: str = "seq, end_us, raw_end_us, clock") -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(f"SELECT {what} FROM readable ORDER BY gateway, epoch, seq").fetchall()  # noqa: S608 - our own words


def true_us(seq: int) -> int:
    return measurement(seq).end_us


def test_a_start_in_1970_is_marked_and_mended_when_the_time_comes(history: History, path: Path) -> None:
    off_us = START_US - 42 * MICRO
    history.store([message(corrected_by(1, 0, believed=False), *(made(seq, off_us=off_us) for seq in range(2, 5)))])
    assert rows(path) == [(seq, true_us(seq) - off_us, true_us(seq) - off_us, "held") for seq in range(2, 5)]
    history.store([message(corrected_by(5, off_us), made(6))])
    assert rows(path) == [
        *((seq, true_us(seq), true_us(seq) - off_us, "mended") for seq in range(2, 5)),
        (6, true_us(6), true_us(6), "believed"),
    ]
    with closing(HistoryReader(path)) as reader:
        points = reader.series("bay-1", "cadence", "both", from_us=START_US)
        assert [point.end_us for point in points] == [true_us(seq) for seq in (2, 3, 4, 6)]
        assert {point.end_us - point.start_us for point in points} == {10 * MICRO}
        as_made = {row.seq: row.as_made() for row in reader.stored()}
        assert as_made == {**dict(made(seq, off_us=off_us) for seq in (2, 3, 4)), 6: made(6)[1]}
        (session,) = reader.sessions()
        assert (session.first_us, session.last_us) == (true_us(2) - 10 * MICRO, true_us(6))
        assert session.measurements == reader.count() == 4


@pytest.mark.parametrize("hours", [1, -1])
def test_a_step_moves_what_was_before_it(history: History, path: Path, hours: int) -> None:
    off_us = hours * HOUR_US
    history.store([message(made(1, off_us=off_us), made(2, off_us=off_us), corrected_by(3, off_us), made(4))])
    assert [row[1] for row in rows(path)] == [true_us(1), true_us(2), true_us(4)]


def test_a_hand_that_moves_the_clock_there_and_a_service_that_moves_it_back(history: History, path: Path) -> None:
    history.store([message(made(1), corrected_by(2, HOUR_US, believed=False), made(3, off_us=-HOUR_US))])
    assert rows(path, "seq, end_us, clock") == [
        (1, true_us(1), "believed"), (3, true_us(3) + HOUR_US, "held"),
    ]  # fmt: skip
    history.store([message(corrected_by(4, -HOUR_US), made(5))])
    assert rows(path, "seq, end_us, clock") == [
        (1, true_us(1), "believed"), (3, true_us(3), "mended"), (5, true_us(5), "believed"),
    ]  # fmt: skip


def test_other_runs_and_other_gateways_keep_their_times(history: History, path: Path) -> None:
    history.store([message(made(1, session="s-0"), made(2, off_us=HOUR_US))])
    history.store([message(made(1), gateway="g-2")])
    history.store([message(corrected_by(3, HOUR_US))])
    assert [row[1:3] for row in rows(path, "gateway, seq, end_us")] == [
        (1, true_us(1)), (2, true_us(2)), (1, true_us(1)),
    ]  # fmt: skip


def test_the_rest_of_a_run_whose_outbox_was_replaced_is_mended_too(history: History, path: Path) -> None:
    history.store([message(made(7, off_us=HOUR_US))])
    history.store([message(made(1, off_us=HOUR_US), corrected_by(2, HOUR_US), epoch="f" * 16)])
    assert [row[1] for row in rows(path)] == [true_us(7), true_us(1)]


STEPS = [
    corrected_by(1, 0, believed=False), *(made(seq, off_us=3 * HOUR_US) for seq in (2, 3)),
    corrected_by(4, 2 * HOUR_US), *(made(seq, off_us=HOUR_US) for seq in (5, 6)),
    corrected_by(7, HOUR_US), made(8), corrected_by(9, -HOUR_US, believed=False), made(10, off_us=-HOUR_US),
]  # fmt: skip


@given(st.randoms(use_true_random=False), st.integers(1, 10))
def test_any_order_and_repetition_gives_the_same(rng: random.Random, size: int) -> None:
    shuffled = STEPS * 2
    rng.shuffle(shuffled)
    history = History(Path(":memory:"), copying=True, now=lambda: NOW_S)
    for at in range(0, len(shuffled), size):
        history.store([message(*shuffled[at : at + size])])
    with history.database.reading() as db:
        found = db.execute("SELECT seq, end_us, raw_end_us, clock FROM readable ORDER BY seq").fetchall()
    assert found == [
        (2, true_us(2), true_us(2) - 3 * HOUR_US, "mended"), (3, true_us(3), true_us(3) - 3 * HOUR_US, "mended"),
        (5, true_us(5), true_us(5) - HOUR_US, "mended"), (6, true_us(6), true_us(6) - HOUR_US, "mended"),
        (8, true_us(8), true_us(8), "believed"), (10, true_us(10) + HOUR_US, true_us(10) + HOUR_US, "held"),
    ]  # fmt: skip
    assert history.receipt("g-1", EPOCH).received == 10
    ids = [row.id for row in history.copies.not_copied(100)]
    assert len(set(ids)) == len(ids) == 5
    history.close()


def test_what_is_doubtful_waits_for_the_truth_and_then_goes_to_the_store(
    history: History, path: Path, clock: Clock
) -> None:
    history.store([message(corrected_by(1, 0, believed=False), made(2, off_us=HOUR_US), made(3, off_us=HOUR_US))])
    history.store([message(made(4, session="s-2"))])
    first = history.copies.not_copied(100)
    assert [row.seq for row in first] == [4]
    history.copies.mark_copied(first)
    assert history.receipt("g-1", EPOCH).stored == 1
    history.close()
    again = opened(path, clock)
    assert again.receipt("g-1", EPOCH).stored == 1  # the cursor is beyond them, and they are not there
    again.store([message(corrected_by(5, HOUR_US))])
    later = again.copies.not_copied(100)
    assert [(row.seq, row.measurement.end_us, row.clock) for row in later] == [
        (2, true_us(2), "mended"), (3, true_us(3), "mended"),
    ]  # fmt: skip
    assert "clock" not in tags_of(later[0], "s")
    again.copies.mark_copied(later)
    assert again.receipt("g-1", EPOCH).stored == 5
    again.close()


def test_what_stays_doubtful_goes_to_the_store_marked_and_once_more_when_it_is_mended(
    history: History, path: Path, clock: Clock
) -> None:
    history.store([message(corrected_by(1, 0, believed=False), made(2, off_us=HOUR_US))])
    assert history.copies.release_overdue() == 0
    clock.now = HOLD_S
    assert history.copies.release_overdue() == 1
    assert history.copies.release_overdue() == 0
    history.store([message(made(3, off_us=HOUR_US))])
    marked = history.copies.not_copied(100)
    assert [(row.seq, row.clock, tags_of(row, "s")["clock"]) for row in marked] == [
        (2, "doubtful", "doubtful"), (3, "doubtful", "doubtful"),
    ]  # fmt: skip
    history.copies.mark_copied(marked)
    assert history.receipt("g-1", EPOCH).stored == 3
    history.store([message(corrected_by(4, HOUR_US))])
    again = history.copies.not_copied(100)
    assert [(row.seq, row.measurement.end_us) for row in again] == [(2, true_us(2)), (3, true_us(3))]
    assert history.receipt("g-1", EPOCH).stored == 4


def test_without_a_remote_store_nothing_is_held(path: Path) -> None:
    history = History(path)
    history.store([message(corrected_by(1, 0, believed=False), made(2, off_us=HOUR_US))])
    assert rows(path, "clock") == [("doubtful",)]
    assert history.receipt("g-1", EPOCH).stored == 2
    assert history.copies.release_overdue(0.0) == 0
    history.close()


def test_a_word_about_the_clock_that_is_none_is_set_apart(history: History, path: Path) -> None:
    _, word = corrected_by(1, 0)
    history.store([
        message(
            (1, replace(word, value=None)), (2, replace(word, value=1e300)), (3, replace(word, metric="cadence")),
            made(4),
        )
    ])  # fmt: skip
    with closing(HistoryReader(path)) as reader:
        assert [row[2:4] for row in reader.rejected()] == [(seq, "no correction of a wall clock") for seq in (1, 2, 3)]
    assert rows(path, "seq, clock") == [(4, "believed")]
    assert history.receipt("g-1", EPOCH).received == 4


def test_a_history_of_the_first_version_is_taken_on(path: Path) -> None:
    make_version_1(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO epochs VALUES (1, 'g-1', ?, 1, 0)", (EPOCH,))
        db.execute("INSERT INTO series VALUES (1, 'bay-1', 's-1', 'p', 'cadence', 'both', '1', 'a/1', '', '', 1)")
        db.execute(
            "INSERT INTO measurements VALUES (1, 1, 1, 1, ?, ?, 1.0, NULL, 1, 0, 0, '')",
            (true_us(1) - HOUR_US, true_us(1) - HOUR_US),
        )
        db.commit()
    history = History(path)
    assert rows(path) == [(1, true_us(1) - HOUR_US, true_us(1) - HOUR_US, "believed")]
    history.store([message(corrected_by(2, HOUR_US), made(3))])
    assert [row[1] for row in rows(path)] == [true_us(1), true_us(3)]
    history.close()
    History(path).close()


PLACES = st.tuples(st.integers(1, 2), st.integers(1, 12))


@given(st.dictionaries(PLACES, st.builds(Correction, st.integers(-5, 5), st.booleans()), max_size=8), PLACES)
def test_the_newest_believed_word_counts_and_doubt_lasts_until_there_is_one(
    by_place: dict[Place, Correction], place: Place
) -> None:
    corrections = sorted(by_place.items())
    trusted = [at for at, correction in corrections if correction.believed]
    last = max(trusted, default=(0, 0))
    by_us = sum(correction.by_us for at, correction in corrections if place < at <= last)
    before = [correction for at, correction in corrections if at < place]
    doubtful = bool(before) and not before[-1].believed and not any(at >= place for at in trusted)
    assert verdict(corrections, place) == Verdict(by_us, doubtful)


def test_a_clock_that_nobody_confirmed_before_the_power_went_stays_doubtful(history: History, path: Path) -> None:
    """Two weeks back at the start, and no time service ever had its say: a plausible value is no true one."""
    doubt = wall_correction.measurements(
        Correction(0, believed=False, likely=True), [("s-1", "p-01")], at_us=START_US, simulated=True
    )
    history.store([message((1, doubt[0]), *(made(seq) for seq in range(2, 5)))])
    assert [row[3] for row in rows(path)] == ["doubtful"] * 3
    assert len(history.copies.not_copied(10)) == 3  # a possible time holds nothing up
    # The next run has the right time: that says nothing of this one.
    history.store([message(*(made(seq, session="s-2") for seq in range(5, 8)))])
    assert [row[3] for row in rows(path)] == ["doubtful"] * 3 + ["believed"] * 3
    history.store([message(corrected_by(8, 0))])
    assert [row[3] for row in rows(path)] == ["believed"] * 6


def test_a_doubt_is_the_same_after_a_restart_of_the_historian(history: History, path: Path) -> None:
    doubt = wall_correction.measurements(
        Correction(0, believed=False, likely=True), [("s-1", "p-01")], at_us=START_US, simulated=True
    )
    history.store([message((1, doubt[0]), made(2))])
    history.close()
    again = History(path, copying=True)
    again.store([message(made(3))])
    again.close()
    assert [row[3] for row in rows(path)] == ["doubtful"] * 2


DAY_US = 24 * HOUR_US
YEAR_US = 365 * DAY_US


def refusals(history: History) -> list[tuple[str, str]]:
    return [(notice.code, notice.about) for notice in history.notices("g-1")]


@pytest.mark.parametrize("by_us", [2 * DAY_US, -2 * DAY_US, YEAR_US, -YEAR_US, 40 * YEAR_US, -55 * YEAR_US])
def test_what_nobody_doubted_moves_by_a_day_at_most(history: History, path: Path, by_us: int) -> None:
    before = [(1, true_us(1), true_us(1), "believed"), (2, true_us(2), true_us(2), "believed")]
    history.store([message(made(1), made(2))])
    history.store([message(corrected_by(3, by_us))])
    assert rows(path) == before
    assert refusals(history) == [("correction-refused", "s-1")]
    history.store([message(made(4))])
    assert rows(path)[2] == (4, true_us(4), true_us(4), "believed")
    with closing(HistoryReader(path)) as reader:
        assert [record.what for record in reader.records("audit")] == ["correction-refused"]
    assert history.receipt("g-1", EPOCH).received == 4


def test_small_moves_do_not_add_up_to_a_large_one(history: History, path: Path) -> None:
    history.store([message(made(1, off_us=20 * HOUR_US))])
    for seq in range(2, 30):
        history.store([message(corrected_by(seq, 20 * HOUR_US))])
    assert rows(path, "end_us") == [(true_us(1),)]  # the first of them
    assert refusals(history) == [("correction-refused", "s-1")]


def test_a_doubt_that_was_ended_is_not_mended_again_by_far(history: History, path: Path) -> None:
    off_us = START_US - 42 * MICRO
    history.store([message(corrected_by(1, 0, believed=False), made(2, off_us=off_us), corrected_by(3, off_us))])
    assert rows(path, "end_us, clock") == [(true_us(2), "mended")]
    history.store([message(corrected_by(4, -200 * DAY_US))])
    assert rows(path, "end_us, clock") == [(true_us(2), "mended")]
    assert refusals(history) == [("correction-refused", "s-1")]


@pytest.mark.parametrize("by_us", [5 * YEAR_US, -5 * YEAR_US])
def test_not_even_what_is_in_doubt_is_moved_to_where_no_time_can_be(history: History, path: Path, by_us: int) -> None:
    history.store([message(corrected_by(1, 0, believed=False), made(2), corrected_by(3, by_us))])
    assert rows(path, "seq, end_us") == [(2, true_us(2))]
    assert refusals(history) == [("correction-refused", "s-1")]


def test_a_time_that_cannot_be_is_doubt_enough(history: History, path: Path) -> None:
    history.store([message(made(1), made(2, off_us=-10 * YEAR_US), corrected_by(3, -10 * YEAR_US))])
    assert rows(path, "seq, end_us, clock") == [(1, true_us(1), "believed"), (2, true_us(2), "mended")]


def test_a_doubt_that_is_reported_later_does_not_open_what_was_before_it(history: History, path: Path) -> None:
    history.store([message(made(1), made(2), corrected_by(3, 0, believed=False), made(4, off_us=90 * DAY_US))])
    history.store([message(corrected_by(5, 90 * DAY_US))])
    assert rows(path, "seq, end_us, clock") == [
        (1, true_us(1), "believed"), (2, true_us(2), "believed"), (4, true_us(4), "mended"),
    ]  # fmt: skip


def test_a_session_of_long_ago_stays_as_it_is(history: History, path: Path) -> None:
    history.store([message(made(1, off_us=50 * DAY_US), made(2, session="s-2"))])
    history.store([message(corrected_by(3, HOUR_US))])
    assert rows(path, "seq, end_us") == [(1, true_us(1) - 50 * DAY_US), (2, true_us(2))]
    assert refusals(history) == [("correction-refused", "s-1")]
    with closing(HistoryReader(path)) as reader:
        assert [row[2:4] for row in reader.rejected()] == [(3, wall_correction.TOO_OLD)]


def test_a_clock_that_is_set_again_and_again_is_left_out(history: History, path: Path) -> None:
    history.store([message(made(1))])
    for seq in range(2, 400):
        history.store([message(corrected_by(seq, (-1) ** seq * MICRO))])
    with closing(HistoryReader(path)) as reader:
        found = reader.rejected()
    assert len(found) == 398 - MOST
    assert {row[3] for row in found} == {wall_correction.TOO_OFTEN}
    assert history.receipt("g-1", EPOCH).received == 399


def test_the_bound_is_the_site_s_to_set(path: Path) -> None:
    history = History(path, now=lambda: NOW_S, believed_most_s=7 * 86_400.0)
    history.store([message(made(1, off_us=5 * DAY_US), corrected_by(2, 5 * DAY_US))])
    assert rows(path, "end_us") == [(true_us(1),)]
    history.close()


def test_a_correction_whose_doubt_comes_later_is_put_right_and_no_longer_reported(history: History, path: Path) -> None:
    """The first rows of a broker without a session for the historian come last: they are sent again."""
    history.store([message(made(2, off_us=14 * DAY_US), corrected_by(3, 14 * DAY_US))])
    assert refusals(history) == [("correction-refused", "s-1")]
    history.store([message(corrected_by(1, 0, believed=False))])
    assert rows(path, "seq, end_us, clock") == [(2, true_us(2), "mended")]
    assert refusals(history) == []
