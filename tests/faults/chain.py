"""The processes of a delivery chain, each of which can be killed and started again."""

from __future__ import annotations

import contextlib
import re
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.faults.outcome import NOT_WHOLE, Comparison, Outcome, compare, contents, doubted, promised
from tests.servers import Child, mosquitto_in, wait_until

ROOT = Path(__file__).parents[2]
UNCLEAN = re.compile(r"Traceback|\bdamaged\b|corrupt|Warning:")
"""In the log of a process that was only killed and started."""
POLL_S = 0.05
STOP_S = 20.0
START_S = 60.0
"""For the first start of a process on a busy machine."""


class Process:
    """A part of the product, or a generator, as a child process with its log beside the data."""

    def __init__(self, name: str, folder: Path, command: list[str], *, env: dict[str, str] | None = None) -> None:
        self.name = name
        # Logs of the demo, in the same folder, have the names of its parts.
        self.log = folder / f"{name}.process.log"
        self.command = command
        self.env = env
        self.process: subprocess.Popen[bytes] | None = None
        self.died = 0

    def start(self, *more: str) -> None:
        """Start it; it is not awaited."""
        self.notice_death()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([*self.command, *more], stdout=log, stderr=log, cwd=ROOT, env=self.env)

    def notice_death(self) -> None:
        """Count an end that nobody asked for."""
        if self.process is not None and self.process.poll() is not None:
            self.died += 1

    def end(self, number: int = signal.SIGTERM) -> None:
        """Send a signal and wait for the end."""
        if self.process is None:
            return
        self.notice_death()
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            self.died += 1
        self.process = None

    def unclean(self) -> list[str]:
        """Return what the log says that it should not."""
        found = [line for line in self.text().splitlines() if UNCLEAN.search(line)]
        return found + [f"{self.name} ended by itself {self.died} times"] * bool(self.died)

    def text(self) -> str:
        """Return the log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Chain:
    """Broker, historian and a generating gateway around one folder.

    Args:
        folder: For everything.
        broker: A mosquitto.
        rate: Measurements a second.
        resend_after_s: Of the publisher.
        more: Lines for the end of the configuration.
        port: Where the gateway reaches the broker, if not directly.
        clock: A file that moves the wall clock of gateway and historian (`tests.faults.stepped`).
        tls: A folder with the authority's certificate, and those of ``faults`` and ``historian``.
        key: A file with the key of the receipts; without one they are not signed.
        keep_days: Of the historian.
        env: Of the historian's process.
        data: Folder of outbox and history, if not that for everything.
    """

    def __init__(
        self, folder: Path, broker: Child, *, rate: float = 300.0, resend_after_s: float = 30.0, more: str = "",
        port: int | None = None, outbox_mb: int = 512, journal: Path | None = None, clock: Path | None = None,
        tls: Path | None = None, key: Path | None = None, keep_days: int = 100_000, env: dict[str, str] | None = None,
        data: Path | None = None,
    ) -> None:  # fmt: skip
        self.folder = folder
        self.broker = broker
        self.data = data or folder
        self.history = self.data / "history.db"
        self.journal = journal or folder / "journal"
        self.runs = 0
        config = folder / "ward.toml"
        text = (
            f'[site]\nsite = "test"\ngateway = "faults"\ndata = "{self.data}"\n[outbox]\nmax_megabytes = {outbox_mb}\n'
            "[historian]\nkeep_days = %d\n%s%s[broker]\nembedded = false\nport = %d\n"
        )
        signed = f'receipt_key_file = "{key}"\n' if key else ""
        config.write_text(text % (keep_days, signed, more, broker.port) + credentials(tls, "historian"))
        near = folder / "gateway.toml"
        near.write_text(text % (keep_days, signed, "", port or broker.port) + credentials(tls, "faults"))
        self.config, self.near = config, near
        self.gateway = Process(
            "gateway",
            folder,
            module(
                "tests.faults.load", near, self.journal, "--rate", rate, "--resend-after", resend_after_s, clock=clock
            ),
        )
        self.historian = Process("historian", folder, module("gateway", "historian", config, clock=clock), env=env)
        self.watch = Watch(self.history)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.callback(self.historian.end)
            self.historian.start()
            # The broker keeps nothing for a historian that it has never met.
            wait_until(lambda: "connected" in self.historian.text(), START_S)
            self.start_gateway()
            wait_until(self.journal.exists, START_S)  # whoever is killed before has promised nothing
            self.watch.start()
            stack.pop_all()  # all is well: it ends with `__exit__`
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.watch.stop()
        self.gateway.end()
        self.historian.end()

    def start_gateway(self, *more: str) -> None:
        """Start the generator again, with content of its own."""
        self.runs += 1
        self.gateway.start(str(self.runs), *more)

    def promised(self) -> int:
        """Return how many measurements the outbox has promised."""
        return sum(promised(self.journal).values()) if self.journal.exists() else 0

    def known(self) -> int:
        """Return how many of them are stored, or known to be gaps, without a hole before them."""
        return known(self.history)

    def behind(self, promises: dict[str, int]) -> int:
        """Return how many of the promised numbers are not known yet, but for what a new life of the outbox moved."""
        try:
            with contextlib.closing(sqlite3.connect(f"{self.history.as_uri()}?mode=ro", uri=True, timeout=5)) as db:
                doubts = doubted(db)
        except sqlite3.Error:  # a damaged history was set aside just now, and another is being made
            return sum(promises.values())
        missing = 0
        for epoch, last in promises.items():
            gave, upto = doubts.get(epoch, (last, last))
            missing += max(0, (gave if gave < last <= upto else last) - known(self.history, epoch))
        return missing

    def stored(self) -> int:
        """Return how many measurements are stored."""
        return count(self.history)

    def newest(self) -> int:
        """Return the highest number among those that were stored last."""
        return _ask(
            self.history,
            "SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM measurements ORDER BY id DESC LIMIT 3000)",
        )

    def wait_until_quiet(self, timeout_s: float) -> float:
        """Stop making, wait until everything promised is stored, end all; return how long that took."""
        began = time.monotonic()
        promises = promised(self.journal)
        wait_for(lambda: not self.behind(promises), timeout_s)
        took = time.monotonic() - began
        self.watch.stop()
        self.gateway.end()
        # What was made until then is promised too.
        self.start_gateway("--most", "0")
        promises = promised(self.journal)
        wait_for(lambda: not self.behind(promises), timeout_s)
        self.gateway.end()
        self.historian.end()
        return took

    def result(self, outcome: Outcome, *others: Path, gaps_allowed: bool = False) -> Comparison:
        """Compare, and put what was found into the outcome; ``others`` are journals of other gateways."""
        journals = (self.journal, *others)
        found = compare(self.history, promised(*journals), contents(*journals))
        outcome.made += found.promised
        outcome.stored += found.stored
        outcome.lost += found.lost + (0 if gaps_allowed else found.declared)
        outcome.twice += found.twice
        outcome.silent += found.silent
        outcome.gap_s = max(outcome.gap_s or 0.0, self.watch.longest_s)
        if found.wrong:
            outcome.notes.append(f"{found.wrong} stored with other content than made")
        if not found.chain_is_whole:
            outcome.notes.append(NOT_WHOLE)
        if found.both:
            outcome.notes.append(f"{found.both} stored and told as a gap")
        for process in (self.gateway, self.historian):
            outcome.notes += process.unclean()[:3]
        return found


def module(name: str, *arguments: object, clock: Path | None = None) -> list[str]:
    """Return the command of a module, with a wall clock of its own if a file is given."""
    stepped = ["-m", "tests.faults.stepped", str(clock)] if clock else ["-m"]
    return [sys.executable, *stepped, name, *map(str, arguments)]


def credentials(tls: Path | None, name: str) -> str:
    """Return the lines of the broker's section for somebody with a certificate."""
    if tls is None:
        return ""
    return (
        f'host = "localhost"\nca_file = "{tls}/ca.pem"\ncert_file = "{tls}/{name}.pem"\nkey_file = "{tls}/{name}.key"\n'
    )


