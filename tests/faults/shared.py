"""Several historians share what gateways send, write into one store, and die at random instants."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.faults.chain import Process, wait_for
from tests.faults.content import made
from tests.faults.kills import PAUSE_S, QUIET_WITHIN_S
from tests.faults.outcome import FIELDS, Outcome, Progress, promised
from tests.faults.stores import in_store, store_section
from tests.servers import PASSWORD, Child, mosquitto_in, postgresql, victoria_metrics_in, wait_until

Kind = Literal["victoriametrics", "postgresql"]

RATE = 300.0
"""Measurements a second of all gateways together."""
START_S = 120.0
"""Until each of many gateways has made something, on a machine that has other things to do."""
RESEND_AFTER_S = 5.0


@dataclass(frozen=True, slots=True)
class Remote:
    """The store that all write into.

    Attributes:
        name: What it is called.
        section: Lines of the configuration.
        held: Returns how often it holds each number of a measurement.
    """

    name: str
    section: str
    held: Callable[[], dict[int, int]]


@contextlib.contextmanager
def remote_in(folder: Path, kind: Kind, hold_back_s: float) -> Iterator[Remote]:
    """A real store with nothing in it."""
    if kind == "victoriametrics":
        with victoria_metrics_in(folder / "store") as store:
            yield Remote(
                "VictoriaMetrics", store_section(store, hold_back_s),
                lambda: {number: len(times) for number, times in in_store(store.port).items()},
            )  # fmt: skip
        return
    query = "SELECT value::bigint, count(*) FROM rehab_measurements WHERE site = 'test' GROUP BY 1"
    with postgresql() as server:
        password = folder / "password"
        password.write_text(PASSWORD)
        yield Remote(
            "PostgreSQL",
            f'[historian.store]\nkind = "postgresql"\nurl = "postgresql://127.0.0.1:{server.port}"\n'
            f'username = "rehab"\ntoken_file = "{password}"\nhold_back_s = {hold_back_s}\n',
            lambda: {int(number): int(times) for number, times in server.sql(query)},
        )


class Group:
    """Generating gateways, and historians that share what they send, around a mosquitto and a store."""

    def __init__(
        self, folder: Path, broker: Child, store: Remote, *, gateways: int, historians: int, rate: float
    ) -> None:  # fmt: skip
        self.histories = [folder / f"history-{i}.db" for i in range(historians)]
        self.outboxes: list[Path] = []
        self.journals: list[Path] = []
        self.historians: list[Process] = []
        self.gateways: list[Process] = []
        for i, history in enumerate(self.histories):
            config = folder / f"historian-{i}.toml"
            config.write_text(
                f'{head(f"at-historian-{i}", folder, broker)}[historian]\nid = "h-{i}"\nshare = "ward"\n'
                f'database = "{history}"\nkeep_days = 100000\n{store.section}'
            )
            command = [sys.executable, "-m", "gateway", "historian", str(config)]
            self.historians.append(Process(f"historian-{i}", folder, command))
        names = ", ".join(f'"h-{i}"' for i in range(historians))
        for run in range(1, gateways + 1):
            name = f"faults-{run}"
            data = folder / name
            data.mkdir()
            config = folder / f"{name}.toml"
            config.write_text(f"{head(name, data, broker)}[outbox]\nhistorians = [{names}]\n")
            self.outboxes.append(data / "outbox.db")
            self.journals.append(data / "journal")
            command = [sys.executable, "-m", "tests.faults.load", str(config), str(self.journals[-1]), str(run),
                       "--rate", str(rate / gateways), "--resend-after", str(RESEND_AFTER_S)]  # fmt: skip
            self.gateways.append(Process(name, folder, command))

    def start(self) -> None:
        """Start all; the historians first."""
        for historian in self.historians:
            historian.start()
        wait_until(lambda: all("connected" in historian.text() for historian in self.historians))
        for gateway in self.gateways:
            gateway.start()
        wait_until(lambda: all(promises(journal) for journal in self.journals), START_S)

    def stop_making(self) -> None:
        """Have nothing new made, and what was made until now sent on: that is promised too."""
        for gateway in self.gateways:
            gateway.end()
        for gateway in self.gateways:
            gateway.start("--most", "0")

    def end(self) -> None:
        """End all in good order."""
        for process in (*self.gateways, *self.historians):
            process.end()

    def depth(self) -> int:
        """Return how many measurements wait in the outboxes."""
        return sum(map(waiting, self.outboxes))


def promises(journal: Path) -> bool:
    """Whether a gateway has promised anything yet."""
    return journal.exists() and any(promised(journal).values())


def head(gateway: str, data: Path, broker: Child) -> str:
    """Return the lines that every configuration begins with."""
    return (
        f'[site]\nsite = "test"\ngateway = "{gateway}"\ndata = "{data}"\n'
        f"[broker]\nembedded = false\nport = {broker.port}\n"
    )


def waiting(outbox: Path) -> int:
    """Return how many measurements wait in an outbox."""
    with contextlib.closing(sqlite3.connect(f"{outbox.as_uri()}?mode=ro", uri=True, timeout=5)) as db:
        return int(db.execute("SELECT metrics + events + audits FROM state").fetchone()[0])


def shared_historians(
    folder: Path, *, historians: int, kills: int, hold_back_s: float, seed: int, progress: Progress, gateways: int = 1,
    rate: float = RATE, store: Kind = "victoriametrics",
) -> Outcome:  # fmt: skip
    """Kill historians of a group, mostly one, sometimes all; in the end the outboxes are empty, the store has all."""
    rng = random.Random(seed)
    folder.mkdir()
    with remote_in(folder, store, hold_back_s) as remote, mosquitto_in(folder / "broker") as broker:
        several = f" what {gateways} gateways send" if gateways > 1 else ""
        outcome = Outcome(f"SIGKILL of one of {historians} historians that share{several}, {remote.name}")
        group = Group(folder, broker, remote, gateways=gateways, historians=historians, rate=rate)
        group.start()
        try:
            while outcome.times < kills:
                time.sleep(rng.random() * PAUSE_S)
                victims = rng.sample(group.historians, rng.choices((1, historians), (9, 1))[0])
                for historian in victims:
                    historian.end(signal.SIGKILL)
                time.sleep(rng.random())
                for historian in victims:
                    historian.start()
                outcome.times += len(victims)
                progress(outcome.times / kills)
            began = time.monotonic()
            group.stop_making()
            if not wait_for(lambda: group.depth() == 0, QUIET_WITHIN_S + 3 * hold_back_s):
                outcome.notes.append(f"{group.depth()} measurements were never released")
            outcome.recovery_s = time.monotonic() - began
            held = remote.held()
        finally:
            group.end()
    compare(group, held, outcome)
    return outcome


def compare(group: Group, held: dict[int, int], outcome: Outcome) -> None:
    """Hold the histories together, and the store, against what the outbox promised."""
    promises = promised(*group.journals)
    outcome.made = sum(promises.values())
    found: Counter[tuple[str, int]] = Counter()
    contents: dict[tuple[str, int], int] = {}
    shares = []
    records: set[tuple[str, int]] = set()
    for history in group.histories:
        with contextlib.closing(sqlite3.connect(f"{history.as_uri()}?mode=ro", uri=True)) as db:
            rows = db.execute(f"SELECT epoch, seq, {', '.join(FIELDS)} FROM readable").fetchall()  # noqa: S608 - our own names
            gaps = db.execute("SELECT count(*) FROM gaps").fetchone()[0]
            records.update(db.execute("SELECT e.epoch, seq FROM records JOIN epochs e ON e.id = records.epoch"))
        wrong = sum(row[2:] != tuple(getattr(made(int(row[3])), name) for name in FIELDS) for row in rows)
        if wrong or gaps:
            outcome.notes.append(f"{history.name}: {wrong} with other content than made, {gaps} gaps")
        found.update((epoch, seq) for epoch, seq, *_ in rows)
        contents |= {(row[0], row[1]): int(row[3]) for row in rows}
        shares.append(len(rows))
    outcome.stored = len(found) + len(records)
    lost = {(epoch, seq) for epoch, last in promises.items() for seq in range(1, last + 1)} - found.keys() - records
    outcome.lost = outcome.silent = len(lost) + len(set(contents.values()) - held.keys())
    outcome.twice = len(found) - len(set(contents.values())) + sum(times > 1 for times in held.values())
    if not all(shares):
        outcome.notes.append(f"nothing was shared: {shares}")
    for process in (*group.gateways, *group.historians):
        outcome.notes += process.unclean()[:3]
    both = sum(n > 1 for n in found.values())
    outcome.remark = (
        f"shares {' + '.join(map(str, shares))}, {both} of them in two histories; in the store: {len(held)}"
    )
