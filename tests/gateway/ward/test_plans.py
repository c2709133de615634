"""What is planned for somebody: in the registry, for the history, and for nobody who comes later."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.results.plans import PlanInTime, plan_at, plans_of
from gateway.ward.published import published
from gateway.ward.refusals import RefusedError
from tests.gateway.history.ward_gateway import Gateway, us

WHO = "p-wrong"


def test_a_plan_reaches_the_history_and_ends_with_the_stay(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    gateway.do(10, "plan", subject=WHO, bands="stroke-chronic")
    gateway.do(20, "plan", subject=WHO, sessions_a_week=5)
    assert published(gateway.registry.state)["subjects"][0]["bands"] == "stroke-chronic"
    gateway.do(30, "plan", subject=WHO, bands="none")
    gateway.do(40, "discharge", subject=WHO)
    gateway.do(50, "admit", subject=WHO, bed="bay-1")
    history = History(tmp_path / "history.db")
    gateway.send(history)
    history.close()
    reader = HistoryReader(tmp_path / "history.db")
    plans = plans_of(reader, WHO)
    assert plans == [
        PlanInTime(us(10), "stroke-chronic", 0), PlanInTime(us(20), "stroke-chronic", 5), PlanInTime(us(30), "", 5),
        PlanInTime(us(40), "", 0),
    ]  # fmt: skip
    assert plan_at(plans, us(25)).sessions_a_week == 5
    assert plan_at(plans, us(5)) == PlanInTime(0, "", 0)
    stays = reader.rows("SELECT from_us FROM subjects_in_time ORDER BY 1", ())
    assert len(stays) == 2, "a plan is no other stay"
    reader.close()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"subject": WHO}, "nothing is said"),
        ({"subject": "p-2", "bands": "x"}, "p-2"),
        ({"subject": WHO, "sessions_a_week": 51}, "50"),
        ({"subject": WHO, "bands": "Not An Id"}, "bands"),
    ],
)
def test_what_cannot_be_planned_is_refused(tmp_path: Path, fields: dict[str, object], words: str) -> None:
    gateway = Gateway(tmp_path)
    with pytest.raises(RefusedError, match=words):
        gateway.do(10, "plan", **fields)


def test_a_history_from_before_gets_the_table_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    history = History(path)
    with history.database.transaction() as db:
        db.execute("DROP TABLE ward_plans")
    history.close()
    reader = HistoryReader(path)
    assert plans_of(reader, WHO) == []
    reader.close()
    History(path).close()
    reader = HistoryReader(path)
    assert reader.rows("SELECT count(*) FROM ward_plans", ()) == [(0,)]
    reader.close()
