"""The lower backs of all subjects: what each step decided, on gateway time for all of them at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dsp.lower_back.lower_back import LowerBack
from dsp.lower_back.walk import TimedEvent, timed_events
from gateway.analysis.sensor_bank import Bank, Refuse


class BackBank(Bank):
    """All lower-back sensors.

    Args:
        axes: How each device is strapped on, by number (``Device.axes``).
        height_m: Of who wears each, by number, metres; NaN where it is not known.
        refuse: As of ``Bank``.

    Attributes:
        found: What the newest step decided, by device number.
    """

    __slots__ = ("found",)

    def __init__(self, axes: Mapping[int, str], height_m: Mapping[int, float], refuse: Refuse | None = None) -> None:
        detector = LowerBack()
        super().__init__(
            detector, lambda number, rate_hz: detector.attach(rate_hz, height_m.get(number, math.nan)), axes, refuse
        )
        self.found: dict[int, list[TimedEvent]] = {}

    def step(self) -> None:
        """Run the kernel over what was queued."""
        self.found = {}
        if not self.queued:
            return
        rows: Any = self.run()
        if not len(rows):
            return
        seconds = (self.at(rows["sensor"], rows[name]) for name in ("start", "index"))
        for number, event in zip(self.numbers(rows), timed_events(rows, *seconds), strict=True):
            self.found.setdefault(number, []).append(event)
