"""Exoskeletons: each by itself, both sides of whoever wears it."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from drivers.exoskeleton import FAULT_STREAM
from drivers.packet import StreamSpec
from dsp.exoskeleton.seconds import ALGORITHM, ExoskeletonSeconds
from dsp.result import Result
from gateway.analysis.ward_operators import EachDevice, channel, seconds
from gateway.intake.intake import Arrived

AGAIN_S = 0.95  # a state that holds is told once a second, as all else is: who looks sees that it is known
STATES = (("fault", "exo_fault"), ("emergency_stop", "exo_emergency_stop"))
"""Channels that hold until they change, and what is told of them."""


class ExoskeletonOfDevice:
    """One exoskeleton: its seconds, and what is wrong with it as soon as it says so."""

    def __init__(self) -> None:
        self._seconds: dict[str, tuple[StreamSpec, ExoskeletonSeconds]] = {}
        self._states: dict[str, tuple[float, float]] = {}  # what was told last, and when

    def process(self, arrived: Arrived) -> list[Result]:
        """Take samples of one of its streams."""
        if arrived.stream == FAULT_STREAM:
            return self._changes(arrived)
        known = self._seconds.get(arrived.stream)
        if known is None or known[0] is not arrived.spec:
            known = self._seconds[arrived.stream] = arrived.spec, ExoskeletonSeconds(arrived.spec.channels)
        return known[1].add(seconds(arrived), arrived.samples)

    def finish(self) -> list[Result]:
        """Return the last second of each stream."""
        return [result for _, each in self._seconds.values() for result in each.finish()]

    def _changes(self, arrived: Arrived) -> list[Result]:
        """Return each state that is another one than before, and the others again after a while, while it says them."""
        found: list[Result] = []
        columns = [(channel(arrived, name).tolist(), metric) for name, metric in STATES]
        for at, time_s in enumerate(seconds(arrived).tolist()):
            for values, metric in columns:
                value = values[at]
                newest, newest_s = self._states.get(metric, (np.nan, -np.inf))
                if not np.isnan(value) and (value != newest or time_s >= newest_s + AGAIN_S):
                    self._states[metric] = value, time_s
                    found.append(Result(metric, value, "none", time_s, time_s, 1, ALGORITHM))
        return found


class ExoskeletonOperators(EachDevice):
    """Exoskeletons of a ward."""

    operator: ClassVar = ExoskeletonOfDevice
