"""Tremor of one sensor as metrics: each half minute what share of it has a tremor, and how strong and fast it was."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import Final

from numpy.typing import ArrayLike

from dsp.found import Found
from dsp.result import Quality
from dsp.tremor.tremor import ALGORITHM, LOST, WINDOW_S, State, Tremor, TremorValue

METRIC_EVERY_S: Final = 30.0
"""A tremor comes and goes within seconds; a share of time needs some of them."""
LEAST_VALUES: Final = 5
"""Seconds of a state, or with tremor, below which nothing is told of it."""
LOST_SHARE: Final = 0.2
"""With more of the seconds lost what is told is degraded."""
OF_STATE: Final[tuple[tuple[State, str, str], ...]] = (
    ("rest", "rest_tremor_time_pct", "rest_tremor_amplitude"),
    ("action", "action_tremor_time_pct", "action_tremor_amplitude"),
)
OF_TREMOR: Final = (
    ("tremor_frequency", "frequency_hz"),
    ("tremor_amplitude_rms", "rotation_dps"),
    ("tremor_power_35_7", "rotation_power_35_7"),
    ("tremor_power_4_6", "rotation_power_4_6"),
)


class TremorMetrics:
    """Tremor under one sensor on a hand, wrist or leg; the same in any chunking.

    Args:
        rate_hz: Samples a second.

    Raises:
        ValueError: the rate is too low for what is looked for.
    """

    algorithm = ALGORITHM

    def __init__(self, rate_hz: float) -> None:
        self._tremor = Tremor(rate_hz)
        self._length = round(WINDOW_S * rate_hz)
        self._stretch = round(METRIC_EVERY_S * rate_hz)
        self._values: list[TremorValue] = []

    def process(self, index: ArrayLike, acc: ArrayLike, gyr: ArrayLike) -> Iterator[Found]:
        """Yield what the half minutes come to that samples complete."""
        for value in self._tremor.process(index, acc, gyr):
            if self._values and value.last // self._stretch != self._values[0].last // self._stretch:
                yield from self.finish()
            self._values.append(value)

    def finish(self) -> Iterator[Found]:
        """Yield what was measured since the last half minute."""
        values, self._values = self._values, []
        if not values:
            return
        known = [value for value in values if value.reason != LOST]
        n_lost = len(values) - len(known)
        reason = f"{n_lost} of {len(values)} s lost" if n_lost > LOST_SHARE * len(values) else ""
        for state, share, amplitude in OF_STATE:
            of_state = [value for value in known if value.state == state]
            present = [value for value in of_state if value.present]
            if len(of_state) >= LEAST_VALUES:
                yield self._found(share, 100 * len(present) / len(of_state), of_state, n_lost, reason)
            yield from self._median(amplitude, "amplitude", present, n_lost, reason)
        present = [value for value in known if value.present]
        for metric, name in OF_TREMOR:
            yield from self._median(metric, name, present, n_lost, reason)
        if not known:
            first = values[0].last - self._length + 1
            yield Found("rest_tremor_time_pct", None, first, values[-1].last, 0, n_lost, "invalid", LOST)

    def _median(
        self, metric: str, name: str, values: Sequence[TremorValue], n_lost: int, reason: str
    ) -> Iterator[Found]:
        numbers = [number for value in values if math.isfinite(number := getattr(value, name))]
        if len(numbers) >= LEAST_VALUES:
            yield self._found(metric, statistics.median(numbers), values, n_lost, reason)

    def _found(self, metric: str, number: float, values: Sequence[TremorValue], n_lost: int, reason: str) -> Found:
        first = values[0].last - self._length + 1
        quality: Quality = "degraded" if reason else "ok"
        return Found(metric, number, first, values[-1].last, len(values), n_lost, quality, reason)
