"""A WitMotion WT901 on a serial port: a packet for each quantity, cycle after cycle, whoever listens.

Facts: the maker's manual. Each packet is ``55 kind data8 sum``; the question for a register is answered by one of kind
5F with four of them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

from simulators.devices.witmotion import RATE_CODES, READ, UNLOCK, WARM_C, inertial, words
from simulators.motion.source import Motion, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.pull import Pull
from simulators.radio.serial_device import SerialDevice
from simulators.sensing.fusion import Fusion, euler_degrees

COMMAND_BYTES = 5
ACC, GYR, ANGLE, FIELD, QUATERNION, ANSWER = 0x51, 0x52, 0x53, 0x54, 0x59, 0x5F
SUPPLY_V, VERSION = 5.0, 4711
MILLIGAUSS = 480.0  # of one unit of the source's field


def packet(kind: int, values: Sequence[float]) -> bytes:
    """Return a packet of four counts."""
    body = struct.pack("BB", 0x55, kind) + words(values)
    return body + bytes([sum(body) & 0xFF])


class WitMotionSerial(SerialDevice):
    """A simulated WT901 on a serial port.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        path: Name of the serial port.
        source: Movement of the limb that it is worn on.
        kinds: What it is set to send.

    Attributes:
        others: What it was sent that was neither a question nor a rate.
    """

    def __init__(
        self,
        *,
        name: str,
        timeline: Timeline,
        path: Path,
        source: MotionSource,
        kinds: Sequence[int] = (ACC, GYR, ANGLE, FIELD),
    ) -> None:
        super().__init__(name=name, timeline=timeline, path=path)
        self.source = source
        self.others = bytearray()
        self._kinds = kinds
        self._pull = Pull(source, self.counts)
        self._fusion = Fusion()
        self._asked = b""

    @property
    def wanted(self) -> bool:
        """Whether somebody has the port open."""
        return self.port.opened

    def receive(self, data: bytes) -> None:
        """Carry out whole commands."""
        self._asked += data
        while len(self._asked) >= COMMAND_BYTES:
            command, self._asked = self._asked[:COMMAND_BYTES], self._asked[COMMAND_BYTES:]
            if command[:3] == READ:
                self.port.write(packet(ANSWER, [RATE_CODES.get(self.source.rate_hz, 9), 0, 0, 0]))
            elif command != UNLOCK and command[:3] != b"\xff\xaa\x03":
                self.others += command

    def _send(self, until_s: float) -> bool:
        self.streaming = self.wanted
        motion = self._pull.due(until_s, wanted=self.wanted)
        if motion is not None and len(motion.time_s):
            self._send_motion(motion)
        return motion is not None

    def _send_motion(self, motion: Motion) -> None:
        cycles = []
        for time_s, acc, gyr, mag, sent in motion.each():
            q = self._fusion.update(time_s, acc, gyr)
            if not sent or self._muted:
                continue
            pair = inertial(acc, gyr)
            values = {
                ACC: [*pair[0], WARM_C * 100],
                GYR: [*pair[1], SUPPLY_V * 100],
                ANGLE: [*(angle / 180 * 32768 for angle in euler_degrees(q)), VERSION],
                FIELD: [*(m * MILLIGAUSS for m in mag), WARM_C * 100],
                QUATERNION: [part * 32768 for part in q],
            }
            cycles.append(b"".join(packet(kind, values[kind]) for kind in self._kinds))
        self.write_packets(cycles, len(motion.time_s))
