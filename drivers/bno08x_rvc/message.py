"""A message of the UART-RVC mode: 19 bytes, ``AA AA``, little-endian, the sum of bytes 2 to 17 at the end.

Facts: BNO080 datasheet 1000-3927, section 1.3.5.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from drivers.errors import MalformedFrameError

MARK: Final = b"\xaa\xaa"
MESSAGE: Final = np.dtype(
    [("mark", "<u2"), ("index", "u1"), ("angles", "<i2", 3), ("acc", "<i2", 3), ("later", "u1", 3), ("check", "u1")]
)
DEGREES_A_STEP: Final = 0.01


@dataclass(frozen=True, slots=True)
class Message:
    """What one message says, in the units of the datasheet.

    Attributes:
        index: Counter, which begins again after 256.
        yaw_deg: Degrees, as the two that follow.
        pitch_deg: Degrees.
        roll_deg: Degrees.
        acc_mg: x, y and z in thousandths of gravity.
    """

    index: int
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    acc_mg: tuple[int, int, int]


def holds(data: bytes) -> bool:
    """Whether 19 bytes that begin with the mark have the check sum of a message."""
    return sum(data[2:18]) & 0xFF == data[18]


def parse_message(data: bytes) -> Message:
    """Return what one whole message says; raises MalformedFrameError."""
    if len(data) != MESSAGE.itemsize or not data.startswith(MARK):
        raise MalformedFrameError("no whole message")
    if not holds(data):
        raise MalformedFrameError("check sum")
    (row,) = np.frombuffer(data, MESSAGE)
    yaw, pitch, roll = (int(raw) * DEGREES_A_STEP for raw in row["angles"])
    x, y, z = (int(raw) for raw in row["acc"])
    return Message(int(row["index"]), yaw, pitch, roll, (x, y, z))
