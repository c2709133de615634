"""A ward that changes all the time while its gateway is killed: every change that was answered stands, for its time."""

from __future__ import annotations

import random
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from gateway.history.reader import HistoryReader
from gateway.model.measurement import Measurement
from gateway.outbox.outbox import Outbox
from gateway.ward.registry import Entry, Registry
from simulators.devices.heart_rate import HeartRateStrap
from simulators.motion.timeline import Timeline
from simulators.radio.addresses import strap_address
from simulators.radio.hub import Hub
from simulators.scenes.scene import Bed, PlacedDevice, Scene
from tests.faults.beds import START_S, Air
from tests.faults.chain import Process, module, wait_for
from tests.faults.kills import QUIET_WITHIN_S
from tests.faults.outcome import Outcome, Progress
from tests.faults.people import Asked, People
from tests.gateway.run.ward_desk import Desk
from tests.servers import Child, mosquitto_in
from tests.simulators.hearts import Steady

SOURCE = "mqtt"
"""Whence the desk's changes come, as the registry writes it."""
TOPICS = "rehab/v1/demo/gateway-1"
SLOWEST_BPM, APART_BPM = 45, 5
"""Every strap has a rate of its own, so that a measurement says by itself which strap it came from."""
KILL_WITHIN_S = 0.1
"""After the last change was asked for, answered or not."""


