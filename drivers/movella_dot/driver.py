"""Movella DOT (version 1 and 2): a coin-sized inertial sensor over Bluetooth LE.

Each notification carries one sample with a 32-bit microsecond stamp and no counter: a loss shows as a gap between
stamps. Facts: Movella DOT BLE Service Specification XD0506P rev C.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, Literal, cast

import numpy as np
from numpy.typing import NDArray

from drivers.driver import BatchDecoder, Decoder, Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.gatt.battery import BATTERY, BATTERY_EVERY_S, BatteryWatch, battery_packet
from drivers.gatt.uuids import dot_uuid
from drivers.identity import Identity
from drivers.movella_dot.layout import DEFAULT_RATE_HZ, MODES, Mode, flags, samples, sane
from drivers.movella_dot.messages import START_SYNC, SYNCHRONISATION, parse_message, stop_sync, sync_status
from drivers.packet import Frame, Frames, Packets, StreamSpec

SERVICE = dot_uuid(0x1000)
DEVICE_INFORMATION = dot_uuid(0x1001)
DEVICE_CONTROL = dot_uuid(0x1002)
MEASUREMENT_CONTROL = dot_uuid(0x2001)
BATTERY_LEVEL = dot_uuid(0x3001)
MESSAGE_CONTROL = dot_uuid(0x7001)

MEASUREMENT_CHANNEL = "measurement"
CONTROL_CHANNEL = "control"
MOST_ALIKE = (
    64  # modes and rates whose streams are remembered: more than a ward has sensors that are set up differently
)
HIGHEST_RATE_HZ = 1000  # sensors of today offer 1 to 60, and 120 when recording; a later one may offer more

_START, _STOP = 1, 0
BLINK = bytes([1, 1]).ljust(32, b"\0")
"""Device control (1002) that asks for identification alone: the light blinks for ten seconds; no setting is touched."""
_FIRMWARE_AT = 6  # behind the address: major, minor, revision
_SERIAL_AT = 20  # behind address, firmware version, build time and version of the radio's firmware
_TAG_AT, _TAG_BYTES = 8, 16  # behind its length


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


def parse_identity(information: bytes, control: bytes) -> Identity:
    """Read serial number, firmware and tag from device information (1001) and control (1002); empty where cut."""
    serial, tag, firmware = "", b"", ""
    if len(information) >= _SERIAL_AT + 8:
        number = int.from_bytes(information[_SERIAL_AT : _SERIAL_AT + 8], "little")
        serial = f"{number:016X}" if number else ""
        version = information[_FIRMWARE_AT : _FIRMWARE_AT + 3]
        firmware = ".".join(map(str, version)) if any(version) else ""
    if len(control) > _TAG_AT:
        tag = control[_TAG_AT : _TAG_AT + min(control[_TAG_AT - 1], _TAG_BYTES)]
    return Identity(serial, tag.decode("utf-8", "replace").split("\0")[0].strip(), firmware=firmware)


def measurement_command(mode: Mode, *, start: bool) -> bytes:
    """Return the three bytes that start or stop a measurement."""
    return bytes((1, _START if start else _STOP, mode.number))


class MovellaDotDecoder(BatchDecoder):
    """Measurements of one mode, many notifications at a time.

    Attributes:
        mode: The measurement mode.
        payload: Its ``payload``.
        longest: Length of its characteristic: what is longer is no measurement.
        parts: Its ``streams``.
    """

    def __init__(self, mode: Mode) -> None:
        super().__init__()
        self.mode = mode
        self.payload = mode.payload
        self.longest = mode.characteristic[1]
        self.parts = mode.streams
        self._streams = _streams_of(mode, DEFAULT_RATE_HZ)

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """The streams of the mode, at the rate that the device announced."""
        return self._streams

    @classmethod
    def decode_batch(cls, decoders: Sequence[Decoder], frames: Frames) -> list[Packets]:
        """Decode the measurements of all sensors of one mode at once."""
        ours = cast("Sequence[MovellaDotDecoder]", decoders)
        modes = {decoder.mode.name for decoder in ours}
        if len(modes) == 1:
            return _measured(ours, frames)
        found: list[Packets] = []
        for mode in sorted(modes):
            members = [at for at, decoder in enumerate(ours) if decoder.mode.name == mode]
            measured = _measured([ours[at] for at in members], frames.chosen(members))
            found += [packets.owned_by(members) for packets in measured]
        return found

    def whole(self, frames: Sequence[Frame]) -> list[Frame]:
        """Return the measurements that are whole; count those that are not, and take what is no measurement."""
        size = self.payload.itemsize
        whole = [f for f in frames if f.channel == MEASUREMENT_CHANNEL and size <= len(f.data) <= self.longest]
        if len(whole) < len(frames):
            for frame in frames:
                if frame.channel == CONTROL_CHANNEL:
                    self._on_control(frame.data)
                elif frame.channel == MEASUREMENT_CHANNEL and len(frame.data) < size:
                    self.faults["truncated measurement"] += 1
                elif frame.channel == MEASUREMENT_CHANNEL and len(frame.data) > self.longest:
                    self.faults["oversized measurement"] += 1
        return whole

    def _on_control(self, data: bytes) -> None:
        try:
            rate_hz = float(parse_control(data).rate_hz)
        except MalformedFrameError as problem:
            self.faults[str(problem)] += 1
        else:
            self._streams = _streams_of(self.mode, rate_hz)


@lru_cache(MOST_ALIKE)
def _streams_of(mode: Mode, rate_hz: float) -> Mapping[str, StreamSpec]:
    """Return the streams of a mode at a rate.

    One object for all sensors that are alike: each is asked at every step, and what they share stays at hand.
    """
    specs = [replace(spec, rate_hz=rate_hz) for spec, _ in mode.streams]
    return {spec.name: spec for spec in specs} | {BATTERY.name: BATTERY}


def _measured(decoders: Sequence[MovellaDotDecoder], frames: Frames) -> list[Packets]:
    """Decode the frames of sensors in one mode; usually they all are whole measurements, which is seen at a glance."""
    if _all_whole(decoders[0], frames):
        return _measurements(decoders, frames)
    each = frames.each()
    whole = Frames.of([decoder.whole(own) for decoder, own in zip(decoders, each, strict=True)])
    levels = [battery_packet(own, decoder.faults) for decoder, own in zip(decoders, each, strict=True)]
    return _measurements(decoders, whole) + Packets.of([[level] if level else [] for level in levels])


def _all_whole(decoder: MovellaDotDecoder, frames: Frames) -> bool:
    sizes = set(map(len, frames.data))
    return (
        frames.channels.count(MEASUREMENT_CHANNEL) == len(frames.channels)
        and decoder.payload.itemsize <= min(sizes, default=0)
        and max(sizes) <= decoder.longest
    )


def _measurements(decoders: Sequence[MovellaDotDecoder], frames: Frames) -> list[Packets]:
    """Decode whole measurements of sensors in one mode; count those that no sensor can mean."""
    mode, counts, arrival_ns = decoders[0].mode, np.diff(frames.start), frames.arrival_ns
    payloads = _payloads(frames.data, decoders[0].payload)
    good = sane(payloads, mode)
    if not good.all():
        bad = np.bincount(np.repeat(np.arange(len(counts)), counts)[~good], minlength=len(counts))
        for at in np.flatnonzero(bad).tolist():
            decoders[at].faults["impossible values"] += int(bad[at])
        payloads, arrival_ns, counts = payloads[good], arrival_ns[good], counts - bad
    device = np.flatnonzero(counts)
    if not len(device):
        return []
    start = np.concatenate([[0], np.cumsum(counts[device])])
    ticks, marks = payloads["ts"].astype(np.int64), flags(payloads, mode)
    return [
        Packets(spec.name, device, start, arrival_ns, ticks, samples(payloads, fields), marks)
        for spec, fields in decoders[0].parts
    ]


def _payloads(data: Sequence[bytes], dtype: np.dtype[np.void]) -> NDArray[np.void]:
    """Return (n,) payloads. Characteristics have a fixed length: what lies behind the fields of the mode is padding."""
    size = dtype.itemsize
    if len(set(map(len, data))) == 1:
        rows = np.frombuffer(b"".join(data), np.uint8).reshape(len(data), -1)
        return np.ascontiguousarray(rows[:, :size]).view(dtype)[:, 0]
    return np.frombuffer(b"".join([each[:size] for each in data]), dtype)


class MovellaDot(Driver):
    """Starts the measurement mode of its option ``mode`` (default ``rate_mag``) at the rate the device is set to."""

    name: ClassVar[str] = "movella_dot"
    title: ClassVar[str] = "Movella DOT inertial sensor"
    transport: ClassVar[Literal["ble", "serial"]] = "ble"
    service: ClassVar[str | None] = SERVICE
    names: ClassVar[tuple[str, ...]] = ("Movella DOT", "Xsens DOT")
    blinks: ClassVar[bool] = True
    silence_s: ClassVar[float] = 3.0  # the slowest rate is 1 Hz
    refresh_s: ClassVar[float | None] = BATTERY_EVERY_S

    def __init__(self, *, mode: str = "rate_mag", **options: Any) -> None:
        super().__init__(**options)
        if mode not in MODES:
            raise ValueError(f"driver '{self.name}' has no mode '{mode}': known are {', '.join(MODES)}")
        self.mode = MODES[mode]
        self._battery = BatteryWatch(BATTERY_LEVEL)

    def allows(self, characteristic: str, data: bytes) -> bool:
        """Start and stop of this mode, radio synchronisation, and its light; no setting and no recording."""
        if characteristic == DEVICE_CONTROL:
            return data == BLINK
        if characteristic == MEASUREMENT_CONTROL:
            return data in (measurement_command(self.mode, start=True), measurement_command(self.mode, start=False))
        return characteristic == MESSAGE_CONTROL and _synchronises(data)

    def decoder(self) -> MovellaDotDecoder:
        """Return a decoder for the configured mode."""
        return MovellaDotDecoder(self.mode)

    async def identify(self, link: Link) -> Identity:
        """Read serial number and tag."""
        try:
            return parse_identity(await link.read(DEVICE_INFORMATION), await link.read(DEVICE_CONTROL))
        except DialogueError:
            return Identity()

    async def start(self, link: Link) -> None:
        """Announce the rate, subscribe, then start: a sensor that measures before that would lose samples."""
        link.announce(CONTROL_CHANNEL, await link.read(DEVICE_CONTROL))
        await self._battery.follow(link)
        await link.subscribe(MEASUREMENT_CHANNEL, self.mode.characteristic[0])
        await link.write(MEASUREMENT_CONTROL, measurement_command(self.mode, start=True))

    async def refresh(self, link: Link) -> None:
        """Read the battery again where it does not notify."""
        await self._battery.refresh(link)

    async def blink(self, link: Link) -> None:
        """Have its light blink for ten seconds."""
        await link.write(DEVICE_CONTROL, BLINK)

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
