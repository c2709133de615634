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
        flags = np.full(len(table), Flag.LOSS_UNKNOWN if clock.hz is None else Flag.NONE, np.uint8)
        ticks = np.empty((0, 0), np.int64)
        good = np.ones(len(table), np.bool_)
        if clock.time_at is not None:
            time = table[:, clock.time_at]
            ticks, good = _whole(time if clock.ticks == 1.0 else np.round(time * clock.ticks), clock.bits)
            self._note(NO_TIME, good)
        if clock.count_at is not None:
            counts, whole = _whole(table[:, clock.count_at], clock.count_bits)
            self._note(NO_COUNT, whole | ~good)
            good &= whole
            if clock.time_at is None:
                ticks = counts
            else:
                flags[good] |= self._missing(counts[good], 1 << clock.count_bits)
        values = self._scaled(table[good])
        if not len(values):
            return []
        arrival_ns, flags = arrival_ns[good], flags[good]
        ticks = np.empty(0, np.int64) if clock.hz is None else ticks[good]
        return [
            Packet(name, arrival_ns, ticks, np.ascontiguousarray(values[:, own]), flags)
            for name, own in self._columns.items()
        ]

    def _scaled(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the values in the units of their channels; NaN where there is none."""
        if self._declaration.missing is not None:
            table = np.where(table == self._declaration.missing, np.nan, table)
        with np.errstate(over="ignore", invalid="ignore"):
            values = table * self._factors
        return np.where(np.isfinite(values), values, np.nan)

    def _missing(self, counts: NDArray[np.int64], modulus: int) -> NDArray[np.uint8]:
        """Return the flags of samples before which the counter tells of others."""
        if not len(counts):
            return np.empty(0, np.uint8)
        before = np.concatenate([[counts[0] - 1 if self._count is None else self._count], counts[:-1]])
        self._count = int(counts[-1])
        ahead = (counts - before) % modulus
        return np.where((ahead > 1) & (ahead <= MOST_LOST), Flag.MISSING, Flag.NONE).astype(np.uint8)

    def _note(self, fault: str, good: NDArray[np.bool_]) -> None:
        bad = len(good) - int(good.sum())
        if bad:
            self.faults[fault] += bad


def _whole(numbers: NDArray[np.float64], bits: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return numbers as whole ones of so many bits, and which of them are such."""
    good = (numbers >= 0) & (numbers < float(1 << bits)) & (numbers == np.floor(numbers))
    return np.where(good, numbers, 0.0).astype(np.int64), good
