"""WitMotion WT901 over Bluetooth LE: acceleration, rate of turn and angles, in frames without stamp or counter.

Samples lie at the rate that the sensor is set to, behind one another as they arrive, and carry ``LOSS_UNKNOWN``. What
is asked for now and then: magnetic field, temperature and battery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, cast

import numpy as np

from drivers.driver import BatchDecoder, Decoder, Driver, Link
from drivers.gatt.battery import BATTERY, BATTERY_EVERY_S
from drivers.gatt.information import read_information
from drivers.gatt.rows import Row, packet_of
from drivers.identity import Identity
from drivers.packet import Flag, Frames, Packet, Packets, StreamSpec, Ticks
from drivers.witmotion import frame as wire
from drivers.witmotion.units import ANGLE_SCALE, FIELD, RATES_HZ, TEMPERATURE, imu, imu_flags, imu_samples

NOTIFIED: Final = "0000ffe4-0000-1000-8000-00805f9a34fb"  # not the base of the Bluetooth SIG: 9a, where that has 9b
WRITTEN: Final = "0000ffe9-0000-1000-8000-00805f9a34fb"
MEASUREMENT_CHANNEL: Final = "measurement"

DEFAULT_RATE_HZ: Final = 100.0  # as shipped it is 10, which no step is seen at
PAUSE_S: Final = 0.1  # between two commands: sooner, the sensor passes over the second
ASKED: Final = (wire.BATTERY, wire.TEMPERATURE, wire.FIELD)
READ_RATE: Final = wire.read_command(wire.RATE)


def orientation(rate_hz: float) -> StreamSpec:
    """Return the stream of the angles that the sensor makes."""
    return StreamSpec("orientation", ("roll", "pitch", "yaw"), ("rad",) * 3, rate_hz)


class WitMotionDecoder(BatchDecoder):
    """Frames to samples, many at a time; answers of registers one by one.

    A second delivery cannot be told from news, and is not looked for: of a sensor that lies still several frames in
    succession say the same, and come at once.

    Args:
        rate_hz: Rate that the sensor is set to, until it says another.
    """

    def __init__(self, rate_hz: float = DEFAULT_RATE_HZ) -> None:
        super().__init__()
        self._framing = wire.Framing(self.faults)
        self._streams: Mapping[str, StreamSpec] = {}
        self._set_rate(rate_hz)

    def _set_rate(self, rate_hz: float) -> None:
        specs = (imu(rate_hz), orientation(rate_hz), FIELD, TEMPERATURE, BATTERY)
        self._streams = {spec.name: spec for spec in specs}

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """The streams, at the rate that the sensor says it has."""
        return self._streams

    @classmethod
    def decode_batch(cls, decoders: Sequence[Decoder], frames: Frames) -> list[Packets]:
        """Decode the data frames of all sensors at once."""
        data: list[bytes] = []
        at: list[int] = []
        counts: list[int] = []
        told: list[list[Packet]] = []
        start = frames.start.tolist()
        for decoder, first, last in zip(cast("Sequence[WitMotionDecoder]", decoders), start, start[1:], strict=False):
            before = len(data)
            told.append(decoder.take(frames, range(first, last), data, at))
            counts.append(len(data) - before)
        return (_measured(data, frames.arrival_ns[at], counts) if data else []) + Packets.of(told)

    def take(self, frames: Frames, which: range, data: list[bytes], at: list[int]) -> list[Packet]:
        """Put data frames behind those of other sensors, with the places of their notifications; return the rest."""
        rows: dict[str, list[Row]] = {}
        for i in which:
            if frames.channels[i] != MEASUREMENT_CHANNEL:
                continue
            for found in self._framing.frames(frames.data[i]):
                if found[1] == wire.DATA[1]:
                    data.append(found)
                    at.append(i)
                else:
                    self._add_answer(found, int(frames.arrival_ns[i]), rows)
        told = (packet_of(self._streams[name], own) for name, own in rows.items())
        return [packet for packet in told if packet is not None]

    def _add_answer(self, data: bytes, arrival_ns: int, rows: dict[str, list[Row]]) -> None:
        """Take the answer to a question; one that nobody here asked says nothing."""
        told = wire.parse_frame(data)
        if told.get("rate_hz"):
            self._set_rate(told["rate_hz"])
        if "mag_ut" in told:
            rows.setdefault(FIELD.name, []).append(Row(arrival_ns, tuple(told["mag_ut"]), Flag.LOSS_UNKNOWN))
        if "temperature_c" in told:
            rows.setdefault(TEMPERATURE.name, []).append(Row(arrival_ns, (told["temperature_c"],), Flag.LOSS_UNKNOWN))
        if "battery_pct" in told:
            rows.setdefault(BATTERY.name, []).append(Row(arrival_ns, (told["battery_pct"], np.nan), Flag.LOSS_UNKNOWN))


def _measured(data: Sequence[bytes], arrival_ns: Ticks, counts: Sequence[int]) -> list[Packets]:
    """Return the samples of data frames of several sensors, of which each has so many."""
    words = np.frombuffer(b"".join(data), "<i2").reshape(len(data), -1)[:, 1:]
    nothing, marks = np.empty(0, np.int64), np.full(len(data), Flag.LOSS_UNKNOWN, np.uint8)
    moved, turned = imu_samples(words[:, :6]), words[:, 6:] * ANGLE_SCALE
    return [
        *Packets.counted("imu", counts, arrival_ns, nothing, moved, imu_flags(words[:, :6])),
        *Packets.counted("orientation", counts, arrival_ns, nothing, turned, marks),
    ]


class WitMotion(Driver):
    """Subscribes, sets the rate until the sensor is switched off, and asks for what it does not send by itself.

    Options: ``rate_hz`` is the output rate (1, 2, 5, 10, 20, 50, 100 or 200; 100 where it is not named); 0 leaves the
    sensor as it is set, and takes the rate from its answer.
    """

    name: ClassVar[str] = "witmotion"
    title: ClassVar[str] = "WitMotion WT901 inertial sensor (Bluetooth)"
    transport: ClassVar[Literal["ble", "serial"]] = "ble"
    names: ClassVar[tuple[str, ...]] = ("WT", "BWT")
    silence_s: ClassVar[float] = 5.0
    refresh_s: ClassVar[float | None] = BATTERY_EVERY_S

    def __init__(self, *, rate_hz: float = DEFAULT_RATE_HZ, **options: Any) -> None:
        super().__init__(**options)
        if isinstance(rate_hz, bool) or rate_hz not in {0, *RATES_HZ.values()}:
            known = ", ".join(f"{rate:g}" for rate in RATES_HZ.values())
            raise ValueError(
                f"driver '{self.name}' has no rate_hz {rate_hz!r}: known are {known}, and 0 for as it is set"
            )
        self._rate_hz = float(rate_hz)
        self._commands = [wire.UNLOCK, wire.rate_command(self._rate_hz)] if rate_hz else []
        self._questions = [wire.read_command(register) for register in ASKED]

    def allows(self, characteristic: str, data: bytes) -> bool:
        """Questions, and the rate until it is switched off; nothing that calibrates, turns axes or is saved."""
        return characteristic == WRITTEN and (data in self._commands or data in self._questions or data == READ_RATE)

    def decoder(self) -> WitMotionDecoder:
        """Return a decoder for a new connection."""
        return WitMotionDecoder(self._rate_hz or DEFAULT_RATE_HZ)

    async def identify(self, link: Link) -> Identity:
        """Read what it tells of itself; many tell nothing."""
        return await read_information(link)

    async def start(self, link: Link) -> None:
        """Subscribe, set the rate, have the sensor say which one it has, and ask for the rest."""
        await link.subscribe(MEASUREMENT_CHANNEL, NOTIFIED)
        for command in [*self._commands, READ_RATE, *self._questions]:
            await link.write(WRITTEN, command)
            await asyncio.sleep(PAUSE_S)

    async def refresh(self, link: Link) -> None:
        """Ask again for battery, temperature and field."""
        for question in self._questions:
            await link.write(WRITTEN, question)
            await asyncio.sleep(PAUSE_S)

    async def stop(self, link: Link) -> None:
        """Nothing to do: it sends to whoever subscribes, and stops with the connection."""
