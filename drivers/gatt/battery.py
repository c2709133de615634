"""Battery level, which most devices tell in one byte (Bluetooth SIG 0x2A19; Movella DOT adds a charging byte)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from drivers.driver import Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.packet import Frame, Packet, StreamSpec

BATTERY_CHANNEL = "battery"
BATTERY = StreamSpec("battery", ("level", "charging"), ("%", "1"))

READS = 2  # a device that is busy with a new connection refuses the first read now and then

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


async def follow_battery(link: Link, characteristic: str) -> bool:
    """Announce the level and have its changes notified, as far as the device lets us; return whether it notifies.

    Many devices let the level be read and not be subscribed to (Battery Service 1.0: notifying is optional), and some
    have none.
    """
    try:
        await link.subscribe(BATTERY_CHANNEL, characteristic)
        notifies = True
    except DialogueError:
        notifies = False
    for _ in range(READS):
        if await announce_battery(link, characteristic):
            break
    return notifies


async def announce_battery(link: Link, characteristic: str) -> bool:
    """Read the level and announce it; return whether it could be read."""
    try:
        link.announce(BATTERY_CHANNEL, await link.read(characteristic))
    except DialogueError:
        return False
    return True
