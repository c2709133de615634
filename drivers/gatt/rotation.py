"""How fast a wheel or a crank turns, from its counter of turns and the moment of its last one.

The device's moments (16 bits, 1/1024 or 1/2048 s) wrap every 64 or 32 s, its counters too. Between two turns nothing
new is told: then the rate is no more than one turn in the time since the last one, and after a while it is nought.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Final

NS: Final = 1_000_000_000
WHEEL_BITS, CRANK_BITS = 32, 16
CRANK_HZ: Final = 1024.0
STILL_S: Final = 4.0  # without a turn for so long (15 a minute) nothing turns: nobody trains more slowly
MOST_PER_S: Final = 30.0  # a wheel of 2 m at 200 km/h: more is a counter that jumped
TIME_BITS: Final = 16
MINUTE_S: Final = 60.0
JUMPED: Final = "a counter of turns jumped"


class Rotation:
    """One wheel or crank.

    Args:
        count_bits: Width of the counter of turns.
        tick_hz: Unit of the moments.

    Attributes:
        jumps: How often the counter and its moments did not fit together.
    """

    def __init__(self, count_bits: int, tick_hz: float) -> None:
        self.jumps = 0
        self._count_span = 1 << count_bits
        self._tick_hz = tick_hz
        self._wraps_s = (1 << TIME_BITS) / tick_hz
        self._last: tuple[int, int] | None = None
        self._last_ns = 0  # arrival of the newest turn
        self._rate_hz = math.nan

    def rate_hz(self, arrival_ns: int, count: int, ticks: int) -> float:
        """Return turns a second after a notification; NaN before there were two turns to go by."""
        last, since_s = self._last, (arrival_ns - self._last_ns) / NS
        if last is None or since_s >= self._wraps_s / 2:
            # The moments may have gone round meanwhile: begin anew. Nothing has turned if the counter is the same.
            still = last is not None and last[0] == count
            return self._begin(arrival_ns, count, ticks, 0.0 if still else math.nan, keep=still)
        turns = (count - last[0] + self._count_span // 2) % self._count_span - self._count_span // 2
        over_s = (ticks - last[1]) % (1 << TIME_BITS) / self._tick_hz
        if turns == 0:
            return self._idle(since_s)
        if over_s == 0.0 or abs(turns) / over_s > MOST_PER_S:
            self.jumps += 1
            return self._begin(arrival_ns, count, ticks, math.nan)
        return self._begin(arrival_ns, count, ticks, abs(turns) / over_s)  # backwards is as fast as forwards

    def _begin(self, arrival_ns: int, count: int, ticks: int, rate_hz: float, *, keep: bool = False) -> float:
        self._last, self._rate_hz = (count, ticks), rate_hz
        if not keep:
            self._last_ns = arrival_ns
        return rate_hz

    def _idle(self, since_s: float) -> float:
        if since_s >= STILL_S:
            self._rate_hz = 0.0
        elif since_s > 0.0:
            self._rate_hz = min(self._rate_hz, 1.0 / since_s) if not math.isnan(self._rate_hz) else math.nan
        return self._rate_hz


class Turns:
    """Wheel and crank of one device.

    Args:
        wheel_hz: Unit of the moments of the wheel.
        faults: Where a counter that jumped is counted.
    """

    def __init__(self, wheel_hz: float, faults: Counter[str]) -> None:
        self._wheel = Rotation(WHEEL_BITS, wheel_hz)
        self._crank = Rotation(CRANK_BITS, CRANK_HZ)
        self._wheel_time = f"wheel_time_{wheel_hz:.0f}"
        self._faults = faults

    def a_minute(self, arrival_ns: int, values: Mapping[str, int]) -> tuple[float, float]:
        """Return the turns a minute of wheel and crank; NaN for one that a record does not have."""
        jumps = self._wheel.jumps + self._crank.jumps
        wheel_hz = crank_hz = math.nan
        if "wheel_revs" in values:
            wheel_hz = self._wheel.rate_hz(arrival_ns, values["wheel_revs"], values[self._wheel_time])
        if "crank_revs" in values:
            crank_hz = self._crank.rate_hz(arrival_ns, values["crank_revs"], values["crank_time_1024"])
        if self._wheel.jumps + self._crank.jumps > jumps:
            self._faults[JUMPED] += 1
        return MINUTE_S * wheel_hz, MINUTE_S * crank_hz
