"""Movella DOT measurement payloads: which fields each mode sends, and how to read many at once.

Facts: Movella DOT BLE Service Specification XD0506P rev C, section 3.5. All fields are little-endian.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from drivers.errors import MalformedFrameError
from drivers.gatt.uuids import dot_uuid
from drivers.packet import Flag, Samples, StreamSpec

TICK_HZ = 1e6
TICK_BITS = 32
DEFAULT_RATE_HZ = 60.0  # as shipped; the device tells its own in the control characteristic
MAG_SCALE = 1.0 / 4096.0  # the vendor's software divides so; the public document gives no unit


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a payload.

    Attributes:
        channels: Names of its components in the stream.
        wire: numpy type of one component on the wire.
        unit: UCUM unit after scaling.
        scale: From the wire's unit to ``unit``.
        limit: Largest magnitude on the wire that the sensor can mean; beyond it the bytes are no measurement.
    """

    channels: tuple[str, ...]
    wire: str
    unit: str
    scale: float
    limit: float


_DEGREE = np.pi / 180
# Limits: twice the widest range of the sensor (16 g, 2000 deg/s), so that no real sample is ever refused.
FIELDS: Mapping[str, Field] = {
    "q": Field(("q_w", "q_x", "q_y", "q_z"), "<f4", "1", 1.0, 1.01),
    "eul": Field(("roll", "pitch", "yaw"), "<f4", "rad", _DEGREE, 361.0),
    "facc": Field(("free_acc_x", "free_acc_y", "free_acc_z"), "<f4", "m/s2", 1.0, 400.0),
    "acc": Field(("acc_x", "acc_y", "acc_z"), "<f4", "m/s2", 1.0, 400.0),
    "gyr": Field(("gyr_x", "gyr_y", "gyr_z"), "<f4", "rad/s", _DEGREE, 4000.0),
    "mag": Field(("mag_x", "mag_y", "mag_z"), "<i2", "[arb'U]", MAG_SCALE, np.inf),
    "dq": Field(("dq_w", "dq_x", "dq_y", "dq_z"), "<f4", "1", 1.0, 1.01),
    "dv": Field(("dv_x", "dv_y", "dv_z"), "<f4", "m/s", 1.0, 400.0),
}


@dataclass(frozen=True, slots=True)
class Mode:
    """A measurement mode.

    Attributes:
        name: As written in a configuration.
        number: Byte that selects it.
        fields: Keys of `FIELDS` in wire order, after the time stamp.
        status: Whether status and clip counts follow the fields.
    """

    name: str
    number: int
    fields: tuple[str, ...]
    status: bool = False

    @property
    def payload(self) -> np.dtype[np.void]:
        """Structured type of one payload, time stamp ``ts`` first."""
        parts: list[tuple[str, str] | tuple[str, str, tuple[int, ...]]] = [("ts", "<u4")]
        parts += [(name, FIELDS[name].wire, (len(FIELDS[name].channels),)) for name in self.fields]
        if self.status:
            parts += [("status", "<u2"), ("clip_acc", "u1"), ("clip_gyr", "u1")]
        return np.dtype(parts)

    @property
    def characteristic(self) -> tuple[str, int]:
        """UUID and length of the shortest characteristic that holds the payload."""
        size = self.payload.itemsize
        return next(pair for pair in CHARACTERISTICS if size <= pair[1])

    @property
    def streams(self) -> tuple[tuple[StreamSpec, tuple[str, ...]], ...]:
        """Each stream of this mode with the fields that fill its channels.

        Measured acceleration, rate of turn and field go to ``imu``, rate of turn without acceleration to ``rotation``;
        what the sensor computed from them goes to ``orientation``.
        """
        imu = tuple(f for f in ("acc", "gyr", "mag") if f in self.fields) if "acc" in self.fields else ()
        rotation = ("gyr",) if "gyr" in self.fields and not imu else ()
        other = tuple(f for f in self.fields if f not in imu + rotation)
        groups = [("imu", imu), ("rotation", rotation), ("orientation", other)]
        return tuple((_spec(name, fields), fields) for name, fields in groups if fields)


