"""Minute values: each row counts once, whatever comes late, moves, goes, or is killed in between."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from math import isclose
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.history import minutes
from gateway.history.history import History
from gateway.history.minutes import MINUTE_US
from gateway.history.reader import HistoryReader
from gateway.model.measurement import Measurement
from gateway.model.wall_correction import Correction, measurements
from gateway.wire.payload import Message
from tests.gateway.samples import START_US, measurement, ward

EPOCH = "0123456789abcdef"
HOUR_US = 3_600_000_000
NOW_US = START_US + HOUR_US


def store(history: History, made: list[Measurement], first: int = 1) -> None:
    history.store([Message("g-1", EPOCH, 0, list(enumerate(made, first)))])


def roll(history: History, portion: int = 100) -> None:
    """Make all minute values that can be made."""
    more = True
    while more:
        with history.database.transaction() as db:
            more = bool(minutes.restate_some(db) or minutes.roll_up(db, NOW_US, portion).ids)


def expected(made: list[Measurement]) -> dict[tuple[str, str, str, int], tuple[int, int, float]]:
    """Return (slot, metric, side, minute) to number, number of values and their sum."""
    found: dict[tuple[str, str, str, int], tuple[int, int, float]] = {}
    for m in made:
        key = (m.slot, m.metric, m.side, m.end_us // MINUTE_US)
        n, valued, total = found.get(key, (0, 0, 0.0))
        has = m.value is not None and m.quality != "invalid"
        found[key] = (n + 1, valued + has, total + (m.value or 0.0) * has)
    return found


def assert_minutes(path: Path, made: list[Measurement]) -> None:
    with closing(sqlite3.connect(path)) as db:
        rows = db.execute(
            "SELECT slot, metric, side, minute, sum(n), sum(valued), sum(total) FROM minutes JOIN series"
            " ON series.id = minutes.series GROUP BY 1, 2, 3, 4"
        ).fetchall()
    wanted = expected(made)
    assert {tuple(row[:4]): tuple(row[4:6]) for row in rows} == {key: each[:2] for key, each in wanted.items()}
    assert all(isclose(row[6], wanted[tuple(row[:4])][2], abs_tol=1e-6) for row in rows)


def test_every_row_is_in_its_minute_once_and_late_ones_too(history: History, path: Path) -> None:
    made = ward(900)
    late = made[100:160]
    store(history, made[:100])
    store(history, made[160:], 161)
    roll(history)
    assert_minutes(path, made[:100] + made[160:])
    store(history, late, 101)
    store(history, made[:300])  # once more
    roll(history)
    assert_minutes(path, made)


def test_a_kill_between_or_in_two_portions_counts_nothing_twice(history: History, path: Path) -> None:
    made = ward(500)
    store(history, made)

    def break_off() -> None:
        with history.database.transaction() as db:
            minutes.roll_up(db, NOW_US, 150)
            raise KeyboardInterrupt

    for _ in range(3):
        with history.database.transaction() as db:
            minutes.roll_up(db, NOW_US, 60)
        with pytest.raises(KeyboardInterrupt):
            break_off()
    again = History(path)
    roll(again)
    again.close()
    assert_minutes(path, made)


def test_rows_whose_wall_times_were_wrong_move_to_other_minutes(history: History, path: Path) -> None:
    made = ward(300)
    store(history, [replace(m, start_us=m.start_us - HOUR_US, end_us=m.end_us - HOUR_US) for m in made])
    roll(history)
    words = measurements(Correction(HOUR_US, believed=True), [("s-1", "p-01")], at_us=START_US, simulated=True)
    store(history, words, 301)
    roll(history)
    assert_minutes(path, made)


def test_rows_held_for_the_remote_store_count_once_when_they_get_new_ids(path: Path) -> None:
    history = History(path, copying=True)
    doubt = measurements(Correction(0, believed=False), [("s-1", "p-01")], at_us=0, simulated=True)
    word = measurements(Correction(HOUR_US, believed=True), [("s-1", "p-01")], at_us=START_US, simulated=True)
    made = ward(300)
    store(history, doubt)
    store(history, [replace(m, start_us=m.start_us - HOUR_US, end_us=m.end_us - HOUR_US) for m in made], 2)
    roll(history)
    store(history, word, 302)
    store(history, ward(330)[300:], 303)
    roll(history)
    history.close()
    assert_minutes(path, ward(330))


def test_what_retention_deletes_stays_in_the_minutes_and_what_is_left_can_still_move(
    history: History, path: Path
) -> None:
    made = ward(600)
    store(history, [replace(m, start_us=m.start_us - HOUR_US, end_us=m.end_us - HOUR_US) for m in made])
    roll(history)
    with history.database.transaction() as db:
        assert minutes.delete_rows(db, 0, 250, 1000) == 250  # in the middle of a minute
    shifted = [replace(m, end_us=m.end_us - HOUR_US) for m in made]
    assert_minutes(path, shifted)
    words = measurements(Correction(HOUR_US, believed=True), [("s-1", "p-01")], at_us=START_US, simulated=True)
    store(history, words, 601)
    roll(history)
    assert_minutes(path, shifted[:250] + made[250:])


def test_an_id_never_comes_again(history: History, path: Path) -> None:
    store(history, ward(100))
    roll(history)
    with history.database.transaction() as db:
        assert minutes.delete_rows(db, 0, 2**62, 1000) == 100
    with closing(HistoryReader(path)) as reader:
        assert reader.stored() == []
        store(history, ward(130)[100:], 101)
        assert [row.id for row in reader.stored()] == list(range(101, 131))
    roll(history)
    assert_minutes(path, ward(130))


@settings(deadline=None, max_examples=30)
@given(st.randoms(use_true_random=False))
def test_any_order_of_everything_gives_the_sum_of_all(rng: random.Random) -> None:
    made = ward(240, seed=rng.randrange(1000))
    pieces = [(at, made[at : at + 20]) for at in range(0, 240, 20)]
    rng.shuffle(pieces)
    with TemporaryDirectory() as folder, closing(History(Path(folder) / "history.db")) as history:
        for at, piece in pieces:
            store(history, piece, at + 1)
            with history.database.transaction() as db:
                if rng.random() < 0.5:
                    minutes.roll_up(db, NOW_US, rng.randint(1, 50))
                if rng.random() < 0.3:
                    upto = db.execute("SELECT rolled_id FROM upkeep").fetchone()[0]
                    minutes.delete_rows(db, 0, upto, rng.randint(1, 30))
        roll(history)
        with history.database.transaction() as db:
            found = {
                tuple(row[:4]): tuple(row[4:])
                for row in db.execute(
                    "SELECT slot, metric, side, minute, sum(n), sum(valued) FROM minutes JOIN series"
                    " ON series.id = minutes.series GROUP BY 1, 2, 3, 4"
                )
            }
        assert found == {key: each[:2] for key, each in expected(made).items()}


def test_trends_of_rows_and_of_minutes_agree(history: History, path: Path) -> None:
    made = [replace(m, quality="degraded") if i % 7 == 0 and m.quality == "ok" else m for i, m in enumerate(ward(9000))]
    store(history, made[:8000])
    roll(history, 10_000)
    store(history, made[8000:], 8001)  # not counted yet
    mine = [m for m in made if (m.slot, m.metric, m.side) == ("bay-1", "cadence", "both")]
    first = START_US // HOUR_US * HOUR_US
    with closing(HistoryReader(path)) as reader:
        whole = {"slot": "bay-1", "side": "both", "from_us": first, "to_us": first + 4 * HOUR_US}
        wide = reader.trend("cadence", **whole, buckets=8)  # type: ignore[arg-type] # the fields of a call
        assert wide == reader.trend("cadence", **whole, buckets=8, session="s-1", subject="p-01")  # type: ignore[arg-type]
        for bucket in wide:
            inside = [m for m in mine if bucket.start_us <= m.end_us < bucket.start_us + HOUR_US // 2]
            values = [m.value for m in inside if m.value is not None]
            assert (bucket.n, bucket.degraded) == (len(inside), sum(m.quality == "degraded" for m in inside))
            assert bucket.mean is not None
            assert isclose(bucket.mean, sum(values) / len(values))
            assert (bucket.low, bucket.high) == (min(values), max(values))
        assert sum(bucket.n for bucket in wide) == len(mine)
        hour = {"slot": "bay-1", "from_us": first + HOUR_US, "to_us": first + 2 * HOUR_US}
        narrow = reader.trend("cadence", **hour, buckets=6)  # type: ignore[arg-type]
        with history.database.transaction() as db:
            minutes.delete_rows(db, 0, 8000, 10_000)
        again = reader.trend("cadence", **hour, buckets=6)  # type: ignore[arg-type]
        assert [(b.start_us, b.n, b.low, b.high) for b in again] == [(b.start_us, b.n, b.low, b.high) for b in narrow]
        assert reader.trend("cadence", slot="bay-9", from_us=0, to_us=2**60) == []


def test_session_values_are_for_ever(history: History, path: Path) -> None:
    store(history, [measurement(i, value=float(i)) for i in range(100)])
    roll(history)
    with history.database.transaction() as db:
        minutes.delete_rows(db, 0, 2**62, 1000)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT session, metric, n, ok, mean, low, high FROM session_values").fetchall() == [
            ("s-1", "cadence", 100, 100, 49.5, 0.0, 99.0)
        ]
