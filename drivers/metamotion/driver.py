"""MbientLab MetaMotion (R, RL, C, S) over Bluetooth LE: acceleration and rate of turn, or the orientation made of them.

Nothing that is streamed has a stamp or a counter, and acceleration and rate of turn come in notifications of their own:
which of one belongs to which of the other cannot be known. So they stay two streams, and no `imu` is made of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Literal, cast

import numpy as np

from drivers.driver import BatchDecoder, Decoder, Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.gatt.battery import BATTERY, BATTERY_EVERY_S, BatteryWatch, battery_packet
from drivers.gatt.information import read_information
from drivers.identity import Identity
from drivers.metamotion import dialogue
from drivers.metamotion.message import (
    ACC_RANGES_G,
    COUNTS,
    FULL,
    GYRO_FULL,
    GYRO_RANGES_DPS,
    MG,
    MICROTESLA_A_COUNT,
    SINGLE_BYTES,
    STANDARD_GRAVITY,
    Configured,
    parse_configuration,
    signal_of,
)
from drivers.packet import Flag, Frame, Frames, Packet, Packets, StreamSpec

SERVICE: Final = "326a9000-85cb-9195-d9dd-464cfbbae75a"
COMMAND: Final = "326a9001-85cb-9195-d9dd-464cfbbae75a"
NOTIFIED: Final = "326a9006-85cb-9195-d9dd-464cfbbae75a"
MEASUREMENT_CHANNEL: Final = "measurement"
NEWS_S: Final = 0.005  # between two samples at the highest rate
DEGREE: Final = np.pi / 180

STREAM_OF: Final = {
    "acc": "acceleration", "gyr": "rotation", "mag": "magnetic_field",
    "quaternion": "orientation", "euler": "orientation",
}  # fmt: skip
CHANNELS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "acceleration": (("acc_x", "acc_y", "acc_z"), ("m/s2",) * 3),
    "rotation": (("gyr_x", "gyr_y", "gyr_z"), ("rad/s",) * 3),
    "magnetic_field": (("mag_x", "mag_y", "mag_z"), ("uT",) * 3),
    "orientation": (("q_w", "q_x", "q_y", "q_z", "roll", "pitch", "yaw"), ("1",) * 4 + ("rad",) * 3),
}
FUSED_SCALE: Final = {"acc": STANDARD_GRAVITY / MG, "gyr": DEGREE, "mag": 1.0, "quaternion": 1.0, "euler": DEGREE}
MOST: Final = {"acc": 400.0, "gyr": 80.0, "mag": 1e5, "quaternion": 1.01, "euler": 6.4}
"""Largest magnitude that fused values can have, in the units of their stream; beyond it the bytes are none."""
EULER: Final = [2, 1, 3]  # roll, pitch, yaw among heading, pitch, roll, yaw
QUATERNION_COLUMNS: Final = 4


@dataclass(slots=True)
class _Run:
    """Messages of one stream that are read alike.

    Attributes:
        kind: What they are, in which form and at which scale.
        payloads: What stands in them.
        arrival_ns: When each came.
    """

    kind: tuple[str, str, float]
    payloads: list[bytes] = field(default_factory=list)
    arrival_ns: list[int] = field(default_factory=list)


class _Counts:
    """Counts of one stream of several devices, back to back.

    Args:
        devices: How many devices there are.
    """

    def __init__(self, devices: int) -> None:
        self._payloads: list[bytes] = []
        self._arrival_ns: list[int] = []
        self._scales: list[float] = []  # of each message
        self._each = [0] * devices

    def add(self, device: int, runs: Sequence[_Run]) -> None:
        """Take the messages of a device."""
        for run in runs:
            self._payloads += run.payloads
            self._arrival_ns += run.arrival_ns
            self._scales += [run.kind[2]] * len(run.payloads)
            self._each[device] += sum(map(len, run.payloads)) // SINGLE_BYTES

    def packets(self, stream: str) -> list[Packets]:
        """Return the samples."""
        counts = np.frombuffer(b"".join(self._payloads), "<i2").reshape(-1, 3)
        samples = np.array(list(map(len, self._payloads))) // SINGLE_BYTES
        clipped = np.asarray((counts == FULL - 1) | (counts == -FULL)).any(axis=1)
        marks = np.where(clipped, np.uint8(Flag.LOSS_UNKNOWN | Flag.CLIPPED), np.uint8(Flag.LOSS_UNKNOWN))
        arrival_ns = np.repeat(np.array(self._arrival_ns, np.int64), samples)
        scales = np.repeat(self._scales, samples)[:, None]
        return Packets.counted(stream, self._each, arrival_ns, np.empty(0, np.int64), counts * scales, marks)


class MetaMotionDecoder(BatchDecoder):
    """Messages to samples, many at a time.

    Args:
        settings: How the sensors are to be set; what they say themselves goes before.
    """

    uncounted: ClassVar[Mapping[str, float]] = {MEASUREMENT_CHANNEL: NEWS_S}

    def __init__(self, settings: dialogue.Settings) -> None:
        super().__init__()
        self._scales = {"mag": MICROTESLA_A_COUNT}
        self._set(Configured("acc", settings.rate_hz, settings.range_g))
        self._set(Configured("gyr", settings.rate_hz, settings.range_dps))
        named = ("orientation",) if settings.fused else ("acceleration", "rotation")
        self._streams = {name: StreamSpec(name, *CHANNELS[name], settings.rate_hz) for name in named}
        self._streams[BATTERY.name] = BATTERY

    def _set(self, found: Configured) -> None:
        unit = STANDARD_GRAVITY / FULL if found.what == "acc" else DEGREE / GYRO_FULL
        self._scales[found.what] = found.full * unit

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """The streams that are asked for, and any other that comes all the same."""
        return self._streams

    @classmethod
    def decode_batch(cls, decoders: Sequence[Decoder], frames: Frames) -> list[Packets]:
        """Decode the counts of all devices at once; of one that sends what it made of them, by itself."""
        start, each = frames.start.tolist(), frames.each()
        counted: dict[str, _Counts] = {}
        alone: list[list[Packet]] = []
        for at, decoder in enumerate(cast("Sequence[MetaMotionDecoder]", decoders)):
            runs = decoder.take(each[at])
            if all(run.kind[1] == COUNTS for own in runs.values() for run in own):
                for stream, own in runs.items():
                    counted.setdefault(stream, _Counts(len(start) - 1)).add(at, own)
                runs = {}
            alone.append(decoder.rest(runs, each[at]))
        return [packets for stream, found in counted.items() for packets in found.packets(stream)] + Packets.of(alone)

    def take(self, frames: Sequence[Frame]) -> dict[str, list[_Run]]:
        """Return the messages of each stream, run by run; count those that cannot be read."""
        runs: dict[str, list[_Run]] = {}
        for frame in frames:
            if frame.channel != MEASUREMENT_CHANNEL:
                continue
            try:
                self._take(frame, runs)
            except MalformedFrameError as problem:
                self.faults[str(problem)] += 1
        for stream in runs.keys() - self._streams.keys():
            self._streams[stream] = StreamSpec(stream, *CHANNELS[stream])
        return runs

    def rest(self, runs: Mapping[str, Sequence[_Run]], frames: Sequence[Frame]) -> list[Packet]:
        """Return the samples of runs, and the level of the battery."""
        packets = [packet for stream, own in runs.items() if (packet := self._packet(stream, own)) is not None]
        level = battery_packet(frames, self.faults)
        return packets if level is None else [*packets, level]

    def _take(self, frame: Frame, runs: dict[str, list[_Run]]) -> None:
        """Put a message behind those of its stream. Raises MalformedFrameError."""
        signal = signal_of(frame.data)
        if signal is None:
            self._on_answer(frame.data)
            return
        stream = STREAM_OF.get(signal.what)
        if stream is None:
            return  # gravity, and acceleration without it: made of the rest, and nobody asks for them
        scale = self._scales[signal.what] if signal.form == COUNTS else FUSED_SCALE[signal.what]
        kind = (signal.what, signal.form, scale)
        own = runs.setdefault(stream, [])
        if not own or own[-1].kind != kind:
            own.append(_Run(kind))
        own[-1].payloads.append(frame.data[2:])
        own[-1].arrival_ns.append(frame.arrival_ns)

    def _on_answer(self, data: bytes) -> None:
        found = parse_configuration(data)
        if found is None:
            return
        self._set(found)
        stream = STREAM_OF[found.what]
        if stream in self._streams:
            self._streams[stream] = StreamSpec(stream, *CHANNELS[stream], found.rate_hz)

    def _packet(self, stream: str, runs: Sequence[_Run]) -> Packet | None:
        """Return the samples of a stream; None where no value is possible."""
        parts = [packet for run in runs if len(packet := self._read(stream, run))]
        if not parts:
            return None
        return parts[0] if len(parts) == 1 else Packet.joined(parts)

    def _read(self, stream: str, run: _Run) -> Packet:
        what, form, scale = run.kind
        arrival_ns, data = np.array(run.arrival_ns, np.int64), b"".join(run.payloads)
        if form == COUNTS:
            counts = _Counts(1)
            counts.add(0, [run])
            return next(packet for packets in counts.packets(stream) for _, packet in packets.each())
        size = len(run.payloads[0])
        rows = np.frombuffer(data, np.uint8).reshape(-1, size)[:, : size // 4 * 4]
        values = np.ascontiguousarray(rows).view("<f4").astype(np.float64) * scale
        good = (np.abs(values) <= MOST[what]).all(axis=1)  # NaN compares false
        if not good.all():
            self.faults["impossible values"] += int((~good).sum())
            values, arrival_ns = values[good], arrival_ns[good]
        marks = np.full(len(values), Flag.LOSS_UNKNOWN, np.uint8)
        return Packet(stream, arrival_ns, np.empty(0, np.int64), _placed(what, values), marks)


def _placed(what: str, values: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return fused values in the columns of their stream."""
    if STREAM_OF[what] != "orientation":
        return values
    made = np.full((len(values), len(CHANNELS["orientation"][0])), np.nan)
    if what == "quaternion":
        made[:, :QUATERNION_COLUMNS] = values
    else:
        made[:, QUATERNION_COLUMNS:] = values[:, EULER]
    return made


