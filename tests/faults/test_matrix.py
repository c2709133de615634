"""The quickest part of the fault matrix, and that it can see what it is for."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE

import pytest

from gateway.history.history import History
from gateway.model.row import Gap
from gateway.wire.payload import Message
from tests.faults import clocks, files, kills
from tests.faults.beds import doubled, excess
from tests.faults.chain import ROOT
from tests.faults.content import RUN_FACTOR, START_US, made
from tests.faults.matrix import ROWS
from tests.faults.outcome import compare
from tests.faults.stepped import move

SEED = 11
EPOCH = "0" * 16


def no_progress(_done: float) -> None:
    """Nobody watches."""


def test_content_follows_from_the_number_and_is_never_the_same() -> None:
    some = [made(run * RUN_FACTOR + n) for run in (1, 2) for n in range(500)]
    assert some == [made(run * RUN_FACTOR + n) for run in (1, 2) for n in range(500)]
    assert len({(m.session, m.slot, m.metric, m.end_us, m.value) for m in some}) == len(some)


def test_comparison_sees_what_is_lost_doubled_changed_and_told(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    history = History(path)
    first = RUN_FACTOR
    history.store([Message("g", EPOCH, measurements=[(seq, made(first + seq)) for seq in range(1, 8)])])
    history.store([Message("g", EPOCH, measurements=[(8, made(first + 7))])])  # the content of number 7 once more
    history.store([Message("g", EPOCH, gaps=[Gap(11, 12, "outbox full")])])
    history.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE measurements SET n = n + 1 WHERE seq = 3")
    found = compare(path, {EPOCH: 12})
    assert (found.promised, found.stored, found.lost, found.told, found.twice, found.wrong) == (12, 8, 2, 2, 1, 1)


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


def test_a_wall_clock_can_be_moved_and_the_others_stand(tmp_path: Path) -> None:
    clock, program = tmp_path / "clock", tmp_path / "told.py"
    program.write_text(
        "import time\nfor _ in range(2):\n    input()\n    print(time.time(), time.monotonic(), flush=True)\n"
    )
    move(clock, -3600.0)
    command = [sys.executable, "-m", "tests.faults.stepped", str(clock), "told"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True, env=environment, cwd=ROOT) as child:
        assert child.stdin
        assert child.stdout
        said = []
        for off_s in (-3600.0, 7200.0):
            move(clock, off_s)
            child.stdin.write("\n")
            child.stdin.flush()
            wall_s, monotonic_s = map(float, child.stdout.readline().split())
            said.append((round((time.time() - wall_s + off_s) / 60), round((time.monotonic() - monotonic_s) / 60)))
    assert said == [(0, 0), (0, 0)]


def test_an_event_that_is_told_twice_is_seen() -> None:
    one = replace(made(5), start_us=START_US, end_us=START_US)
    soon, later = (replace(one, start_us=START_US + us, end_us=START_US + us) for us in (60_000, 900_000))
    other = replace(soon, devices=("dot-9",))
    assert doubled([one, later, other]) == 0
    assert doubled([one, soon, later, other]) == 1
    assert (excess([one, one, soon], [one]), excess([one], [one, soon])) == (2, 0)


def test_rows_have_names_of_their_own() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)
