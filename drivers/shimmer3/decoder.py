"""Frames of Shimmer3 connections to packets, those of all connections of one layout at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import cast

import numpy as np
from numpy.typing import NDArray

from drivers.driver import Decoder
from drivers.errors import MalformedFrameError
from drivers.gatt.battery import BATTERY, BATTERY_CHANNEL
from drivers.packet import Flag, Frame, Frames, Packet, Packets, Samples, StreamSpec
from drivers.shimmer3.announced import Announced, ExgChoice
from drivers.shimmer3.calibration import (
    GYRO,
    HIGH_G,
    LOW_NOISE,
    MAG,
    SECOND_MAG,
    WIDE_RANGE,
    Calibration,
    calibrate,
    nominal,
    parse_calibration,
)
from drivers.shimmer3.channels import SHIMMER3, SHIMMER3R
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
from drivers.shimmer3.signals import Signal
from drivers.shimmer3.split import split
from drivers.shimmer3.stream import MOST_LAYOUTS, Bytes, Layout, Splitter

DATA_CHANNEL = "data"
INQUIRY_CHANNEL = "inquiry"
CALIBRATION_CHANNEL = "calibration"
FIRMWARE_CHANNEL = "firmware"
CONTROL_CHANNEL = "control"  # hardware version, ExG registers, pressure coefficients: each says which it is

DEFAULT_RATE_HZ = 51.2  # as shipped
TOO_LATE = "an answer behind the inquiry reply that would have changed its meaning"

SENSORS: Mapping[str, tuple[int, ...]] = {  # channel numbers of the x, y and z axis
    LOW_NOISE: (0x00, 0x01, 0x02),
    WIDE_RANGE: (0x04, 0x05, 0x06),
    GYRO: (0x0A, 0x0B, 0x0C),
    MAG: (0x07, 0x08, 0x09),
    HIGH_G: (0x14, 0x15, 0x16),
    SECOND_MAG: (0x17, 0x18, 0x19),
}
_ONLY_OF_3R = (HIGH_G, SECOND_MAG)
_STREAM_NAMES = {
    LOW_NOISE: "acc", WIDE_RANGE: "acc", HIGH_G: "acc", GYRO: "gyr", MAG: "mag", SECOND_MAG: "mag",
}  # fmt: skip
_UNITS = {"acc": "m/s2", "gyr": "rad/s", "mag": "[arb'U]"}
_ENDS = {(SHIMMER3, LOW_NOISE): (0, 4095), (SHIMMER3R, HIGH_G): (-2048, 2047)}  # of 12 bits; the others fill 16
_ENDS_16_BIT = (-32768, 32767)

MOVEMENT, FIELD = "imu", "magnetic_field"
_MICROTESLA_OF_A_GAUSS = 100.0

ACCELEROMETERS = {
    "auto": (WIDE_RANGE, LOW_NOISE, HIGH_G),
    "wide_range": (WIDE_RANGE,),
    "low_noise": (LOW_NOISE,),
    "high_g": (HIGH_G,),
}


def chosen_sensors(channels: Sequence[int], accelerometers: Sequence[str], hardware: int = SHIMMER3) -> tuple[str, ...]:
    """Sensors whose three axes are all among ``channels``: of each kind one, the first of those that are asked for."""
    known = [sensor for sensor in SENSORS if hardware == SHIMMER3R or sensor not in _ONLY_OF_3R]
    present = [sensor for sensor in known if set(SENSORS[sensor]) <= set(channels)]
    kinds = (accelerometers, (GYRO,), (MAG, SECOND_MAG))
    chosen = (next((sensor for sensor in kind if sensor in present), None) for kind in kinds)
    return tuple(sensor for sensor in chosen if sensor is not None)


def _stream_of(sensors: Sequence[str]) -> str:
    """A magnetometer alone is no motion sensor."""
    return FIELD if all(_STREAM_NAMES[sensor] == "mag" for sensor in sensors) else MOVEMENT


def _spec(sensors: Sequence[str], rate_hz: float, stamp_bytes: int) -> StreamSpec:
    names, stream = [_STREAM_NAMES[sensor] for sensor in sensors], _stream_of(sensors)
    channels = tuple(f"{name}_{axis}" for name in names for axis in "xyz")
    units = ("uT",) * 3 if stream == FIELD else tuple(_UNITS[name] for name in names for _ in "xyz")
    return StreamSpec(stream, channels, units, rate_hz, TICK_HZ, 8 * stamp_bytes)


@lru_cache(MOST_LAYOUTS)
def _streams_of(
    sensors: Sequence[str], signals: Sequence[Signal], rate_hz: float, stamp_bytes: int
) -> Mapping[str, StreamSpec]:
    """Return the streams of a connection.

    One object for all that are alike: each is asked at every step, and what they share stays at hand.
    """
    moving = [_spec(sensors, rate_hz, stamp_bytes)] if sensors else []
    others = [
        StreamSpec(each.stream, each.channels, (each.unit,) * len(each.channels), rate_hz, TICK_HZ, 8 * stamp_bytes)
        for each in signals
    ]
    return {spec.name: spec for spec in (*moving, *others, BATTERY)}


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """What connections have in common whose bytes are decoded at once; one object for all that are alike.

    Attributes:
        layout: Of the data packets.
        sensors: Which of the device's sensors fill the inertial stream.
        signals: What the packets hold beside that.
    """

    layout: Layout
    sensors: tuple[str, ...]
    signals: tuple[Signal, ...] = ()


_shape = lru_cache(MOST_LAYOUTS)(Shape)


class Shimmer3Decoder(Decoder):
    """Bytes of one connection: the announced inquiry and calibration first, then the stream.

    Attributes:
        sensors: Which of its sensors fill the inertial stream.
        shape: The same, and the layout of the data packets; None before the inquiry reply.
        splitter: Finds the packets; None before the inquiry reply.
    """

    def __init__(
        self,
        *,
        accelerometers: Sequence[str],
        stamp_bytes: int | None,
        crc_bytes: int,
        exg: ExgChoice = "auto",
        ppg: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self._accelerometers = accelerometers
        self._fixed_stamp_bytes = stamp_bytes
        self._crc_bytes = crc_bytes
        self._exg, self._ppg = exg, ppg
        self._announced_before = Announced()
        self._inquiry: Inquiry | None = None
        self._stored: Mapping[str, Calibration] = {}
        self.splitter: Splitter | None = None
        self.shape: Shape | None = None
        self._constants: Samples | None = None
        self.sensors: tuple[str, ...] = (accelerometers[0], GYRO)
        self._specify(DEFAULT_RATE_HZ)

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """The streams as the inquiry announced them, and the battery."""
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
                self._apply_inquiry(parse_inquiry(frame.data, self._announced_before.hardware))
            elif frame.channel == CALIBRATION_CHANNEL:
                self._stored, self._constants = parse_calibration(frame.data), None
            elif frame.channel == FIRMWARE_CHANNEL:
                self._apply_firmware(parse_firmware(frame.data)[1])
            elif frame.channel == CONTROL_CHANNEL:
                self._take(frame.data)
            elif frame.channel == BATTERY_CHANNEL:
                return [_battery(frame)]
        except MalformedFrameError as problem:
            self.faults[str(problem)] += 1
        return []

    def _apply_firmware(self, version: tuple[int, int, int]) -> None:
        if self._inquiry is None:
            self._announced_before.firmware = version
            self._specify(DEFAULT_RATE_HZ)

    def _take(self, reply: bytes) -> None:
        if self._inquiry is not None:
            raise MalformedFrameError(TOO_LATE)
        self._announced_before.take(reply)
        self._specify(DEFAULT_RATE_HZ)

    @property
    def _stamp_bytes(self) -> int:
        return self._fixed_stamp_bytes or self._announced_before.stamp_bytes

    def _specify(self, rate_hz: float, signals: Sequence[Signal] = ()) -> None:
        self._streams = _streams_of(self.sensors, tuple(signals), rate_hz, self._stamp_bytes)

    def _apply_inquiry(self, inquiry: Inquiry) -> None:
        if self._inquiry is not None:
            if inquiry != self._inquiry:
                self.faults["another inquiry reply within a connection"] += 1
            return
        self._inquiry, before = inquiry, self._announced_before
        self.sensors = chosen_sensors(inquiry.channels, self._accelerometers, inquiry.hardware)
        signals = before.signals(inquiry, exg=self._exg, ppg=self._ppg, faults=self.faults)
        layout = Layout(
            inquiry.channels, inquiry.divisor, self._stamp_bytes, self._crc_bytes, inquiry.hardware, before.status_bytes
        )
        self.shape = _shape(layout, self.sensors, signals)
        self.splitter = Splitter(layout, self.faults)
        self._specify(inquiry.rate_hz, signals)

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
    if not len(found.rows):
        return packets
    device = np.flatnonzero(found.counts)
    counts = found.counts[device]
    start = np.concatenate([[0], np.cumsum(counts)])
    ticks = shape.layout.stamps(found.rows)
    if shape.sensors:
        constants = np.concatenate([decoders[at].constants for at in device.tolist()]).repeat(counts, axis=0)
        samples, flags = _moved(shape, found.rows, constants)
        stream = _stream_of(shape.sensors)
        packets.append(Packets(stream, device, start, found.arrival_ns, ticks, samples, flags))
    for signal in shape.signals:
        samples, flags = signal.measure(shape.layout, found.rows)
        packets.append(Packets(signal.stream, device, start, found.arrival_ns, ticks, samples, flags))
    return packets


def _moved(shape: Shape, rows: Bytes, constants: Samples) -> tuple[Samples, NDArray[np.uint8]]:
    """Return the samples and flags of the inertial stream, by the constants of each row's device."""
    raw = shape.layout.axes(rows, [SENSORS[sensor] for sensor in shape.sensors])
    samples = calibrate(raw, constants[..., 0], constants[..., 1:]).reshape(len(raw), -1)
    ends = [_ENDS.get((shape.layout.hardware, sensor), _ENDS_16_BIT) for sensor in shape.sensors]
    low, high = np.array(ends, np.float64).T[..., None]
    clipped = ((raw <= low) | (raw >= high)).any(axis=(1, 2))
    if _stream_of(shape.sensors) == FIELD:
        samples *= _MICROTESLA_OF_A_GAUSS
    return samples, np.where(clipped, np.uint8(Flag.CLIPPED), np.uint8(Flag.NONE))


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
