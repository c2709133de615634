"""Packets of a MicroStrain sensor to samples: those that are laid out alike at once."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, cast

import numpy as np
from numpy.typing import NDArray

from drivers import earth_frame
from drivers.errors import MalformedFrameError
from drivers.framing import Form
from drivers.gathered import Gathered
from drivers.messages import NONE_BEFORE, MessageDecoder, follow
from drivers.microstrain.fields import (
    ACCELERATION,
    DELTA_THETA,
    DELTA_VELOCITY,
    EULER,
    FILTER_EULER,
    FILTER_MATRIX,
    FILTER_QUATERNION,
    FILTER_TIME_OLD,
    GPS_TIME,
    GPS_TIME_OLD,
    MAGNETIC_FIELD,
    MATRIX,
    OVERRANGE,
    PRESSURE,
    QUATERNION,
    REFERENCE_DELTA,
    REFERENCE_TIME,
    ROTATION,
    TEMPERATURE,
    meaning_of,
)
from drivers.microstrain.packet import DATA_SETS, FILTER, MIP, SENSOR, fields
from drivers.packet import Flag, Samples, StreamSpec, Ticks

CONFIGURATION: Final = struct.Struct(">BHH")  # set of data, its samples a second, and of how many one is sent
TICK_HZ: Final = 1e9
TICK_BITS: Final = 62  # of the device's 64: beyond what the gateway counts in, after a hundred and forty years
USUAL_RATE_HZ: Final = 100.0
G: Final = 9.80665  # m/s2: what these devices mean by g
UT_A_GAUSS: Final = 100.0
PA_A_MBAR: Final = 100.0
WEEK_S: Final = 604_800
MOTION_BITS: Final = 0x0777  # of the overrange status: accelerometer, gyroscope, magnetometer
SOURCES: Final = {"filter": FILTER, "sensor": SENSOR}
"""Which set of data the orientation is taken from: the Kalman filter's, or the sensor's own simpler one."""


_ORIENTATION: Final = (
    "q_w", "q_x", "q_y", "q_z", "roll", "pitch", "yaw", "dq_w", "dq_x", "dq_y", "dq_z", "dv_x", "dv_y", "dv_z",
)  # fmt: skip
_ORIENTATION_UNITS: Final = (*("1",) * 4, *("rad",) * 3, *("1",) * 4, *("m/s",) * 3)
_ACC, _GYR, _MAG = (tuple(f"{kind}_{axis}" for axis in "xyz") for kind in ("acc", "gyr", "mag"))
_Q, _ANGLES, _DQ, _DV = slice(0, 4), slice(4, 7), slice(7, 11), slice(11, 14)


def _spec(name: str, channels: Sequence[str], units: Sequence[str]) -> StreamSpec:
    rate_hz = USUAL_RATE_HZ
    return StreamSpec(name, tuple(channels), tuple(units), rate_hz=rate_hz, tick_hz=TICK_HZ, tick_bits=TICK_BITS)


STREAMS: Final = {
    spec.name: spec
    for spec in (
        _spec("imu", _ACC + _GYR, ("m/s2",) * 3 + ("rad/s",) * 3),
        _spec("acceleration", _ACC, ("m/s2",) * 3),
        _spec("rotation", _GYR, ("rad/s",) * 3),
        _spec("magnetic_field", _MAG, ("uT",) * 3),
        _spec("orientation", _ORIENTATION, _ORIENTATION_UNITS),
        _spec("air_pressure", ("pressure",), ("Pa",)),
        _spec("sensor_temperature", ("temperature",), ("Cel",)),
    )
}

Records = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class DataLayout:
    """Where the fields of data packets of one layout stand.

    Attributes:
        at: Places of the bytes that say so.
        heads: Those bytes.
        descriptor_set: What the fields are of.
        own: Descriptors of the fields that are read here.
        record: The type of the bytes of such a packet; a field's name is its descriptor.
    """

    at: NDArray[np.int64]
    heads: NDArray[np.uint8]
    descriptor_set: int
    own: frozenset[int]
    record: np.dtype[np.void]

    def __contains__(self, descriptor: int) -> bool:
        """Whether such a field is among them."""
        return descriptor in self.own


class MicroStrainDecoder(MessageDecoder[DataLayout]):
    """Samples of one device, each with its own time in nanoseconds.

    Args:
        orientation: One of `SOURCES`.

    Attributes:
        oriented_by: The set of data that its orientation is read from.
        newest: Time of the newest packet of each set of data; None before its first.
    """

    form: ClassVar[Form] = MIP
    no_time: ClassVar[str] = "samples without their time (reference time)"

    def __init__(self, orientation: str = "filter") -> None:
        super().__init__()
        self.oriented_by = SOURCES[orientation]
        self.newest: dict[int, int | None] = dict.fromkeys(SOURCES.values())
        self._streams: Mapping[str, StreamSpec] = STREAMS

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """All that a device can send, at the rates that it was set to."""
        return self._streams

    def layout_of(self, message: bytes) -> DataLayout | None:
        """Read the layout of a packet; None, and counted where it is bad, if it holds no data."""
        if message[2] not in DATA_SETS:
            return None
        try:
            found = list(fields(message))
        except MalformedFrameError as problem:
            self.faults[str(problem)] += 1
            return None
        at = np.array([2, 3, *(field.at - k for field in found for k in (2, 1))], np.int64)
        known = {field.descriptor: field for field in found if meaning_of(message[2], field) is not None}
        meanings = {descriptor: meaning_of(message[2], field) for descriptor, field in known.items()}
        record = np.dtype(
            {
                "names": [str(descriptor) for descriptor in known],
                "formats": [meaning.record for meaning in meanings.values() if meaning is not None],
                "offsets": [field.at for field in known.values()],
                "itemsize": len(message),
            }
        )
        return DataLayout(at, np.frombuffer(message, np.uint8)[at], message[2], frozenset(known), record)

    @classmethod
    def read(
        cls,
        decoders: Sequence[MessageDecoder[DataLayout]],
        layout: DataLayout,
        rows: NDArray[np.uint8],
        places: NDArray[np.int64],
        gathered: Gathered,
    ) -> None:
        """Take the samples of packets that are laid out alike; the orientation of the devices that it is read of."""
        records = rows.view(layout.record)[:, 0]
        gathered.ticks[places] = times_of(records, layout)
        gathered.number("set")[places] = layout.descriptor_set
        if REFERENCE_DELTA in layout and REFERENCE_TIME in layout:
            gathered.number("delta")[places] = _nanoseconds(records, REFERENCE_DELTA)
        if layout.descriptor_set == SENSOR:
            if OVERRANGE in layout:
                gathered.flags[places[(_values(records, OVERRANGE) & MOTION_BITS) != 0]] = Flag.CLIPPED
            for stream, samples in _sensed(records, layout):
                gathered.add(stream, places, samples)
        ours = cast("Sequence[MicroStrainDecoder]", decoders)
        by_this = [each.oriented_by == layout.descriptor_set for each in ours]
        if not any(by_this):
            return
        if not all(by_this):
            oriented = np.array(by_this)[gathered.owner[places]]
            records, places = records[oriented], places[oriented]
        if len(records):
            orientation = _sensor_orientation if layout.descriptor_set == SENSOR else _filter_orientation
            for stream, samples in orientation(records, layout):
                gathered.add(stream, places, samples)

    @classmethod
    def mark_missing(cls, decoders: Sequence[MessageDecoder[DataLayout]], gathered: Gathered) -> None:
        """Flag the packets whose predecessor, which their delta tells the time of, has not come."""
        ours = cast("Sequence[MicroStrainDecoder]", decoders)
        sets, deltas = gathered.number("set"), gathered.number("delta")
        for each in SOURCES.values():
            own = np.flatnonzero((sets == each) & (gathered.ticks >= 0) & (deltas > 0))
            if not len(own):
                continue
            ticks, newest = gathered.ticks[own], [decoder.newest[each] for decoder in ours]
            before = follow(gathered.owner[own], ticks, newest)
            lost = (before != NONE_BEFORE) & (ticks - deltas[own] > before)
            gathered.flags[own[lost]] |= np.uint8(Flag.MISSING)
            for decoder, time in zip(ours, newest, strict=True):
                decoder.newest[each] = time

    def configure(self, data: bytes) -> None:
        """Take the rate of a set of data."""
        if len(data) != CONFIGURATION.size:
            self.faults["malformed configuration"] += 1
            return
        of, base_hz, decimation = CONFIGURATION.unpack(data)
        if not base_hz or not decimation:
            return
        names = {"orientation"} if of == FILTER else set(STREAMS)
        if of == SENSOR and self.oriented_by == FILTER:
            names -= {"orientation"}
        self._streams = {
            name: replace(spec, rate_hz=base_hz / decimation) if name in names else spec
            for name, spec in self._streams.items()
        }


def _values(records: Records, descriptor: int) -> NDArray[Any]:
    return records[str(descriptor)]["values"]


def _nanoseconds(records: Records, descriptor: int) -> Ticks:
    return (_values(records, descriptor) & ((1 << TICK_BITS) - 1)).astype(np.int64)


def times_of(records: Records, layout: DataLayout) -> Ticks:
    """Return the time of packets of one layout, nanoseconds; -1 where they tell none.

    By the device's own clock, or by that of the satellites where it sends no other, since their week 0.
    """
    if REFERENCE_TIME in layout:
        return _nanoseconds(records, REFERENCE_TIME)
    old = GPS_TIME_OLD if layout.descriptor_set == SENSOR else FILTER_TIME_OLD
    told = next((each for each in (GPS_TIME, old) if each in layout), None)
    if told is None:
        return np.full(len(records), -1, np.int64)
    field = records[str(told)]
    seconds = field["tow"].astype(np.float64)
    possible = (seconds >= 0) & (seconds < WEEK_S)
    nanoseconds = np.rint(np.where(possible, seconds, 0.0) * TICK_HZ).astype(np.int64)
    weeks = field["week"].astype(np.int64) % (1 << 12)
    return np.where(possible, nanoseconds + weeks * (WEEK_S * 1_000_000_000), -1)


def _sensed(records: Records, layout: DataLayout) -> list[tuple[str, Samples]]:
    found: list[tuple[str, Samples]] = []
    acc, gyr = ACCELERATION in layout, ROTATION in layout
    if acc and gyr:
        samples = np.empty((len(records), 6))
        samples[:, :3] = _values(records, ACCELERATION)
        samples[:, :3] *= G
        samples[:, 3:] = _values(records, ROTATION)
        found.append(("imu", samples))
    elif acc:
        found.append(("acceleration", _values(records, ACCELERATION).astype(np.float64) * G))
    elif gyr:
        found.append(("rotation", _values(records, ROTATION).astype(np.float64)))
    if MAGNETIC_FIELD in layout:
        found.append(("magnetic_field", _values(records, MAGNETIC_FIELD).astype(np.float64) * UT_A_GAUSS))
    if PRESSURE in layout:
        found.append(("air_pressure", _values(records, PRESSURE).astype(np.float64)[:, None] * PA_A_MBAR))
    if TEMPERATURE in layout:  # least, most and mean of the chips
        found.append(("sensor_temperature", _values(records, TEMPERATURE)[:, 2:3].astype(np.float64)))
    return found


def _sensor_orientation(records: Records, layout: DataLayout) -> list[tuple[str, Samples]]:
    if not layout.own & {QUATERNION, MATRIX, EULER, DELTA_THETA, DELTA_VELOCITY}:
        return []
    samples = np.full((len(records), len(_ORIENTATION)), np.nan)
    _fill_orientation(samples, records, layout, (QUATERNION, MATRIX, EULER))
    if DELTA_THETA in layout:
        turn = _values(records, DELTA_THETA).astype(np.float64)
        angle = np.sqrt((turn * turn).sum(axis=1))[:, None]
        samples[:, 7:8] = np.cos(angle / 2)
        samples[:, 8:11] = turn * np.sinc(angle / 2 / np.pi) / 2
    if DELTA_VELOCITY in layout:
        samples[:, _DV] = _values(records, DELTA_VELOCITY).astype(np.float64) * G
    return [("orientation", samples)]


def _filter_orientation(records: Records, layout: DataLayout) -> list[tuple[str, Samples]]:
    own = [each for each in (FILTER_QUATERNION, FILTER_MATRIX, FILTER_EULER) if each in layout]
    if not own:
        return []
    samples = np.full((len(records), len(_ORIENTATION)), np.nan)
    _fill_orientation(samples, records, layout, (FILTER_QUATERNION, FILTER_MATRIX, FILTER_EULER))
    for each in own:
        invalid = records[str(each)]["valid"] == 0
        if invalid.any():
            samples[invalid, _ANGLES if each == FILTER_EULER else _Q] = np.nan
    return [("orientation", samples)]


def _fill_orientation(
    samples: Samples, records: Records, layout: DataLayout, descriptors: tuple[int, int, int]
) -> None:
    """Turn what a device tells (quaternion, matrix, angles) against north, east and down to east, north and up."""
    quaternion, matrix, euler = descriptors
    if quaternion in layout:
        q = _values(records, quaternion).astype(np.float64)
        samples[:, _Q] = earth_frame.turned(earth_frame.FROM_NED, q)
    elif matrix in layout:  # it turns the other way, from the earth to the sensor
        m = _values(records, matrix).astype(np.float64).reshape(-1, 3, 3).transpose(0, 2, 1).reshape(-1, 9)
        samples[:, _Q] = earth_frame.turned(earth_frame.FROM_NED, earth_frame.from_matrix(m))
    if euler in layout:
        q = earth_frame.from_angles(_values(records, euler).astype(np.float64))
        samples[:, _ANGLES] = earth_frame.angles_of(earth_frame.turned(earth_frame.FROM_NED, q))
