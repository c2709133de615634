"""A history of years: taken on from an earlier version, opened, and left, in a moment; whatever ends in the middle."""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from config.settings import Settings
from gateway.broker.link import Link
from gateway.history.errors import HistoryError
from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.history.schema import SCHEMA_VERSION
from gateway.model.row import METRIC, Row
from gateway.outbox.outbox import encode
from gateway.upkeep.sweep import sweep_series
from gateway.wire.payload import Message, encode_measurements
from gateway.wire.topics import Topics
from tests.gateway.historian.test_historian import RUN, Quiet
from tests.gateway.history.summing import sum_anew
from tests.gateway.old_histories import make_version_1, make_version_2
from tests.gateway.samples import START_US, measurement, ward
from tests.servers import Child, wait_until

EPOCH = "0123456789abcdef"
TOPICS = Topics("demo", "gateway-1")
END_S = 5.0
"""A stop takes at most two seconds; the rest is for a machine that is busy with other tests."""
KILLED = """
import os, signal, sys
from pathlib import Path
from gateway.history.history import History
History(Path(sys.argv[1]), stopping=lambda: os.kill(os.getpid(), signal.SIGKILL))
"""


def version(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


@pytest.mark.parametrize("make", [make_version_1, make_version_2])
def test_a_file_of_an_earlier_version_has_everything_of_this_one(make: Callable[[Path], None], tmp_path: Path) -> None:
    old, new = tmp_path / "old.db", tmp_path / "new.db"
    make(old)
    for path in (old, new):
        History(path).close()
    with closing(sqlite3.connect(old)) as before, closing(sqlite3.connect(new)) as now:
        query = "SELECT type, name FROM sqlite_master ORDER BY 1, 2"
        assert before.execute(query).fetchall() == now.execute(query).fetchall()
        for (table,) in now.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')").fetchall():
            columns = f"PRAGMA table_info({table})"
            assert before.execute(columns).fetchall() == now.execute(columns).fetchall()


def test_rows_of_version_2_are_all_there_and_go_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "history.db"
    make_version_2(path, 500, start_us=START_US, sessions=5)
    history = History(path)
    assert "of version 2" in caplog.text
    assert f"version {SCHEMA_VERSION} after" in caplog.text
    assert history.receipt("g-1", EPOCH).stored == 500
    assert history.store([Message("g-1", EPOCH, 0, [(501, measurement(501)), (500, measurement(500))])]) == 1
    with closing(HistoryReader(path)) as reader:
        assert [row.seq for row in reader.stored()] == list(range(1, 502))
    history.close()


def test_taking_on_an_old_file_can_be_stopped_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    make_version_2(path, 4000, sessions=4000)
    with pytest.raises(HistoryError, match="stays of version 2"):
        History(path, stopping=lambda: True)
    assert version(path) == 2
    History(path).close()
    assert version(path) == SCHEMA_VERSION


def test_a_kill_while_an_old_file_is_taken_on_leaves_it_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    make_version_2(path, 4000, sessions=4000)
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert version(path) == 2
    history = History(path)
    with closing(HistoryReader(path)) as reader:
        assert len(reader.stored()) == 4000
    history.close()


def test_what_was_corrected_in_a_year_of_restarts_is_not_read_at_the_start(tmp_path: Path) -> None:
    """7,300 sessions with corrections: a receipt comes at once, and each session still has its corrections."""
    history = History(tmp_path / "history.db", copying=True)
    with history.database.transaction() as db:
        db.execute("INSERT INTO epochs VALUES (1, 'g-1', ?, 29200, 29200)", (EPOCH,))
        sessions = [(n, f"s-{n}") for n in range(7_300)]
        db.executemany("INSERT INTO clocks VALUES (1, ?, ?, 5, 1, 0)", [(4 * n + 1, s) for n, s in sessions])
        db.executemany("INSERT INTO clocks VALUES (1, ?, ?, 7, 1, 0)", [(4 * n + 3, s) for n, s in sessions])
        db.executemany(
            "INSERT INTO series VALUES (?, 'bay-1', ?, 'p', 'cadence', 'both', '1', 'a', '', '', 1, NULL)",
            [(40 * n + i + 1, f"{s}-{i}") for n, s in sessions for i in range(10)],
        )
        sum_anew(db)
    history.close()
    history = History(tmp_path / "history.db", copying=True)
    steps = _count_steps(history, lambda: history.store([Message("g-1", EPOCH, 0, [(30_000, measurement())])]))
    assert steps < 200  # of ten thousand instructions: looking for each session in all series took fifty thousand
    late = replace(measurement(1), session="s-77")  # its corrections have the numbers 309 and 311
    history.store([Message("g-1", EPOCH, 0, [(308, late), (310, late), (312, late)])])
    with closing(HistoryReader(tmp_path / "history.db")) as reader:
        assert {row.seq: row.moved_us for row in reader.stored(session="s-77")} == {308: 12, 310: 7, 312: 0}
    history.close()


def _count_steps(history: History, work: Callable[[], object]) -> int:
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with history.database.transaction() as db:
        db.set_progress_handler(count, 10_000)
    work()
    with history.database.transaction() as db:
        db.set_progress_handler(None, 0)
    return steps


def test_series_of_which_nothing_is_left_go_and_their_sessions_with_them(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    make_version_2(path, 6000, start_us=START_US, sessions=3000)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM measurements WHERE series % 3 = 0")  # as retention of version 2 left them
        db.commit()
    history = History(path)
    history.store([Message("g-1", EPOCH, 0, [(9001, replace(measurement(), session="s-3"))])])
    while sweep_series(history.database):
        pass
    with history.database.transaction() as db:
        assert db.execute("SELECT count(*) FROM series").fetchone()[0] == 2001
        assert db.execute("SELECT count(*) FROM sessions").fetchone()[0] == 2001
    assert history.store([Message("g-1", EPOCH, 0, [(9002, replace(measurement(1), session="s-6"))])]) == 1
    with closing(HistoryReader(path)) as reader:
        assert {row.measurement.session for row in reader.stored(after_id=5998)} == {"s-3", "s-6"}
    history.close()


def test_what_runs_in_the_history_can_be_ended(tmp_path: Path) -> None:
    history = History(tmp_path / "history.db")
    begun = threading.Event()

    def end() -> None:
        begun.wait()
        history.database.interrupt()

    ending = threading.Thread(target=end)
    ending.start()
    with history.database.transaction() as db:
        db.create_function("begun", 0, begun.set)

    def work_for_ever() -> None:
        with history.database.transaction() as db:
            db.execute("WITH RECURSIVE n (n) AS (SELECT begun() UNION ALL SELECT n + 1 FROM n) SELECT count(n) FROM n")

    with pytest.raises(sqlite3.OperationalError, match="interrupted"):
        work_for_ever()
    ending.join()
    assert history.store([Message("g-1", EPOCH, 0, list(enumerate(ward(5), 1)))]) == 5
    history.close()


@contextmanager
def running(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    """A historian in a process of its own, and one measurement on its way to it."""
    child = subprocess.Popen([sys.executable, "-c", RUN, settings.model_dump_json()], stderr=subprocess.PIPE)
    stranger = Link(settings.broker, client_id="stranger", handler=Quiet())
    stranger.start()
    wait_until(lambda: stranger.connected)
    payload = encode_measurements("gateway-1", EPOCH, 0, [Row(1, "bay-1", METRIC, encode(measurement(), 1))])
    with closing(HistoryReader(settings.site.data / "history.db")) as reader:

        def sent() -> bool:
            stranger.publish(1, TOPICS.measurements("bay-1"), payload, qos=1)
            time.sleep(0.05)
            return reader.count() > 0

        wait_until(sent, 30)
    try:
        yield child
    finally:
        stranger.stop()
        child.kill()
        child.communicate()


def ends(child: subprocess.Popen[bytes]) -> float:
    """Return seconds from SIGTERM to the end, which has to be in good order."""
    began = time.monotonic()
    child.send_signal(signal.SIGTERM)
    assert child.wait(60) == 0
    return time.monotonic() - began


def test_a_stop_does_not_wait_for_a_store_that_does_not_answer(tmp_path: Path, mosquitto: Child) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        store = {"kind": "influxdb2", "url": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        settings = Settings.model_validate({
            "site": {"data": tmp_path}, "broker": {"embedded": False, "port": mosquitto.port},
            "historian": {"store": store},
        })  # fmt: skip
        with running(settings) as child, silent.accept()[0]:  # it waits for an answer now
            assert ends(child) < END_S


def test_a_stop_does_not_wait_for_somebody_who_holds_the_history(tmp_path: Path, mosquitto: Child) -> None:
    settings = Settings.model_validate(
        {"site": {"data": tmp_path}, "broker": {"embedded": False, "port": mosquitto.port}}
    )
    with running(settings) as child, closing(sqlite3.connect(tmp_path / "history.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        time.sleep(1.5)  # its upkeep, at least, waits for the file now
        assert ends(child) < END_S
