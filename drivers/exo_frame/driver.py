"""Any exoskeleton that speaks the open exoskeleton frame over a serial port. Nothing is ever written to it.

A sample is one part a side, with one counter and one time; what a device has, and its rate, it says at least once a
second in a part of its own. A loss shows in the counter, and as a gap of the device's clock.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

import numpy as np

from drivers.driver import Decoder, Driver, Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.exo_frame.frame import Device, Joint, Limb, parse_part
from drivers.exo_frame.framing import Framing
from drivers.exoskeleton import FAULTS, OF_JOINT, SIDES, STATE, STREAM, stream
from drivers.gatt.battery import BATTERY
from drivers.identity import Identity
from drivers.packet import Flag, Frame, Packet, StreamSpec

DATA_CHANNEL: Final = "data"
TICK_HZ: Final = 1e6
TICK_BITS: Final = 32
COUNTS: Final = 1 << 16  # the counter of samples begins again after so many
MOST_LOST: Final = 1000  # counts ahead that are a loss; more is a counter that began again, ten seconds at 100 Hz

LISTEN_BYTES: Final = 32  # at a time: a device part is little more
LISTEN_S: Final = 1.5  # for them: a device part comes at least once a second
MOST_HEARD: Final = 1 << 15  # bytes: three seconds of the fastest port; then it is taken for one that says nothing

NOT_ANNOUNCED = "samples before the device said what it has"
OTHER_JOINTS = "joints that the device did not announce"
OTHER_DEVICE = "the device announces other joints than before"
OTHER_SERIAL = "another device, by its serial number, in the place of this one"

USUAL: Final = Device(
    0, 0, stopped=False, powered=False, charging=False, joints=(("hip", "knee"), ("hip", "knee")), rate_hz=100,
    mode=math.nan, assistance=math.nan, body_weight_support=math.nan, battery=math.nan, battery_voltage=math.nan,
    faults=0, serial=0,
)  # fmt: skip
"""What the streams look like before a device has said what it has."""

Row = tuple[int, int, list[float], int]  # arrival, tick, values, flags


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


class ExoFrameDecoder(Decoder):
    """Parts to samples: the two sides of an instant become one."""

    def __init__(self) -> None:
        super().__init__()
        self._framing = Framing(self.faults)
        self._device: Device | None = None
        self._refused = ""  # why the samples that come are nobody's here: the newest device part was of another one
        self._columns: dict[str, int] = {}
        self._streams: Mapping[str, StreamSpec] = {}
        self._open: list[Limb] = []  # parts of the sample that is not whole yet
        self._open_ns = 0
        self._counter: int | None = None  # of the newest sample
        self._describe(USUAL)

    def _describe(self, device: Device) -> None:
        channels = channels_of(device)
        self._columns = {channel: at for at, channel in enumerate(channels)}
        main = stream(channels, rate_hz=float(device.rate_hz), tick_hz=TICK_HZ, tick_bits=TICK_BITS)
        self._streams = {spec.name: spec for spec in (main, STATE, FAULTS, BATTERY)}

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """As the device said what it has; before, what many have."""
        return self._streams

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode what the port gave, part by part."""
        rows: dict[str, list[Row]] = {STREAM: [], STATE.name: [], FAULTS.name: [], BATTERY.name: []}
        for frame in frames:
            if frame.channel != DATA_CHANNEL:
                continue
            for data in self._framing.parts(frame.data):
                try:
                    self._add_part(parse_part(data), frame.arrival_ns, rows)
                except MalformedFrameError as problem:
                    self.faults[str(problem)] += 1
        return [_packet(self._streams[name], each) for name, each in rows.items() if each]

    def _add_part(self, part: Limb | Device, arrival_ns: int, rows: dict[str, list[Row]]) -> None:
        if isinstance(part, Device):
            self._announced(part)
            _add_device_rows(part, arrival_ns, rows)
            return
        if self._device is None:
            raise MalformedFrameError(NOT_ANNOUNCED)
        if self._refused:
            raise MalformedFrameError(self._refused)
        if self._open and self._open[0].counter != part.counter:
            self._close(rows[STREAM])
        if any(known.side == part.side for known in self._open):
            raise MalformedFrameError("one side twice in a sample")
        self._open.append(part)
        self._open_ns = arrival_ns
        if part.last:
            self._close(rows[STREAM])

    def _announced(self, device: Device) -> None:
        known = self._device
        self._refused = "" if known is None else _against(known, device)
        if self._refused:
            self._open = []
            raise MalformedFrameError(self._refused)
        if known is None:
            self._device = device
            self._describe(device)

    def _close(self, rows: list[Row]) -> None:
        """Make a sample of the parts that have come."""
        assert self._device is not None
        parts, self._open = self._open, []
        values = [math.nan] * len(self._columns)
        flags = Flag.NONE
        for part in parts:
            for joint in part.joints:
                flags |= self._fill(values, part.side, joint)
            for what, value in (("gait_state", part.gait_state), ("gait_phase", part.gait_phase)):
                if (at := self._columns.get(f"{part.side}_{what}")) is not None:
                    values[at] = value
        if {part.side for part in parts} < {side for side, own in _sides(self._device) if own}:
            flags |= Flag.TRUNCATED
        counter = parts[0].counter
        if self._counter is not None and 1 < (counter - self._counter) % COUNTS <= MOST_LOST:
            flags |= Flag.MISSING
        self._counter = counter
        rows.append((self._open_ns, parts[0].time_us, values, int(flags)))

    def _fill(self, values: list[float], side: str, joint: Joint) -> Flag:
        first = self._columns.get(f"{side}_{joint.name}_angle")
        if first is None:
            self.faults[OTHER_JOINTS] += 1
            return Flag.NONE
        values[first : first + len(OF_JOINT)] = [*joint.values, joint.temperature]
        return Flag.CLIPPED if joint.clipped else Flag.NONE


