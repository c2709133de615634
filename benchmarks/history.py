"""Three years of a ward of twenty: what the history costs at the start, while it stores, and when it is asked.

``benchmarks.ward_years`` makes the file: sessions, series, corrections and minute values of three years, and the rows
of the last days (those of a year would take 11 GB more, and say the same: everything here is found by index).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import orjson
import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from benchmarks.entry import Entry
from benchmarks.ward_years import DAY_US, EPOCH, GATEWAY, METRICS, MINUTE_US, MORNING_US, Ward, write
from config.settings import Settings
from gateway.broker.door import FOLDER, SOCKET
from gateway.broker.embedded import EmbeddedBroker
from gateway.history.history import History
from gateway.history.reader import HistoryReader
from gateway.model.measurement import Measurement
from gateway.model.row import METRIC, Row
from gateway.outbox.outbox import encode
from gateway.results import page
from gateway.results.report import Wanted, make_report
from gateway.results.trend import Window, make_trend
from gateway.upkeep.believed_time import SETTLED_S, BelievedTime
from gateway.upkeep.upkeep import Upkeep
from gateway.wire.payload import Message, encode_measurements
from gateway.wire.receipt import Receipt
from gateway.wire.topics import Topics

DAYS, RAW_DAYS, BEDS = 1095, 10, 20
ROUNDS = 15
STORED_A_SECOND = 300
"""Of a ward of twenty while everybody walks."""
RUN = (
    "import asyncio, sys; from config.settings import Settings; from gateway.historian.historian import run_historian;"
    "asyncio.run(run_historian(Settings.model_validate_json(sys.argv[1])))"
)


def measured(number: int, end_us: int) -> Measurement:
    """Return a measurement of a session that goes on."""
    return Measurement(
        METRICS[1], 95.0, "1", "left", end_us - 10_000_000, end_us, 2.5, 7, 0, "ok", "", "a/1", ("dot-1",),
        ("left_foot",), f"bay-{number % BEDS}", f"bay-{number % BEDS}-{DAYS - 1}",
        f"p-{number % BEDS}", True,
    )  # fmt: skip


def sizes(path: Path) -> list[Entry]:
    """Return what a row and a minute value take, and what that is in a year."""
    with closing(sqlite3.connect(path)) as db:
        names = "'measurements', 'measurements_by_time', 'sqlite_autoindex_measurements_1'"
        page_bytes = db.execute("PRAGMA page_size").fetchone()[0] / 1e9
        rows, minutes = db.execute(
            "SELECT (SELECT count(*) FROM measurements), (SELECT count(*) FROM minutes)"
        ).fetchone()
        sized = {}
        for what, tables in (("raw", names), ("minutes", "'minutes'")):
            pages = db.execute(f"SELECT count(*) FROM dbstat WHERE name IN ({tables})").fetchone()[0]  # noqa: S608 - ours
            sized[what] = pages * page_bytes
    ward = Ward(BEDS, DAYS, RAW_DAYS, 0)
    return [
        Entry("history: a year of rows", sized["raw"] / rows * ward.rows_a_day * 365, "GB"),
        Entry("history: a year of minute values, for ever", sized["minutes"] / (DAYS - RAW_DAYS) * 365, "GB", 3.0),
        Entry("history: rows of a minute value", rows / RAW_DAYS / (minutes / (DAYS - RAW_DAYS)), ""),
    ]


def trends(path: Path, end_us: int) -> list[Entry]:
    """Return how long the reader takes for ten minutes, a day, and three years of one metric of one bed."""
    found = []
    walk_us = end_us - DAY_US + MORNING_US
    spans = {
        "10 minutes": (walk_us, walk_us + 10 * MINUTE_US, 100.0),
        "a day": (end_us - DAY_US, end_us, 100.0),
        "three years": (end_us - DAYS * DAY_US, end_us, None),
    }
    for name, (from_us, to_us, goal) in spans.items():
        took = []
        for each in range(ROUNDS):
            with closing(HistoryReader(path)) as reader:
                slot, began = f"bay-{each % BEDS}", time.perf_counter()
                buckets = reader.trend(METRICS[1], slot=slot, side="left", from_us=from_us, to_us=to_us)
                took.append((time.perf_counter() - began) * 1000)
                assert buckets, name
        found.append(Entry(f"history: trend of {name}, worst of {ROUNDS}", max(took), "ms", goal))
    took = []
    for each in range(ROUNDS):
        with closing(HistoryReader(path)) as reader:
            began = time.perf_counter()
            points = reader.series(
                f"bay-{each % BEDS}", METRICS[1], "left", from_us=walk_us, to_us=walk_us + 600_000_000
            )
            took.append((time.perf_counter() - began) * 1000)
            assert points
    return [*found, Entry("history: rows of 10 minutes, worst", max(took), "ms", 100.0)]


def pages(path: Path, end_us: int) -> list[Entry]:
    """Return how long the data of a patient's trend over three years take, and the report of a session."""
    found = []
    wanted = Window(end_us - DAYS * DAY_US, end_us, METRICS[5])
    asked: dict[str, tuple[float | None, Callable[[HistoryReader, int], object]]] = {
        "trend of three years with milestones and weeks": (
            300.0, lambda reader, bed: orjson.dumps(make_trend(reader, f"p-{bed}", wanted)),
        ),
        "report of a session as a page": (
            300.0,
            lambda reader, bed: page.render(
                make_report(reader, Wanted(f"bay-{bed}-{DAYS - 1}"), {}, now_us=end_us), head=""
            ),
        ),
    }  # fmt: skip
    for name, (goal, ask) in asked.items():
        took = []
        for each in range(ROUNDS):
            with closing(HistoryReader(path)) as reader:
                began = time.perf_counter()
                assert ask(reader, each % BEDS)
                took.append((time.perf_counter() - began) * 1000)
        found.append(Entry(f"history: {name}, worst of {ROUNDS}", max(took), "ms", goal))
    return found


