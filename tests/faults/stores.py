"""Time-series stores that are killed, or that answer 204 to what they skip."""

from __future__ import annotations

import contextlib
import random
import re
import signal
import sqlite3
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import orjson

from tests.faults.chain import Chain, chain_in, wait_for
from tests.faults.kills import QUIET_WITHIN_S
from tests.faults.load import FUTURE_US, POISONED
from tests.faults.outcome import Outcome, Progress, promised, words
from tests.servers import Child, victoria_metrics_in

POISON_AMONG = 10_000
REPORTED_WITHIN_S = 30.0
"""Longest time until somebody is told that nothing is taken."""
WRITES = re.compile(r'^vm_http_requests_total\{path="[^"]*write"[^}]*\} (\d+)', re.MULTILINE)


def store_section(store: Child, hold_back_s: float) -> str:
    """Return the lines of the configuration for a VictoriaMetrics."""
    return (
        f'[historian.store]\nkind = "victoriametrics"\nurl = "http://127.0.0.1:{store.port}"\n'
        f"hold_back_s = {hold_back_s}\n"
    )


def in_store(port: int) -> dict[int, set[int]]:
    """Return what a VictoriaMetrics holds: number of the measurement → the times in milliseconds it is held under."""
    query = urllib.parse.urlencode({"match[]": '{__name__=~".+_value",site="test"}', "start": 0})
    found: dict[int, set[int]] = {}
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/export?{query}", timeout=60) as answer:
        for text in answer:
            series = orjson.loads(text)
            for at, value in zip(series["timestamps"], series["values"], strict=True):
                found.setdefault(int(value), set()).add(at)
    return found


