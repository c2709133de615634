"""The implementer's reference: what a device driver is.

A driver has three parts, and nothing else of the product knows them:

1. stream specifications (`StreamSpec`): what the device can send;
2. a pure decoder (`Decoder`): bytes in, packets out, no I/O, no clock, never an exception;
3. a start and a stop dialogue over a `Link`, which refuses every write outside the driver's allow-list.

To add one, write ``drivers/<name>/driver.py``, name its class in the entry point group ``rehab_gateway.drivers``
(``pyproject.toml``), and run the contract tests (``drivers/contract.py``) on it; docs/adding-a-driver.md walks
through it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal

from drivers.errors import DialogueError
from drivers.identity import Identity
from drivers.kept_records import KeptRecords
from drivers.packet import Frame, Frames, Packet, Packets, StreamSpec

MISFIT = "samples that do not fit what the driver says of them"


class Decoder(ABC):
    """Bytes of one device to packets: pure, deterministic, and deaf to any input that makes no sense.

    A decoder may hold state (the rest of a split serial packet, the layout a device announced), so there is
    one for each connected device. It never raises: what cannot be decoded is left out and counted. The same
    frames give the same packets in any chunking.

    Attributes:
        faults: Bad input so far, by reason (a few words, the same words each time).
        uncounted: Channels whose notifications carry neither counter nor clock, so that one that is delivered twice
            does not show by itself; with the shortest time in which the device has something new to say, seconds.
        kept: What the device has sent already, over all connections, where it may send it again.
        doubt: Why it is not certain that all of this connection is of one device; empty if it is, or nothing shows.
    """

    doubt: str = ""
    uncounted: ClassVar[Mapping[str, float]] = {}

    def __init__(self) -> None:
        self.faults: Counter[str] = Counter()
        self.kept = KeptRecords()

    @property
    @abstractmethod
    def streams(self) -> Mapping[str, StreamSpec]:
        """The streams by name, refined by what the device has announced (its rate, its channels)."""

    @abstractmethod
    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode frames in order of arrival; at most one packet a stream, none when nothing was whole."""

    def span_s(self, frame: Frame) -> float:  # noqa: ARG002 - what most frames tell
        """Return how much of the device's own time a notification of an `uncounted` channel tells; 0 if it does not.

        Intervals between beats, for instance: they cannot add up to more than the time in which they arrive. Bytes
        that cannot be read tell nothing.
        """
        return 0.0

    def compared(self, frame: Frame) -> str | None:
        """Return among which frames of an `uncounted` channel a second delivery of this one is looked for.

        By default all of the channel; None for one that is not looked at, such as a waveform that is passed over.
        """
        return frame.channel

    @classmethod
    def decode_many(cls, work: Sequence[tuple[Decoder, Sequence[Frame]]]) -> list[list[Packet]]:
        """Decode the frames of several decoders of this class: the same, bit for bit, as `decode` of each."""
        return [decoder.decode(frames) for decoder, frames in work]

    @classmethod
    def decode_batch(cls, decoders: Sequence[Decoder], frames: Frames) -> list[Packets]:
        """Decode the frames of several decoders of this class, field by field: the same as `decode_many`, bit for bit.

        This is what the gateway calls, once a step for all devices of a kind. A kind of which there may be hundreds
        overrides it and works on all their samples at once: whatever is done for each device is done twenty times a
        second. At most one packet a stream and device.
        """
        each = cls.decode_many(list(zip(decoders, frames.each(), strict=True)))
        return Packets.of([decoder.fitting(packets) for decoder, packets in zip(decoders, each, strict=True)])

    def fitting(self, packets: Sequence[Packet]) -> list[Packet]:
        """Return the packets that hold samples; count those that are not what they say: they would shift others'."""
        streams = self.streams
        found = []
        for packet in packets:
            spec = streams.get(packet.stream)
            if not packet.fits or spec is None or len(spec.channels) != packet.samples.shape[1]:
                self.faults[MISFIT] += 1
            elif len(packet):
                found.append(packet)
        return found