class Watch:
    """How long the history stood still at most, seen from outside."""

    def __init__(self, history: Path) -> None:
        self.longest_s = 0.0
        self._history = history
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        last, moved_at = -1, time.monotonic()
        while not self._stop.wait(POLL_S):
            now, at = count(self._history), time.monotonic()
            if now != last:
                if last >= 0:
                    self.longest_s = max(self.longest_s, at - moved_at)
                last, moved_at = now, at


def count(history: Path) -> int:
    """Return how many measurements a history holds; 0 while it cannot be read."""
    return _ask(history, "SELECT coalesce(sum(measurements), 0) FROM sessions")


def known(history: Path, epoch: str | None = None) -> int:
    """Return how far an epoch of a history goes without a hole, or all epochs together."""
    return _ask(history, "SELECT coalesce(sum(received), 0) FROM epochs WHERE ? IS NULL OR epoch = ?", (epoch, epoch))


def _ask(history: Path, question: str, values: tuple[str | None, ...] = ()) -> int:
    try:  # it may be set aside at any moment
        with contextlib.closing(sqlite3.connect(f"{history.as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            return int(db.execute(question, values).fetchone()[0])
    except (sqlite3.Error, UnicodeDecodeError):
        return 0


def wait_for(condition: Callable[[], object], timeout_s: float, *, poll_s: float = POLL_S) -> bool:
    """Poll a condition; False if it did not come true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(poll_s)
    return True


@contextlib.contextmanager
def chain_in(folder: Path, **options: object) -> Iterator[Chain]:
    """A chain around a mosquitto of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    with mosquitto_in(folder / "site-broker") as broker, Chain(folder, broker, **options) as chain:  # type: ignore[arg-type]
        yield chain
