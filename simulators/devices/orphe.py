"""An ORPHE INSOLE: sensor frames of 104 bytes, newest sample first, and what it makes of each step, sent twice.

Facts: Orphe-OSS/ORPHE-INSOLE.js. Its clock is a time of day. It presses where the foot stands still: enough to see
that pressures are the right ones, no model of a sole.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bumble.att import ATT_Error, ErrorCode
from bumble.gatt import Service

from simulators.devices.common import information, vendor_advertisement
from simulators.motion.source import G, Motion, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, characteristic
from simulators.radio.pull import Pull
from simulators.sensing.fusion import Fusion, Quaternion, Vector

LOCAL_NAME = "INSOLE"
INFORMATION_SERVICE, INFORMATION = "01A9D6B5-FF6E-444A-B266-0BE75E85C064", "24354F22-1C46-430E-A4AB-A1EEABBCDFC0"
SENSOR_SERVICE, SENSOR_VALUES = "DB1B7ACA-CDA5-4453-A49B-33A53D3F0833", "F3F9C7CE-46EE-4205-89AC-ABE64E626C0F"
STEPS = "4EB776DC-CF99-4AF7-B2D3-AD0F791A79DD"
FRAME_BYTES = 104
DAY_MS = 86_400_000
STANDING_RAD_S = 0.7  # a foot that turns more slowly stands
LEAST_STANCE_S, LEAST_SWING_S = 0.2, 0.15
LOADS = (900, 700, 500, 400, 300, 800)  # ADC counts of the six sensors of a foot that stands
UNLOADED = 40
INT16_MAX = 32767


@dataclass(frozen=True, slots=True)
class Layout:
    """How a mode is sent: its first byte, its samples a frame, and how many samples of the sensor make one of these."""

    header: int
    count: int
    each: int


MODES = {1: Layout(50, 4, 1), 3: Layout(55, 4, 1), 4: Layout(56, 2, 2)}


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample, with what the insole makes of it."""

    time_s: float
    acc: Vector
    gyr: Vector
    quaternion: Quaternion
    pressures: Sequence[int]
    sent: bool


def words(values: Sequence[float]) -> bytes:
    """Return counts, big-endian, cut at the ends of their range."""
    return struct.pack(f">{len(values)}h", *(max(-INT16_MAX - 1, min(INT16_MAX, round(value))) for value in values))


