"""Frames of Shimmer3 connections to packets, those of all connections of one layout at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import cast

import numpy as np

from drivers.driver import Decoder
from drivers.errors import MalformedFrameError
from drivers.gatt.battery import BATTERY, BATTERY_CHANNEL
from drivers.packet import Flag, Frame, Frames, Packet, Packets, Samples, StreamSpec
from drivers.shimmer3.calibration import (
    GYRO,
    LOW_NOISE,
    MAG,
    WIDE_RANGE,
    Calibration,
    calibrate,
    nominal,
    parse_calibration,
)
from drivers.shimmer3.protocol import (
    ACK,
    BATTERY_REPLY,
    INSTREAM,
    TICK_HZ,
    Inquiry,
    check_crc,
    parse_battery,
    parse_firmware,
    parse_inquiry,
)
from drivers.shimmer3.split import split
from drivers.shimmer3.stream import Layout, Splitter

DATA_CHANNEL = "data"
INQUIRY_CHANNEL = "inquiry"
CALIBRATION_CHANNEL = "calibration"
FIRMWARE_CHANNEL = "firmware"

OLD_FIRMWARE_BEFORE = (0, 5, 4)  # LogAndStream: 16-bit stamps; from general knowledge
DEFAULT_RATE_HZ = 51.2  # as shipped

SENSORS: Mapping[str, tuple[int, ...]] = {  # channel numbers of the x, y and z axis
    LOW_NOISE: (0x00, 0x01, 0x02),
    WIDE_RANGE: (0x04, 0x05, 0x06),
    GYRO: (0x0A, 0x0B, 0x0C),
    MAG: (0x07, 0x08, 0x09),
}
_STREAM_NAMES = {LOW_NOISE: "acc", WIDE_RANGE: "acc", GYRO: "gyr", MAG: "mag"}
_UNITS = {"acc": "m/s2", "gyr": "rad/s", "mag": "[arb'U]"}
_ENDS = {LOW_NOISE: (0, 4095)}  # of the 12-bit converter; the others fill 16 bits
_ENDS_16_BIT = (-32768, 32767)

ACCELEROMETERS = {"auto": (WIDE_RANGE, LOW_NOISE), "wide_range": (WIDE_RANGE,), "low_noise": (LOW_NOISE,)}


def chosen_sensors(channels: Sequence[int], accelerometers: Sequence[str]) -> tuple[str, ...]:
    """Sensors whose three axes are all among ``channels``; one accelerometer, the first of ``accelerometers``."""
    present = [sensor for sensor, axes in SENSORS.items() if set(axes) <= set(channels)]
    accelerometer = next((a for a in accelerometers if a in present), None)
    return tuple(s for s in (accelerometer, GYRO, MAG) if s is not None and s in present)


def _spec(sensors: Sequence[str], rate_hz: float, stamp_bytes: int) -> StreamSpec:
    names = [_STREAM_NAMES[sensor] for sensor in sensors]
    channels = tuple(f"{name}_{axis}" for name in names for axis in "xyz")
    return StreamSpec(
        "imu", channels, tuple(_UNITS[n] for n in names for _ in "xyz"), rate_hz, TICK_HZ, 8 * stamp_bytes
    )


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What connections have in common whose bytes are decoded at once; one object for all that are alike.

    Attributes:
        layout: Of the data packets.
        sensors: Which of the device's sensors fill the inertial stream.
    """

    layout: Layout
    sensors: tuple[str, ...]


_shape = cache(Shape)


