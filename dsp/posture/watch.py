"""What posture and falls look back on, worked out once for all that look at the same sensor.

Each half second is a `Look` at the newest blocks. It stays as it was, so each watcher takes its looks when it is fed.
Sensors that are fed together are worked out together (`Watch.feed`): a ward costs a few calls of numpy, not some for
each sensor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from dsp.kernel import kernel
from dsp.posture.blocks import BLOCK_HZ, TURN_BLOCKS, Blocks, Turn, Whole, turns_of
from dsp.posture.stepping import PAUSED, SPANS, Stir, mean, stirs
from dsp.record import Floats, Ints

Kept = tuple[Floats, Floats, Floats, Ints]

KEPT_BLOCKS: Final = 12 * BLOCK_HZ
ROOM: Final = 4
"""Times what is kept: so seldom it is copied."""
WALKED_BLOCKS: Final = 3 * BLOCK_HZ // 2
"""Whoever walks is upright on average over two steps and more."""
AT_ONCE: Final = 256
"""Looks: of a day that is fed at once no more is copied than some megabytes."""
NOTHING: Final = Turn(
    number=-1,
    acc=np.full((TURN_BLOCKS, 3), np.nan),
    size=np.full(TURN_BLOCKS, np.nan),
    peak=np.full(TURN_BLOCKS, np.nan),
    peak_at=np.zeros(TURN_BLOCKS, np.int64),
)
"""What was lost."""


class Look:
    """The newest blocks at the end of a turn, in order of time; what was lost between them is NaN.

    Attributes:
        end: Number of the block after the newest, on the sensor's own grid.
        gap: How many blocks were lost before the turn.
        acc: (`KEPT_BLOCKS`, 3) mean specific force, m/s².
        size: (`KEPT_BLOCKS`,) mean size of the force; ``peak`` its greatest.
        peak_at: (`KEPT_BLOCKS`,) number of the sample of the greatest force.
        n_known: How many blocks of the turn have a sample.
        force: (3,) mean force over the last second; NaN where nothing is known, as ``walked``.
        walked: (3,) mean force over the last `WALKED_BLOCKS`.
        stir: How much the sensor moves.
    """

    n_known: int
    force: Floats
    walked: Floats
    stir: Stir

    def __init__(self, end: int, gap: int, kept: Kept) -> None:
        self.end, self.gap = end, gap
        self.acc, self.size, self.peak, self.peak_at = kept


class Watch:
    """One sensor, looked at each half second by any number of watchers that are all fed the same.

    Args:
        rate_hz: Samples a second.
        least_stir: m/s², least spread of the force over a second of walking.

    Attributes:
        blocks: Of its samples.

    Raises:
        ValueError: the rate is too low.
    """

    def __init__(self, rate_hz: float, least_stir: float) -> None:
        self.blocks = Blocks(rate_hz)
        self.least_stir = least_stir
        self._end: int | None = None
        self._first = 0
        self._make_room()
        self._watchers: list[Watcher] = []

    def watcher(self) -> Watcher:
        """Return one more that looks; before anything was fed."""
        self._watchers.append(Watcher(self))
        return self._watchers[-1]

    @staticmethod
    def feed(fed: Sequence[tuple[Watch, ArrayLike, ArrayLike]]) -> None:
        """Take samples of sensors (`Blocks.complete`): those that another watcher was fed before are passed over."""
        _look([(watch, whole) for watch, index, acc in fed if (whole := watch.blocks.complete(index, acc)) is not None])

    def process(self, index: ArrayLike, acc: ArrayLike) -> None:
        """Take samples of this sensor alone."""
        self.feed([(self, index, acc)])

    def finish(self) -> None:
        """End the open turn."""
        if (whole := self.blocks.finish()) is not None:
            _look([(self, whole)])

    def index_of(self, block: float) -> float:
        """Return the number of the first sample of a block."""
        return self.blocks.index_of(block)

    def add(self, turn: Turn) -> Look:
        """Put a turn behind those that are kept; return the look at them, of which nothing is worked out yet."""
        gap = 0 if self._end is None else max(0, turn.number * TURN_BLOCKS - self._end)
        for _ in range(0, min(gap, KEPT_BLOCKS), TURN_BLOCKS):
            self._append(NOTHING)
        self._append(turn)
        self._end = (turn.number + 1) * TURN_BLOCKS
        now = slice(self._first, self._first + KEPT_BLOCKS)
        acc, size, peak, peak_at = self._kept
        look = Look(self._end, gap, (acc[now], size[now], peak[now], peak_at[now]))
        for watcher in self._watchers:
            watcher.looks.append(look)
        return look

    def _append(self, turn: Turn) -> None:
        """Put a turn behind what is kept; where there is no room, what is kept moves: looks at it stay as they are."""
        end = self._first + KEPT_BLOCKS
        if end == ROOM * KEPT_BLOCKS:
            before, self._first = [array[-KEPT_BLOCKS:] for array in self._kept], 0
            self._make_room()
            for array, kept in zip(self._kept, before, strict=True):
                array[:KEPT_BLOCKS] = kept
            end = KEPT_BLOCKS
        for array, new in zip(self._kept, (turn.acc, turn.size, turn.peak, turn.peak_at), strict=True):
            array[end : end + TURN_BLOCKS] = new
        self._first += TURN_BLOCKS

    def _make_room(self) -> None:
        n = ROOM * KEPT_BLOCKS
        self._kept: Kept = (np.full((n, 3), np.nan), np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, np.int64))


def _look(wholes: Sequence[tuple[Watch, Whole]]) -> None:
    """Let who watches look at turns that are whole."""
    if not wholes:
        return
    of = [watch for watch, whole in wholes for _ in whole.numbers]
    looks = [watch.add(turn) for watch, turn in zip(of, turns_of([whole for _, whole in wholes]), strict=True)]
    paused = np.array([PAUSED * watch.least_stir for watch in of])
    for first in range(0, len(looks), AT_ONCE):
        _work_out(looks[first : first + AT_ONCE], paused[first : first + AT_ONCE])


def _work_out(looks: Sequence[Look], paused: Floats) -> None:
    """Work out what looks show; ``paused`` as of `stirs`."""
    acc = np.stack([look.acc[-SPANS[1] :] for look in looks])
    n_known, stir = np.empty(len(looks), np.int64), np.empty((len(looks), 3))
    force, walked = np.empty((2, len(looks), 3))
    see(acc, paused, n_known, force, walked, stir)
    for at, (look, known, moved) in enumerate(zip(looks, n_known.tolist(), stir.tolist(), strict=True)):
        look.n_known, look.force, look.walked, look.stir = known, force[at], walked[at], Stir(*moved)


@kernel
def see(  # noqa: PLR0917 - numba takes positional arguments
    acc: Floats, paused: Floats, n_known: Ints, force: Floats, walked: Floats, stir: Floats
) -> None:  # fmt: skip
    """Write what k looks show, as of `Look`; the first two arguments and the last as of `stirs`."""
    for k in range(len(acc)):
        end = acc.shape[1]
        n_known[k] = mean(acc[k], end - TURN_BLOCKS, end, force[k])
        mean(acc[k], end - BLOCK_HZ, end, force[k])
        mean(acc[k], end - WALKED_BLOCKS, end, walked[k])
    stirs(acc, paused, stir)


class Watcher:
    """One that looks at a sensor.

    Attributes:
        looks: At what it was not asked for yet.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.looks: list[Look] = []

    def process(self, index: ArrayLike, acc: ArrayLike) -> Iterator[Look]:
        """Yield each look that samples complete; arguments as those of `Blocks.complete`."""
        self._watch.process(index, acc)
        return self._taken()

    def finish(self) -> Iterator[Look]:
        """Yield what is left."""
        self._watch.finish()
        return self._taken()

    def index_of(self, block: float) -> float:
        """Return the number of the first sample of a block."""
        return self._watch.index_of(block)

    def _taken(self) -> Iterator[Look]:
        looks, self.looks = self.looks, []
        return iter(looks)
