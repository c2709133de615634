"""Notifications of a device that notifies measurements and, beside them, its battery level."""

from __future__ import annotations

from abc import abstractmethod

from drivers.columns import ColumnDecoder, Pieces, Told
from drivers.errors import MalformedFrameError
from drivers.gatt.battery import BATTERY, BATTERY_CHANNEL, battery_values
from drivers.gatt.profile import MEASUREMENT_CHANNEL


class NotifiedDecoder(ColumnDecoder):
    """Sorts notification by notification, and counts what is malformed."""

    @abstractmethod
    def measured(self, arrival_ns: int, data: bytes, told: Told) -> None:
        """Append what a notification of the measurement tells; raises MalformedFrameError."""

    def sort(self, frames: Pieces, told: Told) -> None:
        """Append what measurements and battery levels tell."""
        for arrival_ns, channel, data in frames:
            try:
                if channel == MEASUREMENT_CHANNEL:
                    self.measured(arrival_ns, data, told)
                elif channel == BATTERY_CHANNEL:
                    told.numbers(BATTERY.name, arrival_ns, battery_values(data))
            except MalformedFrameError as problem:
                self.faults[str(problem)] += 1
