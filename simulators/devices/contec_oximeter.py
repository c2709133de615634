"""A Contec CMS50D-BT: frames of its maker's protocol, sent after a command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from bumble.gatt import Service

from simulators.body.saturation import Saturation
from simulators.devices.periodic import PeriodicDevice
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import characteristic

COMMANDS = "FF01"
START = b"\x9b\x01\x1c"
PULSE = 72
IN_FINGER = 6


def summed(data: bytes) -> bytes:
    """Return a frame with the sum of its bytes behind it."""
    return data + bytes([sum(data) & 0x7F])


class ContecOximeter(PeriodicDevice):
    """A simulated finger clip.

    Args:
        saturation: What the blood there has.
    """

    service: ClassVar[int] = 0xFF12
    measurement: ClassVar[str] = "FF02"
    model: ClassVar[str] = "SpO2"

    def __init__(self, *, name: str, timeline: Timeline, hub: Hub, address: str, saturation: Saturation) -> None:
        super().__init__(name=name, timeline=timeline, hub=hub, address=address)
        self._saturation = saturation
        self.written: list[bytes] = []

    def services(self) -> list[Service]:
        """Return the GATT services, with the characteristic that takes commands."""
        first, *rest = super().services()
        commands = characteristic(COMMANDS, write=self.written.append)
        return [Service(f"{self.service:04X}", [*first.characteristics, commands]), *rest]

    def records(self, now_s: float) -> Sequence[bytes]:
        """Return a frame of values and one of the waveform, once the stream was asked for."""
        if START not in self.written:
            return []
        spo2 = round(self._saturation.percent(now_s))
        return [
            summed(bytes([0xEB, 0x01, IN_FINGER, PULSE, spo2, 0x7F, 0x00])),
            summed(bytes([0xEB, 0x00, 0x03, 72, 9])),
        ]
