"""WitMotion WT901 on a serial port (TTL, RS-232, USB): what the sensor is set to send, cycle by cycle.

Each packet has a check sum; nothing has a counter or a stamp. Samples lie at the rate of the sensor, behind one
another as they arrive, and carry ``LOSS_UNKNOWN``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray

from drivers.driver import Decoder, Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.packet import Flag, Frame, Packet, Samples, StreamSpec, Ticks
from drivers.witmotion.frame import RATE, UNLOCK, rate_command, read_command
from drivers.witmotion.units import (
    ANGLE_SCALE,
    CELSIUS_A_COUNT,
    FIELD,
    FULL,
    MICROTESLA_A_COUNT,
    RATES_HZ,
    TEMPERATURE,
    imu,
    imu_flags,
    imu_samples,
)
from drivers.witmotion_serial import packet as wire

DATA_CHANNEL: Final = "data"
INQUIRY_CHANNEL: Final = "inquiry"

SHIPPED_HZ: Final = 10.0
PAUSE_S: Final = 0.1  # between two commands: sooner, the sensor passes over the second
LISTEN_S: Final = 1.5  # for the packets of one cycle
MOST_HEARD: Final = 200  # packets: an answer comes within a cycle or two
READ_RATE: Final = read_command(RATE)
NS: Final = 1_000_000_000

ORIENTATION: Final = ("roll", "pitch", "yaw", "q_w", "q_x", "q_y", "q_z")
ORIENTATION_UNITS: Final = ("rad",) * 3 + ("1",) * 4


class WitMotionSerialDecoder(Decoder):
    """Packets to samples, cycle by cycle: the newest cycle waits until the next one begins.

    Args:
        rate_hz: Rate that the sensor is set to, until it says another.
    """

    def __init__(self, rate_hz: float = SHIPPED_HZ) -> None:
        super().__init__()
        self._packets = wire.Packets(self.faults)
        self._open = wire.NONE  # packets of the cycle that may go on
        self._second = -1  # in which the temperature was told last
        self._streams: Mapping[str, StreamSpec] = {}
        self._set_rate(rate_hz)

    def _set_rate(self, rate_hz: float) -> None:
        made = StreamSpec("orientation", ORIENTATION, ORIENTATION_UNITS, rate_hz)
        specs = (imu(rate_hz), made, replace(FIELD, rate_hz=rate_hz), TEMPERATURE)
        self._streams = {spec.name: spec for spec in specs}

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """The streams, at the rate that the sensor says it has."""
        return self._streams

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode what the port gave."""
        for frame in frames:
            if frame.channel == INQUIRY_CHANNEL:
                self._on_answer(frame.data)
        found = self._packets.take([frame for frame in frames if frame.channel == DATA_CHANNEL])
        found = wire.Found.joined(self._open, found)
        kinds = found.rows[:, 1].astype(np.int64)
        begins = np.flatnonzero((np.diff(kinds, prepend=wire.ANSWER + 1) <= 0) | found.broken)
        if not len(begins):
            self._open = found
            return []
        whole = int(begins[-1])
        self._open = found.part(whole)
        return self._cycles(found.part(0, whole), kinds[:whole], begins[:-1]) if whole else []

    def _on_answer(self, data: bytes) -> None:
        """Take the answer to the one question that there is: the rate."""
        try:
            told = wire.parse_packet(data)
        except MalformedFrameError as problem:
            self.faults[str(problem)] += 1
            return
        rate_hz = RATES_HZ.get(told["values"][0]) if told["type"] == wire.ANSWER else None
        if rate_hz:
            self._set_rate(rate_hz)

    def _cycles(self, found: wire.Found, kinds: NDArray[np.int64], begins: NDArray[np.int64]) -> list[Packet]:
        """Return the samples of whole cycles; ``begins`` (k,) is where each begins."""
        words = np.ascontiguousarray(found.rows[:, 2:10]).view("<i2")
        cycle = np.searchsorted(begins, np.arange(len(kinds)), side="right")
        acc = np.flatnonzero((kinds[:-1] == wire.ACC) & (kinds[1:] == wire.GYR) & (cycle[:-1] == cycle[1:]))
        counts = np.concatenate([words[acc, :3], words[acc + 1, :3]], axis=1)
        arrival_ns = found.arrival_ns
        field = np.flatnonzero(kinds == wire.FIELD)
        packets = [
            _packet("imu", arrival_ns[acc + 1], imu_samples(counts), imu_flags(counts)),
            _orientation(kinds, cycle, words, arrival_ns),
            _packet(FIELD.name, arrival_ns[field], words[field, :3] * np.float64(MICROTESLA_A_COUNT)),
            self._temperature(np.flatnonzero(kinds == wire.ACC), words, arrival_ns),
        ]
        return [packet for packet in packets if len(packet)]

    def _temperature(self, at: NDArray[np.int64], words: NDArray[np.int16], arrival_ns: Ticks) -> Packet:
        """Return the temperature of the first cycle of each second: it stands in every one."""
        seconds = arrival_ns[at] // NS
        new = at[np.diff(seconds, prepend=self._second) != 0]
        if len(at):
            self._second = int(seconds[-1])
        return _packet(TEMPERATURE.name, arrival_ns[new], words[new, 3:] * CELSIUS_A_COUNT)