class Shimmer3Decoder(Decoder):
    """Bytes of one connection: the announced inquiry and calibration first, then the stream.

    Attributes:
        sensors: Which of its sensors fill the inertial stream.
        shape: The same, and the layout of the data packets; None before the inquiry reply.
        splitter: Finds the packets; None before the inquiry reply.
    """

    def __init__(self, *, accelerometers: Sequence[str], stamp_bytes: int | None, crc_bytes: int) -> None:
        super().__init__()
        self._accelerometers = accelerometers
        self._stamp_bytes = stamp_bytes or 3
        self._stamp_fixed = stamp_bytes is not None
        self._crc_bytes = crc_bytes
        self._inquiry: Inquiry | None = None
        self._stored: Mapping[str, Calibration] = {}
        self.splitter: Splitter | None = None
        self.shape: Shape | None = None
        self._constants: Samples | None = None
        self.sensors: tuple[str, ...] = (accelerometers[0], GYRO)
        self._specify(DEFAULT_RATE_HZ)

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """The inertial stream as the inquiry announced it, and the battery."""
        return self._streams

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode in order; all stream bytes between two announcements at once."""
        packets: list[Packet] = []
        for is_data, group in groupby(frames, lambda frame: frame.channel == DATA_CHANNEL):
            if is_data:
                packets += self._data(list(group))
            else:
                for frame in group:
                    packets += self._announced(frame)
        return _joined(packets)

    @classmethod
    def decode_batch(cls, decoders: Sequence[Decoder], frames: Frames) -> list[Packets]:
        """Decode the streams of all devices of one layout at once."""
        ours = cast("Sequence[Shimmer3Decoder]", decoders)
        announcing: set[int] = set()
        if frames.channels.count(DATA_CHANNEL) < len(frames.channels):
            announcing = {at for at, own in enumerate(frames.each()) if any(f.channel != DATA_CHANNEL for f in own)}
        shapes = [None if at in announcing else decoder.shape for at, decoder in enumerate(ours)]
        if len(set(shapes)) == 1 and shapes[0] is not None:
            return _streamed(ours, shapes[0], frames)
        found: list[Packets] = []
        for shape in dict.fromkeys(shapes):
            members = [at for at, other in enumerate(shapes) if other is shape]
            several, own = [ours[at] for at in members], frames.chosen(members)
            if shape is None:
                made = Packets.of([decoder.decode(each) for decoder, each in zip(several, own.each(), strict=True)])
            else:
                made = _streamed(several, shape, own)
            found += [packets.owned_by(members) for packets in made]
        return found

    def _announced(self, frame: Frame) -> list[Packet]:
        try:
            if frame.channel == INQUIRY_CHANNEL:
                self._apply_inquiry(parse_inquiry(frame.data))
            elif frame.channel == CALIBRATION_CHANNEL:
                self._stored, self._constants = parse_calibration(frame.data), None
            elif frame.channel == FIRMWARE_CHANNEL:
                self._apply_firmware(parse_firmware(frame.data)[1])
            elif frame.channel == BATTERY_CHANNEL:
                return [_battery(frame)]
        except MalformedFrameError as problem:
            self.faults[str(problem)] += 1
        return []

    def _apply_firmware(self, version: tuple[int, int, int]) -> None:
        if not self._stamp_fixed and self._inquiry is None:
            self._stamp_bytes = 2 if version < OLD_FIRMWARE_BEFORE else 3
            self._specify(DEFAULT_RATE_HZ)

    def _specify(self, rate_hz: float) -> None:
        imu = {"imu": _spec(self.sensors, rate_hz, self._stamp_bytes)} if self.sensors else {}
        self._streams = imu | {BATTERY.name: BATTERY}

    def _apply_inquiry(self, inquiry: Inquiry) -> None:
        if self._inquiry is not None and inquiry != self._inquiry:
            self.faults["another inquiry reply within a connection"] += 1
            return
        self._inquiry = inquiry
        self.sensors = chosen_sensors(inquiry.channels, self._accelerometers)
        layout = Layout(inquiry.channels, inquiry.divisor, self._stamp_bytes, self._crc_bytes)
        self.shape = _shape(layout, self.sensors)
        self.splitter = Splitter(layout, self.faults)
        self._specify(inquiry.rate_hz)

    def _data(self, frames: Sequence[Frame]) -> list[Packet]:
        if self.shape is None:
            if early := sum(len(frame.data) for frame in frames):
                self.faults["bytes before the inquiry reply"] += early
            return []
        found = _streamed([self], self.shape, Frames.of([frames]))
        return [packet for packets in found for _, packet in packets.each()]

    @property
    def constants(self) -> Samples:
        """Offset and matrix (1, sensors, 3, 1 + 3) of the sensors, each row of its own."""
        if self._constants is None:
            of = [self.calibration(sensor) for sensor in self.shape.sensors] if self.shape else []
            self._constants = np.array([np.column_stack([each.offset, each.matrix]) for each in of])[None]
        return self._constants

    def calibration(self, sensor: str) -> Calibration:
        """Return a sensor's stored calibration; the nominal one, counted, where none is stored."""
        stored = self._stored.get(sensor)
        if stored is None:
            assert self._inquiry is not None
            self.faults[f"no stored calibration of {sensor}: nominal constants"] = 1
            stored = nominal(self._inquiry)[sensor]
        return stored

    def replies(self, replies: Sequence[Frame]) -> list[Packet]:
        """Decode in-stream replies."""
        packets = []
        for frame in replies:
            try:
                reply = check_crc(frame.data, self._crc_bytes) if self._crc_bytes else frame.data
                reply = reply.removeprefix(bytes((ACK,)))
                if reply[:2] == bytes((INSTREAM, BATTERY_REPLY)):
                    packets.append(_battery(Frame(frame.arrival_ns, BATTERY_CHANNEL, reply)))
            except MalformedFrameError as problem:
                self.faults[str(problem)] += 1
        return packets


