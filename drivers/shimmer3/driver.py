"""Shimmer3 with LogAndStream firmware, over a serial port (Bluetooth Classic RFCOMM, such as /dev/rfcomm0).

A sample is one packet with a 24-bit stamp of the 32768 Hz clock (16 bits with old firmware); the inquiry tells its
rate and channels, the stored calibration turns counts into SI. A loss shows as a gap between stamps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, ClassVar, Literal

import numpy as np

from drivers.driver import Decoder, Driver, Link
from drivers.errors import DialogueError, MalformedFrameError, OtherDeviceError
from drivers.gatt.battery import BATTERY, BATTERY_CHANNEL
from drivers.identity import Told
from drivers.packet import Flag, Frame, Packet, StreamSpec
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
    CALIBRATION_BYTES,
    GET_BATTERY,
    GET_CALIBRATION,
    GET_FIRMWARE,
    GET_HARDWARE,
    GET_NAME,
    HARDWARE,
    HARDWARE_REPLY,
    INQUIRY,
    INQUIRY_HEAD,
    INSTREAM,
    INSTREAM_BYTES,
    NAME_REPLY,
    SET_CRC,
    START,
    STOP,
    TICK_HZ,
    Inquiry,
    check_crc,
    inquiry_bytes,
    parse_battery,
    parse_firmware,
    parse_inquiry,
    rate_command,
)
from drivers.shimmer3.stream import Layout, Splitter, split

DATA_CHANNEL = "data"
INQUIRY_CHANNEL = "inquiry"
CALIBRATION_CHANNEL = "calibration"
FIRMWARE_CHANNEL = "firmware"

OLD_FIRMWARE_BEFORE = (0, 5, 4)  # LogAndStream: 16-bit stamps; from general knowledge
DEFAULT_RATE_HZ = 51.2  # as shipped

MODEL = 3  # hardware version of a Shimmer3; a Shimmer3R answers otherwise and orders its bytes otherwise
MODEL_ADVICE = "Connect a Shimmer3 with LogAndStream firmware to this port."
LONGEST_NAME = 32  # bytes; firmware keeps 12
QUIET_S = 0.3  # a port that gives nothing for so long has stopped streaming
DRAIN_BYTES = 65536  # a device that goes on for so long does not obey

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


def _sensors(channels: Sequence[int], accelerometers: Sequence[str]) -> tuple[str, ...]:
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


class Shimmer3Decoder(Decoder):
    """Bytes of one connection: the announced inquiry and calibration first, then the stream.

    Attributes:
        layout: Shape of the data packets, once the device has told it.
        sensors: Which of its sensors fill the inertial stream.
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
        self.layout = Layout((), crc_bytes=crc_bytes)
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
    def decode_many(cls, work: Sequence[tuple[Decoder, Sequence[Frame]]]) -> list[list[Packet]]:
        """Decode the streams of all devices of one layout at once."""
        packets: list[list[Packet]] = [[] for _ in work]
        alike: dict[tuple[Layout, tuple[str, ...]], list[int]] = {}
        decoders = [decoder for decoder, _ in work if isinstance(decoder, Shimmer3Decoder)]
        for at, (decoder, (_, frames)) in enumerate(zip(decoders, work, strict=True)):
            if decoder.splitter is None or any(frame.channel != DATA_CHANNEL for frame in frames):
                packets[at] = decoder.decode(frames)
            else:
                alike.setdefault((decoder.layout, decoder.sensors), []).append(at)
        for members in alike.values():
            connections = [(decoders[at], work[at][1]) for at in members]
            for at, found in zip(members, _streamed(connections), strict=True):
                packets[at] = _joined(found)
        return packets

    def _announced(self, frame: Frame) -> list[Packet]:
        try:
            if frame.channel == INQUIRY_CHANNEL:
                self._take_inquiry(parse_inquiry(frame.data))
            elif frame.channel == CALIBRATION_CHANNEL:
                self._stored = parse_calibration(frame.data)
            elif frame.channel == FIRMWARE_CHANNEL:
                self._take_firmware(parse_firmware(frame.data)[1])
            elif frame.channel == BATTERY_CHANNEL:
                return [_battery(frame)]
        except MalformedFrameError as problem:
            self.faults[str(problem)] += 1
        return []

    def _take_firmware(self, version: tuple[int, int, int]) -> None:
        if not self._stamp_fixed and self._inquiry is None:
            self._stamp_bytes = 2 if version < OLD_FIRMWARE_BEFORE else 3
            self._specify(DEFAULT_RATE_HZ)

    def _specify(self, rate_hz: float) -> None:
        imu = {"imu": _spec(self.sensors, rate_hz, self._stamp_bytes)} if self.sensors else {}
        self._streams = imu | {BATTERY.name: BATTERY}

    def _take_inquiry(self, inquiry: Inquiry) -> None:
        if self._inquiry is not None and inquiry != self._inquiry:
            self.faults["another inquiry reply within a connection"] += 1
            return
        self._inquiry = inquiry
        self.sensors = _sensors(inquiry.channels, self._accelerometers)
        self.layout = Layout(inquiry.channels, inquiry.divisor, self._stamp_bytes, self._crc_bytes)
        self.splitter = Splitter(self.layout, self.faults)
        self._specify(inquiry.rate_hz)

    def _data(self, frames: Sequence[Frame]) -> list[Packet]:
        if self._inquiry is None or self.splitter is None:
            if early := sum(len(frame.data) for frame in frames):
                self.faults["bytes before the inquiry reply"] += early
            return []
        return _streamed([(self, frames)])[0]

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


