"""Battery level, which most devices tell in one byte (Bluetooth SIG 0x2A19; Movella DOT adds a charging byte)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from drivers.errors import MalformedFrameError
from drivers.packet import Frame, Packet, StreamSpec

BATTERY_CHANNEL = "battery"
BATTERY = StreamSpec("battery", ("level", "charging"), ("%", "1"))

_LEVEL_BYTES = (1, 2)
_FULL_PERCENT = 100


def parse_battery_level(data: bytes) -> tuple[int, bool | None]:
    """Level in percent and whether it charges (None when not told); raises MalformedFrameError."""
    if len(data) not in _LEVEL_BYTES or data[0] > _FULL_PERCENT:
        raise MalformedFrameError("malformed battery level")
    return data[0], bool(data[1]) if len(data) > 1 else None


def battery_packet(frames: Sequence[Frame], faults: Counter[str]) -> Packet | None:
    """Decode the battery frames among ``frames``: level in percent, charging 1, 0 or NaN when not told."""
    rows = []
    for frame in frames:
        if frame.channel != BATTERY_CHANNEL:
            continue
        try:
            level, charging = parse_battery_level(frame.data)
        except MalformedFrameError as problem:
            faults[str(problem)] += 1
            continue
        rows.append((frame.arrival_ns, float(level), np.nan if charging is None else float(charging)))
    if not rows:
        return None
    return Packet(
        BATTERY.name,
        np.array([row[0] for row in rows], np.int64),
        np.empty(0, np.int64),
        np.array([row[1:] for row in rows], np.float64),
        np.zeros(len(rows), np.uint8),
    )