def _streamed(decoders: Sequence[Shimmer3Decoder], shape: Shape, frames: Frames) -> list[Packets]:
    """Decode stream bytes of connections with one layout and the same sensors."""
    found = split([decoder.splitter for decoder in decoders if decoder.splitter], frames)
    packets: list[Packets] = []
    if any(found.replies):
        packets = Packets.of([_joined(d.replies(each)) for d, each in zip(decoders, found.replies, strict=True)])
    if not len(found.rows) or not shape.sensors:
        return packets
    device = np.flatnonzero(found.counts)
    counts = found.counts[device]
    raw = shape.layout.axes(found.rows, [SENSORS[sensor] for sensor in shape.sensors])
    constants = np.concatenate([decoders[at].constants for at in device.tolist()]).repeat(counts, axis=0)
    samples = calibrate(raw, constants[..., 0], constants[..., 1:]).reshape(len(raw), -1)
    low, high = np.array([_ENDS.get(sensor, _ENDS_16_BIT) for sensor in shape.sensors], np.float64).T[..., None]
    clipped = ((raw <= low) | (raw >= high)).any(axis=(1, 2))
    flags = np.where(clipped, np.uint8(Flag.CLIPPED), np.uint8(Flag.NONE))
    start = np.concatenate([[0], np.cumsum(counts)])
    ticks = shape.layout.stamps(found.rows)
    return [*packets, Packets("imu", device, start, found.arrival_ns, ticks, samples, flags)]


def _joined(packets: Sequence[Packet]) -> list[Packet]:
    """Return one packet a stream."""
    by_stream: dict[str, list[Packet]] = {}
    for packet in packets:
        by_stream.setdefault(packet.stream, []).append(packet)
    return [parts[0] if len(parts) == 1 else Packet.joined(parts) for parts in by_stream.values()]


def _battery(frame: Frame) -> Packet:
    """Battery level; raises MalformedFrameError."""
    level = parse_battery(frame.data).percent
    arrival, none = np.array([frame.arrival_ns], np.int64), np.empty(0, np.int64)
    return Packet(BATTERY.name, arrival, none, np.array([[level, np.nan]]), np.zeros(1, np.uint8))
