"""The values of lines or structs to the samples of the streams that a declaration names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from drivers.columns import ColumnDecoder, Columns, Pieces, Told
from drivers.declared.declaration import Declaration
from drivers.declared.meaning import Meaning, meaning_of
from drivers.declared.reading import TextReader, reader_of
from drivers.driver import Decoder
from drivers.gathered import count
from drivers.messages import NONE_BEFORE, follow
from drivers.packet import Flag, Packets, StreamSpec

MOST_LOST: Final = 1000  # counts ahead that are a loss; more is a counter that began again

NO_TIME = "a time that is no whole number of ticks within clock_bits"
NO_COUNT = "a count that is no whole number within count_bits"


class DeclaredDecoder(ColumnDecoder):
    """Reads what the declaration says, sample by sample.

    Args:
        declaration: What the configuration says of the device.
        channel: Where its frames come from.

    Attributes:
        newest: Count of the newest sample; None before the first.
    """

    def __init__(self, declaration: Declaration, channel: str) -> None:
        super().__init__()
        self._declaration, self._channel = declaration, channel
        self._reader = reader_of(declaration, self.faults)
        self._meaning = meaning_of(declaration)
        self.newest: int | None = None

    @property
    def streams(self) -> Mapping[str, StreamSpec]:
        """As declared."""
        return self._declaration.streams

    def numbers(self, line: bytes) -> list[float] | None:
        """Return the values of one line; None, and counted, where it cannot be read."""
        assert isinstance(self._reader, TextReader)
        return self._reader.numbers(line)

    def sort(self, frames: Pieces, told: Told) -> None:
        """Take what the port or the characteristic gave."""
        told[self._meaning].fill(frames, self._channel, self._reader.take)

    @classmethod
    def read(cls, decoders: Sequence[Decoder], how: Meaning, columns: Columns) -> list[Packets]:
        """Read the samples of all devices that are declared alike."""
        owner, arrival_ns = columns.owners(), np.array(columns.arrival_ns, np.int64)
        table = how.plain_table(columns.rows) if how.text else how.table(columns.rows)
        if table is None:
            ours = cast("Sequence[DeclaredDecoder]", decoders)
            lines = zip(owner.tolist(), columns.rows, strict=True)
            rows = [ours[at].numbers(line) for at, line in lines]
            told = np.array([row is not None for row in rows], np.bool_)
            table, owner, arrival_ns = (
                how.table([row for row in rows if row is not None]),
                owner[told],
                arrival_ns[told],
            )
        for fault, rule in ((NO_TIME, how.has_time), (NO_COUNT, how.has_count)):
            good = rule(table)
            if not good.all():
                count([decoder.faults for decoder in decoders], fault, owner[~good])
                table, owner, arrival_ns = table[good], owner[good], arrival_ns[good]
        if not len(table):
            return []
        flags = _flags(cast("Sequence[DeclaredDecoder]", decoders), how, table, owner)
        ticks, values = how.times(table), how.scaled(table)
        counts = np.bincount(owner, minlength=len(decoders)).tolist()
        found: list[Packets] = []
        for stream, own in how.streams.items():
            found += Packets.counted(stream, counts, arrival_ns, ticks, values[:, own], flags)
        return found


def _flags(
    decoders: Sequence[DeclaredDecoder], how: Meaning, table: NDArray[np.float64], owner: NDArray[np.int64]
) -> NDArray[np.uint8]:
    """Return the flags of samples, of those too before which the counter tells of others."""
    clock = how.clock
    if clock.hz is None:
        return np.full(len(table), Flag.LOSS_UNKNOWN, np.uint8)
    if clock.time_at is None or clock.count_at is None:
        return np.zeros(len(table), np.uint8)
    counts, newest = table[:, clock.count_at].astype(np.int64), [decoder.newest for decoder in decoders]
    before = follow(owner, counts, newest)
    for decoder, told in zip(decoders, newest, strict=True):
        decoder.newest = told
    ahead = (counts - before) % (1 << clock.count_bits)
    lost = (before != NONE_BEFORE) & (ahead > 1) & (ahead <= MOST_LOST)
    return np.where(lost, Flag.MISSING, Flag.NONE).astype(np.uint8)
