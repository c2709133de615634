"""The posture that one sensor shows, as a metric; and the numbers that postures have as values of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from numpy.typing import ArrayLike

from dsp.found import Found
from dsp.posture.posture import ALGORITHM, Name, Posture, PostureDetector
from dsp.posture.watch import Watch

CODES: Final[dict[Name, float]] = {"lying": 0.0, "sitting": 1.0, "standing": 2.0, "walking": 3.0, "stairs": 4.0}
SEGMENT_UP: Final = (0.0, 0.0, 1.0)
"""The axes of a sensor on a ward are turned by its configuration: z is up the segment."""


def as_found(posture: Posture) -> Found:
    """Return a posture as a value of the metric."""
    value = None if posture.posture is None else CODES[posture.posture]
    return Found("posture", value, posture.at, posture.at, 1, quality=posture.quality, reason=posture.reason)


class PostureMetrics:
    """The posture of one wearer, and no more; the same in any chunking.

    Args:
        rate_hz: Samples a second.
        placement: As of `PostureDetector`; ``watch`` too.

    Raises:
        ValueError: the rate is too low, or nothing is known of the placement.
    """

    algorithm = ALGORITHM

    def __init__(self, rate_hz: float, placement: str, watch: Watch | None = None) -> None:
        self._detector = PostureDetector(rate_hz, placement, along=SEGMENT_UP, watch=watch)

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Yield each change that samples show; arguments as of `PostureDetector.process`."""
        return map(as_found, self._detector.process(index, acc, gyr))

    def finish(self) -> Iterator[Found]:
        """Yield what the last half second changes."""
        return map(as_found, self._detector.finish())
