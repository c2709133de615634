"""A prototype of a laboratory behind a USB cable: what a sketch does with `Serial.println` or `Serial.write`."""

from __future__ import annotations

from pathlib import Path

from simulators.devices.prototype import Encode
from simulators.devices.sampling import Axes, SamplingSerial
from simulators.motion.source import MotionSource
from simulators.motion.timeline import Timeline


class DeclaredSerial(SamplingSerial):
    """A prototype behind a USB cable.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        path: Name of the serial port.
        source: Movement of the limb that it is worn on.
        encoder: What it makes of a sample.
        banner: What it says before its first sample.
    """

    def __init__(
        self, *, name: str, timeline: Timeline, path: Path, source: MotionSource, encoder: Encode, banner: bytes = b""
    ) -> None:
        super().__init__(name=name, timeline=timeline, path=path, source=source)
        self._encoder, self._banner = encoder, banner
        self._greeted = False

    def encode(self, clock_s: float, acc: Axes, gyr: Axes) -> bytes:
        """Return a sample; before the first one, the banner."""
        greeting = b"" if self._greeted else self._banner
        self._greeted = True
        return greeting + self._encoder(clock_s, acc, gyr)

    def _on_hung_up(self) -> None:
        super()._on_hung_up()
        self._greeted = False  # to open the port resets the board
