"""Changes that come as commands: nobody waits for a compiler, and nobody can fill the audit."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from config.pseudonym import check_digit
from config.settings import Settings, Slot
from gateway.audit.audit import Audit
from gateway.model.row import AUDIT
from gateway.model.ward import Ward
from gateway.outbox.facts import read_fact
from gateway.outbox.outbox import Outbox
from gateway.run.ward_commands import DAY_US, MOST_CHANGES, WITHIN_S, WardCommands
from gateway.ward.kept_ward import KeptWard
from gateway.ward.refusals import RefusedError
from gateway.ward.remembered import FACT
from tests.gateway.ward.test_changes import NOW_US
from tests.gateway.ward.test_kept_ward import configured


def wait_for(there: Callable[[], object], timeout_s: float = 10.0) -> None:
    until = time.monotonic() + timeout_s
    while not there() and time.monotonic() < until:
        time.sleep(0.01)


class Desk:
    """Commands, and what came of them."""

    def __init__(self, settings: Settings, outbox: Outbox) -> None:
        self.now, self.now_us = 0.0, NOW_US
        self.put_in: list[Ward] = []
        self.order: list[object] = []
        self.ward = KeptWard(settings, at_us=NOW_US)
        self.commands = WardCommands(
            settings, self.ward, Audit(outbox, settings), outbox, now_us=lambda: self.now_us,
            prepare=lambda names: self.order.append(set(names)), put_in=self._put_in,
            answer=lambda name, fields, by: {"answered": name, "by": by, **fields},
            other=lambda name, payload: {"name": name, **payload}, monotonic=lambda: self.now,
        )  # fmt: skip

    def _put_in(self, ward: Ward) -> None:
        self.put_in.append(ward)
        self.order.append("ward")

    def do(self, name: str, **fields: Any) -> dict[str, Any]:
        return self.commands.command(name, fields)

    def subjects(self) -> list[list[str]]:
        return [[bed.slot.subject for bed in ward] for ward in self.put_in]


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    made = Outbox(tmp_path / "outbox.db")
    yield made
    made.close()


@pytest.fixture
def desk(tmp_path: Path, outbox: Outbox) -> Iterator[Desk]:
    settings = configured(tmp_path, "p-1")
    strap = (
        settings.slot[0]
        .device[0]
        .model_copy(
            update={"id": "strap", "driver": "heart_rate", "placement": "chest", "address": "02:48:52:00:01:00"}
        )
    )
    slots = [Slot(id=f"bay-{n}", subject=f"p-{n}", device=[strap] if n == 1 else []) for n in (1, 2)]
    made = Desk(settings.model_copy(update={"slot": slots}), outbox)
    yield made
    made.commands.close()
    made.ward.close()


def test_who_needs_kernels_is_let_in_at_once_and_has_them_prepared_first(desk: Desk) -> None:
    device = {"id": "dot", "driver": "movella_dot", "placement": "left_foot", "address": "D4:22:CD:00:00:01"}
    desk.do("add-device", device=device)
    desk.do("assign", device="dot", bed="bay-2", placement="left_foot")
    desk.do("discharge", subject="p-1")
    assert desk.subjects() == [["p-1", "p-2"], ["p-1", "p-2"], ["p-2"]]
    heart, foot = ({"device clocks", "axes", "smoothness", "posture"} | other for other in (set(), {"feet"}))
    assert desk.order == [heart, "ward", foot, "ward", foot, "ward"]


def test_so_many_changes_and_no_more(desk: Desk) -> None:
    for n in range(MOST_CHANGES):
        with pytest.raises(RefusedError):
            desk.do("discharge", subject=f"nobody-{n}")
    with pytest.raises(ValueError, match="wait a little"):
        desk.do("discharge", subject="p-1")
    desk.now += WITHIN_S
    assert desk.do("discharge", subject="p-1")["change"] == "discharge"


@pytest.mark.parametrize("by", [7, "x" * 101, "a\nb", f"943476591{check_digit('943476591')}"])
def test_who_asks_is_a_name(desk: Desk, by: object) -> None:
    with pytest.raises(ValueError, match="'by' is the name"):
        desk.do("discharge", subject="p-1", by=by)
    assert desk.put_in == []


def test_what_is_no_change_is_for_others(desk: Desk) -> None:
    assert desk.do("watch", device="dot") == {"name": "watch", "device": "dot"}


def words(outbox: Outbox) -> list[dict[str, Any]]:
    outbox.flush()
    found = [orjson.loads(row.payload) for row in outbox.read(0, 1000) if row.rank == AUDIT]
    return [one for one in found if one["kind"] == "ward"]


def test_what_the_history_has_to_know_goes_to_the_outbox_and_then_only_is_forgotten(
    desk: Desk, outbox: Outbox, tmp_path: Path
) -> None:
    desk.commands.publish_ward()
    outbox.flush()
    before = len(words(outbox))
    session = desk.do("session-start", subject="p-1", protocol="10mwt")["session"]
    desk.do("session-end", session=session)
    answer = desk.do("session-correct", session=session, subject="p-9", by="anna")
    assert (answer["change"], answer["session"]) == ("session-correct", session)
    new = words(outbox)[before:]
    assert [one["what"] for one in new] == ["session", "part", "session", "session", "correction"]
    assert (new[-2]["subject"], new[-2]["made_subject"]) == ("p-9", "p-1")
    assert (new[-1]["by"], new[-1]["subject_before"], new[-1]["subject"]) == ("anna", "p-1", "p-9")
    desk.commands.publish_ward()
    desk.commands.close()
    desk.ward.close()
    with closing(sqlite3.connect(tmp_path / "ward.db")) as db:
        assert db.execute("SELECT count(*) FROM words").fetchone() == (0,)


def test_words_that_a_kill_kept_from_the_outbox_are_reported_at_the_next_start(
    desk: Desk, outbox: Outbox, tmp_path: Path
) -> None:
    """The registry has a change; the process ends before the outbox has its words on disk."""
    desk.commands.publish_ward()
    known = len(words(outbox))
    desk.ward.change("discharge", {"subject": "p-1"}, at_us=NOW_US, by="anna", source="test")
    assert len(words(outbox)) == known
    desk.commands.close()
    assert [one["what"] for one in words(outbox)[known:]] == ["subject", "placement"]


def test_what_people_enter_goes_to_the_outbox_as_measurements_and_is_audited_with_their_name(
    desk: Desk, outbox: Outbox
) -> None:
    session = desk.do("session-start", subject="p-1", protocol="tug")["session"]
    desk.do("session-end", session=session)
    desk.do("session-report", session=session, values={"pain_nrs": 3}, by="anna")
    outbox.flush()
    rows = [orjson.loads(row.payload) for row in outbox.read(0, 1000) if row.rank != AUDIT]
    assert [(m["metric"], m["value"], m["algorithm"], m["subject"], m["session"]) for m in rows] == [
        ("pain_nrs", 3.0, "reported/1", "p-1", session)
    ]
    assert [entry.by for entry in desk.ward.untold() if entry.name == "session-report"] == ["anna"]


def test_answers_to_notices_go_to_who_takes_them_with_the_name_and_change_nothing_of_the_ward(desk: Desk) -> None:
    answered = desk.do("notice-acknowledge", notice="link-lost/dot-1", by="anna")
    assert answered == {"answered": "notice-acknowledge", "by": "anna", "notice": "link-lost/dot-1"}
    assert desk.order == []
    with pytest.raises(ValueError, match="'by'"):
        desk.do("notice-acknowledge", notice="link-lost/dot-1", by=7)


@pytest.mark.parametrize(
    ("days", "told"), [(0.9, []), (400, ["clock-set-back"]), (-400, []), (NOW_US / DAY_US - 1, [])]
)
def test_a_clock_that_was_set_back_since_the_last_run_is_told(
    desk: Desk, outbox: Outbox, days: float, told: list[str]
) -> None:
    desk.ward.starts(NOW_US)
    desk.now_us = NOW_US - round(days * DAY_US)
    desk.ward.starts(desk.now_us)
    desk.commands.publish_ward()
    desk.commands.publish_ward()
    assert [incident.what for incident in outbox.incidents.shown()] == told


def test_a_ward_that_was_removed_is_as_the_outbox_remembers_it_and_that_is_told(desk: Desk, outbox: Outbox) -> None:
    desk.do("discharge", subject="p-1")
    desk.do("admit", subject="p-7", bed="bay-1")
    wait_for(lambda: "p-7" in read_fact(outbox.path, FACT))
    settings = configured(desk.ward.path.parent, "p-1")
    desk.ward.close()
    desk.ward.path.unlink()
    again = Desk(settings, outbox)
    again.commands.publish_ward()
    again.commands.publish_ward()
    assert sorted(bed.slot.subject for bed in again.ward.state.in_force()) == ["p-2", "p-7"]
    assert [incident.what for incident in outbox.incidents.shown()] == ["ward-restored"]
    again.ward.close()


async def test_a_ward_that_goes_under_the_gateway_is_there_again_and_that_is_told(desk: Desk, outbox: Outbox) -> None:
    desk.ward.path.unlink()
    looking = asyncio.create_task(desk.commands.look_after())
    await asyncio.to_thread(wait_for, outbox.incidents.shown)
    looking.cancel()
    assert [incident.what for incident in outbox.incidents.shown()] == ["ward-removed"]
    assert desk.ward.path.exists()
