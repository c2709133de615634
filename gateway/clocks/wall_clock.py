"""The wall clock beside the monotonic one: whether it can be believed, and when it was moved.

Inside, only the monotonic clock counts. UTC is that clock and one number, fixed at the start; when the wall clock is
set, or the machine slept, the number moves for what is measured from then on. The move goes through the pipeline's
input as a frame of its own (`gateway.intake.frames`), so that a recording holds it and a replay makes it at the same
step.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.machine import facts
from gateway.machine.facts import TRUE_FROM_US
from gateway.model.wall_correction import MICRO, Correction

STEP_S = 0.5
"""A clock that jumps by more was set; time services slew what is less (chrony: at most 83 ms a second)."""
BRACKET_NS = 20_000_000
"""Both clocks are read within this, or not at all: a process that was interrupted between the two has seen no step."""

IMPOSSIBLE, POSSIBLE, KEPT = range(3)
"""What a wall clock is worth: a time that cannot be, one that nothing keeps right, one that something does."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All clocks at one instant.

    Attributes:
        monotonic_ns: Stands still while the machine sleeps.
        boot_ns: The same, but goes on.
        wall_us: UTC as the machine believes it.
    """

    monotonic_ns: int
    boot_ns: int
    wall_us: int


def read() -> Reading | None:
    """Read all clocks; None when that was interrupted."""
    before_ns = time.monotonic_ns()
    boot_ns, wall_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME), time.time_ns()
    if time.monotonic_ns() - before_ns > BRACKET_NS:
        return None
    return Reading(before_ns, boot_ns, wall_ns // 1000)


class WallClock:
    """Watches the wall clock for steps.

    Args:
        read: Reads the clocks.
        kernel: Asks the kernel whether something keeps the wall clock right.

    Attributes:
        believed_at_start: Whether the wall clock could be believed when the run began.
        steps: How often it was set since then.
        step_s: By how much the last time, seconds.
        stepped_ns: Monotonic time of the last step; None before the first.
        slept_s: How long the machine has been suspended in all.
        believed: Whether what is measured now has a wall time that can be believed. A clock that was set is believed
            when it is possible, and no worse kept than it had been before: one that somebody moves by hand, and no time
            service keeps, is not, until a time service has had its say. Nor is one that nothing keeps when the run
            begins: a plausible time may be weeks old.
        corrections: By how much earlier wall times of this run were off, in their order; whoever tells them takes them.
    """

    def __init__(
        self,
        read: Callable[[], Reading | None] = read,
        kernel: Callable[[], facts.Clock] = facts.clock,
    ) -> None:
        self._read = read
        self._kernel = kernel
        self._last = read()
        self.synchronised = kernel().synchronised
        self.set = self._last is None or self._last.wall_us >= TRUE_FROM_US
        self.believed_at_start = self.set and self.synchronised is not False
        self.steps = 0
        self.step_s = 0.0
        self.stepped_ns: int | None = None
        self.slept_s = 0.0
        self._best = self._trust()
        self.believed = self._best == KEPT
        self.corrections: deque[Correction] = deque()
        if doubt := self.doubt:
            self.corrections.append(doubt)

    @property
    def doubt(self) -> Correction | None:
        """What is to be said of whatever begins now; None while the clock is believed."""
        return None if self.believed else Correction(0, believed=False, likely=self._best == POSSIBLE)

    def utc_us(self, monotonic_ns: int) -> int:
        """Return UTC at a monotonic time near the last look."""
        last = self._last
        return time.time_ns() // 1000 if last is None else last.wall_us + (monotonic_ns - last.monotonic_ns) // 1000

    def look(self) -> int:
        """Return by how many microseconds UTC has to move since the last look: 0 but for a step or a sleep."""
        now, last = self._read(), self._last
        if now is None:
            return 0
        self._last = now
        if last is None:
            return 0
        elapsed_us = (now.monotonic_ns - last.monotonic_ns) // 1000
        moved_us = now.wall_us - last.wall_us - elapsed_us
        if abs(moved_us) < STEP_S * MICRO:
            return 0
        slept_us = (now.boot_ns - last.boot_ns) // 1000 - elapsed_us
        step_us = moved_us - slept_us
        self.slept_s += max(0, slept_us) / MICRO
        if abs(step_us) >= STEP_S * MICRO:
            self.steps += 1
            self.step_s = step_us / MICRO
            self.stepped_ns = now.monotonic_ns
            self.set = now.wall_us >= TRUE_FROM_US
            self.synchronised = self._kernel().synchronised
            self.believed = self._trust() >= max(POSSIBLE, self._best)
            self._best = max(self._best, self._trust())
            self.corrections.append(Correction(step_us, self.believed))
        return moved_us

    def status(self) -> dict[str, Any]:
        """Return what the status says of the wall clock; asks the kernel."""
        self.synchronised = self._kernel().synchronised
        self._best = max(self._best, self._trust())
        if not self.believed and self._trust() == KEPT:
            self.believed = True
            self.corrections.append(Correction(0, believed=True))
        return {
            "synchronised": self.synchronised is not False and self.set,
            "believed_at_start": self.believed_at_start,
            "steps": self.steps,
            "step_s": round(self.step_s, 3),
            "slept_s": round(self.slept_s, 3),
        }

    def _trust(self) -> int:
        return IMPOSSIBLE if not self.set else POSSIBLE if self.synchronised is False else KEPT
