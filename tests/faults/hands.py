"""What people's hands do to files: start a second process, put back an old image, remove a file, copy a card."""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from functools import partial
from pathlib import Path

from gateway.dashboard.users import load
from tests.faults.chain import Chain, Process, chain_in, module, wait_for
from tests.faults.files import works
from tests.faults.kills import QUIET_WITHIN_S, kill
from tests.faults.outcome import NOT_WHOLE, Outcome, Progress, promised, words
from tests.servers import free_port

DEVICE = """
[radio]
name = "simulated"
socket = "{folder}/radio"
[[slot]]
id = "bay-1"
subject = "p-1"
[[slot.device]]
id = "strap"
driver = "heart_rate"
placement = "chest"
address = "02:48:52:00:01:00"
"""
REFUSED = ("another process writes", "another simulator serves")
ADDERS = 3
"""People who add users at one moment."""
TYPED = b"corridor lamp seven\n"
REFUSED_S = 60.0
"""Longest time in which a second process has to give up, on a busy machine."""
REPORTED_WITHIN_S = 30.0
"""Longest time in which what became of a file has to stand in the audit of the history."""
WORK_S = 1.0
CLONE_S = 1.5
"""How long an image and its copy run beside each other."""
CLONE_RUNS = 500
"""Runs of copies are numbered from here: what they make is none of the first gateway's."""
RUNS_OF_A_CLONE = 10
"""What one copy makes is none of another's either."""
WAYS = ("between runs", "renamed over")
"""How an old image is put back: while nobody has the file open, or under the process that has."""


def seconds(chain: Chain) -> list[tuple[str, list[str], list[str]]]:
    """Return what somebody may start on the same files by mistake: name, command, and whom kills may hit meanwhile."""
    config = chain.folder / "second.toml"
    config.write_text("simulated = true\n" + chain.near.read_text() + DEVICE.format(folder=chain.folder))
    demo = module("gateway", "demo", "--data", chain.folder, "--port", free_port(), "--for", 5)
    radio = ["--beds", "1", "--socket", chain.folder / "simulated-radio", "--ports", chain.folder / "ports"]
    return [
        ("simulate", module("gateway", "simulate", "ward", *radio), ["gateway", "historian"]),
        ("run", module("gateway", "run", config), ["historian", "broker"]),
        ("historian", module("gateway", "historian", chain.config), ["gateway", "broker"]),
        ("demo", demo, ["broker"]),
    ]


