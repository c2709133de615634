"""Several historians share the load and die at random instants."""

from __future__ import annotations

import contextlib
import random
import signal
import sqlite3
import sys
import time
from collections import Counter
from pathlib import Path

from tests.faults.chain import Process, wait_for
from tests.faults.content import made
from tests.faults.kills import PAUSE_S, QUIET_WITHIN_S
from tests.faults.outcome import FIELDS, Outcome, Progress, promised
from tests.faults.stores import in_store, store_section
from tests.servers import Child, mosquitto_in, victoria_metrics_in, wait_until

RATE = 300.0
RESEND_AFTER_S = 5.0


class Group:
    """A generating gateway, and historians that share what it sends, around a mosquitto and a VictoriaMetrics."""

    def __init__(self, folder: Path, broker: Child, store: Child, *, historians: int, hold_back_s: float) -> None:
        self.outbox = folder / "outbox.db"
        self.journal = folder / "journal"
        self.histories = [folder / f"history-{i}.db" for i in range(historians)]
        self.historians = []
        head = (
            f'[site]\nsite = "test"\ngateway = "faults"\ndata = "{folder}"\n'
            f"[broker]\nembedded = false\nport = {broker.port}\n"
        )
        for i, history in enumerate(self.histories):
            config = folder / f"historian-{i}.toml"
            config.write_text(
                f'{head}[historian]\nid = "h-{i}"\nshare = "ward"\ndatabase = "{history}"\nkeep_days = 100000\n'
                + store_section(store, hold_back_s)
            )
            command = [sys.executable, "-m", "gateway", "historian", str(config)]
            self.historians.append(Process(f"historian-{i}", folder, command))
        config = folder / "gateway.toml"
        names = ", ".join(f'"h-{i}"' for i in range(historians))
        config.write_text(f"{head}[outbox]\nhistorians = [{names}]\n")
        self.gateway = Process(
            "gateway", folder,
            [sys.executable, "-m", "tests.faults.load", str(config), str(self.journal), "1", "--rate", str(RATE),
             "--resend-after", str(RESEND_AFTER_S)],
        )  # fmt: skip

    def start(self) -> None:
        """Start all; the historians first."""
        for historian in self.historians:
            historian.start()
        wait_until(lambda: all("connected" in historian.text() for historian in self.historians))
        self.gateway.start()

    def end(self) -> None:
        """End all in good order."""
        self.gateway.end()
        for historian in self.historians:
            historian.end()

    def depth(self) -> int:
        """Return how many measurements wait in the outbox."""
        with contextlib.closing(sqlite3.connect(f"{self.outbox.as_uri()}?mode=ro", uri=True, timeout=5)) as db:
            return int(db.execute("SELECT metrics + events + audits FROM state").fetchone()[0])


def shared_historians(
    folder: Path, *, historians: int, kills: int, hold_back_s: float, seed: int, progress: Progress
) -> Outcome:
    """Kill historians of a group, mostly one, sometimes all; in the end the outbox is empty and the store has all."""
    outcome = Outcome(f"SIGKILL of one of {historians} historians that share")
    rng = random.Random(seed)
    folder.mkdir()
    with victoria_metrics_in(folder / "store") as store, mosquitto_in(folder / "broker") as broker:
        group = Group(folder, broker, store, historians=historians, hold_back_s=hold_back_s)
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
            group.gateway.end()
            # The same run again, which makes nothing new: what was made until the end is promised too.
            group.gateway.start("--most", "0")
            if not wait_for(lambda: group.depth() == 0, QUIET_WITHIN_S + 3 * hold_back_s):
                outcome.notes.append(f"{group.depth()} measurements were never released")
            outcome.recovery_s = time.monotonic() - began
            held = in_store(store.port)
        finally:
            group.end()
    compare(group, held, outcome)
    return outcome


def compare(group: Group, held: dict[int, set[int]], outcome: Outcome) -> None:
    """Hold the histories together, and the store, against what the outbox promised."""
    promises = promised(group.journal)
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
    outcome.twice = len(found) - len(set(contents.values())) + sum(len(times) > 1 for times in held.values())
    if not all(shares):
        outcome.notes.append(f"nothing was shared: {shares}")
    for process in (group.gateway, *group.historians):
        outcome.notes += process.unclean()[:3]
    both = sum(n > 1 for n in found.values())
    outcome.remark = (
        f"shares {' + '.join(map(str, shares))}, {both} of them in two histories; in the store: {len(held)}"
    )
