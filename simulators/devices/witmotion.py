"""A WitMotion WT901BLE: data frames at the rate that it is set to, and registers that are read and written.

Facts: the maker's manual of the WT901BLECL, and its Python SDK. Settings are taken for ten seconds after the unlocking
command; what is not saved is gone with the power. It keeps to the rate of its source: reading the register says so.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from bumble.gatt import Service

from simulators.devices.battery import Battery
from simulators.devices.common import information
from simulators.motion.source import G, Motion, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, advertisement, characteristic
from simulators.radio.pull import Pull
from simulators.sensing.fusion import Fusion, euler_degrees

LOCAL_NAME = "WT901BLE68"
BASE = "0000{}-0000-1000-8000-00805F9A34FB"
SERVICE, NOTIFIED, WRITTEN = (BASE.format(short) for short in ("FFE5", "FFE4", "FFE9"))
UNLOCK, READ = b"\xff\xaa\x69\x88\xb5", b"\xff\xaa\x27"
UNLOCKED_S = 10.0
RATE_CODES = {0.2: 1, 0.5: 2, 1.0: 3, 2.0: 4, 5.0: 5, 10.0: 6, 20.0: 7, 50.0: 8, 100.0: 9, 200.0: 11}
EMPTY_V, FULL_V = 3.4, 4.1
WARM_C = 30.25
MILLIGAUSS = 480.0  # of one unit of the source's field
INT16_MAX = 32767
FRAMES_AT_ONCE = 4  # of one notification, where several are due


def words(values: Sequence[float]) -> bytes:
    """Return counts as the sensor sends them, cut at the ends of their range."""
    return struct.pack(f"<{len(values)}h", *(max(-INT16_MAX - 1, min(INT16_MAX, round(value))) for value in values))


def inertial(acc: Sequence[float], gyr: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return acceleration (m/s^2) and rate of turn (rad/s) as counts of 16 g and 2000 deg/s."""
    return [a / G / 16 * 32768 for a in acc], [math.degrees(w) / 2000 * 32768 for w in gyr]


class WitMotion(Peripheral):
    """A simulated WT901BLE.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Bluetooth address.
        source: Movement of the limb that it is worn on.

    Attributes:
        others: What it was sent that was neither a question nor a rate.
    """

    def __init__(self, *, name: str, timeline: Timeline, hub: Hub, address: str, source: MotionSource) -> None:
        super().__init__(
            name=name, timeline=timeline, hub=hub, address=address, local_name=LOCAL_NAME,
            advertised=advertisement(LOCAL_NAME),
        )  # fmt: skip
        self.source = source
        self.others: list[bytes] = []
        self._pull = Pull(source, self.counts)
        self.battery = Battery(lasts_h=10.0)
        self._fusion = Fusion()
        self._field = (0.0, 0.0, 0.0)
        self._unlocked_s = -UNLOCKED_S
        self._answers: list[bytes] = []
        self._notified = characteristic(NOTIFIED, notify=True)

    def services(self) -> list[Service]:
        """Return the GATT services."""
        own = Service(SERVICE, [self._notified, characteristic(WRITTEN, write=self._obey)])
        return [own, information("WT901BLE", self.address.replace(":", ""))]

    @property
    def wanted(self) -> bool:
        """Whether a gateway has subscribed: nothing else starts it."""
        return self.subscribed(self._notified)

    def _obey(self, data: bytes) -> None:
        now_s = self.timeline.now_s
        if data == UNLOCK:
            self._unlocked_s = now_s
        elif data[:3] == READ and len(data) == 5:
            self._answers.append(self._register(data[3]))
        elif data[:3] != b"\xff\xaa\x03" or now_s - self._unlocked_s > UNLOCKED_S:
            self.others.append(data)

    def _register(self, number: int) -> bytes:
        percent = self.battery.percent(self.timeline.now_s)
        values: dict[int, Sequence[float]] = {
            0x03: [RATE_CODES.get(self.source.rate_hz, 9)],
            0x3A: [m * MILLIGAUSS for m in self._field],
            0x40: [WARM_C * 100],
            0x51: [part * 32768 for part in self._fusion.quaternion],
            0x64: [(EMPTY_V + percent / 100 * (FULL_V - EMPTY_V)) * 100],
        }
        return b"\x55\x71" + bytes([number, 0]) + words([*values.get(number, []), *[0.0] * 8][:8])

    def _send(self, until_s: float) -> bool:
        self.streaming = self.wanted
        motion = self._pull.due(until_s, wanted=self.wanted)
        if motion is None:
            return False
        answers, self._answers = self._answers, []
        if answers:
            self.notify(self._notified, answers)
        if len(motion.time_s):
            self._send_motion(motion)
        return True

    def _send_motion(self, motion: Motion) -> None:
        frames = []
        for time_s, acc, gyr, mag, sent in motion.each():
            self._field = mag
            q = self._fusion.update(time_s, acc, gyr)
            turned = [angle / 180 * 32768 for angle in euler_degrees(q)]
            if sent and not self._muted:
                pair = inertial(acc, gyr)
                frames.append(b"\x55\x61" + words([*pair[0], *pair[1], *turned]))
        self.counts.lost += len(motion.time_s) - len(frames)
        bundles = [b"".join(frames[at : at + FRAMES_AT_ONCE]) for at in range(0, len(frames), FRAMES_AT_ONCE)]
        if self.notify(self._notified, bundles):
            self.counts.sent += len(frames)
        else:
            self.counts.unsent += len(frames)
