"""BNO08x (BNO080, BNO085, BNO086) in UART-RVC mode over a serial port. Nothing is ever written to it.

It sends a hundred messages a second by itself: angles that it has computed, and acceleration. Each has a counter of
eight bits, which is its clock too: up to 255 lost in a row are counted, more as far as arrival tells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, Literal

import numpy as np

from drivers.bno08x_rvc.message import DEGREES_A_STEP, MARK, MESSAGE, holds
from drivers.columns import ColumnDecoder, Columns, Pieces, Told
from drivers.driver import Decoder, Driver, Link
from drivers.fixed_frames import FixedFrames
from drivers.packet import Packets, StreamSpec

DATA_CHANNEL: Final = "data"
RATE_HZ: Final = 100.0
COUNTER_BITS: Final = 8
MS2_A_STEP: Final = 9.80665e-3  # a thousandth of gravity
RAD_A_STEP: Final = DEGREES_A_STEP * np.pi / 180

ORIENTATION: Final = StreamSpec(
    "orientation", ("yaw", "pitch", "roll"), ("rad",) * 3, RATE_HZ, tick_hz=RATE_HZ, tick_bits=COUNTER_BITS
)
ACCELERATION: Final = StreamSpec(
    "acceleration", ("acc_x", "acc_y", "acc_z"), ("m/s2",) * 3, RATE_HZ, tick_hz=RATE_HZ, tick_bits=COUNTER_BITS
)


class Bno08xRvcDecoder(ColumnDecoder):
    """Messages to samples, one each."""

    def __init__(self) -> None:
        super().__init__()
        self._messages = FixedFrames(MARK, MESSAGE.itemsize, holds, self.faults, sure=False)

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """Always the same."""
        return {spec.name: spec for spec in (ORIENTATION, ACCELERATION)}

    def sort(self, frames: Pieces, told: Told) -> None:
        """Take the messages that the port gave."""
        told[MARK].fill(frames, DATA_CHANNEL, self._messages.cut)

    @classmethod
    def read(cls, decoders: Sequence[Decoder], how: bytes, columns: Columns) -> list[Packets]:  # noqa: ARG003
        """Read all messages: they are alike."""
        rows = np.frombuffer(b"".join(columns.rows), MESSAGE)
        columns.ticks = rows["index"].tolist()
        return [
            columns.packets(ORIENTATION.name, rows["angles"] * RAD_A_STEP),
            columns.packets(ACCELERATION.name, rows["acc"] * MS2_A_STEP),
        ]


class Bno08xRvc(Driver):
    """Listens to the port: in this mode the sensor sends by itself and takes no command."""

    name: ClassVar[str] = "bno08x_rvc"
    title: ClassVar[str] = "BNO08x orientation sensor (UART-RVC)"
    transport: ClassVar[Literal["ble", "serial"]] = "serial"
    silence_s: ClassVar[float] = 3.0  # it sends a hundred times a second from the moment it has power

    def allows(self, characteristic: str, data: bytes) -> bool:  # noqa: ARG002 - the answer does not depend on it
        """Nothing: the mode knows no commands."""
        return False

    def decoder(self) -> Bno08xRvcDecoder:
        """Return a decoder for a new connection."""
        return Bno08xRvcDecoder()

    async def start(self, link: Link) -> None:
        """Nothing to do: it sends by itself."""

    async def stop(self, link: Link) -> None:
        """Nothing to do: it sends on, to nobody."""
