"""ORPHE INSOLE over Bluetooth LE: six pressures, acceleration and rate of turn of a foot, and what it makes of steps.

Frames have a counter and a time of day, so that a loss is known exactly. An insole says which foot it is for.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, cast

import numpy as np
from numpy.typing import NDArray

from drivers.driver import Decoder, Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.gatt.battery import BATTERY, BATTERY_EVERY_S, BatteryWatch, battery_packet
from drivers.gatt.information import read_information
from drivers.gatt.rows import Row, packet_of
from drivers.identity import Identity
from drivers.orphe.gait import GAIT, Steps, parse_gait
from drivers.orphe.sensor import (
    ACC_RANGES_G,
    FRAME_BYTES,
    FRAMES,
    FULL,
    GYRO_DPS_A_COUNT,
    MODES,
    QUATERNION_ONE,
    RATE_HZ,
    STANDARD_GRAVITY,
    TICK_HZ,
    Mode,
    checked_mode,
    milliseconds,
    oldest_first,
    says_a_time,
)
from drivers.orphe.stamps import DAY, Stamps
from drivers.packet import Flag, Frame, Frames, Packet, Packets, StreamSpec, Ticks

SERVICE: Final = "01a9d6b5-ff6e-444a-b266-0be75e85c064"
DEVICE_INFORMATION: Final = "24354f22-1c46-430e-a4ab-a1eeabbcdfc0"
SENSOR_VALUES: Final = "f3f9c7ce-46ee-4205-89ac-abe64e626c0f"
STEP_ANALYSIS: Final = "4eb776dc-cf99-4af7-b2d3-ad0f791a79dd"

MEASUREMENT_CHANNEL: Final = "measurement"
GAIT_CHANNEL: Final = "gait"
CONTROL_CHANNEL: Final = "control"

SET_MODE: Final = 0x0D
STREAMED: Final = ("orientation", "pressure", "all")
"""Modes that may be asked for. The store is no stream: each second of it is asked for, and what was read is cleared."""

_MOUNT_AT, _RANGES_AT = 1, 8  # bytes into the device information
_RIGHT = 0x01
_SATURATED = 0xFFFF


def parse_information(data: bytes) -> tuple[Literal["left", "right"], int, int]:
    """Return the foot, and the numbers of the ranges of accelerometer and gyroscope; raises MalformedFrameError."""
    if len(data) < _RANGES_AT + 2:
        raise MalformedFrameError("truncated device information")
    acc, gyro = data[_RANGES_AT : _RANGES_AT + 2]
    if acc >= len(ACC_RANGES_G) or gyro >= len(GYRO_DPS_A_COUNT):
        raise MalformedFrameError("impossible range")
    return "right" if data[_MOUNT_AT] & _RIGHT else "left", acc, gyro


class OrpheDecoder(Decoder):
    """Sensor frames to samples, many at a time; gait frames to steps.

    Args:
        mode: Which mode is asked for; frames of another one are read all the same.
    """

    def __init__(self, mode: Mode) -> None:
        super().__init__()
        self._stamps = Stamps()
        self._steps = Steps()
        self._acc_scale = self._gyr_scale = 0.0
        self._set_ranges(len(ACC_RANGES_G) - 1, len(GYRO_DPS_A_COUNT) - 1)
        self._mode = mode
        self._streams = {spec.name: spec for spec in (*mode.streams, GAIT, BATTERY)}

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """The streams of the mode, at the rate that its frames have."""
        return self._streams

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode notifications: sensor frames of one mode and range at once."""
        steps: list[Row] = []
        parts: list[list[Packet]] = []
        run: list[Frame] = []
        for frame in frames:
            try:
                if frame.channel == MEASUREMENT_CHANNEL:
                    mode = checked_mode(frame.data)
                    if mode is not self._mode:
                        parts.append(self._run(run))
                        run = []
                        self._turn_to(mode)
                    run.append(frame)
                elif frame.channel == GAIT_CHANNEL:
                    steps += self._steps.add(parse_gait(frame.data), frame.arrival_ns)
                elif frame.channel == CONTROL_CHANNEL:
                    parts.append(self._run(run))
                    run = []
                    self._set_ranges(*parse_information(frame.data)[1:])
            except MalformedFrameError as problem:
                self.faults[str(problem)] += 1
        parts.append(self._run(run))
        told = (packet_of(GAIT, steps), battery_packet(frames, self.faults))
        return [*_joined(parts), *(packet for packet in told if packet is not None)]

    @classmethod
    def decode_batch(cls, decoders: Sequence[Decoder], frames: Frames) -> list[Packets]:
        """Decode the sensor frames of all insoles of a mode at once; an insole that sends anything else, by itself."""
        ours = cast("Sequence[OrpheDecoder]", decoders)
        start = frames.start.tolist()
        by_mode: dict[Mode, list[int]] = {}
        alone: list[int] = []
        for at, (decoder, first, last) in enumerate(zip(ours, start, start[1:], strict=False)):
            if decoder.sends_samples_alone(frames, first, last):
                by_mode.setdefault(decoder.mode, []).append(at)
            else:
                alone.append(at)
        found: list[Packets] = []
        for mode, members in by_mode.items():
            own = frames if len(members) == len(ours) else frames.chosen(members)
            found += [each.owned_by(members) for each in measured(mode, [ours[at] for at in members], own)]
        if alone:
            each = frames.chosen(alone).each()
            packets = [ours[at].fitting(ours[at].decode(own)) for at, own in zip(alone, each, strict=True)]
            found += [batch.owned_by(alone) for batch in Packets.of(packets)]
        return found

    def sends_samples_alone(self, frames: Frames, first: int, last: int) -> bool:
        """Whether frames from one place to another are whole sensor frames of the present mode, and nothing else."""
        own = frames.data[first:last]
        return (
            frames.channels[first:last].count(MEASUREMENT_CHANNEL) == last - first
            and set(map(len, own)) == {FRAME_BYTES}
            and all(data[0] == self._mode.header for data in own)
            and all(says_a_time(data) for data in own)
        )

    @property
    def mode(self) -> Mode:
        """The mode of the newest frame."""
        return self._mode

    @property
    def stamps(self) -> Stamps:
        """When frames were taken."""
        return self._stamps

    @property
    def scales(self) -> tuple[float, float]:
        """What a count of acceleration (m/s2) and of rate of turn (rad/s) is worth."""
        return self._acc_scale, self._gyr_scale

    def _run(self, run: Sequence[Frame]) -> list[Packet]:
        """Decode whole sensor frames of the present mode."""
        found = measured(self._mode, [self], Frames.of([run])) if run else []
        return [packet for packets in found for _, packet in packets.each()]

    def _turn_to(self, mode: Mode) -> None:
        self._mode = mode
        self._streams |= {spec.name: spec for spec in mode.streams}

    def _set_ranges(self, acc: int, gyro: int) -> None:
        self._acc_scale = ACC_RANGES_G[acc] / FULL * STANDARD_GRAVITY
        self._gyr_scale = GYRO_DPS_A_COUNT[gyro] * np.pi / 180


