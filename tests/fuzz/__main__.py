"""``make fuzz``: every target, one on each core, and a table of what each got, how fast, and its memory.

``python -m tests.fuzz [--inputs N] [--only NAME] [--python FUZZER'S PYTHON]``; status 0 only if nothing failed.
"""

from __future__ import annotations

import argparse
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.everything import targets

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build/fuzz"
FULL, QUICK = 10_000_000, 200_000
FLAT_MB = 8  # what memory may grow by after the first quarter of the inputs; one byte an input would be seen
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder that is nobody else's is made in it; a disk would be slow
NICE = "5"  # fuzzing takes what others leave

PLAIN = 0.2  # of the inputs: run without instruments, where memory means something

_RUN = re.compile(r"^#(\d+)\s", re.MULTILINE)
_DONE = re.compile(r"^stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)
_COVERAGE = re.compile(r" cov: (\d+) ")
_MEMORY = re.compile(r"^(\d+) (\d+) (\d+)$", re.MULTILINE)


@dataclass(slots=True)
class Outcome:
    """What one target got; ``quarter_mb`` and ``end_mb``: resident memory after a quarter, and at the end."""

    name: str
    inputs: int = 0
    seconds: float = 0.0
    branches: int = 0
    quarter_mb: int = 0
    end_mb: int = 0
    failed: str = ""

    @property
    def flat(self) -> bool:
        """Whether memory stayed where it was."""
        return self.end_mb - self.quarter_mb <= FLAT_MB


def fuzz(python: Path, name: str, inputs: int) -> Outcome:
    """Fuzz one target, guided in rounds and then plain, each in a process of its own."""
    folder = FOLDER / "work" / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    before = {path.name for path in folder.glob("failed-*")}
    outcome, began = Outcome(name), time.monotonic()
    plain = round(inputs * PLAIN)
    status = 0
    while not status and (left := inputs - plain - outcome.inputs) > 0:
        status, output = run(python, "guided", name, left, folder)
        pulses = _DONE.findall(output) or _RUN.findall(output) or ["0"]
        covered = _COVERAGE.findall(output)
        outcome.inputs += max(1, int(pulses[-1]))
        outcome.branches = int(covered[-1]) if covered else outcome.branches
    if not status:
        status, output = run(Path(sys.executable), "plain", name, plain, folder)
        if memory := _MEMORY.search(output):
            outcome.inputs += int(memory[1])
            outcome.quarter_mb, outcome.end_mb = int(memory[2]), int(memory[3])
    new = sorted({path.name for path in folder.glob("failed-*")} - before)
    outcome.failed = f"status {status}, {', '.join(new) or 'see log'} in {folder.relative_to(ROOT)}" if status else ""
    outcome.seconds = time.monotonic() - began
    return outcome


def run(python: Path, how: str, name: str, inputs: int, folder: Path) -> tuple[int, str]:
    """Run one process; return its status and what it said."""
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    log = folder / "log"
    # The fuzzer ends its process without a word to Python: its scratch folder is ours to remove.
    with log.open("wb") as output, tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory) as scratch:
        command = ["nice", "-n", NICE, str(python), "-m", f"tests.fuzz.{how}", name, str(inputs), str(folder)]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TMPDIR": scratch}
        status = subprocess.run(
            command, cwd=ROOT, stdout=output, stderr=output, env=environment, check=False
        ).returncode
    return status, log.read_text("utf-8", "replace")


def show(outcome: Outcome) -> None:
    """Print one row of the table."""
    verdict = outcome.failed or ("ok" if outcome.flat else f"memory grew by more than {FLAT_MB} MB")
    rate = outcome.inputs / max(outcome.seconds, 1e-9)
    log(
        f"{outcome.name:22} {outcome.inputs:>11,} {rate:>8,.0f} {outcome.branches:>9,} "
        f"{outcome.quarter_mb:>9} {outcome.end_mb:>7}   {verdict}"
    )


def log(line: str) -> None:
    """Print a line at once, so that whoever waits sees it."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Fuzz all, and return the exit status."""
    parser = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    parser.add_argument(
        "--inputs", type=int, default=QUICK if os.environ.get("QUICK") else FULL, help="over all targets"
    )
    parser.add_argument("--only", action="append", metavar="NAME", help="these targets only; may be repeated")
    parser.add_argument("--but", action="append", default=[], metavar="NAME", help="all targets but these")
    parser.add_argument("--python", type=Path, default=FOLDER / "venv/bin/python", help="where the fuzzer is installed")
    given = parser.parse_args()
    chosen = [t for t in targets().values() if (not given.only or t.name in given.only) and t.name not in given.but]
    whole = sum(target.share for target in chosen)
    log(f"{'target':22} {'inputs':>11} {'inputs/s':>8} {'branches':>9} {'MB at 1/4':>9} {'at end':>7}")
    outcomes = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # The decoders take longest, so they begin.
        running = [
            pool.submit(fuzz, given.python, target.name, math.ceil(given.inputs * target.share / whole))
            for target in sorted(chosen, key=lambda target: not target.name.startswith("decoder"))
        ]
        for done in as_completed(running):
            outcomes.append(done.result())
            show(outcomes[-1])
    bad = [outcome for outcome in outcomes if outcome.failed or not outcome.flat]
    log(f"{sum(outcome.inputs for outcome in outcomes):,} inputs, {len(bad)} targets failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
