"""The quickest part of the fault matrix, and that it can see what it is for."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE

import pytest

from gateway.analysis.warm_up import warm_up
from gateway.history.history import History
from gateway.model.row import Gap
from gateway.wire.payload import Message
from tests.faults import clocks, files, hands, kills, malice, storms
from tests.faults.beds import doubled, excess
from tests.faults.chain import ROOT
from tests.faults.content import RUN_FACTOR, START_US, made
from tests.faults.matrix import ROWS
from tests.faults.outcome import Outcome, compare, contents, promised, words
from tests.faults.stepped import move

SEED = 11
EPOCH = "0" * 16


def no_progress(_done: float) -> None:
    """Nobody watches."""


def test_content_follows_from_the_number_and_is_never_the_same() -> None:
    some = [made(run * RUN_FACTOR + n) for run in (1, 2) for n in range(500)]
    assert some == [made(run * RUN_FACTOR + n) for run in (1, 2) for n in range(500)]
    assert len({(m.session, m.slot, m.metric, m.end_us, m.value) for m in some}) == len(some)


def test_comparison_sees_what_is_lost_doubled_changed_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    history = History(path)
    first = RUN_FACTOR
    history.store([Message("g", EPOCH, measurements=[(seq, made(first + seq)) for seq in range(1, 8)])])
    history.store([Message("g", EPOCH, measurements=[(8, made(first + 7))])])  # the content of number 7 once more
    history.store([Message("g", EPOCH, gaps=[Gap(11, 12, "outbox full")])])
    history.close()
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE measurements SET n = n + 1 WHERE seq = 3")
    found = compare(path, {EPOCH: 12})
    assert (found.promised, found.stored, found.lost, found.declared, found.twice, found.wrong) == (12, 8, 2, 2, 1, 1)


def test_what_is_gone_without_a_word_is_silent(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    history = History(path)
    first = RUN_FACTOR
    history.store([Message("g", EPOCH, measurements=[(seq, made(first + seq - 1)) for seq in range(1, 6)])])
    # Two numbers are there, and what they had stood for is not.
    history.store([Message("g", EPOCH, measurements=[(seq, made(2 * first + seq)) for seq in (6, 7)])])
    assert compare(path, {EPOCH: 7}, {1: 5, 2: 0}).silent == 0
    assert compare(path, {EPOCH: 7}, {1: 7, 2: 0}).silent == 2
    assert compare(path, {EPOCH: 9}, {1: 5}).silent == 2
    # A gap that the gateway decides on speaks for itself, one that a file made does not.
    history.store([Message("g", EPOCH, gaps=[Gap(8, 8, "outbox full")])])
    assert compare(path, {EPOCH: 8}, {1: 5}).silent == 0
    history.store([Message("g", EPOCH, gaps=[Gap(9, 9, "stored in a history that was removed")])])
    assert compare(path, {EPOCH: 9}, {1: 5}).silent == 1
    with history.own_records() as own:
        own.audit("history-changed")
    assert compare(path, {EPOCH: 9}, {1: 5}).silent == 0
    assert (words(path), words(path, among=["outbox-missing"])) == (1, 0)
    history.close()


def test_a_content_that_is_kept_as_a_conflict_is_not_silent(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    history = History(path)
    for run in (1, 2):
        history.store([Message("g", EPOCH, measurements=[(1, made(run * RUN_FACTOR))])])
    history.close()
    found = compare(path, {EPOCH: 1}, {1: 1, 2: 1})
    assert (found.stored, found.silent, found.kept_as_conflict) == (1, 0, 1)


def test_a_journal_tells_numbers_and_contents_and_a_torn_line_nothing(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text(f"{EPOCH} 5 1 4\n{EPOCH} 9 1 7\n{EPOCH} 3 2 0\n{EPOCH} 99 2 9")
    other.write_text(f"{EPOCH} 12 500 6\n")
    assert promised(one) == {EPOCH: 9}
    assert promised(one, other) == {EPOCH: 12}
    assert contents(one, other) == {1: 7, 2: 0, 500: 6}


def test_a_round_that_does_not_go_on_is_noted() -> None:
    outcome, shares = Outcome("some"), list[float]()
    outcome.end_round(lambda: True, of=4, progress=shares.append, by=2)
    assert outcome.good
    outcome.end_round(lambda: False, of=4, progress=shares.append)
    assert (outcome.times, outcome.notes, shares) == (3, ["did not go on after 3"], [0.5, 0.75])
    assert not Outcome("other", silent=1).good


@pytest.mark.broker
@pytest.mark.parametrize("row", [hands.restored_outbox, hands.deleted_files, malice.forged_receipts])
def test_what_hands_and_strangers_do_is_reported(tmp_path: Path, row: Callable[..., Outcome]) -> None:
    outcome = row(tmp_path / "row", times=2, seed=SEED, progress=no_progress)
    assert outcome.made > 0
    assert outcome.good, outcome


@pytest.mark.broker
def test_kills_at_random_lose_and_double_nothing(tmp_path: Path) -> None:
    outcome = kills.random_kills(tmp_path / "kills", kills=6, seed=SEED, progress=no_progress)
    assert outcome.made > 0
    assert outcome.good, outcome


@pytest.mark.broker
def test_rotten_outbox_is_got_over(tmp_path: Path) -> None:
    outcome = files.corrupt(tmp_path / "rot", what="outbox", times=2, seed=SEED, progress=no_progress)
    assert outcome.made > 0
    assert outcome.good, outcome


@pytest.mark.broker
def test_a_clock_that_is_set_loses_and_doubles_nothing(tmp_path: Path) -> None:
    outcome = clocks.delivery(tmp_path / "clock", times=2, seed=SEED, progress=no_progress)
    assert outcome.made > 0
    assert outcome.good, outcome


@pytest.mark.broker
@pytest.mark.timeout(600)
def test_whatever_goes_wrong_with_devices_they_come_back_and_what_was_lost_is_counted(tmp_path: Path) -> None:
    warm_up()  # the loop serves the simulators too
    few = tuple(replace(kind, count=min(2, kind.count)) for kind in storms.WARD)
    outcome = storms.device_storm(
        tmp_path / "storm",
        seconds=30.0,
        seed=SEED,
        progress=no_progress,
        worn=few,
        back_within_s=60.0,
        at_a_reset=600,
        at_the_end=300,
    )
    assert outcome.times >= 10
    assert outcome.notes == []


def test_a_wall_clock_can_be_moved_and_the_others_stand(tmp_path: Path) -> None:
    clock, program = tmp_path / "clock", tmp_path / "shown.py"
    program.write_text(
        "import time\nfor _ in range(2):\n    input()\n    print(time.time(), time.monotonic(), flush=True)\n"
    )
    move(clock, -3600.0)
    command = [sys.executable, "-m", "tests.faults.stepped", str(clock), "shown"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True, env=environment, cwd=ROOT) as child:
        assert child.stdin
        assert child.stdout
        shown = []
        for off_s in (-3600.0, 7200.0):
            move(clock, off_s)
            child.stdin.write("\n")
            child.stdin.flush()
            wall_s, monotonic_s = map(float, child.stdout.readline().split())
            shown.append((round((time.time() - wall_s + off_s) / 60), round((time.monotonic() - monotonic_s) / 60)))
    assert shown == [(0, 0), (0, 0)]


def test_an_event_that_is_reported_twice_is_seen() -> None:
    one = replace(made(5), start_us=START_US, end_us=START_US)
    soon, later = (replace(one, start_us=START_US + us, end_us=START_US + us) for us in (60_000, 900_000))
    other = replace(soon, devices=("dot-9",))
    assert doubled([one, later, other]) == 0
    assert doubled([one, soon, later, other]) == 1
    posture = replace(one, metric="posture")
    assert doubled([posture, replace(posture, quality="degraded")]) == 0, "more is known of it"
    moved = replace(soon, metric="posture")
    assert doubled([moved, posture]) == 0, "the sensor that saw it first was heard later"
    assert doubled([posture, moved]) == 1, "it is no news"
    assert doubled([posture, posture]) == doubled([one, replace(one, quality="degraded")]) == 1
    assert (excess([one, one, soon], [one]), excess([one], [one, soon])) == (2, 0)


def test_rows_have_names_of_their_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
