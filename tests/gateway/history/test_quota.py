"""What one gateway may add to a history is bounded, told once, and never at the cost of another."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.history.books import quota
from gateway.history.books.quota import QUOTAS, Quota
from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.model import wall_correction
from gateway.model.row import Gap
from gateway.model.wall_correction import Correction
from gateway.wire.payload import Message, Rejected
from tests.gateway.samples import START_US, measurement

DAY_S = 86_400.0


class Wall:
    now = START_US / 1e6

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def epoch(n: int) -> str:
    return f"{n:016x}"


def of_kind(kind: str, n: int, *, gateway: str = "bad") -> Message:
    """Return a message that adds one of a kind."""
    if kind == "epochs":
        return Message(gateway, epoch(n), 0, [(1, measurement(n))])
    if kind == "sessions":
        return Message(gateway, epoch(1), 0, [(n, replace(measurement(n), session=f"s-{n}"))])
    if kind == "series":
        return Message(gateway, epoch(1), 0, [(n, replace(measurement(n), metric=f"m-{n}"))])
    if kind == "corrections":
        correction = wall_correction.measurements(
            Correction(1, True), [(f"s-{n}", "p")], at_us=START_US, simulated=True
        )
        return Message(gateway, epoch(1), 0, [(n, correction[0])])
    if kind == "gaps":
        return Message(gateway, epoch(1), 0, gaps=[Gap(2 * n, 2 * n, "disk slow")])
    return Message(gateway, epoch(1), 0, rejected=[Rejected(n, "bad n", b"x" * 100)])


COUNTED = {"epochs": "epochs", "sessions": "sessions", "series": "series", "corrections": "clocks",
           "gaps": "gaps", "rejected": "rejected", "rejected bytes": "rejected"}  # fmt: skip


@pytest.mark.parametrize("kind", COUNTED)
def test_beyond_its_quota_a_gateway_is_refused_and_others_are_not(
    path: Path, kind: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    unit = 105 if kind == "rejected bytes" else 1
    monkeypatch.setitem(QUOTAS, kind, Quota(QUOTAS[kind].words, 10 * unit, 25 * unit))
    wall = Wall()
    history = History(path, now=wall)

    def count() -> int:
        with closing(sqlite3.connect(path)) as db:
            only = " WHERE gateway = 'bad'" if kind == "epochs" else ""
            return int(db.execute(f"SELECT count(*) FROM {COUNTED[kind]}{only}").fetchone()[0])  # noqa: S608

    caplog.set_level(logging.WARNING)
    made = 0
    for day, expected in enumerate((10, 20, 25, 25)):
        for _ in range(30):
            made += 1
            history.store([of_kind(kind, made)])
        assert count() == expected, day
        history.close()
        wall.now += DAY_S
        history = History(path, now=wall)  # what was used is not forgotten
    assert history.notices("bad")
    assert {(notice.code, notice.about) for notice in history.notices("bad")} == {("historian-quota", kind)}
    assert len([record for record in caplog.records if "too many" in record.message]) <= 4
    assert history.store([Message("good", epoch(5), 0, [(1, measurement(1))])]) == 1
    assert history.receipt("good", epoch(5)).stored == 1
    with closing(HistoryReader(path)) as reader:
        assert any(record.what == "quota" for record in reader.records("audit"))
    history.close()


def test_what_is_refused_gets_no_receipt_and_is_taken_when_there_is_room(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(QUOTAS, "series", Quota("kinds", 3))
    wall = Wall()
    history = History(path, now=wall)
    for n in range(1, 6):
        history.store([of_kind("series", n)])
    assert history.receipt("bad", epoch(1)).received == 3
    assert history.database.refusals.beyond_quota == {"series": 2}
    wall.now += DAY_S
    for n in range(1, 6):
        history.store([of_kind("series", n)])
    assert history.receipt("bad", epoch(1)).received == 5
    history.close()


def test_an_unknown_epoch_makes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUOTAS, "epochs", Quota("epochs", 1))
    history = History(path, now=Wall())
    history.store([of_kind("epochs", 1), of_kind("epochs", 2)])
    assert history.receipt("bad", epoch(2)).stored == 0
    assert history.epochs() == [("bad", epoch(1))]
    history.close()


def test_three_years_of_twenty_starts_a_day_fit() -> None:
    starts, beds, years = 20, 70, 3
    assert QUOTAS["sessions"].a_day >= starts * beds
    assert QUOTAS["sessions"].in_all >= years * 365 * starts * beds
    assert QUOTAS["series"].a_day >= starts * beds * 100
    assert QUOTAS["corrections"].a_day >= 2 * starts * beds
    assert QUOTAS["corrections"].in_all >= years * 365 * 2 * starts * beds
    assert QUOTAS["epochs"].a_day >= starts


def test_days_that_are_over_are_forgotten(path: Path) -> None:
    wall = Wall()
    for _ in range(30):
        history = History(path, now=wall)
        history.store([of_kind("sessions", int(wall.now / DAY_S))])
        history.close()
        wall.now += DAY_S
    with closing(sqlite3.connect(path)) as db:
        days = db.execute("SELECT count(DISTINCT day) FROM intake_used").fetchone()[0]
    assert days <= quota.KEPT_DAYS + 2
