"""Data messages of an MTi to samples: those that are laid out alike at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final, cast

import numpy as np
from numpy.typing import NDArray

from drivers import earth_frame
from drivers.errors import MalformedFrameError
from drivers.framing import Form
from drivers.gathered import Gathered
from drivers.messages import NONE_BEFORE, MessageDecoder, follow
from drivers.packet import Flag, Samples, StreamSpec
from drivers.xsens_mti.items import (
    ACCELERATION,
    COUNTER,
    DELTA_Q,
    DELTA_V,
    ENU,
    EULER,
    FRAME,
    FREE_ACCELERATION,
    MAGNETIC_FIELD,
    MATRIX,
    NED,
    NWU,
    PRESSURE,
    QUATERNION,
    RATE_OF_TURN,
    STATUS_WORD,
    TEMPERATURE,
    TIME_FINE,
    Item,
    items,
    reals,
    record_of,
    whole,
)
from drivers.xsens_mti.message import DATA, ERROR, ERRORS, XBUS, data_at, parse_outputs

TICK_HZ: Final = 10_000.0
USUAL_RATE_HZ: Final = 100.0
COUNTS: Final = 1 << 16  # the counter of messages begins again after so many
MOST_LOST: Final = 1000  # counts ahead that are a loss; more is a counter that began again: ten seconds at 100 Hz
CLIPPED: Final = 0x1FF << 8 | 1 << 19
"""Bits of the status word: each axis of the three sensors at the end of its range, and any of them."""

UNKNOWN_SIZE = "item of another size than its kind has"

_ORIENTATION: Final = (
    "q_w", "q_x", "q_y", "q_z", "roll", "pitch", "yaw", "free_acc_x", "free_acc_y", "free_acc_z",
    "dq_w", "dq_x", "dq_y", "dq_z", "dv_x", "dv_y", "dv_z",
)  # fmt: skip
_ORIENTATION_UNITS: Final = (*("1",) * 4, *("rad",) * 3, *("m/s2",) * 3, *("1",) * 4, *("m/s",) * 3)
_FRAMES: Final = {NED: earth_frame.FROM_NED, NWU: earth_frame.FROM_NWU}
_ACC, _GYR, _MAG = (tuple(f"{kind}_{axis}" for axis in "xyz") for kind in ("acc", "gyr", "mag"))

_KINDS: Final = {  # of whose data each stream is, and its rate
    "imu": ACCELERATION,
    "acceleration": ACCELERATION,
    "rotation": RATE_OF_TURN,
    "orientation": QUATERNION,
    "air_pressure": PRESSURE,
    "sensor_temperature": TEMPERATURE,
}


def _spec(name: str, channels: Sequence[str], units: Sequence[str], rate_hz: float) -> StreamSpec:
    return StreamSpec(name, tuple(channels), tuple(units), rate_hz=rate_hz, tick_hz=TICK_HZ, tick_bits=32)


STREAMS: Final = {
    spec.name: spec
    for spec in (
        _spec("imu", _ACC + _GYR + _MAG, ("m/s2",) * 3 + ("rad/s",) * 3 + ("[arb'U]",) * 3, USUAL_RATE_HZ),
        _spec("acceleration", _ACC, ("m/s2",) * 3, USUAL_RATE_HZ),
        _spec("rotation", _GYR, ("rad/s",) * 3, USUAL_RATE_HZ),
        _spec("orientation", _ORIENTATION, _ORIENTATION_UNITS, USUAL_RATE_HZ),
        _spec("air_pressure", ("pressure",), ("Pa",), 50.0),
        _spec("sensor_temperature", ("temperature",), ("Cel",), 1.0),
    )
}


@dataclass(frozen=True, slots=True)
class DataLayout:
    """Where the items of data messages of one layout stand.

    Attributes:
        at: Places of the bytes that say so, in the message.
        heads: Those bytes.
        items: By kind: those that are read here; their places are in the message.
        record: The type of the bytes of such a message.
    """

    at: NDArray[np.int64]
    heads: NDArray[np.uint8]
    items: Mapping[int, Item]
    record: np.dtype[np.void]


class XsensMtiDecoder(MessageDecoder[DataLayout]):
    """Samples of one device: its clock counts ten thousand a second, its counter the messages.

    Attributes:
        counter: Of the newest message that has one; None before.
    """

    form: ClassVar[Form] = XBUS
    no_time: ClassVar[str] = "samples without their time (SampleTimeFine)"

    def __init__(self) -> None:
        super().__init__()
        self.counter: int | None = None
        self._streams: Mapping[str, StreamSpec] = STREAMS

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """All that a device can send, at the rates of the configuration that it told."""
        return self._streams

    def layout_of(self, message: bytes) -> DataLayout | None:
        """Read the layout of a message; None, and counted where it is bad, if it holds no data."""
        if message[2] != DATA:
            if message[2] == ERROR:
                code = message[data_at(message)] if len(message) > data_at(message) + 1 else 0
                self.faults[f"the device reports: {ERRORS.get(code, 'an error')}"] += 1
            return None
        first = data_at(message)
        try:
            found = [replace(item, at=item.at + first) for item in items(message[first:-1])]
        except MalformedFrameError as problem:
            self.faults[str(problem)] += 1
            return None
        heads = np.array([2, 3, *(item.at + k for item in found for k in (-3, -2, -1))], np.int64)
        known = {item.kind: item for item in found if item.known}
        record = record_of(len(message), known.values())
        return DataLayout(heads, np.frombuffer(message, np.uint8)[heads], known, record)

    @classmethod
    def read(
        cls,
        decoders: Sequence[MessageDecoder[DataLayout]],
        layout: DataLayout,
        rows: NDArray[np.uint8],
        places: NDArray[np.int64],
        gathered: Gathered,
    ) -> None:
        """Take the samples of messages that are laid out alike."""
        del decoders
        own, records = layout.items, rows.view(layout.record)[:, 0]
        if (item := own.get(TIME_FINE)) is not None:
            gathered.ticks[places] = whole(records, item)
        if (item := own.get(COUNTER)) is not None:
            gathered.number("counter")[places] = whole(records, item)
        if (item := own.get(STATUS_WORD)) is not None:
            clipped = (whole(records, item) & CLIPPED) != 0
            gathered.flags[places[clipped]] = Flag.CLIPPED
        for stream, samples in samples_of(records, own):
            gathered.add(stream, places, samples)

    @classmethod
    def mark_missing(cls, decoders: Sequence[MessageDecoder[DataLayout]], gathered: Gathered) -> None:
        """Flag the messages before which some were lost, by their counters."""
        ours = cast("Sequence[XsensMtiDecoder]", decoders)
        counters = gathered.number("counter")
        told = np.flatnonzero(counters >= 0)
        if not len(told):
            return
        own, newest = counters[told], [each.counter for each in ours]
        before = follow(gathered.owner[told], own, newest)
        steps = (own - before) % COUNTS
        lost = (before != NONE_BEFORE) & (steps > 1) & (steps <= MOST_LOST)
        gathered.flags[told[lost]] |= np.uint8(Flag.MISSING)
        for each, counter in zip(ours, newest, strict=True):
            each.counter = counter

    def configure(self, data: bytes) -> None:
        """Take the rates of its configuration."""
        try:
            rates = Counter({output.id & 0xF8F0: output.rate_hz for output in parse_outputs(data)})
        except MalformedFrameError as problem:
            self.faults[str(problem)] += 1
            return
        self._streams = {
            name: replace(spec, rate_hz=float(rate)) if 0 < (rate := rates[_KINDS[name]]) < 0xFFFF else spec
            for name, spec in self._streams.items()
        }


def samples_of(records: NDArray[np.void], own: Mapping[int, Item]) -> list[tuple[str, Samples]]:
    """Return the samples of each stream that messages (n,) of one layout have."""
    found = [*_motion(records, own), *_orientation(records, own)]
    if (item := own.get(PRESSURE)) is not None:
        found.append(("air_pressure", whole(records, item)[:, None].astype(np.float64)))
    if (item := own.get(TEMPERATURE)) is not None:
        found.append(("sensor_temperature", reals(records, item).astype(np.float64)))
    return found


def _motion(records: NDArray[np.void], own: Mapping[int, Item]) -> list[tuple[str, Samples]]:
    """Return acceleration, rate and magnetic field together, or what there is of the first two by itself."""
    acc, gyr, mag = own.get(ACCELERATION), own.get(RATE_OF_TURN), own.get(MAGNETIC_FIELD)
    if acc is None or gyr is None:
        alone = (("acceleration", acc), ("rotation", gyr))
        return [(stream, reals(records, item).astype(np.float64)) for stream, item in alone if item is not None]
    samples = np.full((len(records), 9), np.nan)
    for first, item in ((0, acc), (3, gyr), (6, mag)):
        if item is not None:
            samples[:, first : first + 3] = reals(records, item)
    return [("imu", samples)]


def _orientation(records: NDArray[np.void], own: Mapping[int, Item]) -> list[tuple[str, Samples]]:
    kinds = (QUATERNION, MATRIX, EULER, FREE_ACCELERATION, DELTA_Q, DELTA_V)
    if not any(kind in own for kind in kinds):
        return []
    samples = np.full((len(records), len(_ORIENTATION)), np.nan)
    if (item := own.get(QUATERNION)) is not None:
        samples[:, 0:4] = _east_north_up(reals(records, item), item)
    elif (item := own.get(MATRIX)) is not None:  # column by column
        columns = reals(records, item).astype(np.float64).reshape(-1, 3, 3).transpose(0, 2, 1).reshape(-1, 9)
        samples[:, 0:4] = _east_north_up(earth_frame.from_matrix(columns), item)
    if (item := own.get(EULER)) is not None:
        angles = np.radians(reals(records, item))
        if item.id & FRAME != ENU:
            angles = earth_frame.angles_of(_east_north_up(earth_frame.from_angles(angles), item))
        samples[:, 4:7] = angles
    for first, kind in ((7, FREE_ACCELERATION), (10, DELTA_Q), (14, DELTA_V)):
        if (item := own.get(kind)) is not None:
            numbers = reals(records, item)
            samples[:, first : first + numbers.shape[1]] = numbers
    return [("orientation", samples)]


def _east_north_up(q: Samples, item: Item) -> Samples:
    turn = _FRAMES.get(item.id & FRAME)
    return q if turn is None else earth_frame.turned(turn, q)