def _add_device_rows(device: Device, arrival_ns: int, rows: dict[str, list[Row]]) -> None:
    """Take what a device says of itself as a whole."""
    state = [device.assistance, device.body_weight_support, device.mode, device.battery_voltage]
    rows[STATE.name].append((arrival_ns, 0, state, 0))
    rows[FAULTS.name].append((arrival_ns, 0, [float(device.faults), 0.0, float(device.stopped)], 0))
    if not math.isnan(device.battery):
        rows[BATTERY.name].append((arrival_ns, 0, [device.battery, float(device.charging)], 0))


def _packet(spec: StreamSpec, rows: Sequence[Row]) -> Packet:
    arrival_ns, ticks, values, flags = zip(*rows, strict=True)
    return Packet(
        spec.name,
        np.array(arrival_ns, np.int64),
        np.array(ticks if spec.tick_hz else (), np.int64),
        np.array(values, np.float64),
        np.array(flags, np.uint8),
    )


def _serial_of(data: bytes) -> str | None:
    """Return the serial number in a part, empty where the device has none; None if it is another part."""
    try:
        part = parse_part(data)
    except MalformedFrameError:
        return None
    if not isinstance(part, Device):
        return None
    return str(part.serial) if part.serial else ""


class ExoFrame(Driver):
    """Listens to the port: the device streams by itself, and takes no command from us."""

    name: ClassVar[str] = "exo_frame"
    title: ClassVar[str] = "Exoskeleton with the open exoskeleton frame"
    transport: ClassVar[Literal["ble", "serial"]] = "serial"
    silence_s: ClassVar[float] = 5.0  # a device part comes once a second, whatever happens

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._heard: list[bytes] = []

    def allows(self, characteristic: str, data: bytes) -> bool:  # noqa: ARG002 - the answer does not depend on it
        """Nothing: the frame knows no commands."""
        return False

    def decoder(self) -> ExoFrameDecoder:
        """Return a decoder that waits for what the device has."""
        return ExoFrameDecoder()

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
                serial = _serial_of(part)
                if serial is not None:
                    return Identity(serial=serial)
        return Identity()

    async def start(self, link: Link) -> None:
        """Hand on what was heard: it streams by itself."""
        for data in self._heard:
            link.announce(DATA_CHANNEL, data)
        self._heard = []

    async def stop(self, link: Link) -> None:
        """Nothing to do: it streams on, to nobody."""
