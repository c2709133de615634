"""An Xsens MTi behind a serial port or USB: Xbus, as in Xsens' MT Low-Level Communication Protocol (MT0101P).

It measures as soon as it has power, whoever listens, sends what it was last set up to, and answers questions only in
its configuration state. It keeps to the rate of its source: an output that is asked for more often has that rate.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from simulators.motion.source import Motion, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.pull import Pull
from simulators.radio.serial_device import SerialDevice
from simulators.sensing.fusion import Fusion, Vector, rotated

TICK_HZ: Final = 10_000  # of SampleTimeFine: u32, wraps after 4.97 days
EVERY: Final = 0xFFFF
AS_DELIVERED: Final = ((0x1020, EVERY), (0x1060, EVERY), (0x2010, 100), (0xE020, EVERY))
PRODUCT: Final = b"MTi-30-2A5G4     "
FIRMWARE: Final = bytes((1, 8, 2)) + bytes(8)
PRESSURE_PA, TEMPERATURE_C = 101_325, 31.5
GOOD: Final = 0x3  # status word: self-test passed, filter valid
TOO_FAST: Final = 17.4  # rad/s: the end of the gyroscope's range; and of the accelerometer's, m/s2
TOO_STRONG: Final = 160.0
GRAVITY: Final = 9.80665

_EVERY_MESSAGE: Final = (0x1020, 0x1060, 0xE020)


def encode_message(mid: int, data: bytes = b"") -> bytes:
    """Return a message, its length extended where need be."""
    size = bytes((len(data),)) if len(data) < 0xFF else b"\xff" + len(data).to_bytes(2, "big")
    body = bytes((0xFF, mid)) + size + data
    return b"\xfa" + body + bytes((256 - sum(body) % 256 & 0xFF,))


def encode_reals(identifier: int, numbers: Sequence[float]) -> bytes:
    """Return an item of real numbers in the format that its identifier says."""
    match identifier & 3:
        case 0:
            data = struct.pack(f">{len(numbers)}f", *numbers)
        case 1:
            data = struct.pack(f">{len(numbers)}i", *(round(number * 2**20) for number in numbers))
        case 2:
            pairs = [divmod(round(number * 2**32), 2**32) for number in numbers]
            data = b"".join(struct.pack(">Ih", fraction, whole) for whole, fraction in pairs)
        case _:
            data = struct.pack(f">{len(numbers)}d", *numbers)
    return encode_item(identifier, data)


def encode_item(identifier: int, data: bytes) -> bytes:
    """Return an item of a data message."""
    return identifier.to_bytes(2, "big") + bytes((len(data),)) + data


class XsensMti(SerialDevice):
    """A simulated MTi.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        path: Name of the serial port.
        source: Movement of the limb that it is worn on.
        device_id: Its number.
        outputs: What it was set up to send: identifiers and rates.
        rate: Baud rate that it is set to; by default it gets on at any.
        lacks: Kinds of output that this model has not.

    Attributes:
        outputs: What it is set up to send; kept without power.
        writes: How many times that was written.
    """

    def __init__(
        self,
        *,
        name: str,
        timeline: Timeline,
        path: Path,
        source: MotionSource,
        device_id: int = 0x03700001,
        outputs: Sequence[tuple[int, int]] = AS_DELIVERED,
        rate: int | None = None,
        lacks: Collection[int] = (),
    ) -> None:
        super().__init__(name=name, timeline=timeline, path=path, rate=rate)
        self.source = source
        self.outputs = list(outputs)
        self.writes = 0
        self._lacks = lacks
        self._device_id = device_id
        self._measuring = True
        self._counter = 0
        self._samples = 0
        self._commands = bytearray()
        self._fusion = Fusion()
        self._pull = Pull(source, self.counts)

    @property
    def wanted(self) -> bool:
        """Whether it measures and somebody has the port open."""
        return self._measuring and self.port.opened

    def _on_hung_up(self) -> None:
        """A cable tells a device nothing of who listens."""
        super()._on_hung_up()
        self._commands.clear()

    async def _switch_on(self) -> None:
        """Measure as it was set up; a cable was taken out with the power on it."""
        self._measuring = True
        self._commands.clear()
        await super()._switch_on()

    def receive(self, data: bytes) -> None:
        """Obey whole messages; bytes that belong to none are passed over."""
        self._commands += data
        while (start := self._commands.find(b"\xfa\xff")) >= 0:
            del self._commands[:start]
            if len(self._commands) < 4 or len(self._commands) < 5 + self._commands[3]:
                return
            size = 5 + self._commands[3]
            message = bytes(self._commands[:size])
            if sum(message[1:]) % 256:
                del self._commands[:1]
                continue
            del self._commands[:size]
            self._obey(message[2], message[4:-1])

    def _obey(self, mid: int, data: bytes) -> None:
        if mid == 0x30:
            self._measuring = self.streaming = False
            self._answer(0x31)
        elif self._measuring:
            return
        elif mid == 0x10:
            self._answer(0x11)
            self._measuring = self.streaming = True
        elif mid == 0xC0:
            if data:
                self.outputs = [
                    self._made(*pair) for pair in struct.iter_unpack(">HH", data) if pair[0] & 0xF8F0 not in self._lacks
                ]
                self.writes += 1
            self._answer(0xC1, b"".join(struct.pack(">HH", *pair) for pair in self.outputs))
        else:
            replies = {0x00: self._device_id.to_bytes(4, "big"), 0x1C: PRODUCT, 0x12: FIRMWARE}
            if mid in replies:
                self._answer(mid + 1, replies[mid])
            else:
                self._answer(0x42, b"\x04")

    def _made(self, identifier: int, rate_hz: int) -> tuple[int, int]:
        """Return what becomes of an output that is asked for."""
        kind = identifier & 0xF8F0
        if kind in _EVERY_MESSAGE:
            return identifier, EVERY
        most = {0x0810: 1, 0x3010: 50, 0xC020: 100}.get(kind, rate_hz)
        return identifier, min(rate_hz, most, round(self.source.rate_hz))

    def _answer(self, mid: int, data: bytes = b"") -> None:
        self.port.write(encode_message(mid, data))

    def _send(self, until_s: float) -> bool:
        motion = self._pull.due(until_s, wanted=self.wanted)
        if motion is not None and len(motion.time_s):
            self._send_motion(motion)
        return motion is not None

    def _send_motion(self, motion: Motion) -> None:
        messages = []
        for time_s, acc, gyr, mag, sent in motion.each():
            self._fusion.update(time_s, acc, gyr)
            ticks = round(self.clock_s(time_s) * TICK_HZ) & 0xFFFFFFFF
            message = self._message(ticks, acc, gyr, mag)
            self._counter = (self._counter + 1) & 0xFFFF
            self._samples += 1
            if sent and not self._muted:
                messages.append(message)
        written = self.write_packets(messages, len(motion.time_s))
        self.streaming = self.streaming or written

    def _message(self, ticks: int, acc: Vector, gyr: Vector, mag: Vector) -> bytes:
        """Return a data message with what is due at this sample."""
        found = []
        for identifier, rate_hz in self.outputs:
            every = 1 if rate_hz == EVERY else max(1, round(self.source.rate_hz / max(1, rate_hz)))
            if self._samples % every == 0:
                found.append(self._item(identifier, ticks, (acc, gyr, mag)))
        return encode_message(0x36, b"".join(found))

    def _item(self, identifier: int, ticks: int, sample: tuple[Vector, Vector, Vector]) -> bytes:
        acc, gyr, mag = sample
        kind = identifier & 0xF8F0
        if kind in {0x4020, 0x8020, 0xC020}:
            return encode_reals(identifier, {0x4020: acc, 0x8020: gyr, 0xC020: mag}[kind])
        if kind in {0x0810, 0x2010, 0x4030}:
            return encode_reals(identifier, self._made_of(kind, acc))
        numbers = {0x1020: (self._counter, 2), 0x1060: (ticks, 4), 0x3010: (PRESSURE_PA, 4)}
        number, size = numbers.get(kind) or (_status(acc, gyr), 4)
        return encode_item(identifier, number.to_bytes(size, "big"))

    def _made_of(self, kind: int, acc: Vector) -> Sequence[float]:
        """Return what the firmware makes of its sensors."""
        if kind == 0x0810:
            return [TEMPERATURE_C]
        if kind == 0x2010:
            return self._fusion.quaternion
        x, y, z = rotated(self._fusion.quaternion, acc)
        return [x, y, z - GRAVITY]


def _status(acc: Vector, gyr: Vector) -> int:
    """Return the status word: which axes are at the end of their range, and whether any is."""
    ends = [*(abs(a) >= TOO_STRONG for a in acc), *(abs(g) >= TOO_FAST for g in gyr)]
    bits = sum(1 << 8 + k for k, end in enumerate(ends) if end)
    return GOOD | bits | (1 << 19 if bits else 0)