def second_process(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Start a second gateway, historian, demo or simulator on the same files while others are killed: it is refused.

    The users file has a writer for a moment only: of several who add a user at once none is lost.
    """
    outcome = Outcome("second process on the same files")
    rng = random.Random(seed)
    kills = 0
    with chain_in(folder, resend_after_s=5.0) as chain, contextlib.ExitStack() as stack:
        works(chain)
        all_of_them = seconds(chain)
        first = Process("first-simulate", folder, all_of_them[0][1])
        first.start()
        stack.callback(first.end)
        wait_for((folder / "simulated-radio").exists, REFUSED_S)
        while outcome.times < times:
            name, command, victims = all_of_them[outcome.times % len(all_of_them)]
            second = Process(f"second-{name}-{outcome.times}", folder, command)
            second.start()
            assert second.process
            until = time.monotonic() + REFUSED_S
            while second.process.poll() is None and time.monotonic() < until:
                kill(chain, [rng.choice(victims)], rng.random() * 0.3)
                kills += 1
                time.sleep(rng.random())
            status = second.process.poll()
            output = " ".join(second.text().split())
            if status in (None, 0) or not any(word in output for word in REFUSED) or "Traceback" in output:
                outcome.notes.append(f"a second {name} was not refused: status {status}, {second.text()[-200:]!r}")
                second.end(signal.SIGKILL)
            outcome.notes += add_users(folder / "users.jsonl", outcome.times)
            outcome.end_round(partial(works, chain), of=times, progress=progress)
        chain.wait_until_quiet(QUIET_WITHIN_S)
        chain.result(outcome)
    outcome.remark = f"each refused by name; {kills} kills meanwhile"
    return outcome


def add_users(file: Path, turn: int) -> list[str]:
    """Have several processes add a user each at one moment; return whom the file has lost, as notes."""
    names = [f"nurse-{turn}-{n}" for n in range(ADDERS)]
    adding = [
        subprocess.Popen(
            module("gateway", "user", "add", file, name, "--role", "viewer"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for name in names
    ]  # fmt: skip
    outputs = [process.communicate(TYPED, timeout=REFUSED_S)[0].decode() for process in adding]
    there = load(file) if file.exists() else {}
    return [
        f"user {name} is lost: {text[-200:]!r}" for name, text in zip(names, outputs, strict=True) if name not in there
    ]


def image_of(path: Path, image: Path) -> None:
    """Copy a database that is open elsewhere, as a backup program that knows SQLite does."""
    image.unlink(missing_ok=True)
    with (
        contextlib.closing(sqlite3.connect(path, timeout=10)) as db,
        contextlib.closing(sqlite3.connect(image)) as other,
    ):
        db.backup(other)


def put_back(path: Path, image: Path, way: str) -> None:
    """Put an image in the place of a database."""
    if way == "between runs":
        remove(path)
    fresh = path.with_name("restored")
    shutil.copyfile(image, fresh)
    fresh.replace(path)


def remove(path: Path) -> None:
    """Remove a database with what lies beside it."""
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def drain(chain: Chain) -> None:
    """End the gateway when all that it has promised is stored: what only its file holds, nobody else can have."""
    chain.gateway.end()
    until = time.monotonic() + QUIET_WITHIN_S
    while chain.behind(promised(chain.journal)) and time.monotonic() < until:
        chain.start_gateway("--most", "0")
        wait_for(partial(is_known, chain, promised(chain.journal)), QUIET_WITHIN_S)
        chain.gateway.end()


def is_known(chain: Chain, promises: dict[str, int]) -> bool:
    """Whether all that was promised is stored, or told."""
    return not chain.behind(promises)


def reported_since(chain: Chain, since_us: int) -> bool:
    """Whether the audit in the history speaks of a file, in what came since then."""
    return wait_for(lambda: words(chain.history, since_us=since_us), REPORTED_WITHIN_S)


def restored_outbox(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Put an older image of the outbox back, between runs and under the running gateway."""
    outcome = Outcome("older image of the outbox put back")
    rng = random.Random(seed)
    with chain_in(folder / "chain", resend_after_s=3.0) as chain:
        path, image = chain.folder / "outbox.db", folder / "image"
        while outcome.times < times:
            way = WAYS[outcome.times % len(WAYS)]
            works(chain)
            image_of(path, image)
            time.sleep(rng.uniform(0.5, 1.0) * WORK_S)
            works(chain)
            began_us = time.time_ns() // 1000
            if way == "between runs":
                drain(chain)
            put_back(path, image, way)
            if way == "between runs":
                chain.start_gateway()
            outcome.end_round(partial(works, chain), of=times, progress=progress)
            if not reported_since(chain, began_us):
                outcome.notes.append(f"nobody said that an image was put back, {way}")
        chain.wait_until_quiet(QUIET_WITHIN_S)
        chain.result(outcome)
    outcome.notes = without_damage(outcome.notes)
    return outcome


def without_damage(notes: list[str]) -> list[str]:
    """Return notes without those lines of a log that speak of a file that was, in truth, spoilt by us."""
    return [note for note in notes if "damaged" not in note and "corrupt" not in note]


def rolled_back_history(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Put an older image of the history back, between runs and under the running historian: what is gone is told."""
    outcome = Outcome("older image of the history put back")
    rng = random.Random(seed)
    with chain_in(folder / "chain", resend_after_s=3.0) as chain:
        image = folder / "image"
        while outcome.times < times:
            way = WAYS[outcome.times % len(WAYS)]
            works(chain)
            image_of(chain.history, image)
            time.sleep(rng.uniform(0.5, 1.0) * WORK_S)
            works(chain)
            if way == "between runs":
                chain.historian.end(rng.choice((signal.SIGKILL, signal.SIGTERM)))
            began_us = time.time_ns() // 1000
            put_back(chain.history, image, way)
            if way == "between runs":
                chain.historian.start()
            outcome.end_round(partial(works, chain), of=times, progress=progress)
            if not reported_since(chain, began_us):
                outcome.notes.append(f"nobody said that an image was put back, {way}")
        chain.wait_until_quiet(QUIET_WITHIN_S)
        found = chain.result(outcome, gaps_allowed=True)
    outcome.notes = without_damage(outcome.notes)
    outcome.remark = f"{found.declared} told as gaps: what only the newer history held"
    return outcome


def write_over(path: Path, image: Path) -> None:
    """Do what ``cp`` onto a file does: the same file, with other contents."""
    with image.open("rb") as found, path.open("r+b") as file:
        file.truncate(0)
        shutil.copyfileobj(found, file)


OVERWRITTEN = ("history.db", "outbox.db")


def overwritten_files(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Copy an older image, or nonsense, onto history and outbox while they are in use."""
    outcome = Outcome("outbox and history written over in use")
    rng = random.Random(seed)
    with chain_in(folder / "chain", resend_after_s=3.0) as chain:
        image = folder / "image"
        while outcome.times < times:
            path = chain.folder / OVERWRITTEN[outcome.times % len(OVERWRITTEN)]
            works(chain)
            image_of(path, image)
            if outcome.times % 4 >= len(OVERWRITTEN):
                image.write_bytes(rng.randbytes(image.stat().st_size))
            time.sleep(rng.uniform(0.5, 1.0) * WORK_S)
            works(chain)
            began_us = time.time_ns() // 1000
            write_over(path, image)
            outcome.end_round(partial(works, chain), of=times, progress=progress)
            if not reported_since(chain, began_us):
                outcome.notes.append(f"nobody said that {path.name} was written over")
        chain.wait_until_quiet(QUIET_WITHIN_S)
        found = chain.result(outcome, gaps_allowed=True)
    outcome.notes = without_damage(outcome.notes)
    outcome.remark = f"{found.declared} told as gaps: what only the file that was written over held"
    return outcome


DELETED = (
    ("outbox.db", "under the process"), ("history.db", "under the process"), ("outbox.db-wal", "under the process"),
    ("history.db-wal", "under the process"), ("outbox.db", "between runs"), ("history.db", "between runs"),
    ("outbox.db.lock", "under the process"), ("history.db.lock", "under the process"),
)  # fmt: skip


def deleted_files(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Remove outbox, history, their logs and locks under the processes and between runs."""
    outcome = Outcome("outbox and history removed")
    rng = random.Random(seed)
    with chain_in(folder, resend_after_s=3.0) as chain:
        while outcome.times < times:
            name, when = DELETED[outcome.times % len(DELETED)]
            owner = chain.gateway if name.startswith("outbox") else chain.historian
            works(chain)
            time.sleep(rng.random() * WORK_S)
            if when == "between runs" and owner is chain.gateway:
                drain(chain)
            elif when == "between runs":
                owner.end(rng.choice((signal.SIGKILL, signal.SIGTERM)))
            began_us = time.time_ns() // 1000
            if name.endswith(".db"):
                remove(folder / name)
            else:
                (folder / name).unlink()
            if when == "between runs":
                (chain.start_gateway if owner is chain.gateway else chain.historian.start)()
            outcome.end_round(partial(works, chain), of=times, progress=progress)
            if name.endswith(".db") and not reported_since(chain, began_us):
                outcome.notes.append(f"nobody said that {name} was removed {when}")
        chain.wait_until_quiet(QUIET_WITHIN_S)
        found = chain.result(outcome, gaps_allowed=True)
    outcome.notes = without_damage(outcome.notes)
    outcome.remark = f"{found.declared} told as gaps: what only a removed history held"
    return outcome


class Clone:
    """A second gateway with a copy of the first one's outbox, in a folder of its own and under the same name."""

    def __init__(self, chain: Chain, folder: Path, number: int) -> None:
        self.folder, self.journal = folder, folder / "journal"
        self._runs = CLONE_RUNS + number * RUNS_OF_A_CLONE
        folder.mkdir()
        config = folder / "gateway.toml"
        config.write_text(chain.near.read_text().replace(f'data = "{chain.folder}"', f'data = "{folder}"'))
        self.process = Process(
            "clone", folder, module("tests.faults.load", config, self.journal, "--rate", 300, "--resend-after", 3)
        )

    def start(self, *more: str) -> None:
        """Start it with content of its own."""
        self._runs += 1
        self.process.start(str(self._runs), *more)

    def is_empty(self) -> bool:
        """Whether nothing waits in its outbox."""
        return not self.waits()

    def waits(self) -> int:
        """Return how many rows wait in its outbox."""
        return rows_in(self.folder / "outbox.db")


def rows_in(path: Path) -> int:
    """Return how many rows wait in an outbox and in what earlier lives have left beside it."""
    total = 0
    for part in (path, *path.parent.glob(f"{path.name}.left-{'[0-9a-f]' * 16}")):
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(part, timeout=5)) as db:
            total += int(db.execute("SELECT metrics + events + audits FROM state").fetchone()[0])
    return total


def conflicts(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Copy the outbox to a second gateway of the same name: both give the same numbers, and no content is lost."""
    outcome = Outcome("two outboxes of one life")
    rng = random.Random(seed)
    clones: list[Clone] = []
    with chain_in(folder / "chain", resend_after_s=3.0) as chain:
        path = chain.folder / "outbox.db"
        while outcome.times < times:
            works(chain)
            chain.gateway.end(rng.choice((signal.SIGKILL, signal.SIGTERM)))
            clone = Clone(chain, folder / f"clone-{outcome.times}", outcome.times)
            clones.append(clone)
            image_of(path, clone.folder / "outbox.db")
            # The broker takes what both send, and the historian finds it together.
            chain.historian.end()
            chain.start_gateway()
            clone.start()
            time.sleep(CLONE_S + rng.random())
            chain.historian.start()
            time.sleep(CLONE_S)
            chain.gateway.end()
            clone.process.end()
            clone.start("--most", "0")
            if not wait_for(clone.is_empty, QUIET_WITHIN_S):
                outcome.notes.append(f"{clone.waits()} rows of the copy were never stored")
            clone.process.end()
            chain.start_gateway()
            outcome.end_round(partial(works, chain), of=times, progress=progress)
        if not wait_for(lambda: words(chain.history, among=("numbers-conflict", "outbox-restored")), REPORTED_WITHIN_S):
            outcome.notes.append("nobody said that numbers came twice")
        chain.wait_until_quiet(QUIET_WITHIN_S)
        found = chain.result(outcome, *(clone.journal for clone in clones))
        for clone in clones:
            outcome.notes += clone.process.unclean()[:3]
    # Two chains of one name are in the history, each with holes where the other came first: that is what it says.
    outcome.notes = [note for note in outcome.notes if note != NOT_WHOLE]
    outcome.remark = f"{found.kept_as_conflict} kept beside another content of their number"
    return outcome