class Ward:
    """Straps on the air, broker, historian and gateway; at first everybody wears one.

    Attributes:
        people: The truth.
        done: The changes that stand, in order.
    """

    def __init__(self, folder: Path, broker: Child, *, beds: int, rng: random.Random) -> None:
        hub, timeline = Hub(), Timeline(running=False)
        self.bpm = {f"strap-{n}": SLOWEST_BPM + APART_BPM * n for n in range(1, beds + 1)}
        there = [self._bed(n, hub, timeline) for n in range(1, beds + 1)]
        scene = Scene(hub, timeline, there)
        config = folder / "ward.toml"
        self.history, self.outbox, self.registry = (folder / f"{name}.db" for name in ("history", "outbox", "ward"))
        config.write_text(
            f'{scene.configuration(folder / "radio")}\n[site]\ndata = "{folder}"\n'
            f"[historian]\nkeep_days = 100000\n[broker]\nembedded = false\nport = {broker.port}\n"
        )
        self.air = Air(scene, folder / "radio")
        self.gateway = Process("run", folder, module("gateway", "run", config))
        self.historian = Process("historian", folder, module("gateway", "historian", config))
        self.desk = Desk(broker.port, TOPICS)
        self.people = People(
            {bed.id: bed.subject for bed in there}, {f"strap-{n}": f"bed-{n}" for n in range(1, beds + 1)}
        )
        self.done: list[Asked] = []
        self._rng = rng

    def _bed(self, number: int, hub: Hub, timeline: Timeline) -> Bed:
        name, address = f"strap-{number}", strap_address(number)
        heart = Steady(self.bpm[name])
        strap = HeartRateStrap(name=name, timeline=timeline, hub=hub, address=address, source=heart)
        placed = PlacedDevice(strap, "heart_rate", "chest", address=address)
        return Bed(f"bed-{number}", f"Bed {number}", f"p-{number}", [placed])

    def live(self, changes: int, apart_s: float) -> None:
        """Let a gateway begin, and live through so many changes."""
        self.desk.ward = {}
        self.desk.measurements.clear()
        self.gateway.start()
        assert wait_for(lambda: self.desk.ward and self.desk.measurements, START_S), self.gateway.text()[-2000:]
        self.change_at_random(changes, apart_s)

    def change_at_random(self, changes: int, apart_s: float) -> None:
        """Make so many changes that are possible, each answered before the next."""
        for _ in range(changes):
            self.change(*self.people.draw(self._rng))
            time.sleep(apart_s * self._rng.random() * 2.0)

    def change(self, name: str, fields: dict[str, Any]) -> None:
        """Ask for a change, which has to be possible."""
        asked_us = time.time_ns() // 1000
        answer = self.desk.ask(name, within_s=QUIET_WITHIN_S, **fields)
        assert answer is not None, f"no answer to {name} {fields}: {self.gateway.text()[-2000:]}"
        assert answer["ok"], (name, fields, answer)
        self._stands(Asked(name, fields, asked_us, time.time_ns() // 1000))

    def kill(self) -> None:
        """Kill the gateway while a change is under way, which may stand then without having been answered."""
        name, fields = self.people.draw(self._rng)
        self.desk.ask(name, within_s=self._rng.random() * KILL_WITHIN_S, **fields)
        self.gateway.end(signal.SIGKILL)
        newest = entries(self.registry)[-1]
        if (newest.name, comparable(newest.fields)) == (name, comparable(fields)):
            self._stands(Asked(name, fields, newest.at_us, time.time_ns() // 1000))

    def _stands(self, change: Asked) -> None:
        self.done.append(change)
        self.people.apply(change)

    def stop(self) -> None:
        """End everything but the air."""
        self.desk.close()
        self.gateway.end()
        self.historian.end()


def ward_changes(
    folder: Path, *, beds: int, changes: int, a_minute: float, kills: int, seed: int, progress: Progress
) -> Outcome:
    """Change a ward at random while it is measured, and kill its gateway in the middle of changes.

    No change that was answered may be missing, no number of the outbox may be missing in the history, and nobody's
    heart may stand under somebody else.
    """
    outcome = Outcome("ward changes, gateway killed meanwhile")
    folder.mkdir()
    with mosquitto_in(folder / "broker") as broker:
        ward = Ward(folder, broker, beds=beds, rng=random.Random(seed))
        with ward.air:
            try:
                ward.historian.start()
                for life in range(kills + 1):
                    ward.live(changes // (kills + 1), 60.0 / a_minute)
                    if life < kills:
                        ward.kill()
                        outcome.times += 1
                    progress((life + 1) / (kills + 1))
                ward.gateway.end()
                judge_numbers(ward, outcome)
            finally:
                ward.stop()
        judge_changes(ward, outcome)
        judge_people(ward, outcome)
    for process in (ward.gateway, ward.historian):
        outcome.notes += process.unclean()[:3]
    return outcome


def judge_numbers(ward: Ward, outcome: Outcome) -> None:
    """Hold the numbers that the outbox gave against those of the history."""
    with closing(Outbox(ward.outbox)) as box:
        epoch, last = box.state().epoch, box.state().last_seq
    if not wait_for(lambda: received(ward.history, epoch) >= last, QUIET_WITHIN_S):
        outcome.notes.append(f"the history has {received(ward.history, epoch)} of {last}")
    outcome.made, outcome.stored = last, numbers(ward.history, epoch)
    outcome.lost = outcome.silent = last - outcome.stored


def judge_changes(ward: Ward, outcome: Outcome) -> None:
    """Hold the changes that were answered against those of the registry."""
    by_desk = [entry for entry in entries(ward.registry) if entry.source == SOURCE]
    kept = Counter((entry.name, comparable(entry.fields)) for entry in by_desk)
    answered = Counter((change.name, comparable(change.fields)) for change in ward.done)
    if gone := answered - kept:
        outcome.notes.append(f"{gone.total()} changes were answered and do not stand: {gone.most_common(2)}")
    if strange := kept - answered:
        outcome.notes.append(f"{strange.total()} changes stand and nobody knows of them: {strange.most_common(2)}")
    took_ms = [(change.answered_us - change.asked_us) / 1000 for change in ward.done]
    outcome.remark = f"{len(ward.done)} changes, answered within {np.percentile(took_ms, 95):.0f} ms (95 of 100)"


def judge_people(ward: Ward, outcome: Outcome) -> None:
    """Hold what stands under everybody against who wore what."""
    measured = heart_rates(ward.history)
    wrong = [m for m in measured if m.subject not in ward.people.may_be(m.devices[0], m)]
    strange = [m for m in measured if round(m.value or 0.0) != ward.bpm[m.devices[0]]]
    others = under_others(ward.history)
    if wrong or strange:
        outcome.notes.append(
            f"{len(wrong)} under somebody else, {len(strange)} of another heart: {(wrong + strange)[0]}"
        )
    if others:
        outcome.notes.append(f"{others} sessions hold what is somebody else's")
    outcome.remark += f"; {len(measured)} heart rates of {len({m.subject for m in measured})} people"


def comparable(fields: dict[str, Any]) -> str:
    """Return what somebody has said, without what was left out."""
    return str(sorted((name, value) for name, value in fields.items() if value not in ("", None, "none", "x y z")))


def entries(registry: Path) -> list[Entry]:
    """Return every change that a registry holds."""
    with closing(Registry(registry)) as held:
        return list(held.entries(limit=1_000_000))


def received(history: Path, epoch: str) -> int:
    """Return up to which number the history has everything of a life of the outbox."""
    with closing(sqlite3.connect(f"{history.as_uri()}?mode=ro", uri=True)) as db:
        found = db.execute("SELECT received FROM epochs WHERE epoch = ?", (epoch,)).fetchone()
    return int(found[0]) if found else 0


def numbers(history: Path, epoch: str) -> int:
    """Return how many numbers of a life of the outbox are in the history, each once."""
    tables = " UNION ".join(
        f"SELECT seq FROM {table} t JOIN epochs e ON e.id = t.epoch WHERE e.epoch = :epoch"  # noqa: S608 - our names
        for table in ("measurements", "records", "clocks")
    )
    with closing(sqlite3.connect(f"{history.as_uri()}?mode=ro", uri=True)) as db:
        return int(db.execute(f"SELECT count(*) FROM ({tables})", {"epoch": epoch}).fetchone()[0])  # noqa: S608


def under_others(history: Path) -> int:
    """Return how many sessions of the history hold measurements of somebody whose session it was not."""
    query = (
        "SELECT count(*) FROM sessions m JOIN ward_parts p ON p.part = m.session JOIN ward_sessions s"
        " ON s.session = p.session AND s.gateway = p.gateway WHERE s.subject <> m.subject"
    )
    with closing(sqlite3.connect(f"{history.as_uri()}?mode=ro", uri=True)) as db:
        return int(db.execute(query).fetchone()[0])


def heart_rates(history: Path) -> list[Measurement]:
    """Return the heart rates that were stored and can be used."""
    with closing(HistoryReader(history)) as reader:
        rows = [row.measurement for row in reader.stored(limit=10_000_000)]
    return [m for m in rows if m.metric == "heart_rate" and m.value is not None]