def _orientation(
    kinds: NDArray[np.int64], cycle: NDArray[np.int64], words: NDArray[np.int16], arrival_ns: Ticks
) -> Packet:
    """Return angles and quaternion of each cycle that has one of the two, at the arrival of its last."""
    angle, turn = np.flatnonzero(kinds == wire.ANGLE), np.flatnonzero(kinds == wire.QUATERNION)
    of = np.unique(np.concatenate([cycle[angle], cycle[turn]]))
    samples, arrived = np.full((len(of), len(ORIENTATION)), np.nan), np.zeros(len(of), np.int64)
    for at, columns, count, scale in ((angle, slice(0, 3), 3, ANGLE_SCALE), (turn, slice(3, 7), 4, 1.0 / FULL)):
        row = np.searchsorted(of, cycle[at])
        samples[row, columns] = words[at, :count] * scale
        arrived[row] = arrival_ns[at]
    return _packet("orientation", arrived, samples)


def _packet(stream: str, arrival_ns: Ticks, samples: Samples, flags: NDArray[np.uint8] | None = None) -> Packet:
    marks = np.full(len(samples), Flag.LOSS_UNKNOWN, np.uint8) if flags is None else flags
    return Packet(stream, arrival_ns, np.empty(0, np.int64), samples, marks)


class WitMotionSerial(Driver):
    """Asks for the rate and listens: the sensor sends by itself what it is set to.

    Options: ``rate_hz`` sets the output rate (1, 2, 5, 10, 20, 50, 100 or 200) until the sensor is switched off; where
    it is not named the sensor is left as it is. The port must be fast enough for it.
    """

    name: ClassVar[str] = "witmotion_serial"
    title: ClassVar[str] = "WitMotion WT901 inertial sensor (serial port)"
    transport: ClassVar[Literal["ble", "serial"]] = "serial"
    silence_s: ClassVar[float] = 5.0

    def __init__(self, *, rate_hz: float | None = None, **options: Any) -> None:
        super().__init__(**options)
        if rate_hz is not None and (isinstance(rate_hz, bool) or rate_hz not in RATES_HZ.values()):
            known = ", ".join(f"{rate:g}" for rate in RATES_HZ.values())
            raise ValueError(f"driver '{self.name}' has no rate_hz {rate_hz!r}: known are {known}")
        self._rate_hz = rate_hz
        self._commands = [] if rate_hz is None else [UNLOCK, rate_command(rate_hz)]

    def allows(self, characteristic: str, data: bytes) -> bool:
        """The question for the rate, and the rate until it is switched off; nothing that is saved or calibrates."""
        return characteristic == "" and (data in self._commands or data == READ_RATE)

    def decoder(self) -> WitMotionSerialDecoder:
        """Return a decoder for a new connection."""
        return WitMotionSerialDecoder(SHIPPED_HZ if self._rate_hz is None else self._rate_hz)

    async def start(self, link: Link) -> None:
        """Set the rate where the option says one, and have the sensor say which one it has; old ones do not."""
        for command in self._commands:
            await link.write("", command)
            await asyncio.sleep(PAUSE_S)
        await link.write("", READ_RATE)
        packets = wire.Packets(Counter())
        for _ in range(MOST_HEARD):
            try:
                data = await link.receive(wire.BYTES, timeout_s=LISTEN_S)
            except DialogueError:
                break
            for row in packets.take([Frame(0, DATA_CHANNEL, data)]).rows:
                if row[1] == wire.ANSWER:
                    link.announce(INQUIRY_CHANNEL, row.tobytes())
                    return

    async def stop(self, link: Link) -> None:
        """Nothing to do: it sends on, to nobody."""