def measured(mode: Mode, decoders: Sequence[OrpheDecoder], frames: Frames) -> list[Packets]:
    """Return the samples of whole sensor frames of one mode, of several insoles."""
    wire = np.frombuffer(b"".join(frames.data), FRAMES[mode.header])
    each = np.diff(frames.start)
    counts = (each * mode.count).tolist()
    arrival_ns = np.repeat(frames.arrival_ns, mode.count)
    ticks, marks = _placed(mode, decoders, frames.start.tolist(), wire)
    inertial = np.concatenate([oldest_first(wire, name) for name in ("acc", "gyro")], axis=1).astype(np.float64)
    clipped = np.asarray(np.any(np.abs(inertial) >= FULL - 1, axis=1), np.bool_)
    scale = np.repeat(np.repeat([decoder.scales for decoder in decoders], 3, axis=1), counts, axis=0)
    found = [*Packets.counted("imu", counts, arrival_ns, ticks, inertial * scale, _marked(marks, clipped))]
    if "quat" in mode.fields:
        made = oldest_first(wire, "quat") / QUATERNION_ONE
        found += Packets.counted("orientation", counts, arrival_ns, ticks, made, marks)
    if "press" in mode.fields:
        pressures = oldest_first(wire, "press").astype(np.float64)
        saturated = np.asarray(np.any(pressures == _SATURATED, axis=1), np.bool_)
        found += Packets.counted("insole", counts, arrival_ns, ticks, pressures, _marked(marks, saturated))
    return found