def _streamed(connections: Sequence[tuple[Shimmer3Decoder, Sequence[Frame]]]) -> list[list[Packet]]:
    """Decode stream bytes of connections with one layout and the same sensors."""
    decoders = [decoder for decoder, _ in connections]
    found = split([d.splitter for d in decoders if d.splitter], [frames for _, frames in connections])
    packets = [
        decoder.replies(replies) if replies else [] for decoder, replies in zip(decoders, found.replies, strict=True)
    ]
    sensors = decoders[0].sensors
    if not len(found.rows) or not sensors:
        return packets
    begins = [0, *found.ends[:-1]]
    filled = [at for at, (begin, end) in enumerate(zip(begins, found.ends, strict=True)) if end > begin]
    counts = np.array([found.ends[at] - begins[at] for at in filled])
    layout = decoders[0].layout
    values, ticks = layout.values(found.rows), layout.stamps(found.rows)
    parts, clipped = [], np.zeros(len(found.rows), np.bool_)
    for sensor in sensors:
        raw = np.stack([values[channel] for channel in SENSORS[sensor]], axis=1)
        low, high = _ENDS.get(sensor, _ENDS_16_BIT)
        clipped |= ((raw <= low) | (raw >= high)).any(axis=1)
        stored = [decoders[at].calibration(sensor) for at in filled]
        offset = np.repeat(np.array([each.offset for each in stored]), counts, axis=0)
        matrix = np.repeat(np.array([each.matrix for each in stored]), counts, axis=0)
        parts.append(calibrate(raw.astype(np.float64), offset, matrix))
    samples = np.concatenate(parts, axis=1)
    flags = np.where(clipped, np.uint8(Flag.CLIPPED), np.uint8(Flag.NONE))
    for at in filled:
        own = slice(begins[at], found.ends[at])
        packets[at].append(Packet("imu", found.arrival_ns[own], ticks[own], samples[own], flags[own]))
    return packets


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


