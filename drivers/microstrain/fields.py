"""What stands in the fields of sensor, filter and shared data that are read here."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from drivers.errors import MalformedFrameError
from drivers.microstrain.packet import FILTER, SENSOR, Field

ACCELERATION, ROTATION, MAGNETIC_FIELD, DELTA_THETA, DELTA_VELOCITY = 0x04, 0x05, 0x06, 0x07, 0x08
MATRIX, QUATERNION, EULER = 0x09, 0x0A, 0x0C
GPS_TIME_OLD, TEMPERATURE, PRESSURE, OVERRANGE = 0x12, 0x14, 0x17, 0x18
FILTER_QUATERNION, FILTER_MATRIX, FILTER_EULER, FILTER_STATUS, FILTER_TIME_OLD = 0x03, 0x04, 0x05, 0x10, 0x11
GPS_TIME, REFERENCE_TIME, REFERENCE_DELTA = 0xD3, 0xD5, 0xD6
SHARED: Final = range(0xD0, 0x100)  # descriptors that mean the same in every set of data


@dataclass(frozen=True, slots=True)
class Meaning:
    """How one kind of field is written.

    Attributes:
        name: For people: with its unit.
        parts: Names of its numbers, and numpy's word for how each is written; one number may be several.
    """

    name: str
    parts: tuple[tuple[str, str], ...]

    @property
    def record(self) -> np.dtype[np.void]:
        """The type of its data."""
        return np.dtype(list(self.parts))


def _vector(name: str, count: int = 3) -> Meaning:
    return Meaning(name, (("values", f"({count},)>f4"),))


def _valid(name: str, count: int) -> Meaning:
    return Meaning(name, (("values", f"({count},)>f4"), ("valid", ">u2")))


_GPS: Final = (("tow", ">f8"), ("week", ">u2"), ("valid", ">u2"))
OF_SENSOR: Final[Mapping[int, Meaning]] = {
    0x01: _vector("raw_accel"), 0x02: _vector("raw_gyro"), 0x03: _vector("raw_mag"),
    ACCELERATION: _vector("accel_g"), ROTATION: _vector("gyro_rad_s"), MAGNETIC_FIELD: _vector("mag_gauss"),
    DELTA_THETA: _vector("delta_theta_rad"), DELTA_VELOCITY: _vector("delta_velocity_g_s"),
    MATRIX: _vector("comp_matrix", 9), QUATERNION: _vector("comp_quaternion", 4), EULER: _vector("comp_euler_rad"),
    0x0E: Meaning("internal_timestamp", (("values", ">u4"),)),
    0x0F: Meaning("pps_timestamp", (("values", "(2,)>u4"),)),
    0x10: _vector("north_gauss"), 0x11: _vector("up_g"),
    GPS_TIME_OLD: Meaning("gps_time", _GPS),
    TEMPERATURE: _vector("temperature_c"),
    0x16: Meaning("raw_pressure", (("values", ">f4"),)),
    PRESSURE: Meaning("pressure_mbar", (("values", ">f4"),)),
    OVERRANGE: Meaning("overrange", (("values", ">u2"),)),
    0x40: Meaning("odometer_m_s", (("values", "(2,)>f4"), ("valid", ">u2"))),
}  # fmt: skip
OF_FILTER: Final[Mapping[int, Meaning]] = {
    FILTER_QUATERNION: _valid("quaternion", 4), FILTER_MATRIX: _valid("matrix", 9),
    FILTER_EULER: _valid("euler_rad", 3),
    0x06: _valid("gyro_bias_rad_s", 3), 0x0D: _valid("linear_accel_m_s2", 3), 0x0E: _valid("comp_gyro_rad_s", 3),
    FILTER_STATUS: Meaning("status", (("state", ">u2"), ("dynamics", ">u2"), ("flags", ">u2"))),
    FILTER_TIME_OLD: Meaning("gps_time", _GPS), 0x1C: _valid("comp_accel_m_s2", 3),
}  # fmt: skip
OF_ALL: Final[Mapping[int, Meaning]] = {
    0xD0: Meaning("event_source", (("values", ">u1"),)),
    0xD1: Meaning("ticks", (("values", ">u4"),)),
    0xD2: Meaning("delta_ticks", (("values", ">u4"),)),
    GPS_TIME: Meaning("gps_time", _GPS),
    0xD4: Meaning("delta_time_s", (("values", ">f8"),)),
    REFERENCE_TIME: Meaning("reference_time_ns", (("values", ">u8"),)),
    REFERENCE_DELTA: Meaning("reference_delta_ns", (("values", ">u8"),)),
    0xD7: Meaning("external_time_ns", (("values", ">u8"), ("valid", ">u2"))),
    0xD8: Meaning("external_delta_ns", (("values", ">u8"), ("valid", ">u2"))),
}  # fmt: skip


def meaning_of(descriptor_set: int, field: Field) -> Meaning | None:
    """Return what a field means; None where it is unknown here, or of another size than its kind has."""
    own = OF_ALL if field.descriptor in SHARED else {SENSOR: OF_SENSOR, FILTER: OF_FILTER}.get(descriptor_set, {})
    found = own.get(field.descriptor)
    return found if found is not None and found.record.itemsize == field.size else None


def values_of(meaning: Meaning, data: bytes) -> dict[str, Any]:
    """Return the numbers of a field by name, for people."""
    record = np.frombuffer(data, meaning.record)[0]
    found = {part: record[part].tolist() for part, _ in meaning.parts}
    return {meaning.name: found.pop("values")} | found if "values" in found else {meaning.name: found}


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What a device says of itself.

    Attributes:
        firmware: Version, such as 1.1.02.
        model: Name of the model.
        serial: Serial number.
    """

    firmware: str
    model: str
    serial: str


_INFO: Final = struct.Struct(">H16s16s16s16s16s")


def parse_device_info(data: bytes) -> DeviceInfo:
    """Read device information; raises MalformedFrameError where it is cut."""
    if len(data) < _INFO.size:
        raise MalformedFrameError("truncated device information")
    version, name, _number, serial, _lot, _options = _INFO.unpack_from(data)
    firmware = f"{version // 1000}.{version // 100 % 10}.{version % 100:02}"
    return DeviceInfo(firmware, _text(name), _text(serial))


def _text(data: bytes) -> str:
    text = data.decode("ascii", "replace").strip("\0 ")
    return text if text.isprintable() else ""
