"""A MicroStrain inertial sensor behind a serial port or USB: MIP, as in the maker's mip_sdk definitions.

It answers commands at any time, streams what its message formats say while it is not idle, and forgets formats that
were not saved when it loses power. Its base rate is that of its source. Vectors are in its own axes, an orientation
turns from them to north, east and down.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from simulators.motion.source import G, Motion, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.pull import Pull
from simulators.radio.serial_device import SerialDevice
from simulators.sensing.fusion import Fusion, Vector, product

NS: Final = 1_000_000_000
AS_DELIVERED: Final = ((0xD5, 1), (0xD6, 1), (0x04, 1), (0x05, 1))
PRESSURE_MBAR, TEMPERATURE_C = 1013.25, 31.5
UT_A_GAUSS: Final = 100.0
FIRMWARE: Final = 1102
EAST_NORTH_TO_NED: Final = (0.0, math.sqrt(0.5), math.sqrt(0.5), 0.0)
DONE, UNKNOWN, INVALID = 0, 1, 3
SETS: Final = (0x80, 0x82)


def fletcher(data: bytes) -> bytes:
    """Return the check sum."""
    first = second = 0
    for byte in data:
        first = (first + byte) & 0xFF
        second = (second + first) & 0xFF
    return bytes((first, second))


def encode_packet(descriptor_set: int, fields: Sequence[tuple[int, bytes]]) -> bytes:
    """Return a packet."""
    payload = b"".join(bytes((2 + len(data), descriptor)) + data for descriptor, data in fields)
    head = bytes((0x75, 0x65, descriptor_set, len(payload))) + payload
    return head + fletcher(head)


class MicroStrain(SerialDevice):
    """A simulated MicroStrain sensor.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        path: Name of the serial port.
        source: Movement of the limb that it is worn on.
        serial: Its serial number.
        rate: Baud rate that it is set to; by default it gets on at any.
        modern: Whether it knows the reference time and the commands that go with it.

    Attributes:
        refused: Commands that it did not know or take.
    """

    def __init__(
        self,
        *,
        name: str,
        timeline: Timeline,
        path: Path,
        source: MotionSource,
        serial: str = "6284.100001",
        rate: int | None = None,
        modern: bool = True,
    ) -> None:
        super().__init__(name=name, timeline=timeline, path=path, rate=rate)
        self.source = source
        self.refused: list[bytes] = []
        self._serial = serial
        self._modern = modern
        self._formats: dict[int, list[tuple[int, int]]] = {}
        self._enabled: set[int] = set()
        self._idle = False
        self._samples = 0
        self._newest_ns: dict[int, int] = {}
        self._commands = bytearray()
        self._fusion = Fusion()
        self._pull = Pull(source, self.counts)
        self._set_as_delivered()

    @property
    def wanted(self) -> bool:
        """Whether it streams and somebody has the port open."""
        return not self._idle and bool(self._enabled) and self.port.opened

    def _set_as_delivered(self) -> None:
        self._formats = {0x80: list(AS_DELIVERED), 0x82: []}
        self._enabled = {0x80}
        self._idle = False
        self._newest_ns.clear()

    def _on_hung_up(self) -> None:
        """A cable tells a device nothing of who listens."""
        super()._on_hung_up()
        self._commands.clear()

    async def _switch_on(self) -> None:
        """Begin as delivered: nothing was saved."""
        self._set_as_delivered()
        self._commands.clear()
        await super()._switch_on()

    def receive(self, data: bytes) -> None:
        """Obey whole packets; bytes that belong to none are passed over."""
        self._commands += data
        while (start := self._commands.find(b"ue")) >= 0:
            del self._commands[:start]
            if len(self._commands) < 4 or len(self._commands) < 6 + self._commands[3]:
                return
            size = 6 + self._commands[3]
            packet = bytes(self._commands[:size])
            if fletcher(packet[:-2]) != packet[-2:]:
                del self._commands[:1]
                continue
            del self._commands[:size]
            self._obey(packet[2], packet[5], packet[6 : 4 + packet[4]])

    def _obey(self, descriptor_set: int, command: int, data: bytes) -> None:
        obey = self._known(descriptor_set, command)
        code, more = obey(data) if obey is not None else (UNKNOWN, ())
        if code:
            self.refused.append(bytes((descriptor_set, command)) + data)
        self.port.write(encode_packet(descriptor_set, [(0xF1, bytes((command, code))), *more]))

    def _known(self, descriptor_set: int, command: int) -> Callable[[bytes], Answer] | None:
        base: dict[int, Callable[[bytes], Answer]] = {0x01: self._ping, 0x02: self._set_idle, 0x03: self._info}
        base[0x06] = self._resume
        threedm: dict[int, Callable[[bytes], Answer]] = {0x11: self._stream}
        if self._modern:
            threedm |= {0x0E: self._base_rate, 0x0F: self._format}
        else:
            threedm |= {
                0x06: lambda _: self._rate(0x83, b""),
                0x0B: lambda _: self._rate(0x8A, b""),
                0x08: lambda data: self._format(data[:1] + b"\x80" + data[1:]),
                0x0A: lambda data: self._format(data[:1] + b"\x82" + data[1:]),
            }
        known = base if descriptor_set == 0x01 else threedm if descriptor_set == 0x0C else {}
        return known.get(command)

    def _ping(self, _: bytes) -> Answer:
        return DONE, ()

    def _set_idle(self, _: bytes) -> Answer:
        self._idle, self.streaming = True, False
        return DONE, ()

    def _resume(self, _: bytes) -> Answer:
        self._idle = False
        return DONE, ()

    def _info(self, _: bytes) -> Answer:
        texts = ("3DM-CV7-AHRS", "6286-9950", self._serial, "", "")
        return DONE, ((0x81, struct.pack(">H16s16s16s16s16s", FIRMWARE, *(text.rjust(16).encode() for text in texts))),)

    def _base_rate(self, data: bytes) -> Answer:
        return self._rate(0x8E, data[:1]) if data[:1] in {b"\x80", b"\x82"} else (INVALID, ())

    def _rate(self, reply: int, head: bytes) -> Answer:
        return DONE, ((reply, head + round(self.source.rate_hz).to_bytes(2, "big")),)

    def _format(self, data: bytes) -> Answer:
        if len(data) < 3 or data[0] != 1 or data[1] not in SETS or len(data) != 3 + 3 * data[2]:
            return INVALID, ()
        entries = [(data[at], data[at + 1] << 8 | data[at + 2]) for at in range(3, len(data), 3)]
        times = {0xD5, 0xD6} if self._modern else {0x12, 0x11}
        known = {0x80: {0x04, 0x05, 0x06, 0x0A, 0x0C, 0x14, 0x17} | times, 0x82: {0x03, 0x05} | times}[data[1]]
        if any(descriptor not in known or not decimation for descriptor, decimation in entries):
            return INVALID, ()
        self._formats[data[1]] = entries
        return DONE, ()

    def _stream(self, data: bytes) -> Answer:
        if len(data) != 3 or data[0] != 1 or data[1] not in SETS:
            return INVALID, ()
        self._enabled = self._enabled | {data[1]} if data[2] else self._enabled - {data[1]}
        return DONE, ()

    def _send(self, until_s: float) -> bool:
        motion = self._pull.due(until_s, wanted=self.wanted)
        if motion is not None and len(motion.time_s):
            self._send_motion(motion)
        return motion is not None

    def _send_motion(self, motion: Motion) -> None:
        packets = []
        for time_s, acc, gyr, mag, sent in motion.each():
            self._fusion.update(time_s, acc, gyr)
            now_ns = round(self.clock_s(time_s) * NS)
            made = [self._packet(each, now_ns, (acc, gyr, mag)) for each in SETS if each in self._enabled]
            self._samples += 1
            if sent and not self._muted:
                packets.append(b"".join(made))
        written = self.write_packets(packets, len(motion.time_s))
        self.streaming = self.streaming or written

    def _packet(self, of: int, now_ns: int, sample: tuple[Vector, Vector, Vector]) -> bytes:
        """Return a packet of a set of data with what is due at this sample; nothing if nothing is."""
        due = [descriptor for descriptor, decimation in self._formats[of] if self._samples % decimation == 0]
        if not due:
            return b""
        found = [(descriptor, self._field(of, descriptor, now_ns, sample)) for descriptor in due]
        self._newest_ns[of] = now_ns
        return encode_packet(of, found)

    def _field(self, of: int, descriptor: int, now_ns: int, sample: tuple[Vector, Vector, Vector]) -> bytes:
        acc, gyr, mag = sample
        if descriptor == 0xD5:
            return now_ns.to_bytes(8, "big")
        if descriptor == 0xD6:
            return (now_ns - self._newest_ns.get(of, now_ns)).to_bytes(8, "big")
        if (of, descriptor) in {(0x80, 0x12), (0x82, 0x11)}:
            return struct.pack(">dHH", now_ns / NS, 0, 0)
        q = product(EAST_NORTH_TO_NED, self._fusion.quaternion)
        if of == 0x82:
            numbers = q if descriptor == 0x03 else euler(q)
            return struct.pack(f">{len(numbers)}fH", *numbers, 1)
        values: dict[int, Sequence[float]] = {
            0x04: [a / G for a in acc],
            0x05: gyr,
            0x06: [m / UT_A_GAUSS for m in mag],
            0x0A: q,
            0x0C: euler(q),
            0x14: (TEMPERATURE_C - 1, TEMPERATURE_C + 1, TEMPERATURE_C),
            0x17: (PRESSURE_MBAR,),
        }
        return struct.pack(f">{len(values[descriptor])}f", *values[descriptor])


Answer = tuple[int, Sequence[tuple[int, bytes]]]
"""Why not (0 if it was done), and the fields of the answer."""


def euler(q: Sequence[float]) -> tuple[float, float, float]:
    """Return roll, pitch and yaw, radians."""
    w, x, y, z = q
    pitch = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
    return (
        math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y)),
        pitch,
        math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)),
    )
