"""Falls of one sensor as metrics."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from numpy.typing import ArrayLike

from dsp.falls.fall import ALGORITHM, Fall, FallDetector
from dsp.found import Found
from dsp.posture.watch import Watch

METRICS: Final = {"fall": "fall_event", "near_fall": "near_fall_event"}


class FallMetrics:
    """The falls of one wearer; the same in any chunking.

    Args:
        rate_hz: Samples a second.
        placement: As of `FallDetector`; ``watch`` too.

    Raises:
        ValueError: the rate is too low, or nothing is known of the placement.
    """

    algorithm = ALGORITHM

    def __init__(self, rate_hz: float, placement: str, watch: Watch | None = None) -> None:
        self._detector = FallDetector(rate_hz, placement, watch=watch)

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Yield what samples show; arguments as of `FallDetector.process`."""
        yield from _found(self._detector.process(index, acc, gyr))

    def finish(self) -> Iterator[Found]:
        """Yield what the last half second shows."""
        yield from _found(self._detector.finish())


def _found(falls: Iterable[Fall]) -> Iterator[Found]:
    for fall in falls:
        yield Found(
            METRICS[fall.kind], fall.confidence, fall.at, fall.at, 1, quality=fall.quality, reason=fall.reason
        )  # fmt: skip