class MetaMotion(Driver):
    """Sets the sensors until the device is switched off, subscribes, and starts them.

    Options: ``mode`` is ``"motion"`` (acceleration and rate of turn) or ``"orientation"`` (the quaternion that the
    device makes of them and of the magnetic field, 100 Hz); ``rate_hz`` 12.5, 25, 50, 100 (where it is not named) or
    200; ``range_g`` 2, 4, 8 or 16; ``range_dps`` 125, 250, 500, 1000 or 2000; ``chip`` ``"bmi160"`` or ``"bmi270"``
    where the device does not say its model.
    """

    name: ClassVar[str] = "metamotion"
    title: ClassVar[str] = "MbientLab MetaMotion inertial sensor"
    transport: ClassVar[Literal["ble", "serial"]] = "ble"
    service: ClassVar[str | None] = SERVICE
    names: ClassVar[tuple[str, ...]] = ("MetaWear",)
    silence_s: ClassVar[float] = 3.0
    refresh_s: ClassVar[float | None] = BATTERY_EVERY_S

    def __init__(
        self,
        *,
        mode: str = "motion",
        rate_hz: float = 100.0,
        range_g: float = 16.0,
        range_dps: float = 2000.0,
        chip: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        fused = mode == "orientation"
        known: tuple[tuple[str, Any, Sequence[Any]], ...] = (
            ("mode", mode, ("motion", "orientation")),
            ("rate_hz", rate_hz, (dialogue.FUSION_RATE_HZ,) if fused else dialogue.RATES_HZ),
            ("range_g", range_g, tuple(ACC_RANGES_G["bmi270"].values())),
            ("range_dps", range_dps, GYRO_RANGES_DPS),
            ("chip", chip, (None, *dialogue.CHIPS)),
        )
        for option, value, values in known:
            if isinstance(value, bool) or value not in values:
                words = ", ".join(f"{each:g}" if isinstance(each, float) else str(each) for each in values if each)
                raise ValueError(f"driver '{self.name}' has no {option} {value!r}: known are {words}")
        self._settings = dialogue.Settings(float(rate_hz), float(range_g), float(range_dps), fused)
        self._commands = dialogue.commands(self._settings)
        self._named = chip
        self._chip = chip
        self._battery = BatteryWatch()

    def allows(self, characteristic: str, data: bytes) -> bool:
        """The commands that these settings need; nothing that logs, erases, resets or lights."""
        return characteristic == COMMAND and data in self._commands

    def decoder(self) -> MetaMotionDecoder:
        """Return a decoder for a new connection."""
        return MetaMotionDecoder(self._settings)

    async def identify(self, link: Link) -> Identity:
        """Read serial number, firmware and model, which says what chip the device has."""
        identity = await read_information(link)
        self._chip = self._named or dialogue.CHIP_OF_MODEL.get(identity.model)
        return identity

    async def start(self, link: Link) -> None:
        """End what may still run of a lost connection, set the sensors, and start them. Raises LinkError."""
        if self._chip is None:
            raise DialogueError(
                "the device does not say which MetaMotion it is", advice="Name its sensor with the option 'chip'."
            )
        await self._battery.follow(link)
        await link.subscribe(MEASUREMENT_CHANNEL, NOTIFIED)
        for part in (dialogue.ending, dialogue.configuration, dialogue.beginning):
            for command in part(self._settings, self._chip):
                await link.write(COMMAND, command)

    async def refresh(self, link: Link) -> None:
        """Read the battery again where it does not notify."""
        await self._battery.refresh(link)

    async def stop(self, link: Link) -> None:
        """Stop the sensors: they would run on, and empty the battery."""
        for command in dialogue.ending(self._settings, self._chip or dialogue.CHIPS[0]):
            await link.write(COMMAND, command)
