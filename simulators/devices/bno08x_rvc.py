"""A BNO08x in UART-RVC mode: a hundred messages a second from the moment it has power, whatever it is sent.

Facts: BNO080 datasheet 1000-3927, section 1.3.5: 19 bytes at 115200 baud; yaw, pitch and roll in hundredths of a
degree, acceleration in thousandths of gravity, three bytes of nothing, the sum of all behind the header.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Final

from simulators.devices.sampling import Axes, SamplingSerial
from simulators.motion.source import G, MotionSource
from simulators.motion.timeline import Timeline
from simulators.sensing.fusion import Fusion

RATE_HZ: Final = 100.0
INT16: Final = 32767


def encode_message(index: int, *, yaw_deg: float, pitch_deg: float, roll_deg: float, acc_g: Axes) -> bytes:
    """Return a message."""
    angles = [round(100 * angle) for angle in (yaw_deg, pitch_deg, roll_deg)]
    thousandths = [max(-INT16, min(INT16, round(1000 * part))) for part in acc_g]
    body = struct.pack("<B6h3x", index & 0xFF, *angles, *thousandths)
    return b"\xaa\xaa" + body + bytes([sum(body) & 0xFF])


def angles_deg(q: tuple[float, float, float, float]) -> Axes:
    """Return yaw, pitch and roll of a quaternion, degrees."""
    w, x, y, z = q
    roll = math.atan2(2 * (w * x + y * z), 1 - 2 * (x * x + y * y))
    pitch = math.asin(max(-1.0, min(1.0, 2 * (w * y - z * x))))
    yaw = math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))
    return math.degrees(yaw), math.degrees(pitch), math.degrees(roll)


class Bno08xRvc(SamplingSerial):
    """A simulated BNO08x; arguments as of `SamplingSerial`."""

    def __init__(self, *, name: str, timeline: Timeline, path: Path, source: MotionSource) -> None:
        super().__init__(name=name, timeline=timeline, path=path, source=source)
        self._fusion = Fusion()

    def encode(self, clock_s: float, acc: Axes, gyr: Axes) -> bytes:
        """Return a message: the sensor computes its angles itself."""
        self._fusion.update(clock_s, acc, gyr)
        yaw, pitch, roll = angles_deg(self._fusion.quaternion)
        x, y, z = acc
        index = round(clock_s * self.source.rate_hz)
        return encode_message(index, yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll, acc_g=(x / G, y / G, z / G))