def _placed(
    mode: Mode, decoders: Sequence[OrpheDecoder], start: Sequence[int], wire: NDArray[np.void]
) -> tuple[Ticks, NDArray[np.uint8]]:
    """Return ticks and flags of the samples of frames."""
    of_sensor = round(mode.count * RATE_HZ / mode.rate_hz)  # samples of the sensor in a frame, sent or not
    serials, times_ms = wire["serial"].tolist(), milliseconds(wire).tolist()
    placed: list[tuple[float, int]] = []
    for decoder, first, last in zip(decoders, start, start[1:], strict=False):
        stamp = decoder.stamps.next
        placed += [stamp(serials[i], times_ms[i], of_sensor) for i in range(first, last)]
    starts, lost = np.array(placed).T
    within = np.arange(mode.count) * (TICK_HZ / mode.rate_hz)
    ticks = np.rint(starts[:, None] + within).astype(np.int64) % DAY
    marks = np.zeros((len(wire), mode.count), np.uint8)
    marks[lost > 0, 0] = Flag.MISSING
    return ticks.ravel(), marks.ravel()


def _marked(marks: NDArray[np.uint8], clipped: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(clipped, marks | np.uint8(Flag.CLIPPED), marks)


def _joined(parts: Sequence[Sequence[Packet]]) -> list[Packet]:
    """Return one packet a stream of what came in several modes, or before and after another range."""
    by_stream: dict[str, list[Packet]] = {}
    for packet in (each for part in parts for each in part):
        by_stream.setdefault(packet.stream, []).append(packet)
    return [own[0] if len(own) == 1 else Packet.joined(own) for own in by_stream.values()]


class Orphe(Driver):
    """Asks for a way of streaming and subscribes.

    Options: ``mode`` is ``"pressure"`` (pressures, acceleration and rate of turn, 208 Hz), ``"all"`` (orientation too,
    104 Hz) or ``"orientation"`` (without pressures, 208 Hz).
    """

    name: ClassVar[str] = "orphe"
    title: ClassVar[str] = "ORPHE INSOLE pressure insole"
    transport: ClassVar[Literal["ble", "serial"]] = "ble"
    service: ClassVar[str | None] = SERVICE
    silence_s: ClassVar[float] = 3.0
    refresh_s: ClassVar[float | None] = BATTERY_EVERY_S

    def __init__(self, *, mode: str = "pressure", **options: Any) -> None:
        super().__init__(**options)
        if mode not in STREAMED:
            raise ValueError(f"driver '{self.name}' has no mode '{mode}': known are {', '.join(STREAMED)}")
        self._mode = MODES[mode]
        self._battery = BatteryWatch()

    def allows(self, characteristic: str, data: bytes) -> bool:
        """The request for the mode; no range, no side, no store and no lamp."""
        return characteristic == DEVICE_INFORMATION and data == bytes((SET_MODE, self._mode.number))

    def decoder(self) -> OrpheDecoder:
        """Return a decoder for a new connection."""
        return OrpheDecoder(self._mode)

    async def identify(self, link: Link) -> Identity:
        """Read what it tells of itself, and which foot it is for.

        One that does not answer that is asked again, over another connection: on the wrong foot it would go unnoticed.
        """
        identity = await read_information(link)
        about = await link.read(DEVICE_INFORMATION)
        try:
            side, _, _ = parse_information(about)
        except MalformedFrameError:
            return identity
        return identity.on(side)

    async def start(self, link: Link) -> None:
        """Announce the ranges, ask for the mode, and subscribe."""
        link.announce(CONTROL_CHANNEL, await link.read(DEVICE_INFORMATION))
        await link.write(DEVICE_INFORMATION, bytes((SET_MODE, self._mode.number)))
        await self._battery.follow(link)
        with contextlib.suppress(DialogueError):  # firmware that makes nothing of steps
            await link.subscribe(GAIT_CHANNEL, STEP_ANALYSIS)
        await link.subscribe(MEASUREMENT_CHANNEL, SENSOR_VALUES)

    async def refresh(self, link: Link) -> None:
        """Read the battery again where it does not notify."""
        await self._battery.refresh(link)

    async def stop(self, link: Link) -> None:
        """Nothing to do: it sends to whoever subscribes."""
