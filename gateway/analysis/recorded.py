"""Signals that are recorded and drawn, and of which no number is made yet: what an electrode or an insole sends."""

from __future__ import annotations

from collections.abc import Mapping

from config.settings import Device
from gateway.analysis.ward_operators import DeviceResult, PersonOperators, WardOperators
from gateway.intake.arrived import Arrived
from gateway.model.ward import Bed


class RecordedOfPerson(PersonOperators):
    """What somebody wears whose signal is only recorded."""

    def process(self, arrived: Arrived) -> list[DeviceResult]:
        """Make nothing of what arrived."""
        del arrived
        return []


class RecordedOperators(WardOperators):
    """Signals of a ward that are only recorded."""

    def put_on(self, bed: Bed, devices: Mapping[int, Device]) -> PersonOperators:
        """Begin with a person."""
        del bed, devices
        return RecordedOfPerson()