class Orphe(Peripheral):
    """A simulated ORPHE INSOLE.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Bluetooth address.
        source: Movement of the foot, at 208 Hz.
        side: Which foot it is made for.
        began_ms: What its clock shows when the source's begins, milliseconds since midnight.

    Attributes:
        others: What was written to it that asks for no mode.
    """

    def __init__(
        self,
        *,
        name: str,
        timeline: Timeline,
        hub: Hub,
        address: str,
        source: MotionSource,
        side: Literal["left", "right"] = "left",
        began_ms: int = 9 * 3_600_000,
    ) -> None:
        super().__init__(
            name=name, timeline=timeline, hub=hub, address=address, local_name=LOCAL_NAME,
            advertised=vendor_advertisement(LOCAL_NAME, INFORMATION_SERVICE),
        )  # fmt: skip
        self.source = source
        self.others: list[bytes] = []
        self.side, self._began_ms = side, began_ms
        self._pull = Pull(source, self.counts)
        self._fusion = Fusion()
        self._layout = MODES[4]
        self._serial = 0
        self._taken = 0  # samples of the sensor
        self._waiting: list[Sample] = []
        self._foot = Foot()
        self._values = characteristic(SENSOR_VALUES, notify=True)
        self._steps = characteristic(STEPS, notify=True)

    def services(self) -> list[Service]:
        """Return the GATT services."""
        about = characteristic(INFORMATION, read=self._about, write=self._obey)
        return [
            Service(INFORMATION_SERVICE, [about]),
            Service(SENSOR_SERVICE, [self._values, self._steps]),
            information("ORPHE INSOLE", self.address.replace(":", "")),
        ]

    @property
    def wanted(self) -> bool:
        """Whether a gateway has subscribed: nothing else starts it."""
        return self.subscribed(self._values)

    def _about(self) -> bytes:
        """Battery (2: much), side, ranges of 16 g and 2000 deg/s."""
        return bytes([2, self.side == "right", 0, 0, 0, 0, 0, 0, 3, 3])

    def _obey(self, data: bytes) -> None:
        if len(data) == 2 and data[0] == 0x0D and data[1] in MODES:
            self._layout, self._waiting = MODES[data[1]], []
        else:
            self.others.append(data)
            raise ATT_Error(ErrorCode.VALUE_NOT_ALLOWED)

    def _send(self, until_s: float) -> bool:
        self.streaming = self.wanted
        motion = self._pull.due(until_s, wanted=self.wanted)
        if motion is not None and len(motion.time_s):
            self._send_motion(motion)
        return motion is not None

    def _send_motion(self, motion: Motion) -> None:
        frames: list[bytes] = []
        told: list[bytes] = []
        for time_s, acc, gyr, _, sent in motion.each():
            q = self._fusion.update(time_s, acc, gyr)
            told += self._foot.steps(time_s, math.hypot(*gyr))
            self._taken += 1
            if self._taken % self._layout.each:
                continue
            self._waiting.append(Sample(self.clock_s(time_s), acc, gyr, q, self._foot.pressures, sent))
            if len(self._waiting) == self._layout.count:
                frames += self._frame()
        told = [] if self._muted else told
        self.notify(self._steps, [each for step in told for each in (step, step)])
        samples = len(frames) * self._layout.count
        if self.notify(self._values, frames):
            self.counts.sent += samples
        else:
            self.counts.unsent += samples

    def _frame(self) -> list[bytes]:
        """Return the frame of what waits; none where the radio loses it, which its counter tells of."""
        waiting, self._waiting = self._waiting, []
        self._serial = (self._serial + 1) & 0xFFFF
        if self._muted or not all(sample.sent for sample in waiting):
            self.counts.lost += len(waiting)
            return []
        ms = (self._began_ms + math.floor(waiting[0].time_s * 1000)) % DAY_MS
        seconds, ms = divmod(ms, 1000)
        minutes, second = divmod(seconds, 60)
        head = struct.pack(">BH3BH", self._layout.header, self._serial, *divmod(minutes, 60), second, ms)
        return [(head + b"".join(map(self._body, reversed(waiting)))).ljust(FRAME_BYTES, b"\0")]

    def _body(self, sample: Sample) -> bytes:
        turn = words([part * 16384 for part in sample.quaternion])
        inertial = words([*(math.degrees(w) / 0.07 for w in sample.gyr), *(a / G / 16 * 32768 for a in sample.acc)])
        pressures = struct.pack(">6H", *sample.pressures)
        return {50: turn + inertial + b"\x05", 55: inertial + pressures, 56: turn + inertial + pressures}[
            self._layout.header
        ]


class Foot:
    """What the insole makes of the movement of its foot: whether it stands, and its steps."""

    def __init__(self) -> None:
        self.pressures: Sequence[int] = [UNLOADED] * 6
        self._standing = False
        self._since_s = 0.0
        self._swing_s = -1.0
        self._step = 0

    def steps(self, time_s: float, turn_rad_s: float) -> list[bytes]:
        """Take a sample; return the gait frames of a step that ended with it: each is sent twice."""
        stands, lasted_s = turn_rad_s < STANDING_RAD_S, time_s - self._since_s
        if stands == self._standing or lasted_s < (LEAST_STANCE_S if self._standing else LEAST_SWING_S):
            return []
        self._standing, self._since_s = stands, time_s
        self.pressures = list(LOADS) if stands else [UNLOADED] * 6
        if stands:
            self._swing_s = lasted_s
            return []
        self._step += 1
        return self._frames(lasted_s, self._swing_s)

    def _frames(self, stance_s: float, swing_s: float) -> list[bytes]:
        overview = struct.pack(">e3f", self._step * 0.04, self._step * 1.2, stance_s, swing_s)
        heads = [struct.pack(">BBH", 51, part, self._step & 0xFFFF) for part in (0, 1, 2)]
        return [
            heads[0] + bytes([1 << 6 | 1 << 3, 0]) + overview,
            heads[1] + struct.pack(">4f", -12.0, 1.2, 0.02, math.nan),
            heads[2] + struct.pack(">4f", -1.0, 8.0, -9.0, 3.0),
        ]
