"""Years of a ward, written into a history through its real schema, as if they had been measured: for benchmarks.

``python -m benchmarks.ward_years FILE [--beds 20] [--days 1095] [--raw-days 10]`` says how many rows there are.

What a bed does in a day: one session begins (the gateway starts again), its wall clock is corrected twice, and the
patient walks for ``WALK_MINUTES``. There are ``SERIES`` series (metrics, sides, algorithms): a quarter of them events,
some fifty a minute, the others windows of ten seconds. Rows are written for the last ``raw_days`` only; the days before
have the minute values that retention leaves, and what else stays. All rows are written in the order of their receipt.
"""

from __future__ import annotations

import argparse
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gateway.history.history import History
from gateway.history.row_sums import insert_row, prepare, sum_of_series

SERIES = 24
METRICS = (
    "step_time", "stride_time", "stance_time", "swing_time", "stride_length", "walking_speed", "cadence", "heart_rate",
    "symmetry_ratio", "stride_time_cv", "hip_rom", "knee_rom",
)  # fmt: skip
"""One for each two of the series: left and right."""
EVENT_SERIES = 6
WALK_MINUTES = 30
EVENTS_A_MINUTE = 50
"""Of one foot: a stride a second and a bit."""
WINDOWS_A_MINUTE = 6
DAY_US = 86_400_000_000
MINUTE_US = 60_000_000
MORNING_US = 9 * 3_600_000_000
EPOCH = "0123456789abcdef"
GATEWAY = "gateway-1"


@dataclass(frozen=True, slots=True)
class Ward:
    """The scale, and what came of it.

    Attributes:
        beds: Beds.
        days: Days of history, up to ``end_us``.
        raw_days: The last of them, whose rows are there.
        end_us: UTC microseconds of the last midnight.
    """

    beds: int
    days: int
    raw_days: int
    end_us: int

    @property
    def rows_a_day(self) -> int:
        """Rows of the whole ward in a day."""
        a_minute = EVENT_SERIES * EVENTS_A_MINUTE + (SERIES - EVENT_SERIES) * WINDOWS_A_MINUTE
        return self.beds * WALK_MINUTES * a_minute


def write(path: Path, ward: Ward) -> dict[str, int]:
    """Write a history; return how many rows of what there are."""
    History(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript("PRAGMA synchronous=OFF; PRAGMA cache_size=-200000; BEGIN;")
        _sessions(db, ward)
        _minutes(db, ward)
        _rows(db, ward)
        _notes(db, ward)
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        tables = ("measurements", "minutes", "series", "sessions", "clocks", "received")
        return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}  # noqa: S608 - ours


def _sessions(db: sqlite3.Connection, ward: Ward) -> None:
    """Write sessions with their series: number of a series is (day * beds + bed) * SERIES + 1 …; and corrections."""
    db.execute("INSERT INTO epochs (id, gateway, epoch, received) VALUES (1, ?, ?, 0)", (GATEWAY, EPOCH))
    first_us = ward.end_us - ward.days * DAY_US
    sessions, series, clocks = [], [], []
    for day in range(ward.days):
        for bed in range(ward.beds):
            number = day * ward.beds + bed
            # Each is followed for all the years: nobody's trend is longer.
            session, slot, subject = f"bay-{bed}-{day}", f"bay-{bed}", f"p-{bed}"
            begin_us = first_us + day * DAY_US + MORNING_US
            sessions.append((session, slot, subject, 1, begin_us, begin_us + WALK_MINUTES * MINUTE_US, 1000))
            series += [
                (number * SERIES + 1 + each, slot, session, subject, METRICS[each // 2], ("left", "right")[each % 2],
                 "1", "a/1", f"dot-{bed}", "left_foot", 1)
                for each in range(SERIES)
            ]  # fmt: skip
            clocks += [(1, 2 * number + each + 1, session, 0, 1, begin_us) for each in range(2)]
    db.executemany("INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)", sessions)
    db.executemany("INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)", series)
    prepare(db, reads_only=False)
    db.execute(f"UPDATE series SET sum = {sum_of_series()}")  # noqa: S608 - our own text
    db.executemany("INSERT INTO clocks VALUES (?, ?, ?, ?, ?, ?)", clocks)


def _minutes(db: sqlite3.Connection, ward: Ward) -> None:
    """Write the minute values of the days whose rows retention has deleted."""
    begin = (ward.end_us - ward.days * DAY_US + MORNING_US) // MINUTE_US
    db.execute(
        "WITH RECURSIVE m (m) AS (SELECT 0 UNION ALL SELECT m + 1 FROM m WHERE m + 1 < ?1)"
        " INSERT INTO minutes SELECT s.id, ?2 + (s.id - 1) / ?3 * 1440 + m.m, 0, 6, 1, 0, 6, 600.0 + s.id % 7, 60100.0,"
        " 95.5, 104.5, 0, 0 FROM series s CROSS JOIN m WHERE s.id <= ?4 ORDER BY 1, 2",
        (WALK_MINUTES, begin, ward.beds * SERIES, (ward.days - ward.raw_days) * ward.beds * SERIES),
    )  # fmt: skip


def _rows(db: sqlite3.Connection, ward: Ward) -> None:
    """Write the rows of the last days, minute by minute, of all beds in turn."""
    seq = 2 * ward.days * ward.beds
    for day in range(ward.days - ward.raw_days, ward.days):
        for minute in range(WALK_MINUTES):
            at_us = ward.end_us - (ward.days - day) * DAY_US + MORNING_US + minute * MINUTE_US
            rows = []
            for each in range(ward.beds * SERIES):
                series = day * ward.beds * SERIES + each + 1
                n = EVENTS_A_MINUTE if each % SERIES < EVENT_SERIES else WINDOWS_A_MINUTE
                window_us = 0 if each % SERIES < EVENT_SERIES else 10_000_000
                rows += [
                    (at_us + i * MINUTE_US // n, series, window_us, 90.0 + (each + i) % 20) for i in range(n)
                ]  # fmt: skip
            rows.sort()
            for i, (end, series, window_us, value) in enumerate(rows, 1):
                row = (1, seq + i, series, end - window_us, end, value, 2.5, 7, 0, 0, 0, 0, None, "")
                insert_row(db, row, summed=True)
            seq += len(rows)
    db.execute("UPDATE epochs SET received = ?", (seq,))


def _notes(db: sqlite3.Connection, ward: Ward) -> None:
    """Write when what was received: an hour after it was measured."""
    last, first = db.execute("SELECT max(id), min(id) FROM measurements").fetchone()
    a_day = (last - first + 1) // max(1, ward.raw_days)
    for day in range(ward.raw_days):
        at_us = ward.end_us - (ward.raw_days - day - 1) * DAY_US
        db.execute("INSERT INTO received VALUES (?, ?)", (first - 1 + a_day * (day + 1), at_us))


def main() -> None:
    """Write one, and say what is in it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ward_years", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--beds", type=int, default=20)
    parser.add_argument("--days", type=int, default=1095)
    parser.add_argument("--raw-days", type=int, default=10)
    options = parser.parse_args()
    ward = Ward(options.beds, options.days, options.raw_days, time.time_ns() // 1000 // DAY_US * DAY_US)
    began = time.perf_counter()
    for table, n in write(options.file, ward).items():
        print(f"{table:14} {n:>14,}")
    print(f"{options.file.stat().st_size / 1e9:.2f} GB in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
