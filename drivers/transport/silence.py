"""How long nothing was heard of a stream: only time counts in which it could have been heard.

The limit is each driver's own, ``Driver.silence_s``.

Simulated time may run more slowly than ours: a strap that tells a rate each second of it is then not silent after four
seconds of ours. And a process that did not run for a while, since its computer had too much to do, has heard nobody
meanwhile: what was sent lies unread, and is read first.
"""

from __future__ import annotations

from collections.abc import Callable

NS = 1e9
SHORTEST_WAIT_S = 0.05  # where simulated time runs slowly, what is left by it takes longer by ours


class Silence:
    """Measures how long a stream has been silent, by the clock that runs more slowly.

    Args:
        longest_s: From how long on it is silent.
        clock_ns: The gateway's monotonic clock, which stamps frames.
        now_s: Now, on the event loop's clock: it begins here.
    """

    def __init__(self, longest_s: float, clock_ns: Callable[[], int], now_s: float) -> None:
        self._longest_s = longest_s
        self._clock_ns = clock_ns
        self._since_s, self._since_ns = now_s, clock_ns()
        self._excused_s = 0.0

    def heard(self, now_s: float, arrival_ns: int) -> None:
        """Begin again from the newest frame that was heard."""
        if now_s > self._since_s:
            self._since_s, self._since_ns = now_s, arrival_ns
            self._excused_s = 0.0

    def woke(self, late_s: float) -> None:
        """Leave out a time in which this process did not run, known by how late it woke."""
        self._excused_s += max(0.0, late_s)

    def left_s(self, now_s: float) -> float:
        """Return for how many seconds there is still hope, at least a moment; 0 if it is silent."""
        quiet_s = min(now_s - self._since_s - self._excused_s, (self._clock_ns() - self._since_ns) / NS)
        return 0.0 if quiet_s >= self._longest_s else max(self._longest_s - quiet_s, SHORTEST_WAIT_S)
