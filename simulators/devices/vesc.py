"""A VESC that drives one joint of a worn exoskeleton, as its firmware 6 answers over a serial port.

Facts: vedderb/bldc, comm/packet.c and comm/commands.c. It answers the request for values; whatever else it is sent is
kept, so that a test can see that there was nothing.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Final

from simulators.body.exoskeleton import SIDES, ExoMotion, WornExoskeleton
from simulators.devices.battery import Battery
from simulators.motion.timeline import Timeline
from simulators.radio.serial_device import SerialDevice

VALUES: Final = bytes.fromhex("020104408403")
POLE_PAIRS: Final = 21
GEAR: Final = 6.0
NM_PER_AMPERE: Final = 0.7  # at the joint
WARM_C, FET_C = 36.0, 31.0
EMPTY_V, FULL_V = 19.2, 25.2
LATER_FIELDS: Final = bytes(24)  # what newer firmware adds behind the controller's number


def crc16(data: bytes) -> int:
    """Return CRC-16/XMODEM: polynomial 1021, start 0."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def encode_packet(payload: bytes) -> bytes:
    """Return a payload between its marks."""
    size = bytes([2, len(payload)]) if len(payload) < 256 else b"\x03" + len(payload).to_bytes(2, "big")
    return size + payload + crc16(payload).to_bytes(2, "big") + b"\x03"


def encode_values(*, motor_current: float, erpm: float, volts: float, motor_c: float, fault: int = 0) -> bytes:
    """Return the answer to the request for values."""
    fields = struct.pack(
        ">2h4ihih4i2iBiB", round(FET_C * 10), round(motor_c * 10), round(motor_current * 100),
        round(motor_current * 50), 0, round(motor_current * 100), round(erpm / 40), round(erpm), round(volts * 10),
        0, 0, 0, 0, 0, 0, fault, 0, 1,
    )  # fmt: skip
    return encode_packet(b"\x04" + fields + LATER_FIELDS)


class Vesc(SerialDevice):
    """A simulated VESC.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        path: Name of the serial port.
        source: The exoskeleton; its first joint is what the motor moves.
        side: Which side of it.
    """

    def __init__(
        self, *, name: str, timeline: Timeline, path: Path, source: WornExoskeleton, side: str = "left"
    ) -> None:
        super().__init__(name=name, timeline=timeline, path=path)
        self.source = source
        self.others = bytearray()
        self.fault = 0
        self._side = 0 if side == SIDES[0] else 1
        self.battery = Battery(lasts_h=2.0)
        self._newest: ExoMotion | None = None

    @property
    def wanted(self) -> bool:
        """Whether somebody has the port open."""
        return self.port.opened

    def receive(self, data: bytes) -> None:
        """Answer each request for values; keep what is something else."""
        asked = data.count(VALUES)
        self.others += data.replace(VALUES, b"")
        if self._muted or self._newest is None:
            self.counts.lost += asked
            return
        for _ in range(asked):
            if self.port.write(b"".join(self._as_sent([self._answer(self._newest)]))):
                self.streaming = True
                self.counts.sent += 1

    def _answer(self, motion: ExoMotion) -> bytes:
        speed_deg_s, torque_nm = (float(part[-1, self._side, 0]) for part in (motion.velocity, motion.torque))
        percent = self.battery.percent(self.timeline.now_s)
        return encode_values(
            motor_current=torque_nm / NM_PER_AMPERE,
            erpm=speed_deg_s / 6.0 * GEAR * POLE_PAIRS,
            volts=EMPTY_V + percent / 100 * (FULL_V - EMPTY_V),
            motor_c=WARM_C,
            fault=self.fault,
        )

    def _send(self, until_s: float) -> bool:
        """Move on: it sends nothing by itself."""
        pieces = self.source.read_until(until_s)
        if pieces:
            self._newest = pieces[-1]
        return pieces is not None
