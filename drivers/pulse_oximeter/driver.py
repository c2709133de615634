"""Pulse oximeter: any with the Bluetooth SIG service 0x1822, measuring without a break or on the spot.

Neither measurement has a counter; spot checks may carry the device's own time. Many oximeters for consumers speak a
protocol of their maker instead: these are not for this driver.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from drivers.driver import Link
from drivers.gatt.date_time import DeviceTime
from drivers.gatt.kept import came_again
from drivers.gatt.profile import (
    CLOCK,
    CLOCK_CHANNEL,
    EXTRA_BYTES,
    MEASUREMENT_CHANNEL,
    Profile,
    ProfileDecoder,
    Source,
)
from drivers.gatt.record import Reading
from drivers.gatt.rows import Row
from drivers.gatt.uuids import sig_uuid
from drivers.packet import Flag, Frame, StreamSpec
from drivers.pulse_oximeter.records import (
    CLOCK_NOT_SET,
    INVALID,
    NOBODY,
    UNAVAILABLE,
    parse_continuous,
    parse_spot,
)

SERVICE = sig_uuid(0x1822)
CONTINUOUS_MEASUREMENT = sig_uuid(0x2A5F)
SPOT_CHECK = sig_uuid(0x2A5E)

SPOT_CHANNEL = "spot"
SPOT_SILENCE_S = 86_400.0  # a device for spot checks alone sends when somebody measures

OXIMETRY = StreamSpec(
    "oximetry",
    ("spo2", "pulse_rate", "perfusion", "status", "sensor_status", "age", "spot"),
    ("%", "/min", "%", "1", "1", "s", "1"),
)
"""Status: bits of the service, NaN where the device sends none. Age: NaN where it stamps nothing. A spot check is 1."""


class PulseOximeterDecoder(ProfileDecoder):
    """Continuous measurements and spot checks in one stream, a row each."""

    spec: ClassVar[StreamSpec] = OXIMETRY
    channels: ClassVar[frozenset[str]] = frozenset({MEASUREMENT_CHANNEL, SPOT_CHANNEL, CLOCK_CHANNEL})

    def __init__(self) -> None:
        super().__init__()
        self._time = DeviceTime()

    def row(self, frame: Frame) -> Row | None:
        """Return one measurement, or learn what the device's clock says."""
        if frame.channel == CLOCK_CHANNEL:
            self._time.set_by(frame.arrival_ns, frame.data)
            return None
        spot = frame.channel == SPOT_CHANNEL
        reading = parse_spot(frame.data) if spot else parse_continuous(frame.data)
        if reading.left:
            self.faults[EXTRA_BYTES] += 1
        stamp = None if reading.flags & CLOCK_NOT_SET or not spot else reading.values.get("time")
        age_s = self._time.age_s(frame.arrival_ns, stamp)
        flags = _flags(reading)
        dated = self._time.dates(frame.arrival_ns, stamp)
        if spot and "time" in reading.values and not dated:
            flags |= Flag.UNDATED
        if spot:
            again = came_again(self, frame, stamp, age_s if dated else np.nan)
            if again is None:
                return None
            flags |= again
        return Row(frame.arrival_ns, (*_measured(reading), age_s, float(spot)), flags)


def _measured(reading: Reading) -> tuple[float, ...]:
    status = reading.values.get("status") or 0
    usable = not status & (UNAVAILABLE | INVALID)
    numbers = [reading.number(name) if usable else np.nan for name in ("spo2", "pr", "pai")]
    return (*numbers, reading.number("status"), reading.number("sensor_status"))


def _flags(reading: Reading) -> Flag:
    away = (reading.values.get("sensor_status") or 0) & NOBODY
    return Flag.LOSS_UNKNOWN | (Flag.NO_CONTACT if away else Flag.NONE)


class PulseOximeter(Profile):
    """Subscribes to continuous measurements and to spot checks, whichever there are. Writes nothing."""

    name: ClassVar[str] = "pulse_oximeter"
    title: ClassVar[str] = "Pulse oximeter (Bluetooth SIG 0x1822)"
    service: ClassVar[str | None] = SERVICE
    live: ClassVar[frozenset[str]] = frozenset({MEASUREMENT_CHANNEL, SPOT_CHANNEL})
    optional: ClassVar[tuple[Source, ...]] = (
        Source(MEASUREMENT_CHANNEL, CONTINUOUS_MEASUREMENT),
        Source(SPOT_CHANNEL, SPOT_CHECK),
    )
    announced: ClassVar[tuple[Source, ...]] = (CLOCK,)

    def decoder(self) -> PulseOximeterDecoder:
        """Return a decoder that knows nothing of the device's clock yet."""
        return PulseOximeterDecoder()

    async def start(self, link: Link) -> None:
        """Subscribe, and learn by what there is how long this device may be silent."""
        await super().start(link)
        silence_s = type(self).silence_s if MEASUREMENT_CHANNEL in self.subscribed else SPOT_SILENCE_S
        self.silence_s = silence_s  # type: ignore[misc]  # of this device, not of the kind
