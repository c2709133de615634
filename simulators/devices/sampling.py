"""A device behind a serial port that sends each sample of its motion as bytes of its own."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from simulators.motion.source import MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.pull import Pull
from simulators.radio.serial_device import SerialDevice

Axes = tuple[float, float, float]


class SamplingSerial(SerialDevice):
    """A device that sends by itself whenever somebody listens.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        path: Name of the serial port.
        source: Movement of the limb that it is worn on.

    Attributes:
        received: What it was sent and does not understand.
    """

    def __init__(self, *, name: str, timeline: Timeline, path: Path, source: MotionSource) -> None:
        super().__init__(name=name, timeline=timeline, path=path)
        self.source = source
        self.received = bytearray()
        self._pull = Pull(source, self.counts)

    @property
    def wanted(self) -> bool:
        """Whether somebody listens."""
        return self.port.opened

    def receive(self, data: bytes) -> None:
        """Keep what nobody needs to send."""
        self.received += data

    @abstractmethod
    def encode(self, clock_s: float, acc: Axes, gyr: Axes) -> bytes:
        """Return a sample as bytes: device clock (seconds), acceleration (m/s^2), angular rate (rad/s)."""

    def _send(self, until_s: float) -> bool:
        motion = self._pull.due(until_s, wanted=self.wanted)
        if motion is None:
            return False
        packets = []
        for time_s, acc, gyr, _, sent in motion.each():
            packet = self.encode(self.clock_s(time_s), tuple(acc), tuple(gyr))
            if sent and not self._muted:
                packets.append(packet)
        written = self.write_packets(packets, len(motion.time_s))
        self.streaming = self.streaming or written
        return True
