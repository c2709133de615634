"""What simulated devices behind a serial port have in common: the port comes, goes, and is hung up."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path

from simulators.motion.timeline import Timeline
from simulators.radio.device import SimulatedDevice
from simulators.radio.serial_port import SerialPort


class SerialDevice(SimulatedDevice):
    """A simulated device behind a serial port.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        path: Name of the serial port.
        rate: Baud rate that it is set to; by default it gets on at any.

    Attributes:
        port: The device's end of it.
    """

    def __init__(self, *, name: str, timeline: Timeline, path: Path, rate: int | None = None) -> None:
        super().__init__(name=name, timeline=timeline)
        self.port = SerialPort(path, received=self.receive, hung_up=self._on_hung_up, rate=rate)

    @abstractmethod
    def receive(self, data: bytes) -> None:
        """Take what the program at the other end has sent."""

    def write_packets(self, packets: Sequence[bytes], made: int) -> bool:
        """Write the packets of so many samples, and count what became of the samples; return whether they were written.

        All at once, because each write is a call of the system.
        """
        written = bool(packets) and self.port.write(b"".join(self._as_sent(packets)))
        heard = len(packets) if written else 0
        self.counts.sent += heard
        self.counts.lost += made - heard
        return written

    def _on_hung_up(self) -> None:
        """Stop: nobody has the port open any more."""
        self.streaming = False

    async def _switch_on(self) -> None:
        self.port.plug_in()

    async def _switch_off(self) -> None:
        await self.port.drained()
        self._on_hung_up()
        self.port.unplug()

    async def _drop(self) -> None:
        self._on_hung_up()
        self.port.unplug()
        self.port.plug_in()
