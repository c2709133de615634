"""One device on its way in: frames decoded, samples placed on the device's own grid, absences counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import drivers
from config.settings import Device
from drivers.packet import Frame, Packet, StreamSpec
from gateway.timeline import Floats, Placed, Timeline

CONNECTED = "connected"  # channel of the frame that says: a new connection, whatever was half decoded is void

_AXES = {"x": 0, "y": 1, "z": 2}


def axes_matrix(axes: str) -> Floats:
    """Return the (3, 3) matrix that turns sensor vectors to (forward, left, up), from ``Device.axes``."""
    matrix = np.zeros((3, 3))
    for row, axis in enumerate(axes.split()):
        matrix[row, _AXES[axis[-1]]] = -1.0 if axis[0] == "-" else 1.0
    return matrix


@dataclass(frozen=True, slots=True)
class Arrived:
    """What one step brought of one stream."""

    stream: str
    spec: StreamSpec
    timeline: Timeline
    packet: Packet
    placed: Placed


@dataclass(slots=True)
class StreamCount:
    """What a stream has delivered since the start."""

    samples: int = 0
    lost: int = 0
    resets: int = 0


class Intake:
    """Decoder and timelines of one device. Fed in order of arrival; never raises on bad bytes.

    Attributes:
        device: Its settings.
        slot: Id of the slot it belongs to.
        counts: What each stream has delivered.
        timelines: Where each stream's samples lie in time.
        latest: Newest sample of each stream.
    """

    def __init__(self, device: Device, slot: str, origin_ns: int) -> None:
        self.device = device
        self.slot = slot
        self.counts: dict[str, StreamCount] = {}
        self.timelines: dict[str, Timeline] = {}
        self.latest: dict[str, Floats] = {}
        self._origin_ns = origin_ns
        self._driver = drivers.make(device.driver, device.options)
        self._decoder = self._driver.decoder()
        self._old_faults: Counter[str] = Counter()

    @property
    def faults(self) -> Counter[str]:
        """Bad input by reason, over all connections."""
        return self._old_faults + self._decoder.faults

    @property
    def transport(self) -> str:
        """How the device is reached: ``"ble"`` or ``"serial"``."""
        return self._driver.transport

    @property
    def streams(self) -> dict[str, StreamSpec]:
        """The streams as the device announced them."""
        return dict(self._decoder.streams)

    @property
    def newest_s(self) -> float:
        """Gateway time of the newest sample of any stream; -inf before the first."""
        return max((t.newest_s for t in self.timelines.values()), default=-np.inf)

    def push(self, frames: Sequence[Frame]) -> list[Arrived]:
        """Decode and place; packets come in the decoder's order."""
        arrived: list[Arrived] = []
        begin = 0
        for at, frame in enumerate(frames):
            if frame.channel == CONNECTED:
                arrived += self._decode(frames[begin:at])
                self._old_faults += self._decoder.faults
                self._decoder = self._driver.decoder()
                begin = at + 1
        return arrived + self._decode(frames[begin:])

    def _decode(self, frames: Sequence[Frame]) -> list[Arrived]:
        packets = self._decoder.decode(frames) if frames else []
        return [self._place(packet) for packet in packets if len(packet)]

    def _place(self, packet: Packet) -> Arrived:
        spec = self._decoder.streams[packet.stream]
        timeline = self.timelines.get(packet.stream)
        if timeline is None:
            timeline = self.timelines[packet.stream] = Timeline(spec, self._origin_ns)
            self.counts[packet.stream] = StreamCount()
        timeline.set_rate(spec.rate_hz)
        placed = timeline.push(packet)
        count = self.counts[packet.stream]
        count.samples += len(placed.index)
        count.lost += placed.lost
        count.resets += placed.reset
        if len(placed.samples):
            self.latest[packet.stream] = placed.samples[-1]
        return Arrived(packet.stream, spec, timeline, packet, placed)
