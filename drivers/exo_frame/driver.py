"""Any exoskeleton that speaks the open exoskeleton frame, here over a serial port. Nothing is ever written to it.

A sample is one part a side, with one counter and one time; what a device has, and its rate, it says at least once a
second in a part of its own. A loss shows in the counter, and as a gap of the device's clock.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal, cast

import numpy as np

from drivers.columns import ColumnDecoder, Columns, Pieces, Told
from drivers.driver import Decoder, Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.exo_frame.continuity import Continuity
from drivers.exo_frame.frame import LIMB_MARK, Device, Limb, LimbFields, parse_device, parse_limb, parse_part
from drivers.exo_frame.framing import END, LONGEST_FRAME, Framing
from drivers.exo_frame.regular import Newest, Pattern, Step, pattern_of, read_together
from drivers.exo_frame.values import LEG, NO_LEG, Rows, no_joint
from drivers.exoskeleton import FAULTS, JOINTS, OF_JOINT, SIDES, STATE, STREAM, stream
from drivers.gatt.battery import BATTERY
from drivers.identity import Identity
from drivers.packet import Flag, Frames, Packets, StreamSpec

DATA_CHANNEL: Final = "data"  # bytes of a serial port
PART_CHANNEL: Final = "measurement"  # one part a notification or a datagram
FOREIGN_CHANNEL: Final = "foreign"  # how many datagrams of others came, in four bytes
TICK_HZ: Final = 1e6
TICK_BITS: Final = 32
COUNTS: Final = 1 << 16  # the counter of samples begins again after so many
MOST_LOST: Final = 1000  # counts ahead that are a loss; more is a counter that began again, ten seconds at 100 Hz
MOST_LATE: Final = 32  # counts back that are a part that was overtaken; more is a counter that began again

MISSING, TRUNCATED = int(Flag.MISSING), int(Flag.TRUNCATED)
CLIPPED, NONE = np.uint8(Flag.CLIPPED), np.uint8(Flag.NONE)

LISTEN_BYTES: Final = 32  # at a time: a device part is little more
LISTEN_S: Final = 1.5  # for them: a device part comes at least once a second
MOST_HEARD: Final = 1 << 15  # bytes: three seconds of the fastest port; then it is taken for one that says nothing

NOT_ANNOUNCED = "samples before the device said what it has"
OTHER_JOINTS = "joints that the device did not announce"
OTHER_DEVICE = "the device announces other joints than before"
EXCHANGED = (
    "its clock or counter jumped while it was connected, and it tells no serial number: it was switched off and on, or"
    " exchanged"
)
LATE = "parts that came twice, or too late"
FOREIGN = "datagrams of another sender"
OTHER_SERIAL = "another device, by its serial number, in the place of this one"

USUAL: Final = Device(
    0, 0, stopped=False, powered=False, charging=False, joints=(("hip", "knee"), ("hip", "knee")), rate_hz=100,
    mode=math.nan, assistance=math.nan, body_weight_support=math.nan, battery=math.nan, battery_voltage=math.nan,
    faults=0, serial=0,
)  # fmt: skip
"""What the streams look like before a device has said what it has."""


def channels_of(device: Device) -> list[str]:
    """Return the channels of a device: those of its legs, then those of its joints."""
    found = [f"{side}_{what}" for side, own in _sides(device) if own for what in ("gait_state", "gait_phase")]
    return found + [f"{side}_{joint}_{what}" for side, own in _sides(device) for joint in own for what in OF_JOINT]


def _against(known: Device, device: Device) -> str:
    """Return why a device part is not of the known device; empty if it may be. One that tells no serial number may."""
    if 0 not in {known.serial, device.serial} and known.serial != device.serial:
        return OTHER_SERIAL
    return OTHER_DEVICE if (known.joints, known.rate_hz) != (device.joints, device.rate_hz) else ""


def _sides(device: Device) -> list[tuple[str, tuple[str, ...]]]:
    return list(zip(SIDES, device.joints, strict=True))


class ExoFrameDecoder(ColumnDecoder):
    """Parts to samples: the two sides of an instant become one. A part comes in a frame of its own, or framed in bytes.

    What an exoskeleton sends in a step is hundreds of parts a second, so parts are only sorted here one by one: their
    numbers are read together, and regular steps of a port as a whole.

    Attributes:
        pattern: What is alike in its whole samples.
    """

    def __init__(self) -> None:
        super().__init__()
        self._framing = Framing(self.faults)
        self._device: Device | None = None
        self._continuity: Continuity | None = None  # of one that tells no serial number
        self._refused = NOT_ANNOUNCED  # why the samples that come are nobody's here; empty while they are this one's
        self._came = 0  # sides of the sample that is not whole yet, a bit each
        self._open_counter = self._open_us = self._open_ns = 0
        self._counter: int | None = None  # of the newest sample
        self._describe(USUAL)

    def _describe(self, device: Device) -> None:
        self._numbers = [bytes(map(JOINTS.index, own)) if own else None for own in device.joints]
        self._missing = [b"" if own is None else NO_LEG + b"".join(map(no_joint, own)) for own in self._numbers]
        self._sides = sum(1 << side for side, own in enumerate(self._numbers) if own)
        self._open = list(self._missing)  # what has come of each side
        self.pattern = pattern_of(tuple(self._numbers))
        self._rows = self.pattern.rows
        main = stream(channels_of(device), rate_hz=float(device.rate_hz), tick_hz=TICK_HZ, tick_bits=TICK_BITS)
        self._streams = {spec.name: spec for spec in (main, STATE, FAULTS, BATTERY)}

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """As the device said what it has; before, what many have."""
        return self._streams

    def sort(self, frames: Pieces, told: Told) -> None:
        """Sort what came, part by part."""
        for arrival_ns, channel, data in frames:
            for part in self._parts(channel, data):
                try:
                    if part.startswith(LIMB_MARK):
                        self._add_limb(parse_limb(part), channel, arrival_ns, told)
                    else:
                        self._add_device(parse_device(part), arrival_ns, told)
                except MalformedFrameError as problem:
                    self.faults[str(problem)] += 1

    def _parts(self, channel: str, data: bytes) -> Sequence[bytes]:
        if channel == DATA_CHANNEL:
            return self._framing.parts(data)
        if channel == FOREIGN_CHANNEL and len(data) == 4 and any(data):
            self.faults[FOREIGN] += int.from_bytes(data, "big")
        return (data,) if channel == PART_CHANNEL else ()

    def _add_limb(self, limb: LimbFields, channel: str, arrival_ns: int, told: Told) -> None:
        """Take what came of one side; raises MalformedFrameError where it is of no sample of this device.

        A port keeps the order of its bytes; the network keeps neither order nor number of its datagrams.
        """
        right, last, counter, time_us, numbers, body = limb
        if self._refused:
            raise MalformedFrameError(self._refused)
        newest = self._counter
        if channel == PART_CHANNEL and newest is not None and (newest - counter) % COUNTS <= MOST_LATE:
            raise MalformedFrameError(LATE)
        if self._came and self._open_counter != counter:
            self._close(told)
        side = 2 if right else 1
        if self._came & side:
            raise MalformedFrameError("one side twice in a sample")
        if not self._came:
            self._open_counter, self._open_us = counter, time_us
        self._came |= side
        self._open_ns = arrival_ns
        self._open[right] = body if numbers == self._numbers[right] else self._arranged(Limb(*limb))
        if last:
            self._close(told)

    def _arranged(self, part: Limb) -> bytes:
        """Return the body of a part with the joints that the device announced, in their order."""
        own = self._numbers[part.right] or b""
        if others := set(part.numbers) - set(own):
            self.faults[OTHER_JOINTS] += len(others)
        return (
            part.body[: LEG.size] + b"".join(part.joint(number) or no_joint(number) for number in own) if own else b""
        )

    def _add_device(self, device: Device, arrival_ns: int, told: Told) -> None:
        """Take what a device says of itself as a whole; raises MalformedFrameError where it is another one."""
        known = self._device
        self._refused = "" if known is None else _against(known, device)
        if self._refused:
            self._came, self._open = 0, list(self._missing)
            raise MalformedFrameError(self._refused)
        if known is None:
            self._device = device
            self._continuity = None if device.serial else Continuity(device.rate_hz)
            self._describe(device)
        state = (device.assistance, device.body_weight_support, device.mode, device.battery_voltage)
        told.numbers(STATE.name, arrival_ns, state)
        told.numbers(FAULTS.name, arrival_ns, (float(device.faults), 0.0, float(device.stopped)))
        if not math.isnan(device.battery):
            told.numbers(BATTERY.name, arrival_ns, (device.battery, float(device.charging)))

    def _close(self, told: Told) -> None:
        """Make a sample of the parts that have come."""
        came, counter, before = self._came, self._open_counter, self._counter
        flags = TRUNCATED if came != self._sides and came & self._sides == came else 0
        if before is not None and counter != before + 1 and 1 < (counter - before) % COUNTS <= MOST_LOST:
            flags |= MISSING
        if self._continuity is not None and self._continuity.broken(counter, self._open_us, self._open_ns):
            self.doubt = EXCHANGED
        left, right = self._open
        columns = told[self._rows]
        columns.arrival_ns.append(self._open_ns)
        columns.ticks.append(self._open_us)
        columns.flags.append(flags)
        columns.rows.append(left + right)
        self._counter, self._came, self._open = counter, 0, list(self._missing)

    def regular_step(self, pieces: Sequence[tuple[int, str, bytes]]) -> Step | None:
        """Return what may be nothing but samples that follow those before; None if it cannot be."""
        if not pieces or self._refused or self._came or self._framing.lost:
            return None
        arrival_ns, channels, came = zip(*pieces, strict=True)
        if channels.count(DATA_CHANNEL) < len(channels):
            return None
        waited, size = self._framing.rest, self.pattern.size
        data = waited + b"".join(came)
        end = len(data) // size * size
        rest = data[end:]
        if not end or len(rest) > LONGEST_FRAME or END in rest:
            return None
        sizes = list(map(len, came))
        sizes[0] += len(waited)
        clock = self._continuity
        before = None if self._counter is None else (self._counter, 0, 0)
        if clock is not None:
            before = clock.newest
        return Step(
            data[:end], rest, sizes, arrival_ns, before,
            clocked=clock is not None, soon_us=0.0 if clock is None else clock.soon_us,
        )  # fmt: skip

    def took(self, step: Step, newest: Newest) -> None:
        """Go on behind a regular step, whose newest sample this is."""
        self._framing.rest = step.rest
        self._counter = newest[0]
        if self._continuity is not None:
            self._continuity.newest = newest

    @classmethod
    def decode_batch(cls, decoders: Sequence[Decoder], frames: Frames) -> list[Packets]:
        """Decode the frames of several devices: regular steps together, and the others part by part."""
        ours = cast("Sequence[ExoFrameDecoder]", decoders)
        pieces = [list(own) for own in frames.pieces()]
        alike: dict[Pattern, list[tuple[int, Step]]] = {}
        for at, (decoder, own) in enumerate(zip(ours, pieces, strict=True)):
            step = decoder.regular_step(own)
            if step is not None:
                alike.setdefault(decoder.pattern, []).append((at, step))
        found: list[Packets] = []
        for pattern, steps in alike.items():
            packets, newest = read_together(pattern, steps)
            found += packets
            for at, step in steps:
                if at in newest:
                    ours[at].took(step, newest[at])
                    pieces[at] = []
        told = Told()
        for at, own in enumerate(pieces):
            if own:
                ours[at].sort(own, told)
                told.end(at)
        return found + cls._read(decoders, told)

    @classmethod
    def read(cls, decoders: Sequence[Decoder], how: str | Rows, columns: Columns) -> list[Packets]:
        """Read the numbers of samples of one shape; what devices say of themselves is read already."""
        if isinstance(how, str):
            return super().read(decoders, how, columns)
        values, clipped = how.read(columns.rows)
        return [columns.packets(STREAM, values, np.where(clipped, CLIPPED, NONE))]


def serial_of(data: bytes) -> str | None:
    """Return the serial number in a part, empty where the device has none; None if it is another part."""
    try:
        part = parse_part(data)
    except MalformedFrameError:
        return None
    if not isinstance(part, Device):
        return None
    return str(part.serial) if part.serial else ""


class Telemetry(Driver):
    """A device that streams by itself, however it is reached, and takes no command from us."""

    silence_s: ClassVar[float] = 5.0  # a device part comes once a second, whatever happens

    def allows(self, characteristic: str, data: bytes) -> bool:  # noqa: ARG002 - the answer does not depend on it
        """Nothing: the frame knows no commands."""
        return False

    def decoder(self) -> ExoFrameDecoder:
        """Return a decoder that waits for what the device has."""
        return ExoFrameDecoder()

    async def stop(self, link: Link) -> None:
        """Nothing to do: it streams on, to nobody."""


class ExoFrame(Telemetry):
    """Listens to the port."""

    name: ClassVar[str] = "exo_frame"
    title: ClassVar[str] = "Exoskeleton with the open exoskeleton frame"
    transport: ClassVar[Literal["ble", "serial", "udp"]] = "serial"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._heard: list[bytes] = []

    async def identify(self, link: Link) -> Identity:
        """Listen until the device says which one it is; what is heard meanwhile is kept for the stream."""
        self._heard = []
        framing = Framing(Counter())
        for _ in range(MOST_HEARD // LISTEN_BYTES):
            try:
                data = await link.receive(LISTEN_BYTES, timeout_s=LISTEN_S)
            except DialogueError:
                break
            self._heard.append(data)
            for part in framing.parts(data):
                serial = serial_of(part)
                if serial is not None:
                    return Identity(serial=serial)
        return Identity()

    async def start(self, link: Link) -> None:
        """Hand on what was heard: it streams by itself."""
        for data in self._heard:
            link.announce(DATA_CHANNEL, data)
        self._heard = []
