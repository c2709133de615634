"""Samples as they come to whole seconds: what is worked out of these is the same in any chunking, bit for bit."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dsp.arrays import require_one_length

Floats = NDArray[np.float64]
Second = tuple[Floats, Floats]
"""Gateway times (n,) and samples (n, channels) of one second."""

MOST_SAMPLES: Final = (
    4096  # of a second: four times what the fastest devices send; what a flood brings beyond is left out
)


class WholeSeconds:
    """Streaming: samples in, seconds out; one is closed by the first sample of a later one."""

    def __init__(self) -> None:
        self._second = -np.inf
        self._times: list[Floats] = []
        self._samples: list[Floats] = []
        self._kept = 0

    def add(self, time_s: Floats, samples: Floats) -> list[Second]:
        """Take samples (n, channels) at gateway times (n,) in ascending order; return the seconds that they end."""
        require_one_length(time_s=time_s, samples=samples[:, 0])
        seconds = np.maximum.accumulate(np.floor(time_s))
        closed: list[Second] = []
        begin = 0
        while begin < len(seconds):
            if seconds[begin] > self._second:
                closed += self.finish()
                self._second = float(seconds[begin])
            end = int(np.searchsorted(seconds, max(self._second, seconds[begin]), side="right"))
            self._keep(time_s[begin:end], samples[begin:end])
            begin = end
        return closed

    def finish(self) -> list[Second]:
        """Return the open second as far as it came, and begin another."""
        if not self._kept:
            return []
        second = np.concatenate(self._times), np.concatenate(self._samples)
        self._times, self._samples, self._kept = [], [], 0
        return [second]

    def _keep(self, time_s: Floats, samples: Floats) -> None:
        room = MOST_SAMPLES - self._kept
        if room > 0:
            self._times.append(time_s[:room])
            self._samples.append(samples[:room])
            self._kept += len(time_s[:room])
