"""Files that rot, tear, or find no room."""

from __future__ import annotations

import contextlib
import random
import re
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest

from gateway.delivery.history_watch import ANOTHER_AFTER_S
from tests.faults.chain import Chain, Process, chain_in, known, wait_for
from tests.faults.kills import QUIET_WITHIN_S
from tests.faults.outcome import Outcome, Progress, compare, doubted, promised, words

FLIPS = 64
"""Bytes that are changed at once: a bad block, not a single ray."""
ROWS = 3
"""Measurements of which a few bits change at once, where a history rots and stays a database."""
ROOM_KB = 600
"""Left on the small disk for the queue."""
WORK_S = 1.0
CALM_S = 15.0
"""Time for the last measurements; numbers that only a file set aside holds never come."""


def rot(path: Path, rng: random.Random) -> None:
    """Change bytes of a database or of its log at random, or cut it off."""
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size and rng.random() < 0.5:
        path = log
    else:
        # What still lies in the log hides what the file holds.
        with contextlib.closing(sqlite3.connect(path)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    if rng.random() < 0.3:
        data = data[: rng.randrange(len(data))]
    else:
        at = rng.randrange(len(data))
        for i in range(at, min(len(data), at + FLIPS)):
            data[i] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def rot_rows(path: Path, rng: random.Random) -> None:
    """Change one bit in each of some rows of a history, or in their entries of an index: it stays a database."""
    ends: list[int] = []
    # The kill may have come between the end of a damaged file and the making of another.
    with contextlib.closing(sqlite3.connect(path)) as db, contextlib.suppress(sqlite3.Error):
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ends = [end for (end,) in db.execute("SELECT end_us FROM measurements ORDER BY id DESC LIMIT 2000")]
    data = bytearray(path.read_bytes())
    for end_us in rng.sample(ends, min(ROWS, len(ends))):
        end = end_us.to_bytes(8, "big")
        places = [found.start() for found in re.finditer(re.escape(end), data)]
        # Behind it lie its value and what else it says, before it the begin, the number and the lengths of all.
        if places:
            data[rng.choice(places) + rng.randrange(-24, 32)] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def works(chain: Chain) -> bool:
    """Whether what is made now, in the present epoch of the outbox, is stored within a while."""
    before = chain.promised()
    wait_for(lambda: chain.promised() > before, QUIET_WITHIN_S)
    epoch, last = list(promised(chain.journal).items())[-1]
    return wait_for(lambda: known(chain.history, epoch) >= last, QUIET_WITHIN_S)


def corrupt(folder: Path, *, times: int, what: str, seed: int, progress: Progress) -> Outcome:
    """Kill the owner of a file, spoil the file, start again: it goes on, and what is gone with the file is told.

    ``lost`` counts what is neither stored nor told as a gap. What only an outbox held that was set aside, and logged as
    such, lies in that file and with it its epoch: it is shown beside, and not as lost.
    """
    outcome = Outcome(f"corrupt {what}")
    rng = random.Random(seed)
    declared = 0
    with chain_in(folder, resend_after_s=3.0) as chain:
        owner: Process = chain.gateway if what == "outbox" else chain.historian
        start = chain.start_gateway if what == "outbox" else chain.historian.start
        path = chain.folder / ("outbox.db" if what == "outbox" else "history.db")
        while outcome.times < times:
            # There has to be something that can rot.
            works(chain)
            time.sleep(WORK_S)
            owner.end(signal.SIGKILL)
            if what == "history" and outcome.times % 2:
                rot_rows(path, rng)
            else:
                rot(path, rng)
            start()
            outcome.end_round(partial(works, chain), of=times, progress=progress)
        # What happens often is told at a bounded pace: after the last of forty times it takes a while.
        if set_aside(folder) and not wait_for(lambda: words(chain.history), 2 * ANOTHER_AFTER_S):
            outcome.notes.append("nobody said what became of the file")
        chain.wait_until_quiet(CALM_S)
        found = chain.result(outcome, gaps_allowed=True)
        declared = found.declared
        held = 0
        if what == "outbox":
            held = sum(compare(chain.history, {epoch: last}).lost for epoch, last in earlier(chain).items())
            outcome.lost -= held
            outcome.silent -= held
        aside = set_aside(folder)
    outcome.notes = [note for note in outcome.notes if "damaged" not in note and "corrupt" not in note]
    if len(earlier(chain)) > len(aside) + restored(chain):
        outcome.notes.append("an epoch ended without a file that was set aside, and without a word")
    outcome.remark = f"{len(aside)} files set aside ({held} only there), {declared} told as gaps"
    return outcome


def set_aside(folder: Path) -> list[Path]:
    """Return the files that were damaged and set aside."""
    return [path for path in folder.glob("*.corrupt-*") if not path.name.endswith(("-wal", "-shm", ".imported"))]


def earlier(chain: Chain) -> dict[str, int]:
    """Return the promises of all epochs but the present one."""
    promises = promised(chain.journal)
    return dict(list(promises.items())[:-1])


def restored(chain: Chain) -> int:
    """Return how many lives of the outbox ended as older images of themselves, by the entries that say so."""
    with closing(sqlite3.connect(f"{chain.history.as_uri()}?mode=ro", uri=True)) as db:
        return len(doubted(db))


REMOUNT_S = 10.0


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """A file system in memory that is soon full; it needs the administrator."""
    folder.mkdir(parents=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip(f"needs the right to mount a small disk: {made.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def full_disk(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Fill the disk of outbox and history while measurements flow, also across a start, and make room again."""
    outcome = Outcome("disk full, then room again")
    rng = random.Random(seed)
    with small_disk(folder / "disk", 16_000) as disk, chain_in(disk, journal=folder / "journal") as chain:
        while outcome.times < times:
            time.sleep(WORK_S)
            ballast = disk / "ballast"
            fill(ballast)
            time.sleep(WORK_S)
            if rng.random() < 0.5:
                # While something flows it has to write; a start has to open.
                chain.gateway.end(signal.SIGKILL)
                chain.start_gateway()
            time.sleep(WORK_S)
            ballast.unlink()
            outcome.end_round(partial(works, chain), of=times, progress=progress)
        chain.wait_until_quiet(QUIET_WITHIN_S)
        chain.result(outcome)
        reported = sum("disk is full" in process.text() for process in (chain.gateway, chain.historian))
        if not reported:
            outcome.notes.append("nobody said that the disk was full")
    return outcome


def fill(path: Path) -> None:
    """Write until nothing more goes."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return


def read_only(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Turn the file system read-only under the running gateway and historian, start one on it, and turn it back."""
    outcome = Outcome("file system turns read-only and back")
    rng = random.Random(seed)
    with small_disk(folder / "disk", 64_000) as disk, chain_in(disk, journal=folder / "journal") as chain:
        while outcome.times < times:
            time.sleep(WORK_S)
            chain.gateway.end(signal.SIGKILL)
            chain.historian.end(signal.SIGKILL)
            remount(disk, "ro")
            time.sleep(rng.random())
            remount(disk, "rw")
            chain.historian.start()
            chain.start_gateway()
            outcome.end_round(partial(works, chain), of=times, progress=progress)
        chain.wait_until_quiet(QUIET_WITHIN_S)
        chain.result(outcome)
    return outcome


def remount(disk: Path, how: str) -> None:
    """Change a file system between ``ro`` and ``rw``, once nobody has a file of it open to write; we do at times."""
    command = ["mount", "-o", f"remount,{how}", str(disk)]
    changed = wait_for(lambda: not subprocess.run(command, check=False, capture_output=True).returncode, REMOUNT_S)
    assert changed, f"{disk} could not be made {how}"
