"""A version takes the place of another under load, and is killed at random instants: alone, or with all that runs."""

from __future__ import annotations

import random
import time
from pathlib import Path

from tests.faults.chain import wait_for
from tests.faults.outcome import NOT_WHOLE, Outcome, Progress, compare, contents, promised
from tests.gateway.installation.bench import FIRST, Bench, bench_in

LONGEST_S = 45.0
"""Of an upgrade on a busy machine, from the first word to the last."""
SETTLED_WITHIN_S = 180.0
WORDS = ("upgrade", "", "")
"""Who is killed: the upgrade with whoever would finish it in its place, or all at one instant, as a power cut does."""


def upgrades(folder: Path, *, times: int, seed: int, progress: Progress) -> Outcome:
    """Upgrade so many times, kill each at a random instant, and see which version runs afterwards."""
    outcome = Outcome("upgrade killed at a random instant")
    rng = random.Random(seed)
    ends = {"old": 0, "new": 0}
    with bench_in(folder) as bench:
        while outcome.times < times:
            before, new = bench.current, f"0.2.{outcome.times}"
            killed_at = kill_upgrade(bench, new, rng)
            began = time.monotonic()
            if not bench.settled(SETTLED_WITHIN_S):
                outcome.notes.append(f"{killed_at}: not settled")
            current = bench.current
            if current not in {before, new} or current not in bench.versions.installed():
                outcome.notes.append(f"{killed_at}: {current} runs, neither {before} nor {new}")
            ends["new" if current == new else "old"] += 1
            outcome.end_round(bench.goes_on, of=times, progress=progress, began=began)
        bench.stop()
        result(bench, outcome)
    outcome.remark = f"old ran after {ends['old']}, new after {ends['new']}; begun with {FIRST}"
    return outcome


def kill_upgrade(bench: Bench, new: str, rng: random.Random) -> str:
    """Begin an upgrade and kill at a random instant; return when and whom."""
    package = bench.package(new)
    process = bench.command("upgrade", package, "--unsigned", "made for this matrix", "--within", "60")
    after, whom = rng.random() * LONGEST_S, rng.choice(WORDS)
    wait_for(lambda: process.poll() is not None, after)
    step = change.step if (change := bench.journal.under_way()) else "none"
    if whom:
        process.kill()  # the finisher that stands by takes over, and is left to do so
    else:
        bench.kill()
    process.communicate()
    if not whom or (bench.versions.finisher() and not bench.processes("--resume")):
        boot(bench, services=not whom)
    return f"after {after:.1f} s at '{step}', {whom or 'all'} killed"


def boot(bench: Bench, *, services: bool) -> None:
    """Start what a boot starts; without services: what systemd's unit does for a change that nobody finishes."""
    if services:
        bench.boot()
    elif finisher := bench.versions.finisher():
        bench.command("upgrade", "--resume", version=finisher)


def result(bench: Bench, outcome: Outcome) -> None:
    """Compare what was promised with what is stored."""
    journal = bench.load / "journal"
    found = compare(bench.history, promised(journal), contents(journal))
    outcome.made, outcome.stored = found.promised, found.stored
    outcome.lost, outcome.twice, outcome.silent = found.lost + found.declared, found.twice, found.silent
    if found.wrong:
        outcome.notes.append(f"{found.wrong} stored with other content than made")
    if not found.chain_is_whole:
        outcome.notes.append(NOT_WHOLE)
    aside = sorted(path.name for path in bench.data.iterdir() if "corrupt" in path.name or "version-" in path.name)
    if aside:
        outcome.notes.append(f"set aside: {', '.join(aside)}")
