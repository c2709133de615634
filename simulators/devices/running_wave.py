"""Samples of one running measurement of a sensor, taken from a source of movement or made one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from simulators.motion.source import MotionSource

Row = list[float]


class RunningWave:
    """A measurement that runs.

    Args:
        rate_hz: Samples a second of true time.
        source: Where movement comes from; None for what is made sample by sample.
        begun_s: When it was started, on the source's time.
    """

    def __init__(self, rate_hz: float, source: MotionSource | None, begun_s: float) -> None:
        self._rate_hz, self._source = rate_hz, source
        self._next = int(begun_s * rate_hz) + 1 if rate_hz else 0
        self._times: list[float] = []
        self._rows: list[Row] = []
        if source is not None:
            source.skip(begun_s)

    def take(self, until_s: float, make: Callable[[float], Row]) -> None:
        """Take what is due."""
        if self._source is None:
            while self._next <= until_s * self._rate_hz:
                at_s = self._next / self._rate_hz
                self._times.append(at_s)
                self._rows.append(make(at_s))
                self._next += 1
            return
        motion = self._source.read_until(until_s)
        if motion is None:
            return
        self._times += motion.time_s.tolist()
        columns = (motion.acc.tolist(), motion.gyr.tolist(), motion.mag.tolist())
        self._rows += [[*acc, *gyr, *mag] for acc, gyr, mag in zip(*columns, strict=True)]

    def full(self, size: int) -> Iterator[tuple[Sequence[float], Sequence[Row]]]:
        """Yield times and samples, as many as a notification holds."""
        while len(self._times) >= size:
            yield self._times[:size], self._rows[:size]
            del self._times[:size], self._rows[:size]
