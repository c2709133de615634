"""A test of exertion: how high the heart went and how soon it came back, how low the saturation fell.

The test lasts from its first reading, or what is marked as its start, to the end of the session, or what is marked as
its stop; recovery is looked at a minute after that, and the lowest saturation counts until then: it lags behind.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from dsp.exertion.series import Series, smoothed
from dsp.marks import START, STOP
from dsp.result import Quality, Result

ALGORITHM: Final = "effort/1"
RECOVERY_S: Final = 60.0
AROUND_S: Final = 5.0
"""To either side of the instant at which recovery is looked at."""
BASELINE_S: Final = 20.0
"""Of a test that nobody marked the start of: saturation falls 15 to 30 s after the effort begins."""
BEFORE_S: Final = 60.0  # of rest before a marked start that makes the baseline
LEAST: Final = 3  # readings that make a level
PEAK_OF: Final = 5  # rates in a row, of which the middle one counts
NADIR_OF: Final = 3  # saturations in a row likewise
LEAST_COVER: Final = 0.5  # of a test's seconds with a rate: below, the peak may have been missed
MOST_DOUBTFUL: Final = 0.2  # of saturations: above, the lowest may have been among them
DISTANCE: Final = "mwt6_distance"

RATE, SATURATION = "heart_rate", "spo2"
OF_RATE: Final = ("hr_peak", "hr_recovery_60")
OF_SATURATION: Final = ("spo2_nadir", "desaturation", "spo2_recovery_60")


class Effort:
    """What one session of a test shows.

    Args:
        doubt: Why the session is not the whole test; empty if it is.
    """

    def __init__(self, doubt: str = "") -> None:
        self._doubt = doubt
        self._series = {RATE: Series(), SATURATION: Series()}
        self._distance: Result | None = None
        self._begin_s = math.inf
        self._start_s = -math.inf
        self._stop_s = math.inf
        self._peak: float | None = None
        self._open = True

    def process(self, results: Sequence[Result]) -> Iterator[Result]:
        """Look at rates, saturations and the distance; yield what recovery shows when it is over."""
        for result in results:
            if result.metric == DISTANCE:
                self._distance = result
            elif result.metric in self._series:
                self._begin_s = min(self._begin_s, result.end_s)
                self._series[result.metric].add(result.end_s, result.value, sure=result.quality == "ok")
        newest_s = min((each.newest_s for each in self._series.values() if each.heard), default=-math.inf)
        if self._open and newest_s > self._stop_s + RECOVERY_S + AROUND_S:
            yield from self._after()

    def mark(self, text: str, at_s: float) -> Iterator[Result]:
        """Begin or end the test; yield the peak at its end."""
        if text == START:
            if math.isfinite(self._stop_s):
                yield from self.finish()  # of the test before: what was seen of its recovery
                self._stop_s, self._peak, self._distance, self._open = math.inf, None, None, True
            self._start_s = at_s
        elif text == STOP and math.isinf(self._stop_s) and self._has_begun(at_s):
            yield from self._end(at_s)

    def _has_begun(self, at_s: float) -> bool:
        return math.isfinite(self._start_s) or self._begin_s < at_s

    def end(self, at_s: float) -> Iterator[Result]:
        """End the test with the session, if nobody did before; recovery is still looked at."""
        if math.isinf(self._stop_s):
            yield from self._end(at_s)

    def finish(self) -> Iterator[Result]:
        """Yield what recovery shows as far as it was seen."""
        if self._open:
            yield from self._after()

    @property
    def _from_s(self) -> float:
        return max(self._start_s, self._begin_s)

    def _end(self, at_s: float) -> Iterator[Result]:
        self._stop_s = at_s
        if not self._series[RATE].heard:
            return
        readings = [reading for reading in self._series[RATE].within(self._from_s, at_s) if reading.sure]
        values = smoothed(readings, PEAK_OF)
        self._peak = max(values, default=None)
        cover = len(readings) / max(1.0, at_s - self._from_s)
        few = f"a heart rate for {cover:.0%} of the test only" if cover < LEAST_COVER else ""
        yield self._result("hr_peak", self._peak, len(readings), "too few heart rates", few)

    def _after(self) -> Iterator[Result]:
        self._open = False
        if self._series[RATE].heard:
            yield self._recovered_rate()
        if self._series[SATURATION].heard:
            yield from self._saturation()

    def _recovered_rate(self) -> Result:
        later = self._level(RATE)
        value = None if later is None or self._peak is None else self._peak - later
        why = "too few heart rates" if self._peak is None else f"no heart rate {RECOVERY_S:.0f} s after the end"
        return self._result("hr_recovery_60", value, 1, why)

    def _saturation(self) -> Iterator[Result]:
        series = self._series[SATURATION]
        readings = series.within(self._from_s, self._stop_s + RECOVERY_S)
        sure = [reading for reading in readings if reading.sure]
        lowest = min(smoothed(sure, NADIR_OF), default=None)
        doubtful = 1 - len(sure) / max(1, len(readings))
        many = f"{doubtful:.0%} of the saturations are doubtful" if doubtful > MOST_DOUBTFUL else ""
        why, n_left_out = "too few saturations that are sure", len(readings) - len(sure)
        yield self._result("spo2_nadir", lowest, len(sure), why, many)._replace(n_rejected=n_left_out)
        baseline = self._baseline()
        fallen = None if lowest is None or baseline is None else baseline - lowest
        yield self._result("desaturation", fallen, len(sure), why if lowest is None else "no saturation at rest", many)
        later = self._level(SATURATION)
        back = None if lowest is None or later is None else later - lowest
        late = f"no saturation {RECOVERY_S:.0f} s after the end"
        yield self._result("spo2_recovery_60", back, 1, why if lowest is None else late, many)
        if self._distance is not None and self._distance.value is not None:
            product = None if lowest is None else self._distance.value * lowest / 100.0
            doubt = "; ".join(filter(None, (many, self._distance.reason)))
            yield self._result("distance_saturation_product", product, len(sure), why, doubt)

    def _baseline(self) -> float | None:
        """Return the saturation at rest before the effort."""
        if math.isfinite(self._start_s):
            return self._series[SATURATION].level(self._start_s - BEFORE_S, self._start_s, LEAST)
        return self._series[SATURATION].level(self._begin_s, self._begin_s + BASELINE_S, LEAST)

    def _level(self, of: str) -> float | None:
        at_s = self._stop_s + RECOVERY_S
        return self._series[of].level(at_s - AROUND_S, at_s + AROUND_S, LEAST)

    def _result(self, metric: str, value: float | None, n: int, why: str, *doubts: str) -> Result:
        """Return a value with what is doubtful about it, or none, and why."""
        seen_s = max((each.newest_s for each in self._series.values() if each.heard), default=self._stop_s)
        after_s = 0.0 if metric == "hr_peak" else min(RECOVERY_S, max(0.0, seen_s - self._stop_s))
        over_s = self._stop_s + after_s  # no further than was seen: somebody else may be in the bed by then
        reason = why if value is None else "; ".join(filter(None, (self._doubt, *doubts)))
        quality: Quality = "invalid" if value is None else "degraded" if reason else "ok"
        start_s = min(self._from_s, self._stop_s)
        return Result(metric, value, "none", start_s, over_s, n, ALGORITHM, quality=quality, reason=reason)
