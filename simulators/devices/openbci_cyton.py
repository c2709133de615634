"""An OpenBCI Cyton behind its dongle, firmware 3: eight electrodes on the muscles of a limb that moves.

Facts: OpenBCI, Cyton Data Format and Cyton SDK. It says who it is when it is switched on or reset (``v``), begins
to send when it is told ``b`` and stops at ``s``; 33 bytes a sample, 250 samples a second, acceleration with each tenth.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from simulators.devices.sampling import Axes, SamplingSerial
from simulators.motion.source import G, MotionSource
from simulators.motion.timeline import Timeline

RATE_HZ: Final = 250.0
EACH: Final = 10  # samples between two of the accelerometer
GAIN: Final = 24
COUNTS_A_VOLT: Final = GAIN * 8388607 / 4.5
RAIL: Final = 8388607
COUNTS_A_G: Final = 16 / 0.002
BANNER: Final = (
    b"OpenBCI V3 8-16 channel\r\nOn Board ADS1299 Device ID: 0x3E\r\nLIS3DH Device ID: 0x33\r\nFirmware: v3.1.2\r\n$$$"
)
REST_V, MOVING_V = 5e-6, 1e-4  # of a muscle at rest, and for each radian a second that the limb turns
TONE_HZ, APART_HZ = 60.0, 5.0  # of the first electrode, and from each to the next


def electrodes_v(clock_s: float, gyr: Axes) -> list[float]:
    """Return the voltages of the electrodes, volts: a tone for each, louder while the limb turns."""
    loud = REST_V + MOVING_V * math.sqrt(sum(part * part for part in gyr))
    return [loud * math.sin(2 * math.pi * (TONE_HZ + APART_HZ * n) * clock_s + n) for n in range(8)]


def encode_packet(number: int, volts: Sequence[float], aux: bytes = bytes(6), end: int = 0xC0) -> bytes:
    """Return a packet."""
    counts = [max(-RAIL - 1, min(RAIL, round(each * COUNTS_A_VOLT))) for each in volts]
    return (
        bytes([0xA0, number & 0xFF]) + b"".join(c.to_bytes(3, "big", signed=True) for c in counts) + aux + bytes([end])
    )


def encode_acceleration(acc_g: Sequence[float]) -> bytes:
    """Return the six bytes of an acceleration."""
    return struct.pack(">3h", *(max(-32768, min(32767, round(part * COUNTS_A_G))) for part in acc_g))


class OpenBciCyton(SamplingSerial):
    """A simulated Cyton; arguments as of `SamplingSerial`.

    Attributes:
        commands: What it was told, letter by letter.
        stamped: Whether its time goes into its packets (``<`` switches that on, at another program).
    """

    def __init__(self, *, name: str, timeline: Timeline, path: Path, source: MotionSource) -> None:
        super().__init__(name=name, timeline=timeline, path=path, source=source)
        self.commands = bytearray()
        self.stamped = False
        self._told = False
        self._held = bytes(6)  # an acceleration that is sent byte by byte

    @property
    def wanted(self) -> bool:
        """Whether it was told to begin."""
        return self._told and self.port.opened

    def receive(self, data: bytes) -> None:
        """Obey, letter by letter."""
        for letter in data:
            self.commands.append(letter)
            match bytes([letter]):
                case b"b":
                    self._told = self.streaming = True
                case b"s":
                    self._told = self.streaming = False
                case b"v":
                    self._told = self.streaming = False
                    self.port.write(BANNER)
                case _:
                    self.received.append(letter)

    def _on_hung_up(self) -> None:
        super()._on_hung_up()
        self._told = False

    def encode(self, clock_s: float, acc: Axes, gyr: Axes) -> bytes:
        """Return a packet, with acceleration where it is its turn."""
        number = round(clock_s * self.source.rate_hz)
        volts, acceleration = electrodes_v(clock_s, gyr), encode_acceleration([part / G for part in acc])
        turn = number % EACH
        if self.stamped:
            if turn == 0:
                self._held = acceleration
            letter = bytes([b"XxYyZz"[turn], self._held[turn]]) if turn < len(self._held) else bytes(2)
            return encode_packet(number, volts, letter + round(1000 * clock_s).to_bytes(4, "big"), 0xC4)
        return encode_packet(number, volts, acceleration if turn == 0 else bytes(6))
