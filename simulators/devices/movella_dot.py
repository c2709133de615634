"""A Movella DOT: measurement modes over Bluetooth LE, as in Movella's BLE service specification XD0506P rev. C.

Real sensors stream at up to 60 Hz. This one announces the rate of its source, and keeps it: a recording at 100 Hz
comes from a sensor that says 100 Hz.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from bumble.att import ATT_Error, ErrorCode
from bumble.gatt import Service

from simulators.devices.battery import Battery
from simulators.motion.source import Motion, MotionSource
from simulators.motion.timeline import Timeline
from simulators.radio.hub import Hub
from simulators.radio.peripheral import Peripheral, advertisement, characteristic
from simulators.radio.pull import Pull
from simulators.sensing.fusion import Fusion, Vector, euler_degrees, product

LOCAL_NAME = "Movella DOT"
COMPANY = 0x0886
TICK_HZ = 1_000_000  # u32 on the wire: wraps every 71.6 minutes
DEG = 180.0 / math.pi
INT16_MAX = 32767

STILL = (1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)  # no turn, and no change of velocity

_RATE_AT = 24  # bytes into the control characteristic
_VISIT_IDENTIFY = 0x01
_CONTROL_BYTES = 32


def uuid(short: int) -> str:
    """Return one of the vendor's UUIDs (section 1)."""
    return f"1517{short:04X}-4947-11E9-8646-D663BD873D93"


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample in SI units, with what the sensor's firmware makes of it."""

    ticks: int
    acc: Vector
    gyr: Vector
    mag: Vector
    fusion: Fusion
    increment: tuple[float, ...] = STILL  # of orientation, and of velocity in m/s

    @property
    def free(self) -> tuple[float, float, float]:
        """Acceleration without gravity, in the frame of the earth."""
        return self.fusion.free_acceleration(self.acc)

    @property
    def angles(self) -> tuple[float, float, float]:
        """Roll, pitch and yaw, degrees."""
        return euler_degrees(self.fusion.quaternion)


@dataclass(frozen=True, slots=True)
class Mode:
    """A measurement mode: which characteristic carries it, and how.

    Attributes:
        length: ``"long"``, ``"medium"`` or ``"short"``.
        encode: Sample to the bytes in use.
    """

    length: str
    encode: Callable[[Sample], bytes]


def _degrees(gyr: Vector) -> tuple[float, float, float]:
    return gyr[0] * DEG, gyr[1] * DEG, gyr[2] * DEG


def _counts(mag: Vector) -> tuple[int, int, int]:
    x, y, z = (max(-INT16_MAX, min(INT16_MAX, round(m * 4096))) for m in mag)
    return x, y, z


_PACK = {count: struct.Struct(f"<I{count}f").pack for count in (3, 4, 6, 7, 9, 10)}  # a stamp and numbers
_STATUS = bytes(4)  # status and counts of clipped samples: none is
_FIELD = struct.Struct("<3h").pack

MODES = {
    2: Mode("medium", lambda s: _PACK[7](s.ticks, *s.fusion.quaternion, *s.free) + _STATUS),
    3: Mode("medium", lambda s: _PACK[7](s.ticks, *s.fusion.quaternion, *s.free)),
    4: Mode("short", lambda s: _PACK[3](s.ticks, *s.angles)),
    5: Mode("short", lambda s: _PACK[4](s.ticks, *s.fusion.quaternion)),
    6: Mode("short", lambda s: _PACK[3](s.ticks, *s.free)),
    7: Mode("medium", lambda s: _PACK[6](s.ticks, *s.angles, *s.free) + _STATUS),
    16: Mode("medium", lambda s: _PACK[6](s.ticks, *s.angles, *s.free)),
    18: Mode("medium", lambda s: _PACK[7](s.ticks, *s.increment) + _FIELD(*_counts(s.mag))),
    19: Mode("medium", lambda s: _PACK[7](s.ticks, *s.increment)),
    20: Mode("medium", lambda s: _PACK[6](s.ticks, *s.acc, *_degrees(s.gyr)) + _FIELD(*_counts(s.mag))),
    21: Mode("medium", lambda s: _PACK[6](s.ticks, *s.acc, *_degrees(s.gyr))),
    22: Mode("medium", lambda s: _PACK[9](s.ticks, *s.angles, *s.free, *_degrees(s.gyr))),
    23: Mode("medium", lambda s: _PACK[6](s.ticks, *s.angles, *s.free) + _FIELD(*_counts(s.mag))),
    24: Mode("medium", lambda s: _PACK[7](s.ticks, *s.fusion.quaternion, *_degrees(s.gyr))),
    26: Mode("long", lambda s: _PACK[10](s.ticks, *s.fusion.quaternion, *s.acc, *_degrees(s.gyr))),
}
"""Modes of section 3.2; those of high fidelity are for the maker's own library."""

_INERTIAL = (20, 21)  # the others need what the firmware makes of it
_BYTES = {"long": 63, "medium": 40, "short": 20}  # characteristics are of fixed length; the rest is zero
_SHORT_UUIDS = {"long": 0x2002, "medium": 0x2003, "short": 0x2004}


