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
    """Measurements of one mode, many notifications at a time.

    Attributes:
        mode: The measurement mode.
    """

    def __init__(self, mode: Mode) -> None:
        super().__init__()
        self.mode = mode
        self._payload = mode.payload
        self._longest = mode.characteristic[1]
        self._streams = {spec.name: spec for spec, _ in mode.streams} | {BATTERY.name: BATTERY}

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """The streams of the mode, at the rate that the device announced."""
        return self._streams

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode all measurements among ``frames`` at once."""
        return self.decode_many([(self, frames)])[0]

    @classmethod
    def decode_many(cls, work: Sequence[tuple[Decoder, Sequence[Frame]]]) -> list[list[Packet]]:
        """Decode the measurements of all sensors of one mode at once."""
        decoders = [decoder for decoder, _ in work if isinstance(decoder, MovellaDotDecoder)]
        whole = [decoder.whole(frames) for decoder, (_, frames) in zip(decoders, work, strict=True)]
        packets: list[list[Packet]] = [[] for _ in work]
        by_mode: dict[str, list[int]] = {}
        for at, decoder in enumerate(decoders):
            if whole[at]:
                by_mode.setdefault(decoder.mode.name, []).append(at)
        for members in by_mode.values():
            measured = _measurements([decoders[at] for at in members], [whole[at] for at in members])
            for at, found in zip(members, measured, strict=True):
                packets[at] = found
        for at, (decoder, (_, frames)) in enumerate(zip(decoders, work, strict=True)):
            if len(whole[at]) < len(frames) and (battery := battery_packet(frames, decoder.faults)):
                packets[at].append(battery)
        return packets

    def whole(self, frames: Sequence[Frame]) -> list[Frame]:
        """Return the measurements that are whole; count those that are not, and take what is no measurement."""
        size = self._payload.itemsize
        whole = [f for f in frames if f.channel == MEASUREMENT_CHANNEL and size <= len(f.data) <= self._longest]
        if len(whole) < len(frames):
            for frame in frames:
                if frame.channel == CONTROL_CHANNEL:
                    self._take_control(frame.data)
                elif frame.channel == MEASUREMENT_CHANNEL and len(frame.data) < size:
                    self.faults["truncated measurement"] += 1
                elif frame.channel == MEASUREMENT_CHANNEL and len(frame.data) > self._longest:
                    self.faults["oversized measurement"] += 1
        return whole

    def _take_control(self, data: bytes) -> None:
        try:
            rate_hz = float(parse_control(data).rate_hz)
        except MalformedFrameError as problem:
            self.faults[str(problem)] += 1
        else:
            specs = [replace(spec, rate_hz=rate_hz) for spec, _ in self.mode.streams]
            self._streams = {spec.name: spec for spec in specs} | {BATTERY.name: BATTERY}


def _measurements(decoders: Sequence[MovellaDotDecoder], frames: Sequence[Sequence[Frame]]) -> list[list[Packet]]:
    """Decode whole measurements of sensors in one mode, some of each; count those that no sensor can mean."""
    mode = decoders[0].mode
    dtype = mode.payload
    counts = np.array([len(each) for each in frames])
    # Characteristics have a fixed length: what lies behind the fields of the mode is padding.
    payloads = np.frombuffer(b"".join([frame.data[: dtype.itemsize] for each in frames for frame in each]), dtype)
    arrival = np.array([frame.arrival_ns for each in frames for frame in each], np.int64)
    good = sane(payloads, mode)
    if not good.all():
        owner = np.repeat(np.arange(len(frames)), counts)
        bad = np.bincount(owner[~good], minlength=len(frames))
        for decoder, n in zip(decoders, bad.tolist(), strict=True):
            if n:
                decoder.faults["impossible values"] += n
        payloads, arrival, counts = payloads[good], arrival[good], counts - bad
    ticks, marks = payloads["ts"].astype(np.int64), flags(payloads, mode)
    streams = [(spec.name, samples(payloads, fields)) for spec, fields in mode.streams]
    ends = np.cumsum(counts).tolist()
    return [
        [Packet(name, arrival[a:b], ticks[a:b], values[a:b], marks[a:b]) for name, values in streams] if b > a else []
        for a, b in zip([0, *ends[:-1]], ends, strict=True)
    ]


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