class BatchDecoder(Decoder):
    """A decoder that decodes one device as it does many: whoever makes one overrides `decode_batch` alone."""

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode frames in order of arrival; at most one packet a stream, none when nothing was whole."""
        found = self.decode_batch([self], Frames.of([frames]))
        return [packet for packets in found for _, packet in packets.each()]

    @classmethod
    @abstractmethod
    def decode_batch(cls, decoders: Sequence[Decoder], frames: Frames) -> list[Packets]:
        """Decode the frames of several decoders of this class; see `Decoder.decode_batch`."""


class Link(ABC):
    """What a driver may do to a connected device; the transports implement it.

    Frames go to the gateway in order of arrival, whether they are subscribed to or announced.
    """

    @abstractmethod
    async def subscribe(self, channel: str, characteristic: str) -> None:
        """Deliver each notification of ``characteristic`` (a UUID) as a frame of ``channel``. BLE only."""

    def listen(self, channel: str, heard: Callable[[bytes], None]) -> None:  # noqa: ARG002 - what most links cannot
        """Tell ``heard`` too what is notified on ``channel``, from now on: a dialogue that is answered so. BLE only.

        It is called on the event loop and must not block. Raises DialogueError where nothing is notified.
        """
        raise DialogueError(f"nothing can be heard on '{channel}' of this link")

    @abstractmethod
    async def read(self, characteristic: str) -> bytes:
        """Read a characteristic (BLE), with a time limit. Raises DialogueError."""

    @abstractmethod
    async def write(self, characteristic: str, data: bytes) -> None:
        """Write to ``characteristic`` (BLE) or to the port (serial: ``""``).

        Raises:
            ForbiddenWriteError: if the driver's allow-list (``Driver.writes``) does not permit it.
            DialogueError: if the device refuses.
        """

    @abstractmethod
    async def receive(self, count: int, *, timeout_s: float = 2.0) -> bytes:
        """Take exactly ``count`` bytes of a dialogue from a serial port. Raises DialogueError on time-out."""

    async def datagram(self, *, timeout_s: float = 2.0) -> bytes:
        """Take the next datagram of a dialogue (UDP). Raises DialogueError on time-out."""
        raise DialogueError(f"this link has no datagram to take within {timeout_s:g} s")

    @abstractmethod
    def announce(self, channel: str, data: bytes) -> None:
        """Pass an answer of the dialogue on as a frame, so that the decoder (and a recording) has it."""


class Driver(ABC):
    """One kind of device.

    Attributes:
        name: As written in a configuration: ``driver = "movella_dot"``.
        title: For people.
        transport: ``"ble"``, ``"serial"`` or ``"udp"``.
        service: UUID that the device advertises (BLE), or None when it is found by name or address alone.
        names: Beginnings of the names under which it advertises (BLE): what a scan tells it by, before its service.
        blinks: Whether `blink` makes it show itself.
        silence_s: After this long without a frame the stream is taken for dead and started again, seconds: of the clock
            that stamps frames and of ours, and only while this process runs (`drivers.transport.silence`).
        live: Channels whose frames show that the stream lives; a battery level does not.
        refresh_s: While the stream lives `refresh` is called so often, seconds; None for never.
        rates: Baud rates that a serial device may be set to, the likely ones first. Of several, the one at which
            `probe` hears the device is found when the port is opened.
        example: Options of a typical device, where the driver asks for some: what tests and overviews make one with.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    transport: ClassVar[Literal["ble", "serial", "udp"]]
    service: ClassVar[str | None] = None
    names: ClassVar[tuple[str, ...]] = ()
    blinks: ClassVar[bool] = False
    silence_s: ClassVar[float] = 5.0
    live: ClassVar[frozenset[str]] = frozenset({"measurement", "data"})
    refresh_s: ClassVar[float | None] = None
    rates: ClassVar[tuple[int, ...]] = (115_200,)
    example: ClassVar[Mapping[str, Any]] = {}

    def __init__(self, **options: Any) -> None:
        """Take the driver's own options from the configuration; raises ValueError with a clear sentence."""
        if options:
            raise ValueError(f"driver '{self.name}' has no option '{next(iter(options))}'")

    @abstractmethod
    def allows(self, characteristic: str, data: bytes) -> bool:
        """Whether this exact write is one that the driver may make (start, stop, time synchronisation)."""

    @abstractmethod
    def decoder(self) -> Decoder:
        """Return a fresh decoder for a new connection."""

    def means(self, frame: Frame) -> bool:  # noqa: ARG002 - what a driver that cannot tell without decoding says
        """Whether a frame of a `live` channel may be of a stream, as far as can be seen at a glance.

        A serial port at the wrong rate gives bytes too: a device of which nothing else comes for long is started
        again, and the rate found anew.
        """
        return True

    async def probe(self, link: Link) -> bool:  # noqa: ARG002 - what a device of one rate is not asked
        """Whether the device is heard at the rate that the port has now, within a second or so; raises no LinkError."""
        return True

    async def identify(self, link: Link) -> Identity:  # noqa: ARG002 - what a device without any identity does
        """Ask what tells this very device from others of its kind, before `start`.

        What it does not tell is left empty; a device that tells nothing is no error. Raises LinkError.
        """
        return Identity()

    @abstractmethod
    async def start(self, link: Link) -> None:
        """Subscribe and make the device stream. Raises LinkError."""

    async def refresh(self, link: Link) -> None:  # noqa: B027 - a hook, optional
        """Ask again what the device does not tell by itself (a battery level), beside the stream. Raises LinkError."""

    async def blink(self, link: Link) -> None:  # noqa: ARG002 - what a device without a light does
        """Make the device show itself to whoever looks for it, for some seconds, beside the stream. Raises LinkError.

        Only of a driver that says `blinks`; what it writes is on its allow-list like everything else.
        """
        raise DialogueError(f"driver '{self.name}' has nothing that blinks")

    @abstractmethod
    async def stop(self, link: Link) -> None:
        """Make the device stop, if it is still there. Raises LinkError."""
