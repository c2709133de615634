"""WitMotion WT901 on a serial port (TTL, RS-232, USB): what the sensor is set to send, cycle by cycle.

Each packet has a check sum; nothing has a counter or a stamp. Samples lie at the rate of the sensor, behind one
another as they arrive, and carry ``LOSS_UNKNOWN``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final, Literal, cast

from drivers.driver import BatchDecoder, Decoder, Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.packet import Frame, Frames, Packets, StreamSpec
from drivers.witmotion.frame import RATE, UNLOCK, rate_command, read_command
from drivers.witmotion.units import FIELD, RATES_HZ, TEMPERATURE, imu
from drivers.witmotion_serial import packet as wire
from drivers.witmotion_serial.cycles import ORIENTATION, split_cycles

DATA_CHANNEL: Final = "data"
INQUIRY_CHANNEL: Final = "inquiry"

SHIPPED_HZ: Final = 10.0
PAUSE_S: Final = 0.1  # between two commands: sooner, the sensor passes over the second
LISTEN_S: Final = 1.5  # for the packets of one cycle
MOST_HEARD: Final = 200  # packets: an answer comes within a cycle or two
READ_RATE: Final = read_command(RATE)
ORIENTATION_UNITS: Final = ("rad",) * 3 + ("1",) * 4


class WitMotionSerialDecoder(BatchDecoder):
    """Packets to samples, cycle by cycle: the newest cycle waits until the next one begins.

    Args:
        rate_hz: Rate that the sensor is set to, until it says another.

    Attributes:
        packets: Its bytes to packets.
        open_cycle: Packets of the cycle that may go on.
        second: In which the temperature was told last, of arrival; -1 before.
    """

    def __init__(self, rate_hz: float = SHIPPED_HZ) -> None:
        super().__init__()
        self.packets = wire.Packets(self.faults)
        self.open_cycle = wire.NONE
        self.second = -1
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

    @classmethod
    def decode_batch(cls, decoders: Sequence[Decoder], frames: Frames) -> list[Packets]:
        """Decode what the ports of all sensors gave: their packets, and then whole cycles, at once."""
        ours = cast("Sequence[WitMotionSerialDecoder]", decoders)
        if frames.channels.count(DATA_CHANNEL) < len(frames.channels):
            each = frames.each()
            frames = Frames.of([decoder.heard(own) for decoder, own in zip(ours, each, strict=True)])
        new = wire.take([decoder.packets for decoder in ours], frames)
        cycles, left = split_cycles([decoder.open_cycle for decoder in ours], new)
        for decoder, own in zip(ours, left, strict=True):
            decoder.open_cycle = own
        if cycles is None:
            return []
        seconds = [decoder.second for decoder in ours]
        packets = cycles.packets(seconds)
        for decoder, second in zip(ours, seconds, strict=True):
            decoder.second = second
        return packets

    def heard(self, frames: Sequence[Frame]) -> list[Frame]:
        """Take the answers among frames; return what the port gave."""
        for frame in frames:
            if frame.channel == INQUIRY_CHANNEL:
                self._on_answer(frame.data)
        return [frame for frame in frames if frame.channel == DATA_CHANNEL]

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
            for row in packets.take([data], [0]).rows:
                if row[1] == wire.ANSWER:
                    link.announce(INQUIRY_CHANNEL, row.tobytes())
                    return

    async def stop(self, link: Link) -> None:
        """Nothing to do: it sends on, to nobody."""
