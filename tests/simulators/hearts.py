"""Hearts whose rate says by itself whose they are."""

from __future__ import annotations

import numpy as np

from simulators.motion.source import Beats, BeatSource


class Steady(BeatSource):
    """A heart that beats evenly for ever."""

    def __init__(self, bpm: float) -> None:
        self.bpm = bpm
        self._last_s = 0.0

    def read_until(self, until_s: float) -> Beats:
        """Return the beats up to ``until_s``."""
        rr_s = 60.0 / self.bpm
        at_s = np.arange(self._last_s + rr_s, until_s, rr_s)
        if len(at_s):
            self._last_s = float(at_s[-1])
        return Beats(at_s, np.full(len(at_s), rr_s))
