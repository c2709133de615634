"""Retention: by when rows were received, on a clock that is believed, and never much at once without a word."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.machine.facts import Clock
from gateway.model.measurement import Measurement
from gateway.model.wall_correction import Correction, measurements
from gateway.upkeep.believed_time import SETTLED_S, BelievedTime
from gateway.upkeep.upkeep import ROLL_S, Upkeep
from gateway.wire.payload import DecodedRecord, Message
from tests.gateway.old_histories import make_version_2
from tests.gateway.samples import START_US, measurement, ward

EPOCH = "0123456789abcdef"
DAY_S = 86_400.0
DAY_US = 86_400_000_000
START_S = START_US / 1e6
KEEP_DAYS = 100


@dataclass
class Machine:
    """The clocks of a historian's machine."""

    wall: float = START_S
    monotonic: float = 1_000.0
    synchronised: bool | None = False

    def go_on(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


@dataclass
class Site:
    """A history with its upkeep, which may be stopped and started."""

    path: Path
    machine: Machine = field(default_factory=Machine)
    keep_days: int = KEEP_DAYS
    entries: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    seq: int = 0

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.history = History(self.path, now=lambda: self.machine.wall)
        self.upkeep = Upkeep(
            self.history.database,
            keep_days=self.keep_days,
            share=0.05,
            clock=BelievedTime(
                now=lambda: self.machine.wall,
                monotonic=lambda: self.machine.monotonic,
                kernel=lambda: Clock(self.machine.synchronised, 0.0),
            ),
            on_event=lambda what, **fields: self.entries.append((what, fields)),
            monotonic=lambda: self.machine.monotonic,
        )

    def restart(self, *, keep_days: int | None = None) -> None:
        self.history.close()
        self.keep_days = keep_days or self.keep_days
        self.start()

    def store(self, made: list[Measurement]) -> None:
        self.history.store([Message("g-1", EPOCH, 0, list(enumerate(made, self.seq + 1)))])
        self.seq += len(made)

    def receive(self, n: int) -> None:
        """Store measurements that were made just now, by the machine's clock."""
        end_us = round(self.machine.wall * 1e6)
        self.store([replace(measurement(i), start_us=end_us - 10, end_us=end_us - n + i) for i in range(n)])

    def work(self) -> None:
        while self.upkeep.step():
            pass

    def live(self, days: float, *, a_day: int = 0) -> None:
        """Let time pass, and the historian work through it."""
        step_s = min(DAY_S, days * DAY_S) + ROLL_S
        for _ in range(round(days) or 1):
            self.machine.go_on(step_s)
            if a_day:
                self.receive(a_day)
            self.work()

    def rows(self) -> int:
        with closing(HistoryReader(self.path)) as reader:
            return len(reader.stored(limit=10**9))

    def entries_of(self, what: str) -> list[dict[str, Any]]:
        return [fields for each, fields in self.entries if each == what]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "history.db")
    yield made
    made.history.close()


def test_what_was_received_long_ago_goes_and_each_run_is_reported(site: Site) -> None:
    site.live(50, a_day=40)
    assert site.rows() == 2000
    assert site.entries_of("retention") == []
    site.live(150, a_day=40)
    assert abs(site.rows() - KEEP_DAYS * 40) <= 80
    gone = sum(fields["rows"] for fields in site.entries_of("retention"))
    assert gone == 8000 - site.rows()
    assert site.entries_of("retention-held") == site.entries_of("retention-withheld") == []


def test_old_measurements_that_came_late_are_kept_from_when_they_came(site: Site) -> None:
    site.live(1)
    site.store([replace(m, start_us=0, end_us=5) for m in ward(50)])
    site.live(KEEP_DAYS - 2, a_day=4)
    with closing(sqlite3.connect(site.path)) as db:
        assert db.execute("SELECT count(*) FROM measurements WHERE end_us = 5").fetchone()[0] == 50
        site.live(4, a_day=4)
        assert db.execute("SELECT count(*) FROM measurements WHERE end_us = 5").fetchone()[0] == 0


def test_a_restart_with_a_clock_far_ahead_deletes_nothing_and_says_so(site: Site) -> None:
    site.live(10, a_day=400)
    before = site.rows()
    site.machine.wall += 400 * DAY_S
    site.restart()
    site.live(30)
    assert site.rows() == before
    assert "401 days" in site.entries_of("retention-withheld")[0]["reason"]
    site.machine.wall -= 400 * DAY_S  # somebody sets it right
    site.live(1)
    assert site.rows() == before


@pytest.mark.parametrize("days", [400, -200])
def test_a_clock_that_is_set_while_the_historian_runs_deletes_nothing(site: Site, days: int) -> None:
    site.live(10, a_day=400)
    before = site.rows()
    site.machine.wall += days * DAY_S
    site.live(20)
    assert site.rows() == before


def test_a_clock_that_no_gateway_shares_deletes_nothing(site: Site) -> None:
    site.live(10, a_day=400)
    before, ahead_s = site.rows(), 28 * DAY_S  # less than a month: a holiday would explain it
    site.machine.wall += ahead_s
    site.restart(keep_days=20)
    for _ in range(40):
        site.machine.go_on(1000)
        site.machine.wall -= ahead_s
        site.receive(4)
        site.machine.wall += ahead_s
        site.work()
    assert site.rows() == before + 160
    assert "no gateway" in site.entries_of("retention-withheld")[0]["reason"]


