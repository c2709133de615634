"""Weight, blood pressure and temperature: each device by itself, for who is in the bed when it measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from drivers.packet import Flag
from dsp.reported import PERHAPS_AGAIN
from dsp.result import Result
from dsp.vitals import measured, pressure_doubt
from gateway.analysis.ward_operators import EachDevice, channel, seconds
from gateway.intake.arrived import Arrived

SOME_USER = "of one of the device's users: the configuration does not say which is the patient (option user)"


class VitalsOfDevice:
    """What one device measures.

    Attributes:
        metrics: Which metric is made of each channel.
    """

    metrics: ClassVar[Mapping[str, str]]

    def process(self, arrived: Arrived) -> list[Result]:
        """Take measurements."""
        columns = {metric: channel(arrived, name) for name, metric in self.metrics.items()}
        out: list[Result] = []
        for row, (at_s, age_s) in enumerate(zip(seconds(arrived), channel(arrived, "age"), strict=True)):
            undated = bool(arrived.flags[row] & Flag.UNDATED)
            values = {metric: float(column[row]) for metric, column in columns.items()}
            whose = SOME_USER if arrived.flags[row] & Flag.SOME_USER else ""
            again = PERHAPS_AGAIN if arrived.flags[row] & Flag.PERHAPS_AGAIN else ""
            doubt = "; ".join(filter(None, (self._doubt(arrived, row), whose, again)))
            out += measured(float(at_s), values, age_s=float(age_s), undated=undated, doubt=doubt)
        return out

    def _doubt(self, arrived: Arrived, row: int) -> str:
        """Return what the device says against a measurement."""
        del arrived, row
        return ""


class WeightOfDevice(VitalsOfDevice):
    """A scale."""

    metrics: ClassVar = {"weight": "body_weight"}


class PressureOfDevice(VitalsOfDevice):
    """A blood pressure monitor."""

    metrics: ClassVar = {"systolic": "bp_systolic", "diastolic": "bp_diastolic", "mean": "bp_mean"}

    def _doubt(self, arrived: Arrived, row: int) -> str:
        return pressure_doubt(float(channel(arrived, "status")[row]))


class TemperatureOfDevice(VitalsOfDevice):
    """A thermometer."""

    metrics: ClassVar = {"temperature": "body_temperature"}


class WeightOperators(EachDevice):
    """Scales of a ward."""

    operator: ClassVar = WeightOfDevice


class PressureOperators(EachDevice):
    """Blood pressure monitors of a ward."""

    operator: ClassVar = PressureOfDevice


class TemperatureOperators(EachDevice):
    """Thermometers of a ward."""

    operator: ClassVar = TemperatureOfDevice
