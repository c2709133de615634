"""What all devices of a Bluetooth health or fitness profile have in common: a driver and a decoder to begin with.

They are subscribed to and listened to; nothing is ever written to them.
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from drivers.driver import Decoder, Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.gatt.battery import BATTERY, BATTERY_EVERY_S, BatteryWatch, battery_packet
from drivers.gatt.information import read_information
from drivers.gatt.rows import Row, packet_of
from drivers.gatt.uuids import sig_uuid
from drivers.identity import Identity
from drivers.packet import Frame, Packet, StreamSpec

MEASUREMENT_CHANNEL = "measurement"
EXTRA_BYTES = "bytes behind the last field"
"""A later version of a service may add fields; what is counted so was read all the same."""


CLOCK_CHANNEL = "clock"
CURRENT_TIME = sig_uuid(0x2A2B)


class Source(NamedTuple):
    """A characteristic, and what its frames are called."""

    channel: str
    characteristic: str


CLOCK = Source(CLOCK_CHANNEL, CURRENT_TIME)
"""What a device that stamps its values takes for the present time: by it, what comes out of its memory is known."""


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
        needed: What is subscribed to and every device of the profile has: one without it cannot be read.
        optional: What is subscribed to where there is such a thing. Where none is needed, one of these is.
        announced: What is read once before the stream, where it can be.
        subscribed: The channels that the present device has.
    """

    transport: ClassVar[Literal["ble", "serial"]] = "ble"
    refresh_s: ClassVar[float | None] = BATTERY_EVERY_S
    needed: ClassVar[tuple[Source, ...]] = ()
    optional: ClassVar[tuple[Source, ...]] = ()
    announced: ClassVar[tuple[Source, ...]] = ()

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.subscribed: frozenset[str] = frozenset()
        self._battery = BatteryWatch()

    def allows(self, characteristic: str, data: bytes) -> bool:  # noqa: ARG002 - the answer does not depend on it
        """Nothing needs to be written."""
        return False

    async def identify(self, link: Link) -> Identity:
        """Read what the device tells of itself."""
        return await read_information(link)

    async def start(self, link: Link) -> None:
        """Subscribe to what there is; a device that has nothing of it is refused with DialogueError."""
        for source in self.announced:
            with contextlib.suppress(DialogueError):
                link.announce(source.channel, await link.read(source.characteristic))
        for source in self.needed:
            await link.subscribe(*source)
        found = {source.channel for source in self.needed}
        problem: DialogueError | None = None
        for source in self.optional:
            try:
                await link.subscribe(*source)
                found.add(source.channel)
            except DialogueError as refused:
                problem = problem or refused
        if problem is not None and not found:
            raise problem
        self.subscribed = frozenset(found)
        await self._battery.follow(link)

    async def refresh(self, link: Link) -> None:
        """Read the battery again where it does not notify."""
        await self._battery.refresh(link)

    async def stop(self, link: Link) -> None:
        """Nothing to do: the subscription ends with the connection."""
