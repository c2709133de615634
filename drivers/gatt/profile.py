"""What all devices of a Bluetooth health or fitness profile have in common: a driver and a decoder to begin with.

They are subscribed to and listened to; nothing is ever written to them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from drivers.driver import Decoder, Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.gatt.battery import BATTERY, BATTERY_EVERY_S, BatteryWatch, battery_packet
from drivers.gatt.information import read_information
from drivers.gatt.rows import Row, packet_of
from drivers.identity import Told
from drivers.packet import Frame, Packet, StreamSpec

MEASUREMENT_CHANNEL = "measurement"
EXTRA_BYTES = "bytes behind the last field"
"""A later version of a service may add fields; what is counted so was read all the same."""


class Source(NamedTuple):
    """A characteristic that is subscribed to.

    Attributes:
        channel: What its frames are called.
        characteristic: Its UUID.
        read_first: Whether it is read and announced too, once, before the stream.
    """

    channel: str
    characteristic: str
    read_first: bool = False


class ProfileDecoder(Decoder):
    """Decodes the frames of a profile one by one (there is about one a second) to rows of one stream.

    Attributes:
        spec: The stream.
        channels: Whose frames may hold a row of it.
    """

    spec: ClassVar[StreamSpec]
    channels: ClassVar[frozenset[str]] = frozenset({MEASUREMENT_CHANNEL})
    uncounted: ClassVar[Mapping[str, float]] = {MEASUREMENT_CHANNEL: 0.2}  # no device of these sends more often

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """Fixed: the device announces nothing that would change them."""
        return {self.spec.name: self.spec, BATTERY.name: BATTERY}

    @abstractmethod
    def row(self, frame: Frame) -> Row | None:
        """Return what one frame of `channels` tells; None if nothing yet. Raises MalformedFrameError."""

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode frame by frame."""
        rows: list[Row] = []
        for frame in frames:
            if frame.channel not in self.channels:
                continue
            try:
                row = self.row(frame)
            except MalformedFrameError as problem:
                self.faults[str(problem)] += 1
                continue
            if row is not None:
                rows.append(row)
        packets = (packet_of(self.spec, rows), battery_packet(frames, self.faults))
        return [packet for packet in packets if packet is not None]


class Profile(Driver):
    """Subscribes to what a device of the profile has, follows its battery, and reads what it is. Writes nothing.

    Attributes:
        needed: What every device of the profile has: one without it cannot be read.
        optional: What it may have. Where none is needed, it must have one of these.
    """

    transport: ClassVar[Literal["ble", "serial"]] = "ble"
    refresh_s: ClassVar[float | None] = BATTERY_EVERY_S
    needed: ClassVar[tuple[Source, ...]] = ()
    optional: ClassVar[tuple[Source, ...]] = ()

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._battery = BatteryWatch()

    def allows(self, characteristic: str, data: bytes) -> bool:  # noqa: ARG002 - the answer does not depend on it
        """Nothing needs to be written."""
        return False

    async def identify(self, link: Link) -> Told:
        """Read what the device tells of itself."""
        return await read_information(link)

    async def start(self, link: Link) -> None:
        """Subscribe to what there is; a device that has nothing of it is refused with DialogueError."""
        for source in self.needed:
            await _follow(link, source)
        problems: list[DialogueError] = []
        for source in self.optional:
            try:
                await _follow(link, source)
            except DialogueError as problem:
                problems.append(problem)
        if problems and not self.needed and len(problems) == len(self.optional):
            raise problems[0]
        await self._battery.follow(link)

    async def refresh(self, link: Link) -> None:
        """Read the battery again where it does not notify."""
        await self._battery.refresh(link)

    async def stop(self, link: Link) -> None:
        """Nothing to do: the subscription ends with the connection."""


async def _follow(link: Link, source: Source) -> None:
    if source.read_first:
        link.announce(source.channel, await link.read(source.characteristic))
    await link.subscribe(source.channel, source.characteristic)
