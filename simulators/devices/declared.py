"""Prototypes of a laboratory: a microcontroller with an inertial sensor that prints lines, or sends structs.

What a sketch does with `Serial.println`, or with the characteristic of the Nordic UART service: a protocol of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bumble.gatt import Service

from simulators.devices.exo_frame import cobs, crc16
from simulators.devices.sampling import Axes, SamplingSerial
from simulators.motion.source import G, Motion, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, advertisement, characteristic
from simulators.radio.pull import Pull

UART, COMMANDS, NOTIFIED = (f"6E40000{n}-B5A3-F393-E0A9-E50E24DCCA9E" for n in (1, 2, 3))
BANNER: Final = b"ESP-ROM:esp32s3\r\nIMU ready, 100 Hz\r\n"
SHORT_BYTES: Final = 20  # of a notification, where nobody has asked for more
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


class DeclaredBle(Peripheral):
    """A prototype that notifies through the Nordic UART service.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Public Bluetooth address.
        source: Movement of the limb that it is worn on.
        encoder: What it makes of a sample.
        split: Whether its bytes are cut into notifications wherever 20 of them are full; else one a sample.
    """

    def __init__(
        self, *, name: str, timeline: Timeline, hub: Hub, address: str, source: MotionSource, encoder: Encode,
        split: bool = False,
    ) -> None:  # fmt: skip
        local_name = f"IMU-{address[-5:].replace(':', '')}"
        super().__init__(
            name=name, timeline=timeline, hub=hub, address=address, local_name=local_name,
            advertised=advertisement(local_name),
        )  # fmt: skip
        self.source = source
        self.received: list[bytes] = []
        self._encoder, self._split = encoder, split
        self._pull = Pull(source, self.counts)
        self._notified = characteristic(NOTIFIED, notify=True)
        self._waiting = b""

    def services(self) -> list[Service]:
        """Return the GATT services; what is written is kept, so that a test can see that there was nothing."""
        return [Service(UART, [characteristic(COMMANDS, write=self.received.append), self._notified])]

    @property
    def wanted(self) -> bool:
        """Whether a gateway has subscribed."""
        return self.subscribed(self._notified)

    def _on_link_lost(self) -> None:
        self._waiting = b""

    def _send(self, until_s: float) -> bool:
        motion = self._pull.due(until_s, wanted=self.wanted)
        if motion is None:
            return False
        self.streaming = self.wanted
        if len(motion.time_s):
            self._send_motion(motion)
        return True

    def _send_motion(self, motion: Motion) -> None:
        packets = []
        times, accs, gyrs, sent = (each.tolist() for each in (motion.time_s, motion.acc, motion.gyr, motion.sent))
        for time_s, acc, gyr, goes in zip(times, accs, gyrs, sent, strict=True):
            packet = self._encoder(self.clock_s(time_s), tuple(acc), tuple(gyr))
            if goes and not self._muted:
                packets.append(packet)
        self.counts.lost += len(times) - len(packets)
        if self.notify(self._notified, self._cut(packets) if self._split else packets):
            self.counts.sent += len(packets)
        else:
            self.counts.unsent += len(packets)

    def _cut(self, packets: list[bytes]) -> list[bytes]:
        """Return full notifications; what does not fill one waits for the next samples."""
        wire = self._waiting + b"".join(packets)
        full = len(wire) - len(wire) % SHORT_BYTES
        self._waiting = wire[full:]
        return [wire[at : at + SHORT_BYTES] for at in range(0, full, SHORT_BYTES)]
