"""What a benchmark says: one row of the table and of ``bench.json``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

RECORDINGS = Path(__file__).resolve().parents[2] / "shared/data/gait/ipol497"
"""Real walks beside the checkout; benchmarks that need them say so where they are absent."""


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


def recordings(count: int) -> list[Path]:
    """Return so many recordings, spread over the walkers; none where they are absent."""
    paths = sorted(RECORDINGS.glob("*.npz"))
    return paths[:: max(1, len(paths) // count)][:count]
