"""Battery level, which most devices tell in one byte (Bluetooth SIG 0x2A19; Movella DOT adds a charging byte)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from drivers.driver import Link
from drivers.errors import DialogueError, MalformedFrameError
from drivers.gatt.rows import Row, packet_of
from drivers.gatt.uuids import sig_uuid
from drivers.packet import Frame, Packet, StreamSpec

BATTERY_LEVEL = sig_uuid(0x2A19)

BATTERY_CHANNEL = "battery"
BATTERY = StreamSpec("battery", ("level", "charging"), ("%", "1"))

READS = 2  # a device that is busy with a new connection refuses the first read now and then
BATTERY_EVERY_S = 60.0  # between two readings of a battery that does not notify
MOST_REFUSED = 5  # readings: a device that refuses so many has no battery level for us

_LEVEL_BYTES = (1, 2)
_FULL_PERCENT = 100


def parse_battery_level(data: bytes) -> tuple[int, bool | None]:
    """Level in percent and whether it charges (None when not told); raises MalformedFrameError."""
    if len(data) not in _LEVEL_BYTES or data[0] > _FULL_PERCENT:
        raise MalformedFrameError("malformed battery level")
    return data[0], bool(data[1]) if len(data) > 1 else None


def battery_values(data: bytes) -> tuple[float, float]:
    """Return the values of `BATTERY`: charging is NaN where it is not told. Raises MalformedFrameError."""
    level, charging = parse_battery_level(data)
    return float(level), np.nan if charging is None else float(charging)


def battery_packet(frames: Sequence[Frame], faults: Counter[str]) -> Packet | None:
    """Decode the battery frames among ``frames``: level in percent, charging 1, 0 or NaN when not told."""
    rows = []
    for frame in frames:
        if frame.channel != BATTERY_CHANNEL:
            continue
        try:
            rows.append(Row(frame.arrival_ns, battery_values(frame.data)))
        except MalformedFrameError as problem:
            faults[str(problem)] += 1
    return packet_of(BATTERY, rows)


class BatteryWatch:
    """Follows the battery of one device as far as the device lets us: notified, read now and then, or not at all.

    Many devices let the level be read and not be subscribed to (Battery Service 1.0: notifying is optional), and some
    have none.

    Args:
        characteristic: Where the level is.
    """

    def __init__(self, characteristic: str = BATTERY_LEVEL) -> None:
        self._characteristic = characteristic
        self._notifies = True
        self._refused = 0  # readings in a row

    async def follow(self, link: Link) -> None:
        """Have the level's changes notified where there is such a thing, and announce what it is now. Never fails."""
        self._refused = 0
        try:
            await link.subscribe(BATTERY_CHANNEL, self._characteristic)
            self._notifies = True
        except DialogueError:
            self._notifies = False
        for _ in range(READS):
            if await self._announce(link):
                break

    async def refresh(self, link: Link) -> None:
        """Read the level again where it is not notified."""
        if self._notifies or self._refused >= MOST_REFUSED:
            return
        self._refused = 0 if await self._announce(link) else self._refused + 1

    async def _announce(self, link: Link) -> bool:
        """Read the level and announce it; return whether it could be read."""
        try:
            link.announce(BATTERY_CHANNEL, await link.read(self._characteristic))
        except DialogueError:
            return False
        return True
