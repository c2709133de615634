"""Samples of devices that send about one a second, or one when somebody measures: row by row to a packet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from drivers.packet import Flag, Packet, StreamSpec


class Row(NamedTuple):
    """One sample of a stream without a clock.

    Attributes:
        arrival_ns: Arrival of its frame.
        values: One for each channel; NaN where there is none.
        flags: ``Flag`` values.
    """

    arrival_ns: int
    values: tuple[float, ...]
    flags: int = Flag.NONE


def packet_of(spec: StreamSpec, rows: Sequence[Row]) -> Packet | None:
    """Return the packet of these rows; None of none."""
    if not rows:
        return None
    return Packet(
        spec.name,
        np.array([row.arrival_ns for row in rows], np.int64),
        np.empty(0, np.int64),
        np.array([row.values for row in rows], np.float64),
        np.array([int(row.flags) for row in rows], np.uint8),
    )