def requests(port: int) -> int:
    """Return how many writes a VictoriaMetrics has answered."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        counted = WRITES.findall(answer.read().decode())
    return sum(map(int, counted))


def answered(port: int, more_than: int) -> bool:
    """Whether a VictoriaMetrics has answered more writes than that."""
    return requests(port) > more_than


def confirmed(chain: Chain) -> int:
    """Return how many measurements the remote store holds for good, or never will."""
    with contextlib.closing(sqlite3.connect(f"{chain.history.as_uri()}?mode=ro", uri=True)) as db:
        return int(db.execute("SELECT coalesce(sum(min(received, copied)), 0) FROM epochs").fetchone()[0])


def numbers_stored(chain: Chain) -> set[int]:
    """Return the numbers of the measurements in the history."""
    with contextlib.closing(sqlite3.connect(f"{chain.history.as_uri()}?mode=ro", uri=True)) as db:
        return {int(value) for (value,) in db.execute("SELECT value FROM measurements")}


def store_kills(folder: Path, *, kills: int, seed: int, hold_back_s: float, progress: Progress) -> Outcome:
    """Kill VictoriaMetrics within a second of an answer; every measurement must be in it when the receipts are out.

    The load writes several times a second, so any instant is within a second of an answer.
    """
    outcome = Outcome("VictoriaMetrics killed within 1 s of its answer")
    rng = random.Random(seed)
    folder.mkdir()
    with (
        victoria_metrics_in(folder / "store") as store,
        chain_in(folder / "chain", more=store_section(store, hold_back_s)) as chain,
    ):
        while outcome.times < kills:
            before = requests(store.port)
            wait_for(partial(answered, store.port, before + 2), 60)
            time.sleep(rng.random() * 0.9)
            store.end(signal.SIGKILL)
            time.sleep(rng.random())
            store.start()
            outcome.times += 1
            progress(outcome.times / kills)
        before_end = chain.promised()
        began = time.monotonic()
        if not wait_for(lambda: confirmed(chain) >= before_end, QUIET_WITHIN_S + 3 * hold_back_s):
            outcome.notes.append("the store did not get everything in time")
        outcome.recovery_s = time.monotonic() - began
        chain.watch.stop()
        chain.gateway.end()
        chain.start_gateway("--most", "0")
        last = chain.promised()
        wait_for(lambda: confirmed(chain) >= last, QUIET_WITHIN_S + 3 * hold_back_s)
        held = in_store(store.port)
        chain.wait_until_quiet(QUIET_WITHIN_S)
        chain.result(outcome)
        there = numbers_stored(chain)
        lost = len(there - held.keys())
        outcome.lost += lost
        outcome.silent += lost
        outcome.twice += sum(len(times) > 1 for times in held.values())
        again = chain.historian.text().count("writing again what it took")
        outcome.remark = f"in the store: {len(held)} of {len(there)}; hold-back {hold_back_s:.0f} s, {again} replays"
    return outcome


ODD = ("page", "missing", "refused", "redirect", "swallowed")
"""What answers at the address of a store that is wrong."""


class Odd(BaseHTTPRequestHandler):
    """Something else than a store: a page, no such page, a closed door, a way elsewhere, a yes to everything."""

    ANSWERS: ClassVar = {"page": 200, "missing": 404, "refused": 401, "redirect": 302, "swallowed": 204}
    how = "page"

    def answer(self) -> None:
        """Answer any request in the same way."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status = self.ANSWERS[self.how]
        page = b"" if status == 204 else b"<html><body>Welcome to the guest network</body></html>"
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        if status == 302:
            self.send_header("Location", "/welcome")
        self.end_headers()
        self.wfile.write(page)

    do_GET = do_POST = answer  # noqa: N815 - as the base class asks for them

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def something_else(port: int, how: str) -> Iterator[None]:
    """Answer on a port as something else than a store does."""
    server = ThreadingHTTPServer(("127.0.0.1", port), type("Odd", (Odd,), {"how": how}))
    thread = threading.Thread(target=server.serve_forever, name="odd", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def store_address(folder: Path, *, times: int, seed: int, hold_back_s: float, progress: Progress) -> Outcome:
    """Put something else at the store's address, and the store again: nothing is given up, and it is said."""
    outcome = Outcome("something else answers at the store's address")
    ways = random.Random(seed).sample(ODD, len(ODD))
    folder.mkdir()
    with (
        victoria_metrics_in(folder / "store") as store,
        chain_in(folder / "chain", more=store_section(store, hold_back_s), rate=100.0) as chain,
    ):
        while outcome.times < times:
            how = ways[outcome.times % len(ways)]
            wait_for(partial(answered, store.port, requests(store.port)), QUIET_WITHIN_S)
            store.end()
            began_us = time.time_ns() // 1000
            with something_else(store.port, how):
                before = confirmed(chain)
                refused = partial(words, chain.history, since_us=began_us, among=("store-refuses",))
                if not wait_for(refused, REPORTED_WITHIN_S):
                    outcome.notes.append(f"nobody said that the store is none ({how})")
                if chain.promised() - confirmed(chain) < confirmed(chain) - before:
                    outcome.notes.append(f"receipts went on without a store ({how})")
            store.start()
            last = chain.promised()
            mended = partial(wait_for, partial(has_confirmed, chain, last), QUIET_WITHIN_S + 3 * hold_back_s)
            outcome.end_round(mended, of=times, progress=progress)
        chain.watch.stop()
        chain.gateway.end()
        chain.start_gateway("--most", "0")
        last = chain.promised()
        wait_for(lambda: confirmed(chain) >= last, QUIET_WITHIN_S + 3 * hold_back_s)
        held = in_store(store.port)
        chain.wait_until_quiet(QUIET_WITHIN_S)
        chain.result(outcome)
        lost = len(numbers_stored(chain) - held.keys())
        outcome.lost += lost
        outcome.silent += lost
        outcome.twice += sum(len(times) > 1 for times in held.values())
        if dead := dead_letters(chain):
            outcome.notes.append(f"{len(dead)} given up for an address: {dead[0][2]}")
        outcome.remark = f"in the store: {len(held)}, none given up"
    return outcome


def has_confirmed(chain: Chain, last: int) -> bool:
    """Whether the remote store holds so many for good."""
    return confirmed(chain) >= last


def poison(folder: Path, *, how: str, seed: int, progress: Progress) -> Outcome:
    """Spoil one of ten thousand measurements; the others must be stored, and that one lie in the dead-letter table."""
    del seed
    outcome = Outcome(f"poisoned record ({how}) among {POISON_AMONG}", times=1)
    folder.mkdir()
    with (
        victoria_metrics_in(folder / "store") as store,
        chain_in(folder / "chain", more=store_section(store, 3.0), rate=0.0) as chain,
    ):
        chain.gateway.end()
        chain.start_gateway("--most", str(POISON_AMONG), "--rate", "4000", "--poison", how)
        began = time.monotonic()
        if not wait_for(lambda: confirmed(chain) >= POISON_AMONG, QUIET_WITHIN_S):
            outcome.notes.append(f"only {confirmed(chain)} confirmed")
        progress(0.9)
        outcome.recovery_s = time.monotonic() - began
        writes = requests(store.port)
        held = in_store(store.port)
        chain.watch.stop()
        chain.gateway.end()
        chain.historian.end()
        dead = dead_letters(chain)
        if len(dead) != 1 or dead[0][1] != POISONED + 1:
            outcome.notes.append(f"dead letters: {dead[:3]}")
        outcome.made = sum(promised(chain.journal).values())
        outcome.stored = len(held)
        outcome.lost = outcome.silent = POISON_AMONG - 1 - len(held)
        outcome.gap_s = chain.watch.longest_s
        if any(FUTURE_US // 1000 in times for times in held.values()):
            outcome.notes.append("the store holds the poisoned one")
        if writes > POISON_AMONG // 20:
            outcome.notes.append(f"a storm of {writes} writes")
        outcome.remark = f"1 dead letter ({dead[0][2] if dead else '-'}), {writes} writes"
    return outcome


def dead_letters(chain: Chain) -> list[tuple[str, int, str]]:
    """Return epoch, number and reason of what was set apart."""
    with contextlib.closing(sqlite3.connect(f"{chain.history.as_uri()}?mode=ro", uri=True)) as db:
        return db.execute("SELECT e.epoch, seq, reason FROM rejected JOIN epochs e ON e.id = rejected.epoch").fetchall()
