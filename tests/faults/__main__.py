"""The fault matrix: break every part while measurements flow, and count what was promised, stored, lost, doubled and
gone without a word.

    make faults            everything
    make faults QUICK=1    a part of everything, below eight minutes
    make faults ONLY=kill  the rows whose name contains "kill"
    make faults FROM=disk  the first row whose name contains "disk", and all after it

Exit status 0 only if nothing that was promised is lost, doubled or gone without a word, and nothing else was wrong.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from itertools import dropwhile
from pathlib import Path
from subprocess import SubprocessError

import pytest
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.faults.matrix import ROWS, Row
from tests.faults.outcome import Outcome

WIDTH = 150
QUICK_JOBS = 2
"""Rows at once in the quick matrix."""


def main() -> int:
    """Run the rows one after another and print the table."""
    options = arguments()
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    rows = [row for row in dropwhile(lambda row: options.begin not in row.name, ROWS) if options.only in row.name]
    kind = "quick" if options.quick else "full"
    began = time.monotonic()
    console.print(f"fault matrix, {kind}, seed {options.seed}, {len(rows)} rows, in {folder}")
    columns = (TextColumn("{task.description:40}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:

        def one(row: Row) -> Outcome:
            task = progress.add_task(row.name, total=1.0)
            outcome = run(row, folder / row.name, options, lambda done: progress.update(task, completed=done))
            progress.remove_task(task)
            progress.console.print(line(outcome), highlight=False)
            return outcome

        # Most of a row is waiting; the full matrix has figures that neighbours would change.
        with ThreadPoolExecutor(options.jobs or (QUICK_JOBS if options.quick else 1)) as pool:
            outcomes = list(pool.map(one, rows))
    console.print(table(outcomes))
    for outcome in outcomes:
        for note in outcome.notes:
            console.print(f"[red]{outcome.fault}: {note}[/red]", highlight=False)
    good = all(outcome.good for outcome in outcomes)
    if good:
        shutil.rmtree(folder)
    done = sum(not outcome.skipped for outcome in outcomes)
    console.print(f"{done} rows in {time.monotonic() - began:.0f} s", highlight=False)
    console.print(
        "nothing lost, nothing twice, nothing in silence" if good and done else f"[bold red]see {folder}[/bold red]"
    )
    return 0 if good and done else 1


def run(row: Row, folder: Path, options: argparse.Namespace, progress: object) -> Outcome:
    """Run one row; a row that cannot run here says why, a row that breaks is a bad one."""
    began = time.monotonic()
    try:
        outcome = row.run(folder, quick=options.quick, seed=options.seed, progress=progress)
    except pytest.skip.Exception as reason:
        outcome = Outcome(row.name, skipped=str(reason))
    except (OSError, AssertionError, ValueError, RuntimeError, LookupError, SubprocessError, sqlite3.Error) as error:
        traceback.print_exc()
        outcome = Outcome(row.name, notes=[f"the row itself failed: {type(error).__name__}: {error}"])
    outcome.seconds = time.monotonic() - began
    return outcome


def line(outcome: Outcome) -> str:
    """Return one row for those who watch."""
    skipped = "[yellow]skipped[/yellow]" if outcome.skipped else ""
    verdict = skipped or ("[green]ok[/green]" if outcome.good else "[red]BAD[/red]")
    return f"{verdict:>9} {outcome.fault} ({outcome.seconds:.0f} s) {outcome.skipped or outcome.remark}"


def table(outcomes: list[Outcome]) -> Table:
    """Return the matrix."""
    shown = Table(title="Fault matrix")
    shown.add_column("fault", overflow="fold", max_width=44)
    for name in ("times", "made", "stored", "lost", "twice", "silent", "longest gap", "recovery"):
        shown.add_column(name, justify="right")
    shown.add_column("", overflow="fold")
    for o in outcomes:
        if o.skipped:
            shown.add_row(o.fault, *[""] * 8, f"skipped: {o.skipped}", style="dim")
            continue
        verdict = "; ".join(["ok", *filter(None, [o.remark])]) if o.good else "; ".join(o.notes) or "BAD"
        seconds = ["" if s is None else f"{s:.1f} s" for s in (o.gap_s, o.recovery_s)]
        shown.add_row(
            o.fault, str(o.times), str(o.made), str(o.stored), str(o.lost), str(o.twice), str(o.silent), *seconds,
            verdict, style="" if o.good else "bold red",
        )  # fmt: skip
    return shown


def arguments() -> argparse.Namespace:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, below eight minutes")
    names = ", ".join(row.name for row in ROWS)
    parser.add_argument("--only", default="", help=f"only rows whose name contains this: {names}")
    parser.add_argument("--from", dest="begin", default="", help="begin with the first row whose name contains this")
    parser.add_argument("--jobs", type=int, help=f"rows at once; of itself {QUICK_JOBS} with --quick, else 1")
    parser.add_argument("--seed", type=int, default=20261122)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
