"""``make fuzz``: every target, one after the other, and a table of what each got, how fast, and its memory.

``python -m tests.fuzz [--inputs N] [--only NAME] [--python FUZZER'S PYTHON]``; status 0 only if nothing failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.everything import targets

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "build/fuzz"
FULL, QUICK = 10_000_000, 200_000
FLAT_MB = 64  # what memory may grow by after the first quarter of the inputs: the fuzzer keeps its finds in memory
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder that is nobody else's is made in it; a disk would be slow
NICE = 10  # fuzzing takes what others leave

_PULSE = re.compile(r"^#(\d+)\s.*rss: (\d+)Mb", re.MULTILINE)
_DONE = re.compile(r"^stat::number_of_executed_units:\s*(\d+)", re.MULTILINE)
_COVERAGE = re.compile(r" cov: (\d+) ")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one target got; ``quarter_mb`` and ``end_mb``: resident memory after a quarter, and at the end."""

    name: str
    inputs: int
    seconds: float
    coverage: int
    quarter_mb: int
    end_mb: int
    failed: str

    @property
    def flat(self) -> bool:
        """Whether memory stayed where it was."""
        return self.end_mb - self.quarter_mb <= FLAT_MB


def fuzz(python: Path, name: str, inputs: int) -> Outcome:
    """Fuzz one target in a process of its own."""
    folder = FOLDER / "work" / name.replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    before = {path.name for path in folder.glob("failed-*")}
    began = time.monotonic()
    log = folder / "log"
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    # The fuzzer ends its process without a word to Python: its scratch folder is ours to remove.
    with log.open("wb") as said, tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory) as scratch:
        command = [str(python), "-m", "tests.fuzz.guided", name, str(inputs), str(folder)]
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TMPDIR": scratch}
        status = subprocess.run(
            command, cwd=ROOT, stdout=said, stderr=said, env=environment, check=False, preexec_fn=lambda: os.nice(NICE)
        ).returncode
    text = log.read_text("utf-8", "replace")
    pulses = [(int(number), int(rss)) for number, rss in _PULSE.findall(text)]
    done = int(found[1]) if (found := _DONE.search(text)) else (pulses[-1][0] if pulses else 0)
    quarter = next((rss for number, rss in pulses if number >= done / 4), 0)
    covered = _COVERAGE.findall(text)
    new = sorted({path.name for path in folder.glob("failed-*")} - before)
    failed = "" if status == 0 else f"status {status}, {', '.join(new) or 'see'} in {folder.relative_to(ROOT)}"
    seconds = time.monotonic() - began
    return Outcome(
        name, done, seconds, int(covered[-1]) if covered else 0, quarter, pulses[-1][1] if pulses else 0, failed
    )


def show(outcome: Outcome) -> None:
    """Print one row of the table."""
    verdict = outcome.failed or ("ok" if outcome.flat else f"memory grew by more than {FLAT_MB} MB")
    rate = outcome.inputs / max(outcome.seconds, 1e-9)
    say(
        f"{outcome.name:22} {outcome.inputs:>11,} {rate:>8,.0f} {outcome.coverage:>9,} "
        f"{outcome.quarter_mb:>9} {outcome.end_mb:>7}   {verdict}"
    )


def say(line: str) -> None:
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
    parser.add_argument("--python", type=Path, default=FOLDER / "venv/bin/python", help="where the fuzzer is installed")
    given = parser.parse_args()
    chosen = [t for t in targets().values() if not given.only or t.name in given.only]
    whole = sum(target.share for target in chosen)
    say(f"{'target':22} {'inputs':>11} {'inputs/s':>8} {'branches':>9} {'MB at 1/4':>9} {'at end':>7}")
    outcomes = []
    for target in chosen:
        outcomes.append(fuzz(given.python, target.name, round(given.inputs * target.share / whole)))
        show(outcomes[-1])
    bad = [outcome for outcome in outcomes if outcome.failed or not outcome.flat]
    say(f"{sum(outcome.inputs for outcome in outcomes):,} inputs, {len(bad)} targets failed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
