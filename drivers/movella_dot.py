"""Movella DOT (version 1 and 2): a coin-sized inertial sensor over Bluetooth LE.

Each notification carries one sample with a 32-bit microsecond stamp and no counter: a loss shows as a gap between
stamps. Facts: Movella DOT BLE Service Specification XD0506P rev C.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np

from drivers.battery import BATTERY, BATTERY_CHANNEL, battery_packet
from drivers.driver import Decoder, Driver, Link
from drivers.errors import MalformedFrameError
from drivers.movella_layout import MODES, Mode, flags, samples, sane
from drivers.movella_message import START_SYNC, SYNCHRONISATION, parse_message, stop_sync, sync_status
from drivers.packet import Frame, Packet, StreamSpec
from drivers.uuids import dot_uuid

SERVICE = dot_uuid(0x1000)
DEVICE_CONTROL = dot_uuid(0x1002)
MEASUREMENT_CONTROL = dot_uuid(0x2001)
BATTERY_LEVEL = dot_uuid(0x3001)
MESSAGE_CONTROL = dot_uuid(0x7001)

MEASUREMENT_CHANNEL = "measurement"
CONTROL_CHANNEL = "control"
HIGHEST_RATE_HZ = 1000  # sensors of today offer 1 to 60, and 120 when recording; a later one may offer more

_START, _STOP = 1, 0


@dataclass(frozen=True, slots=True)
class DeviceControl:
    """What the device control characteristic (1002) says about sampling.

    Attributes:
        rate_hz: Output rate.
        filter_profile: 0 general, 1 dynamic.
    """

    rate_hz: int
    filter_profile: int


def parse_control(data: bytes) -> DeviceControl:
    """Read the device control characteristic; raises MalformedFrameError for a cut one or an impossible rate."""
    if len(data) < 27:
        raise MalformedFrameError("truncated device control")
    rate, profile = struct.unpack_from("<HB", data, 24)
    if not 1 <= rate <= HIGHEST_RATE_HZ:
        raise MalformedFrameError("impossible output rate")
    return DeviceControl(rate, profile)


def measurement_command(mode: Mode, *, start: bool) -> bytes:
    """Return the three bytes that start or stop a measurement."""
    return bytes((1, _START if start else _STOP, mode.number))


class MovellaDotDecoder(Decoder):
    """Measurements of one mode, many notifications at a time."""

    def __init__(self, mode: Mode) -> None:
        super().__init__()
        self._mode = mode
        self._payload = mode.payload
        self._longest = mode.characteristic[1]
        self._parts = mode.streams
        self._rate_hz = self._parts[0][0].rate_hz

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """The streams of the mode, at the rate that the device announced."""
        specs = {spec.name: replace(spec, rate_hz=self._rate_hz) for spec, _ in self._parts}
        return specs | {BATTERY.name: BATTERY}

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode all measurements among ``frames`` at once."""
        for frame in frames:
            if frame.channel == CONTROL_CHANNEL:
                self._take_control(frame.data)
        measured = [frame for frame in frames if frame.channel == MEASUREMENT_CHANNEL]
        battery = battery_packet(frames, self.faults)
        return self._measurements(measured) + ([battery] if battery else [])

    def _take_control(self, data: bytes) -> None:
        try:
            self._rate_hz = float(parse_control(data).rate_hz)
        except MalformedFrameError as problem:
            self.faults[str(problem)] += 1

    def _measurements(self, frames: Sequence[Frame]) -> list[Packet]:
        size = self._payload.itemsize
        whole = [frame for frame in frames if size <= len(frame.data) <= self._longest]
        if len(whole) < len(frames):
            short = sum(len(frame.data) < size for frame in frames)
            self.faults.update(
                {"truncated measurement": short, "oversized measurement": len(frames) - len(whole) - short}
            )
            self.faults = +self.faults
        # Characteristics have a fixed length: what lies behind the fields of the mode is padding.
        payloads = np.frombuffer(b"".join([frame.data[:size] for frame in whole]), self._payload)
        arrival = np.array([frame.arrival_ns for frame in whole], np.int64)
        good = sane(payloads, self._mode)
        if not good.all():
            self.faults["impossible values"] += int((~good).sum())
            payloads, arrival = payloads[good], arrival[good]
        if not len(payloads):
            return []
        ticks, marks = payloads["ts"].astype(np.int64), flags(payloads, self._mode)
        return [Packet(spec.name, arrival, ticks, samples(payloads, fields), marks) for spec, fields in self._parts]


class MovellaDot(Driver):
    """Starts the measurement mode of its option ``mode`` (default ``rate_mag``) at the rate the device is set to."""

    name: ClassVar[str] = "movella_dot"
    title: ClassVar[str] = "Movella DOT inertial sensor"
    transport: ClassVar[Literal["ble", "serial"]] = "ble"
    service: ClassVar[str | None] = SERVICE
    silence_s: ClassVar[float] = 3.0  # the slowest rate is 1 Hz

    def __init__(self, *, mode: str = "rate_mag", **options: Any) -> None:
        super().__init__(**options)
        if mode not in MODES:
            raise ValueError(f"driver '{self.name}' has no mode '{mode}': known are {', '.join(MODES)}")
        self.mode = MODES[mode]

    def allows(self, characteristic: str, data: bytes) -> bool:
        """Start and stop of this mode, and radio synchronisation; no setting and no recording."""
        if characteristic == MEASUREMENT_CONTROL:
            return data in (measurement_command(self.mode, start=True), measurement_command(self.mode, start=False))
        return characteristic == MESSAGE_CONTROL and _synchronises(data)

    def decoder(self) -> MovellaDotDecoder:
        """Return a decoder for the configured mode."""
        return MovellaDotDecoder(self.mode)

    async def start(self, link: Link) -> None:
        """Announce the rate, subscribe, then start: a sensor that measures before that would lose samples."""
        link.announce(CONTROL_CHANNEL, await link.read(DEVICE_CONTROL))
        link.announce(BATTERY_CHANNEL, await link.read(BATTERY_LEVEL))
        await link.subscribe(BATTERY_CHANNEL, BATTERY_LEVEL)
        await link.subscribe(MEASUREMENT_CHANNEL, self.mode.characteristic[0])
        await link.write(MEASUREMENT_CONTROL, measurement_command(self.mode, start=True))

    async def stop(self, link: Link) -> None:
        """Stop measuring."""
        await link.write(MEASUREMENT_CONTROL, measurement_command(self.mode, start=False))


def _synchronises(data: bytes) -> bool:
    if data in (stop_sync(), sync_status()):
        return True
    try:
        message = parse_message(data)
    except MalformedFrameError:
        return False
    return (message.mid, message.kind, len(message.data)) == (SYNCHRONISATION, START_SYNC, 6)
