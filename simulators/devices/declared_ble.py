"""A prototype of a laboratory that notifies through the Nordic UART service."""

from __future__ import annotations

from typing import Final

from bumble.gatt import Service

from simulators.devices.prototype import Encode
from simulators.motion.source import Motion, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, advertisement, characteristic
from simulators.radio.pull import Pull

UART, COMMANDS, NOTIFIED = (f"6E40000{n}-B5A3-F393-E0A9-E50E24DCCA9E" for n in (1, 2, 3))
SHORT_BYTES: Final = 20  # of a notification, where nobody has asked for more


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
        for time_s, acc, gyr, _, sent in motion.each():
            packet = self._encoder(self.clock_s(time_s), tuple(acc), tuple(gyr))
            if sent and not self._muted:
                packets.append(packet)
        self.counts.lost += len(motion.time_s) - len(packets)
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