class MovellaDot(Peripheral):
    """A simulated Movella DOT.

    Args:
        name: Unique name in the scene.
        timeline: Simulated time.
        hub: The air.
        address: Public Bluetooth address; real ones begin with D4:22:CD.
        source: Movement of the limb that it is worn on.

    Attributes:
        blinked: How often its light was made to blink.
    """

    def __init__(self, *, name: str, timeline: Timeline, hub: Hub, address: str, source: MotionSource) -> None:
        super().__init__(
            name=name,
            timeline=timeline,
            hub=hub,
            address=address,
            local_name=LOCAL_NAME,
            advertised=advertisement(LOCAL_NAME, maker=COMPANY),
        )
        self.source = source
        self._pull = Pull(source, self.counts)
        self.battery = Battery(lasts_h=6.0)
        self._sent_percent = self.battery.percent(0.0)
        self._mode = 0
        self.blinked = 0
        self._fusion = Fusion()
        self._moved_s: float | None = None
        self._payloads = {length: characteristic(uuid(short), notify=True) for length, short in _SHORT_UUIDS.items()}
        self._level = characteristic(uuid(0x3001), read=self._read_battery, notify=True)

    def services(self) -> list[Service]:
        """Return the GATT services: configuration, measurement, battery."""
        configuration = [
            characteristic(uuid(0x1001), read=self._read_information()),
            characteristic(uuid(0x1002), read=self._read_control, write=self._write_control),
        ]
        start = characteristic(uuid(0x2001), read=self._read_measuring, write=self._write_measuring)
        return [
            Service(uuid(0x1000), configuration),
            Service(uuid(0x2000), [start, *self._payloads.values()]),
            Service(uuid(0x3000), [self._level]),
        ]

    def _read_information(self) -> bytes:
        """Section 2.1: address, firmware, build time, soft device, serial number, product."""
        address = bytes.fromhex(self.address.replace(":", ""))
        build = struct.pack("<HBBBBB", 2023, 7, 1, 12, 0, 0)
        serial = int.from_bytes(address, "big")
        return address[::-1] + bytes([3, 0, 0]) + build + struct.pack("<IQ6s", 0, serial, b"XS-T02")

    def _read_control(self) -> bytes:
        """Section 2.2, with the source's rate."""
        control = bytearray(_CONTROL_BYTES)
        tag = self.name.encode()[:16]
        control[7] = len(tag)
        control[8 : 8 + len(tag)] = tag
        struct.pack_into("<HB", control, _RATE_AT, round(self.source.rate_hz), 0)
        return bytes(control)

    def _write_control(self, data: bytes) -> None:
        """Take a write, and keep to the source's rate: reading it back says so."""
        if len(data) != _CONTROL_BYTES:
            raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH)
        self.blinked += bool(data[0] & _VISIT_IDENTIFY and data[1])

    def _read_measuring(self) -> bytes:
        return bytes([1, int(self.streaming), self._mode])

    def _write_measuring(self, data: bytes) -> None:
        """Start or stop (section 3.1); a mode that this sensor does not have is refused."""
        if len(data) != 3 or data[0] != 1 or data[1] > 1:  # bytes of the control characteristic
            raise ATT_Error(ErrorCode.VALUE_NOT_ALLOWED)
        if data[1] and data[2] not in MODES:
            raise ATT_Error(ErrorCode.VALUE_NOT_ALLOWED)
        self.streaming, self._mode = bool(data[1]), data[2]

    def _read_battery(self) -> bytes:
        return bytes([self.battery.percent(self.timeline.now_s), 0])

    def _send(self, until_s: float) -> bool:
        motion = self._pull.due(until_s, wanted=self.streaming)
        if motion is None:
            return False
        if len(motion.time_s):
            self._send_motion(motion)
            percent = self.battery.percent(until_s)
            if percent != self._sent_percent and self.notify(self._level, [bytes([percent, 0])]):
                self._sent_percent = percent
        return True

    def _send_motion(self, motion: Motion) -> None:
        mode, oriented = MODES[self._mode], self._mode not in _INERTIAL
        size, payloads = _BYTES[mode.length], []
        for time_s, acc, gyr, mag, sent in motion.each():
            clock_s = self.clock_s(time_s)
            increment = self._increment(time_s, acc, gyr) if oriented else STILL
            if sent and not self._muted:
                sample = Sample(round(clock_s * TICK_HZ) & 0xFFFFFFFF, acc, gyr, mag, self._fusion, increment)
                payloads.append(mode.encode(sample).ljust(size, b"\0"))
        self.counts.lost += len(motion.time_s) - len(payloads)
        if self.notify(self._payloads[mode.length], payloads):
            self.counts.sent += len(payloads)
        else:
            self.counts.unsent += len(payloads)

    def _increment(self, time_s: float, acc: Vector, gyr: Vector) -> tuple[float, ...]:
        """Move the orientation on; return how far, and by how much the velocity changed, gravity included."""
        w, x, y, z = self._fusion.quaternion
        step_s = 0.0 if self._moved_s is None else time_s - self._moved_s
        self._moved_s = time_s
        turned = product((w, -x, -y, -z), self._fusion.update(time_s, acc, gyr))
        return (*turned, *(a * step_s for a in acc))