def retention(path: Path, end_us: int) -> list[Entry]:
    """Return how fast rows of half of the days go while others are stored, and how late these are."""
    ahead_s = (end_us / 1e6) - time.time()
    history = History(path)
    passed_s = 0.0
    clock = BelievedTime(now=lambda: time.time() + ahead_s + passed_s, monotonic=lambda: time.monotonic() + passed_s)
    passed_s = SETTLED_S + 1
    upkeep = Upkeep(history.database, keep_days=RAW_DAYS // 2, share=1.0, clock=clock)
    rolled = _roll_up(history, upkeep)
    with history.database.transaction() as db:
        due = upkeep.retention.confirm(db)["rows"]
    before = _rows(history)
    waits: list[float] = []
    stop = threading.Event()

    def store() -> None:
        seq = 10**9
        while not stop.is_set():
            made = [(seq + i, measured(i, end_us)) for i in range(STORED_A_SECOND // 5)]
            began = time.perf_counter()
            history.store([Message(GATEWAY, EPOCH, 0, made)])
            waits.append(time.perf_counter() - began)
            seq += len(made)
            stop.wait(0.2)

    storing = threading.Thread(target=store)
    storing.start()
    began = time.perf_counter()
    while _oldest(history) <= before[0] + due - 1:
        upkeep.step()
        time.sleep(0.002)  # as the upkeep's own thread does
    took_s = time.perf_counter() - began
    stop.set()
    storing.join()
    history.close()
    return [
        Entry("history: rows rolled up", rolled, "rows/s"),
        Entry("history: retention beside storing", due / took_s, "rows/s", 50_000.0, above=True),
        Entry("history: slowest commit of new rows meanwhile", max(waits) * 1000, "ms", 1_000.0),
        Entry("history: median commit of new rows meanwhile", statistics.median(waits) * 1000, "ms"),
    ]


def _roll_up(history: History, upkeep: Upkeep) -> float:
    """Make the minute values of all rows; return rows a second."""
    n, began = _rows(history)[1] - _rows(history)[0], time.perf_counter()
    while True:
        with history.database.transaction() as db:
            rolled, newest = db.execute("SELECT rolled_id, (SELECT max(id) FROM measurements) FROM upkeep").fetchone()
        if rolled >= newest:
            return n / (time.perf_counter() - began)
        upkeep.step()


def _rows(history: History) -> tuple[int, int]:
    with history.database.transaction() as db:
        found = db.execute(
            "SELECT (SELECT min(id) FROM measurements), (SELECT max(id) FROM measurements)"
        ).fetchone()  # fmt: skip
    return int(found[0]), int(found[1])


def _oldest(history: History) -> int:
    return _rows(history)[0]


class Asker:
    """Publishes a measurement and waits for its receipt."""

    def __init__(self, socket: Path) -> None:
        self.upto = 0
        self.changed = threading.Condition()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5, transport="unix")
        self.client.on_message = self._heard
        self.client.connect(str(socket))
        self.client.subscribe(Topics("demo", GATEWAY).stored, 1)
        self.client.loop_start()

    def receipt_after(self, seq: int, deadline_s: float) -> float:
        """Send number ``seq``; return seconds until its receipt."""
        made = replace(measured(0, time.time_ns() // 1000), slot="bay-0")
        payload = encode_measurements(GATEWAY, EPOCH, 0, [Row(seq, "bay-0", METRIC, encode(made, seq))])
        began = time.perf_counter()
        self.client.publish(Topics("demo", GATEWAY).measurements("bay-0"), payload, 1)
        with self.changed:
            assert self.changed.wait_for(lambda: self.upto >= seq, deadline_s), "no receipt"
        return time.perf_counter() - began

    def _heard(self, client: mqtt.Client, userdata: object, message: mqtt.MQTTMessage) -> None:
        del client, userdata
        with self.changed:
            self.upto = Receipt.decode(bytes(message.payload)).stored
            self.changed.notify_all()


async def processes(folder: Path) -> list[Entry]:
    """Return how long a historian's process takes to begin, to answer, and to end, with this history."""
    broker = EmbeddedBroker(folder / FOLDER, kind="mosquitto")
    broker.start()
    await broker.ready()
    settings = Settings.model_validate({"site": {"data": folder, "gateway": GATEWAY}})
    with closing(HistoryReader(folder / "history.db")) as reader:
        last = max(row.seq for row in reader.stored(after_id=_newest(folder / "history.db") - 10))
    asker = await asyncio.to_thread(Asker, folder / FOLDER / SOCKET)
    begins, receipts, ends = [], [], []
    try:
        for number in range(3):
            began = time.perf_counter()
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", RUN, settings.model_dump_json(), stderr=asyncio.subprocess.DEVNULL
            )
            asker.upto = 0
            await asyncio.to_thread(_wait_for, asker)
            begins.append(time.perf_counter() - began)
            receipts.append(await asyncio.to_thread(asker.receipt_after, last + 1 + number, 60.0))
            began = time.perf_counter()
            child.send_signal(signal.SIGTERM)  # in the middle of reading the whole file
            await child.wait()
            ends.append(time.perf_counter() - began)
    finally:
        asker.client.loop_stop()
        await broker.stop()
    return [
        Entry("history: a historian's start, imports and all, until its first receipts", max(begins), "s", 2.0),
        Entry("history: receipt of the first message after the start", max(receipts), "s", 1.0),
        Entry("history: end of a historian after SIGTERM", max(ends), "s", 2.0),
    ]


def _wait_for(asker: Asker) -> None:
    with asker.changed:
        assert asker.changed.wait_for(lambda: asker.upto > 0, 60), "no historian"


def _newest(path: Path) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute("SELECT max(id) FROM measurements").fetchone()[0])


def entries(folder: Path | None = None) -> list[Entry]:
    """Measure; ``folder`` may hold a ``history.db`` of before, which is used up."""
    with tempfile.TemporaryDirectory() as own:
        folder = folder or Path(own)
        path = folder / "history.db"
        end_us = time.time_ns() // 1000 // DAY_US * DAY_US
        if not path.exists():
            made = write(path, Ward(BEDS, DAYS, RAW_DAYS, end_us))
            print(", ".join(f"{n:,} {table}" for table, n in made.items()), flush=True)
        size = os.path.getsize(path) / 1e9  # noqa: PTH202 - a number
        found = [Entry("history: the file", size, "GB"), *sizes(path), *asyncio.run(processes(folder))]
        return [*found, *trends(path, end_us), *pages(path, end_us), *retention(path, end_us)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history", description=__doc__)
    parser.add_argument("--folder", type=Path, help="keep the file there, or use the one that is there up")
    for entry in entries(parser.parse_args().folder):
        print(f"{entry.name:75} {entry.value:12,.3f} {entry.unit}  {'' if entry.ok else 'MISSED'}")
