"""WitMotion WT901 over Bluetooth LE: acceleration, rate of turn and angles, in frames without stamp or counter.

Samples lie at the rate that the sensor is set to, behind one another as they arrive, and carry ``LOSS_UNKNOWN``. What
is asked for now and then: magnetic field, temperature and battery.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

import numpy as np

from drivers.driver import Decoder, Driver, Link
from drivers.gatt.battery import BATTERY, BATTERY_EVERY_S
from drivers.gatt.information import read_information
from drivers.gatt.rows import Row, packet_of
from drivers.identity import Identity
from drivers.packet import Flag, Frame, Packet, StreamSpec
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


class WitMotionDecoder(Decoder):
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

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode notifications."""
        data: list[bytes] = []
        arrival_ns: list[int] = []
        rows: dict[str, list[Row]] = {FIELD.name: [], TEMPERATURE.name: [], BATTERY.name: []}
        for each in frames:
            if each.channel != MEASUREMENT_CHANNEL:
                continue
            for found in self._framing.frames(each.data):
                if found[:2] == wire.DATA:
                    data.append(found)
                    arrival_ns.append(each.arrival_ns)
                else:
                    self._add_answer(found, each.arrival_ns, rows)
        packets = self._measured(data, arrival_ns) if data else []
        told = (packet_of(self._streams[name], own) for name, own in rows.items())
        return packets + [packet for packet in told if packet is not None]

    def _measured(self, data: Sequence[bytes], arrival_ns: Sequence[int]) -> list[Packet]:
        counts = np.frombuffer(b"".join(data), "<i2").reshape(len(data), -1)[:, 1:]
        arrival, nothing = np.array(arrival_ns, np.int64), np.empty(0, np.int64)
        marks = np.full(len(data), Flag.LOSS_UNKNOWN, np.uint8)
        return [
            Packet("imu", arrival, nothing, imu_samples(counts[:, :6]), imu_flags(counts[:, :6])),
            Packet("orientation", arrival, nothing, counts[:, 6:] * ANGLE_SCALE, marks),
        ]

    def _add_answer(self, data: bytes, arrival_ns: int, rows: dict[str, list[Row]]) -> None:
        """Take the answer to a question; one that nobody here asked says nothing."""
        told = wire.parse_frame(data)
        if told.get("rate_hz"):
            self._set_rate(told["rate_hz"])
        if "mag_ut" in told:
            rows[FIELD.name].append(Row(arrival_ns, tuple(told["mag_ut"]), Flag.LOSS_UNKNOWN))
        if "temperature_c" in told:
            rows[TEMPERATURE.name].append(Row(arrival_ns, (told["temperature_c"],), Flag.LOSS_UNKNOWN))
        if "battery_pct" in told:
            rows[BATTERY.name].append(Row(arrival_ns, (told["battery_pct"], np.nan), Flag.LOSS_UNKNOWN))


class WitMotion(Driver):
    """Subscribes, sets the rate until the sensor is switched off, and asks for what it does not send by itself.

    Options: ``rate_hz`` is the output rate (1, 2, 5, 10, 20, 50, 100 or 200; 100 where it is not named); 0 leaves the
    sensor as it is set, and takes the rate from its answer.
    """

    name: ClassVar[str] = "witmotion"
    title: ClassVar[str] = "WitMotion WT901 inertial sensor (Bluetooth)"
    transport: ClassVar[Literal["ble", "serial"]] = "ble"
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
