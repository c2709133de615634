"""The values of lines or structs to the samples of the streams that a declaration names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from drivers.declared.declaration import Declaration
from drivers.declared.reading import reader_of
from drivers.driver import Decoder
from drivers.packet import Flag, Frame, Packet, StreamSpec

MOST_LOST: Final = 1000  # counts ahead that are a loss; more is a counter that began again

EVERY: Final = slice(None)
NO_TICKS: Final[NDArray[np.int64]] = np.empty(0, np.int64)

NO_TIME = "a time that is no whole number of ticks within clock_bits"
NO_COUNT = "a count that is no whole number within count_bits"


class DeclaredDecoder(Decoder):
    """Reads what the declaration says, sample by sample.

    Args:
        declaration: What the configuration says of the device.
        channel: Where its frames come from.
    """

    def __init__(self, declaration: Declaration, channel: str) -> None:
        super().__init__()
        self._declaration, self._channel = declaration, channel
        self._reader = reader_of(declaration, self.faults)
        self._columns = {name: declaration.columns(name) for name in declaration.streams}
        self._factors = np.array([value.factor for value in declaration.values])
        self._count: int | None = None  # of the newest sample

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """As declared."""
        return self._declaration.streams

    def decode(self, frames: Sequence[Frame]) -> list[Packet]:
        """Decode what the port or the characteristic gave."""
        rows: list[Any] = []
        arrivals: list[int] = []
        for frame in frames:
            if frame.channel == self._channel:
                found = self._reader.take(frame.data)
                rows += found
                arrivals += [frame.arrival_ns] * len(found)
        return self._packets(self._reader.table(rows), np.array(arrivals, np.int64)) if rows else []

    def _packets(self, table: NDArray[np.float64], arrival_ns: NDArray[np.int64]) -> list[Packet]:
        clock = self._declaration.clock
        if clock.time_at is not None:
            good = self._good(NO_TIME, _ticks(table[:, clock.time_at], clock.ticks), clock.bits)
            table, arrival_ns = table[good], arrival_ns[good]
        if clock.count_at is not None:
            good = self._good(NO_COUNT, table[:, clock.count_at], clock.count_bits)
            table, arrival_ns = table[good], arrival_ns[good]
        if not len(table):
            return []
        flags = np.zeros(len(table), np.uint8)
        if clock.hz is None:
            flags[:] = Flag.LOSS_UNKNOWN
        elif clock.time_at is not None and clock.count_at is not None:
            flags |= self._missing(table[:, clock.count_at].astype(np.int64), 1 << clock.count_bits)
        ticks, values = self._times(table), self._scaled(table)
        return [Packet(name, arrival_ns, ticks, values[:, own], flags) for name, own in self._columns.items()]

    def _good(self, fault: str, numbers: NDArray[np.float64], bits: int) -> slice | NDArray[np.bool_]:
        """Return which of the samples have a whole number of so many bits; count the others."""
        good: NDArray[np.bool_] = (numbers >= 0) & (numbers < float(1 << bits)) & (numbers == np.floor(numbers))
        bad = len(good) - int(np.count_nonzero(good))
        if not bad:
            return EVERY
        self.faults[fault] += bad
        return good

    def _times(self, table: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the ticks of samples: of their time, or else of their counter."""
        clock = self._declaration.clock
        if clock.time_at is not None:
            return _ticks(table[:, clock.time_at], clock.ticks).astype(np.int64)
        return NO_TICKS if clock.count_at is None else table[:, clock.count_at].astype(np.int64)

    def _scaled(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values in the units of their channels; NaN where there is none."""
        if self._declaration.missing is not None:
            table = np.where(table == self._declaration.missing, np.nan, table)
        with np.errstate(over="ignore"):
            values: NDArray[np.float64] = table * self._factors
        values[~np.isfinite(values)] = np.nan
        return values

    def _missing(self, counts: NDArray[np.int64], modulus: int) -> NDArray[np.uint8]:
        """Return the flags of samples before which the counter tells of others."""
        before = np.concatenate([[counts[0] - 1 if self._count is None else self._count], counts[:-1]])
        self._count = int(counts[-1])
        ahead = (counts - before) % modulus
        return np.where((ahead > 1) & (ahead <= MOST_LOST), Flag.MISSING, Flag.NONE).astype(np.uint8)


def _ticks(time: NDArray[np.float64], each: float) -> NDArray[np.float64]:
    """Return times in ticks; those that have decimals to the nearest one."""
    ticks: NDArray[np.float64] = time if each == 1.0 else np.round(time * each)
    return ticks
