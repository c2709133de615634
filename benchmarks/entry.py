"""What a benchmark says: one row of the table and of ``bench.json``."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

RECORDINGS = Path(__file__).resolve().parents[2] / "shared/data/gait/ipol497"
"""Real walks beside the checkout; benchmarks that need them say so where they are absent."""

LOADED = "import gateway.cli.main, gateway.run.run, gateway.analysis.movement_kernels, simulators.radio.radio"
"""What a gateway on the simulated radio loads."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One figure.

    Attributes:
        name: What was measured.
        value: The figure.
        unit: Its unit.
        goal: What it should reach; None where there is no goal.
        above: Whether the goal is a least value, rather than a largest.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    above: bool = False

    @property
    def ok(self) -> bool:
        """Whether the goal is reached."""
        return self.goal is None or (self.value >= self.goal if self.above else self.value <= self.goal)


def show(entries: list[Entry]) -> None:
    """Print the table."""
    width = max(len(entry.name) for entry in entries)
    for entry in entries:
        goal = "" if entry.goal is None else f"{'>=' if entry.above else '<='} {entry.goal:g}"
        verdict = "" if entry.goal is None else "ok" if entry.ok else "MISSED"
        print(f"{entry.name:{width}}  {entry.value:12,.3g} {entry.unit:10} {goal:10} {verdict}")


def bytecode(folder: Path) -> dict[str, str]:
    """Return an environment in which modules are loaded as an installation has them, compiled, whatever is set here."""
    kept = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder)}
    subprocess.run([sys.executable, "-c", LOADED], check=True, env=os.environ | kept)  # noqa: S603 - this interpreter
    return kept


def recordings(count: int) -> list[Path]:
    """Return so many recordings, spread over the walkers; none where they are absent."""
    paths = sorted(RECORDINGS.glob("*.npz"))
    return paths[:: max(1, len(paths) // count)][:count]
