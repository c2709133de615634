"""U-turns of one sensor as metrics: angle, steps and peak velocity of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from numpy.typing import ArrayLike

from dsp.found import Found
from dsp.walk_tests.course import ALGORITHM, CourseWalks, UTurn, Walk


class TurnMetrics:
    """The U-turns of one sensor on the trunk; the same in any chunking.

    Args:
        rate_hz: Samples a second.

    Raises:
        ValueError: the rate is too low for what is looked for.
    """

    algorithm = ALGORITHM

    def __init__(self, rate_hz: float) -> None:
        self._walks = CourseWalks(rate_hz)

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Yield the metrics of the U-turns that samples settle."""
        yield from _metrics(self._walks.process(index, acc, gyr))

    def finish(self) -> Iterator[Found]:
        """Yield those of a U-turn that was still open."""
        yield from _metrics(self._walks.flush())


def _metrics(found: Iterable[Walk | UTurn]) -> Iterator[Found]:
    for turn in found:
        if isinstance(turn, UTurn):
            values = {
                "u_turn_angle": turn.angle_deg,
                "turn_steps": float(turn.steps),
                "turn_peak_velocity": turn.peak_deg_s,
            }
            for metric, value in values.items():
                yield Found(metric, value, turn.start, turn.end, turn.steps, 0, turn.quality, turn.reason)
