"""Heart Rate: any strap or armband with the Bluetooth SIG service 0x180D.

The measurement (0x2A37) has neither clock nor counter: samples are stamped on arrival, and a lost notification
cannot be seen (every sample carries ``LOSS_UNKNOWN``). Layout: Bluetooth SIG Heart Rate Service 1.0, section 3.1.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from drivers.columns import Told
from drivers.errors import MalformedFrameError
from drivers.gatt.battery import BATTERY
from drivers.gatt.notified import NotifiedDecoder
from drivers.gatt.profile import EXTRA_BYTES, MEASUREMENT_CHANNEL, Profile, Source
from drivers.gatt.record import MAX_BYTES
from drivers.gatt.uuids import sig_uuid
from drivers.packet import Flag, Frame, StreamSpec

SERVICE = sig_uuid(0x180D)
MEASUREMENT = sig_uuid(0x2A37)

RR_HZ = 1024.0  # RR intervals are counted in 1/1024 s
LEAST_BEAT_S = 0.25  # no heart beats again sooner, and no strap has news without a beat

HEART_RATE = StreamSpec("heart_rate", ("heart_rate", "contact", "energy"), ("/min", "1", "kJ"))
RR = StreamSpec("rr", ("rr",), ("s",))

_WIDE_RATE, _CONTACT, _CONTACT_SUPPORTED, _ENERGY, _INTERVALS = 0x01, 0x02, 0x04, 0x08, 0x10


@dataclass(frozen=True, slots=True)
class HeartRateMeasurement:
    """One notification of 0x2A37.

    Attributes:
        heart_rate: Beats a minute; 0 when the sensor has no signal.
        contact: Whether the sensor touches the skin; None when it cannot tell.
        energy_kj: Energy spent since the last reset, kilojoules; None when absent.
        rr_1024: Intervals between beats in 1/1024 s, oldest first.
        extra: Bytes behind the fields that the flags announce (a later version of the service may add some).
    """

    heart_rate: int
    contact: bool | None
    energy_kj: int | None
    rr_1024: tuple[int, ...]
    extra: int = 0


def parse_measurement(data: bytes) -> HeartRateMeasurement:
    """Read one Heart Rate Measurement; raises MalformedFrameError when a field is cut."""
    if not data:
        raise MalformedFrameError("empty frame")
    if len(data) > MAX_BYTES:
        raise MalformedFrameError("oversized frame")
    flags = data[0]
    widths = "<" + ("H" if flags & _WIDE_RATE else "B") + ("H" if flags & _ENERGY else "")
    fixed = struct.calcsize(widths)
    if len(data) < 1 + fixed:
        raise MalformedFrameError("truncated frame")
    rate, *energy = struct.unpack_from(widths, data, 1)
    rest = data[1 + fixed :]
    intervals: tuple[int, ...] = ()
    if flags & _INTERVALS:
        if not rest or len(rest) % 2:
            raise MalformedFrameError("truncated RR interval")
        intervals, rest = struct.unpack(f"<{len(rest) // 2}H", rest), b""
    contact = bool(flags & _CONTACT) if flags & _CONTACT_SUPPORTED else None
    return HeartRateMeasurement(rate, contact, energy[0] if energy else None, intervals, len(rest))


class HeartRateDecoder(NotifiedDecoder):
    """Heart rate, contact and energy in one stream, one row a notification; RR intervals in another."""

    uncounted: ClassVar[Mapping[str, float]] = {MEASUREMENT_CHANNEL: LEAST_BEAT_S}

    def span_s(self, frame: Frame) -> float:
        """Return the sum of the intervals between beats."""
        try:
            return sum(parse_measurement(frame.data).rr_1024) / RR_HZ
        except MalformedFrameError:
            return 0.0

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """Fixed: the device announces nothing."""
        return {spec.name: spec for spec in (HEART_RATE, RR, BATTERY)}

    def measured(self, arrival_ns: int, data: bytes, told: Told) -> None:
        """Take one notification: there is about one a second."""
        measured = parse_measurement(data)
        if measured.extra:
            self.faults[EXTRA_BYTES] += 1
        flags = Flag.LOSS_UNKNOWN | (Flag.NO_CONTACT if measured.contact is False else Flag.NONE)
        told.numbers(HEART_RATE.name, arrival_ns, _values(measured), flags)
        for rr in measured.rr_1024:
            told.numbers(RR.name, arrival_ns, (rr / RR_HZ,), flags)


def _values(measured: HeartRateMeasurement) -> tuple[float, float, float]:
    # A rate of zero is the sensor's way to say "no signal", not a heart that stands still.
    return (
        float(measured.heart_rate or np.nan),
        np.nan if measured.contact is None else float(measured.contact),
        np.nan if measured.energy_kj is None else float(measured.energy_kj),
    )


class HeartRate(Profile):
    """Subscribes to the measurement and, where there is one, to the battery level. Writes nothing."""

    name: ClassVar[str] = "heart_rate"
    title: ClassVar[str] = "Heart rate sensor (Bluetooth SIG 0x180D)"
    service: ClassVar[str | None] = SERVICE
    silence_s: ClassVar[float] = 4.0  # straps notify about once a second
    needed: ClassVar[tuple[Source, ...]] = (Source(MEASUREMENT_CHANNEL, MEASUREMENT),)

    def decoder(self) -> HeartRateDecoder:
        """Return a decoder without state."""
        return HeartRateDecoder()
