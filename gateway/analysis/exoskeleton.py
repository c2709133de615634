"""Exoskeletons: each by itself, both sides of whoever wears it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from config.settings import Device
from drivers.exoskeleton import FAULT_STREAM, STREAM
from drivers.packet import StreamSpec
from dsp.exoskeleton.curves import ExoskeletonCurve
from dsp.exoskeleton.seconds import ALGORITHM, ExoskeletonSeconds
from dsp.exoskeleton.strides import ExoskeletonStrides
from dsp.result import Result
from gateway.analysis.motion import INTERRUPTED
from gateway.analysis.ward_operators import EachOfPerson, PersonOperators, WardOperators, channel, seconds
from gateway.intake.arrived import Arrived
from gateway.model.ward import Bed

PLACEMENT = "exoskeleton"
CURVES_EVERY_S = 5.0  # some strides, as of the angles by sensors
AGAIN_S = 0.95  # a state that holds is told once a second, as all else is: who looks sees that it is known
STATES = (("fault", "exo_fault"), ("emergency_stop", "exo_emergency_stop"))
"""Channels that hold until they change, and what is told of them."""


class ExoskeletonOfDevice:
    """One exoskeleton: its seconds, its strides, and what is wrong with it as soon as it says so.

    Args:
        mass_kg: Of the wearer; None if not known.
        doubt: Why sums since the session began are not all of it; empty where they are.
    """

    def __init__(self, mass_kg: float | None = None, doubt: str = "") -> None:
        self._wearer = mass_kg, doubt
        self._streams: dict[str, tuple[StreamSpec, ExoskeletonSeconds]] = {}
        self._strides: ExoskeletonStrides | None = None
        self._states: dict[str, tuple[float, float]] = {}  # what was told last, and when

    def process(self, arrived: Arrived) -> list[Result]:
        """Take samples of one of its streams."""
        if arrived.stream == FAULT_STREAM:
            return self._changes(arrived)
        results: list[Result] = []
        known = self._streams.get(arrived.stream)
        if known is None or known[0] is not arrived.spec:
            known = self._streams[arrived.stream] = arrived.spec, ExoskeletonSeconds(arrived.spec.channels)
            if arrived.stream == STREAM:
                results += self._strides.finish() if self._strides else []
                self._strides = ExoskeletonStrides(arrived.spec.channels, *self._wearer)
        time_s = seconds(arrived)
        results += known[1].add(time_s, arrived.samples)
        if arrived.stream == STREAM and self._strides:
            results += self._strides.add(time_s, arrived.samples)
        return results

    def finish(self) -> list[Result]:
        """Return the last second of each stream, and the sums of the session."""
        results = [result for _, each in self._streams.values() for result in each.finish()]
        return results + (self._strides.finish() if self._strides else [])

    @property
    def newest_s(self) -> float:
        """End of the newest stride in the curves; none: -inf."""
        return self._strides.newest_s if self._strides else -np.inf

    @property
    def curves(self) -> list[ExoskeletonCurve]:
        """Mean curves over the newest strides."""
        return self._strides.curves if self._strides else []

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


class ExoskeletonOfPerson(EachOfPerson):
    """The exoskeleton that one person wears.

    Args:
        bed: Who it is, in which session.
        devices: What they wear.
    """

    def __init__(self, bed: Bed, devices: Iterable[Device]) -> None:
        self.draws = any(device.placement == PLACEMENT for device in devices)
        doubt = INTERRUPTED if bed.interrupted else ""
        self._worn: list[ExoskeletonOfDevice] = []

        def make() -> ExoskeletonOfDevice:
            self._worn.append(ExoskeletonOfDevice(bed.slot.mass_kg, doubt))
            return self._worn[-1]

        super().__init__(make)
        self._drawn_at_s, self._newest_s = -np.inf, -np.inf

    def curves(self, now_s: float) -> list[ExoskeletonCurve]:
        """Return the mean curves of all joints if strides were added since they were drawn some strides ago."""
        if not self._worn or now_s - self._drawn_at_s < CURVES_EVERY_S:
            return []
        newest_s = max(worn.newest_s for worn in self._worn)
        if newest_s <= self._newest_s:
            return []
        self._drawn_at_s, self._newest_s = now_s, newest_s
        return [curve for worn in self._worn for curve in worn.curves]


class ExoskeletonOperators(WardOperators):
    """Exoskeletons of a ward."""

    def put_on(self, bed: Bed, devices: Mapping[int, Device]) -> PersonOperators:
        """Begin with a person."""
        return ExoskeletonOfPerson(bed, devices.values())