class Shimmer3(Driver):
    """Asks the device what it sends and how it is calibrated, then starts its stream.

    Options: ``rate_hz`` sets the sampling rate (by default the device keeps its own); ``accelerometer`` is
    ``"wide_range"``, ``"low_noise"`` or ``"auto"`` (wide range where it is on: the other clips at 2 g);
    ``stamp_bytes`` 2 or 3 overrides what the firmware version says; ``crc_bytes`` 1 or 2 asks for check sums.
    """

    name: ClassVar[str] = "shimmer3"
    title: ClassVar[str] = "Shimmer3 inertial sensor (LogAndStream)"
    transport: ClassVar[Literal["ble", "serial"]] = "serial"
    silence_s: ClassVar[float] = 3.0  # the slowest useful rate is some samples a second

    def __init__(
        self,
        *,
        rate_hz: float | None = None,
        accelerometer: str = "auto",
        stamp_bytes: int | None = None,
        crc_bytes: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if accelerometer not in ACCELEROMETERS:
            known = ", ".join(ACCELEROMETERS)
            raise ValueError(f"driver '{self.name}' has no accelerometer '{accelerometer}': known are {known}")
        if stamp_bytes not in (None, 2, 3):
            raise ValueError(f"driver '{self.name}': stamp_bytes is 2 or 3, not {stamp_bytes}")
        if crc_bytes not in (0, 1, 2):
            raise ValueError(f"driver '{self.name}': crc_bytes is 0, 1 or 2, not {crc_bytes}")
        self._accelerometers = ACCELEROMETERS[accelerometer]
        self._stamp_bytes = stamp_bytes
        self._crc_bytes = crc_bytes
        self._asked: Link | None = None  # a connection that does not stream, of a device that is known to be a Shimmer3
        self._settings = [rate_command(rate_hz)] if rate_hz is not None else []
        if crc_bytes:
            self._settings.append(bytes((SET_CRC, crc_bytes)))

    def allows(self, characteristic: str, data: bytes) -> bool:
        """Questions, start, stop, and the settings that the options ask for; nothing that is kept or logged."""
        questions = (GET_HARDWARE, GET_NAME, GET_FIRMWARE, INQUIRY, GET_CALIBRATION, GET_BATTERY, START, STOP)
        return characteristic == "" and (data in [bytes((q,)) for q in questions] or data in self._settings)

    def decoder(self) -> Shimmer3Decoder:
        """Return a decoder that waits for the inquiry."""
        return Shimmer3Decoder(
            accelerometers=self._accelerometers, stamp_bytes=self._stamp_bytes, crc_bytes=self._crc_bytes
        )

    async def identify(self, link: Link) -> Told:
        """Ask what hardware it is, and for the name that its owner gave it; as shipped it ends with its address."""
        await self._begin(link)
        self._asked = link
        try:
            kind, size = await _ask(link, GET_NAME, 2)
            name = await link.receive(min(size, LONGEST_NAME)) if kind == NAME_REPLY else b""
        except DialogueError:  # firmware that does not know the question
            name = b""
            await _drain(link)
        return Told(tag=name.decode("utf-8", "replace").split("\0")[0].strip())

    async def start(self, link: Link) -> None:
        """Stop what may still run, ask, announce the answers, start."""
        if self._asked is not link:
            await self._begin(link)
        self._asked = None
        for setting in self._settings:
            if setting[0] != SET_CRC:
                await _command(link, setting)
        link.announce(FIRMWARE_CHANNEL, await _ask(link, GET_FIRMWARE, 7))
        inquiry = await _ask(link, INQUIRY, INQUIRY_HEAD)
        inquiry += await link.receive(inquiry_bytes(inquiry) - len(inquiry))
        self._check(inquiry)
        link.announce(INQUIRY_CHANNEL, inquiry)
        link.announce(CALIBRATION_CHANNEL, await _ask(link, GET_CALIBRATION, 1 + CALIBRATION_BYTES))
        link.announce(BATTERY_CHANNEL, await _ask(link, GET_BATTERY, INSTREAM_BYTES[BATTERY_REPLY]))
        if self._crc_bytes:
            await _command(link, self._settings[-1])
            await _drain(link)  # firmware may or may not already sign this acknowledgement
        await _command(link, bytes((START,)))

    async def stop(self, link: Link) -> None:
        """Stop streaming and take what is still on the way."""
        await link.write("", bytes((STOP,)))
        await _drain(link)

    async def _begin(self, link: Link) -> None:
        """Stop what may still run, and see that it is a Shimmer3."""
        await self.stop(link)
        await _check_model(link)

    def _check(self, inquiry: bytes) -> None:
        try:
            channels = parse_inquiry(inquiry).channels
        except MalformedFrameError as problem:
            raise DialogueError(f"inquiry reply: {problem}") from problem
        if not _sensors(channels, self._accelerometers):
            raise DialogueError("no accelerometer, gyroscope or magnetometer is switched on in the device")


async def _check_model(link: Link) -> None:
    """Ask what hardware it is, before its answers are read as a Shimmer3's. Raises OtherDeviceError."""
    try:
        reply = await _ask(link, GET_HARDWARE, 2)
    except DialogueError:  # firmware that does not know the question
        await _drain(link)
        return
    if reply[0] == HARDWARE_REPLY and reply[1] != MODEL:
        model = HARDWARE.get(reply[1], f"Shimmer of hardware version {reply[1]}")
        raise OtherDeviceError(f"this is a {model}, which this driver does not know", advice=MODEL_ADVICE)


async def _drain(link: Link) -> None:
    """Take what comes until the port is quiet. Raises DialogueError if it never is."""
    for _ in range(DRAIN_BYTES):
        try:
            await link.receive(1, timeout_s=QUIET_S)
        except DialogueError:
            return
    raise DialogueError("the device does not stop streaming")


async def _command(link: Link, command: bytes) -> None:
    await link.write("", command)
    answer = await link.receive(1)
    if answer[0] != ACK:
        raise DialogueError(f"command {command.hex()} was answered with {answer.hex()}")


async def _ask(link: Link, command: int, count: int) -> bytes:
    """Send a one-byte question and return the ``count`` bytes of its reply."""
    await _command(link, bytes((command,)))
    return await link.receive(count)