def _spec(name: str, fields: tuple[str, ...]) -> StreamSpec:
    channels = tuple(channel for field in fields for channel in FIELDS[field].channels)
    units = tuple(FIELDS[field].unit for field in fields for _ in FIELDS[field].channels)
    return StreamSpec(name, channels, units, DEFAULT_RATE_HZ, TICK_HZ, TICK_BITS)


CHARACTERISTICS = ((dot_uuid(0x2004), 20), (dot_uuid(0x2003), 40), (dot_uuid(0x2002), 63))  # short, medium, long

MODES: Mapping[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode("ext_quat", 2, ("q", "facc"), status=True),
        Mode("complete_quat", 3, ("q", "facc")),
        Mode("euler", 4, ("eul",)),
        Mode("quat", 5, ("q",)),
        Mode("free_acc", 6, ("facc",)),
        Mode("ext_euler", 7, ("eul", "facc"), status=True),
        Mode("complete_euler", 16, ("eul", "facc")),
        Mode("delta_mag", 18, ("dq", "dv", "mag")),
        Mode("delta", 19, ("dq", "dv")),
        Mode("rate_mag", 20, ("acc", "gyr", "mag")),
        Mode("rate", 21, ("acc", "gyr")),
        Mode("custom1", 22, ("eul", "facc", "gyr")),
        Mode("custom2", 23, ("eul", "facc", "mag")),
        Mode("custom3", 24, ("q", "gyr")),
        Mode("custom5", 26, ("q", "acc", "gyr")),
    )
}

CLIP_BITS = 0x1FF  # status bits 0-2 accelerometer, 3-5 gyroscope, 6-8 magnetometer


def sane(payloads: NDArray[np.void], mode: Mode) -> NDArray[np.bool_]:
    """Return (n,) whether every value of each payload is a number that the sensor can measure."""
    good = np.ones(len(payloads), np.bool_)
    for name in mode.fields:
        fits = np.abs(payloads[name]) <= FIELDS[name].limit  # NaN compares false
        if not fits.all():  # looked at as a whole first: row by row takes several times as long
            good &= fits.all(axis=1)
    return good


def samples(payloads: NDArray[np.void], fields: tuple[str, ...]) -> Samples:
    """Return (n, channels) of these fields in the units of their stream."""
    found = np.empty((len(payloads), sum(len(FIELDS[name].channels) for name in fields)))
    begin = 0
    for name in fields:
        end = begin + len(FIELDS[name].channels)
        np.multiply(payloads[name], FIELDS[name].scale, out=found[:, begin:end], dtype=np.float64)
        begin = end
    return found


def flags(payloads: NDArray[np.void], mode: Mode) -> NDArray[np.uint8]:
    """Return (n,) `Flag` values."""
    if not mode.status:
        return np.zeros(len(payloads), np.uint8)
    clipped = (payloads["status"] & CLIP_BITS) | payloads["clip_acc"] | payloads["clip_gyr"]
    return np.where(clipped > 0, np.uint8(Flag.CLIPPED), np.uint8(Flag.NONE))


def parse_payload(data: bytes, mode: Mode) -> dict[str, Any]:
    """One payload by field name in the wire's units (degrees, deg/s; magnetic field scaled), stamp in microseconds.

    Raises:
        MalformedFrameError: if it is cut, longer than any characteristic, or holds impossible values.
    """
    size = mode.payload.itemsize
    if not size <= len(data) <= mode.characteristic[1]:
        raise MalformedFrameError("truncated measurement" if len(data) < size else "oversized measurement")
    payload = np.frombuffer(data[:size], mode.payload)
    if not sane(payload, mode)[0]:
        raise MalformedFrameError("impossible values")
    found: dict[str, Any] = {"timestamp": int(payload["ts"][0])}
    for name in mode.fields:
        values = payload[name][0].astype(np.float64) * (MAG_SCALE if name == "mag" else 1.0)
        found[name] = values.tolist()
    if mode.status:
        found |= {name: int(payload[name][0]) for name in ("status", "clip_acc", "clip_gyr")}
    return found
