"""Prototypes of a laboratory: a microcontroller with an inertial sensor that prints lines, or sends structs.

What a sketch does with `Serial.println`, or with the characteristic of the Nordic UART service: a protocol of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Final

from simulators.devices.exo_frame import cobs, crc16
from simulators.devices.sampling import Axes
from simulators.motion.source import G

BANNER: Final = b"ESP-ROM:esp32s3\r\nIMU ready, 100 Hz\r\n"
COUNTS_A_G: Final = 4096  # of an accelerometer at 8 g
COUNTS_A_DEGREE_S: Final = 16.4  # of a gyroscope at 2000 degrees a second
DEGREES: Final = 57.29577951308232

Encode = Callable[[float, Axes, Axes], bytes]
"""Device clock (seconds), acceleration (m/s^2), angular rate (rad/s) to the bytes of a sample."""


def text_line(clock_s: float, acc: Axes, gyr: Axes) -> bytes:
    """Return what ``println`` makes of millis() and six numbers."""
    numbers = ",".join(f"{part:.4f}" for part in (*acc, *gyr))
    return f"{round(clock_s * 1000) & 0xFFFFFFFF},{numbers}\r\n".encode()


def counts(acc: Axes, gyr: Axes) -> list[int]:
    """Return the raw counts of a sensor chip."""
    raw = [part / G * COUNTS_A_G for part in acc] + [part * DEGREES * COUNTS_A_DEGREE_S for part in gyr]
    return [max(-32768, min(32767, round(part))) for part in raw]


def plain_struct(clock_s: float, acc: Axes, gyr: Axes) -> bytes:
    """Return a packed struct: micros() and raw counts."""
    return struct.pack("<I6h", round(clock_s * 1e6) & 0xFFFFFFFF, *counts(acc, gyr))


def marked_struct(clock_s: float, acc: Axes, gyr: Axes) -> bytes:
    """Return a struct behind AA 55, with a check sum."""
    body = plain_struct(clock_s, acc, gyr)
    return b"\xaa\x55" + body + crc16(body).to_bytes(2, "little")


def cobs_struct(clock_s: float, acc: Axes, gyr: Axes) -> bytes:
    """Return a struct with a check sum, in COBS."""
    body = plain_struct(clock_s, acc, gyr)
    return cobs(body + crc16(body).to_bytes(2, "little")) + b"\0"