def test_a_clock_that_is_far_ahead_from_the_first_start_deletes_nothing_when_it_is_set_right(site: Site) -> None:
    site.machine.wall += 400 * DAY_S
    site.restart()
    site.live(5, a_day=400)
    before = site.rows()
    site.machine.wall -= 400 * DAY_S
    site.machine.synchronised = True
    site.live(20, a_day=400)
    assert site.rows() == before + 8000


def test_a_clock_before_2025_or_just_started_counts_for_nothing(site: Site) -> None:
    site.receive(100)
    site.machine.wall = 1e9
    site.live(3)
    site.machine.wall = START_S
    site.restart()
    site.machine.go_on(SETTLED_S - 1)
    site.work()
    with closing(sqlite3.connect(site.path)) as db:
        assert db.execute("SELECT count(*) FROM received").fetchone()[0] == 0
        site.machine.go_on(120)
        site.work()
        assert db.execute("SELECT upto_id FROM received").fetchall() == [(100,)]


def test_another_keep_days_in_the_file_still_goes_by_shares_and_asks_for_a_word(site: Site) -> None:
    site.live(20, a_day=400)
    before = site.rows()
    site.restart(keep_days=3)
    site.live(0.5)
    first = before - site.rows()
    assert 0 < first <= before * 0.05 + 3 * 400  # a share, and what became old in two days
    held = site.entries_of("retention-held")[-1]
    assert held["rows"] > before / 2
    site.restart()  # no new share with each start
    site.live(0.25)
    assert before - site.rows() == first
    with site.history.database.transaction() as db:
        site.upkeep.retention.confirm(db)
    site.live(0.25)
    assert site.rows() <= 3 * 400
    assert site.entries_of("retention")[-1]["rows"] == before - first - site.rows()


def test_short_keep_days_are_no_reason_to_ask_again_and_again(site: Site) -> None:
    site.restart(keep_days=3)
    site.live(30, a_day=400)
    assert 3 * 400 <= site.rows() <= 4 * 400
    assert site.entries_of("retention-held") == []


def test_a_word_counts_for_a_clock_that_went_on_while_the_historian_was_off(site: Site) -> None:
    site.live(10, a_day=400)
    site.machine.wall += 120 * DAY_S  # it was off
    site.restart()
    site.live(1)
    assert site.rows() == 4000
    with site.history.database.transaction() as db:
        assert site.upkeep.retention.confirm(db)["rows"] == 4000
    site.live(1)
    assert site.rows() == 0


def test_the_audit_and_what_was_rejected_go_with_the_rows_of_their_time_and_not_by_their_own(site: Site) -> None:
    old = [DecodedRecord(site.seq + n, "audit", "start", 1_000_000 * n, b"{}") for n in range(1, 21)]
    site.history.store([Message("g-1", EPOCH, 0, records=old)])
    site.seq += 20
    site.live(KEEP_DAYS - 2, a_day=8)
    with closing(HistoryReader(site.path)) as reader:
        assert len(reader.records("audit")) == 20
        site.live(5, a_day=8)
        assert len(reader.records("audit")) == 0


def test_a_correction_outlives_what_it_is_about(site: Site) -> None:
    words = measurements(Correction(5, believed=True), [("s-1", "p-01")], at_us=START_US, simulated=True)
    site.store(words)
    site.restart(keep_days=3)
    with closing(sqlite3.connect(site.path)) as db:
        site.live(50)
        assert db.execute("SELECT count(*) FROM clocks").fetchone()[0] == 1
        site.live(20)
        assert db.execute("SELECT count(*) FROM clocks").fetchone()[0] == 0


def test_rows_of_an_earlier_version_go_by_when_the_newest_near_them_was_measured(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    make_version_2(path, 30_000, start_us=START_US - 20 * DAY_US)
    site = Site(path, keep_days=30, seq=30_000)
    site.live(9)
    assert site.rows() == 30_000
    site.live(25, a_day=4)
    assert site.rows() == 25 * 4
    assert sum(fields["rows"] for fields in site.entries_of("retention")) == 30_000
    site.history.close()


def test_rows_of_an_earlier_version_stay_under_a_clock_that_is_far_ahead_at_the_first_start(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    make_version_2(path, 30_000, start_us=START_US - 30 * DAY_US)
    site = Site(path, Machine(wall=START_S + 400 * DAY_S))
    site.live(20)
    assert site.rows() == 30_000
    assert "days while" in site.entries_of("retention-withheld")[0]["reason"]
    site.history.close()


def test_what_the_remote_store_has_not_stays(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    site = Site(path)
    site.history.close()
    site.history = History(path, copying=True, now=lambda: site.machine.wall)
    site.upkeep = Upkeep(
        site.history.database, keep_days=5, share=1.0, monotonic=lambda: site.machine.monotonic,
        clock=BelievedTime(now=lambda: site.machine.wall, monotonic=lambda: site.machine.monotonic),
    )  # fmt: skip
    site.live(20, a_day=40)
    assert site.rows() == 800
    site.history.copies.mark_copied(site.history.copies.not_copied(320))
    site.live(1)
    assert site.rows() == 480  # the rows of one note of what was received go together
    site.history.close()
