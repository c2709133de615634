"""A sensor that is strapped on otherwise than with its x forward, its y to the left and its z up."""

from __future__ import annotations

from dataclasses import replace

from simulators.motion.source import Floats, Motion, MotionSource


class Mounted(MotionSource):
    """The samples of a sensor in its own axes.

    Args:
        source: The same movement, with x forward, y to the left and z up.
        axes: Which sensor axes point forward, left and up: ``"-x -y z"``. A left-handed triple is no sensor's.
    """

    def __init__(self, source: MotionSource, axes: str) -> None:
        self.rate_hz = source.rate_hz
        self._source = source
        points = axes.split()
        self._columns = ["xyz".index(point[-1]) for point in points]
        self._signs = [-1.0 if point.startswith("-") else 1.0 for point in points]
        if sorted(self._columns) != [0, 1, 2]:
            raise ValueError(f"axes '{axes}' name one twice")

    def read_until(self, until_s: float) -> Motion | None:
        """Return the samples not yet taken, turned."""
        motion = self._source.read_until(until_s)
        if motion is None:
            return None
        return replace(motion, acc=self._turned(motion.acc), gyr=self._turned(motion.gyr), mag=self._turned(motion.mag))

    def skip(self, until_s: float) -> int | None:
        """Leave out the samples that `read_until` would return."""
        return self._source.skip(until_s)

    def _turned(self, vectors: Floats) -> Floats:
        found = vectors.copy()
        found[:, self._columns] = vectors * self._signs
        return found
