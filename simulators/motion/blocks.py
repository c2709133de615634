"""Sources that make their samples a block at a time and hand them out in slices of any size.

Samples are made in blocks whose borders depend on nothing but the source, so that whoever pulls them, in whatever
steps, gets the same samples bit for bit.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from simulators.motion.source import Floats, Motion, MotionSource

BLOCK_SAMPLES = 256
"""Samples made at once: enough to spread numpy's cost of a call, few enough to stay within five seconds of now."""


class Block(NamedTuple):
    """Consecutive samples.

    Attributes:
        true_s: (n,) true time of each, which only a simulator knows.
        make: Works them out; called at most once, and before the next block is asked for. Where nobody takes a sample
            of a block it is not called: what comes later must not depend on it.
    """

    true_s: Floats
    make: Callable[[], Motion]


def empty_motion() -> Motion:
    """Return a Motion of no samples."""
    none, rows = np.empty(0), np.empty((0, 3))
    return Motion(none, rows, rows, rows, np.empty(0, dtype=np.bool_))


def _joined(parts: list[Motion]) -> Motion:
    if len(parts) == 1:
        return parts[0]
    return Motion(
        np.concatenate([p.time_s for p in parts]),
        np.concatenate([p.acc for p in parts]),
        np.concatenate([p.gyr for p in parts]),
        np.concatenate([p.mag for p in parts]),
        np.concatenate([p.sent for p in parts]),
    )


def _part(motion: Motion, start: int, stop: int) -> Motion:
    cut = slice(start, stop)
    return Motion(motion.time_s[cut], motion.acc[cut], motion.gyr[cut], motion.mag[cut], motion.sent[cut])


class BlockSource(MotionSource):
    """A motion source that is written as a generator of blocks."""

    def __init__(self, rate_hz: float) -> None:
        self.rate_hz = rate_hz
        self._stream = self._blocks()
        self._block: Block | None = None
        self._motion: Motion | None = None  # of the block, once somebody takes of it
        self._taken = 0  # samples of the block already handed out
        self._over = False

    @abstractmethod
    def _blocks(self) -> Iterator[Block]:
        """Yield the samples in order of true time, none twice; end where the source ends."""

    def read_until(self, until_s: float) -> Motion | None:
        """Return the samples not yet taken whose true time is at most ``until_s`` (n may be 0); None at the end."""
        parts: list[Motion] = []
        for block, start, stop in self._reach(until_s):
            if self._motion is None:
                self._motion = block.make()
            parts.append(_part(self._motion, start, stop))
        if parts:
            return _joined(parts)
        return None if self._over else empty_motion()

    def skip(self, until_s: float) -> int | None:
        """Leave out the samples that `read_until` would return; work none out. Return their number; None at the end."""
        skipped = sum(stop - start for _, start, stop in self._reach(until_s))
        return None if self._over and not skipped else skipped

    def _reach(self, until_s: float) -> Iterator[tuple[Block, int, int]]:
        """Go on to ``until_s``; yield each block on the way with the span of its samples that is passed."""
        while True:
            if self._block is None:
                self._block, self._motion, self._taken = next(self._stream, None), None, 0
                if self._block is None:
                    self._over = True
                    return
            block, start = self._block, self._taken
            stop = int(block.true_s.searchsorted(until_s, side="right"))
            if stop > start:
                self._taken = stop
                yield block, start, stop
            if stop < len(block.true_s):
                return
            self._block = None
