"""What an ORPHE INSOLE makes of each step: three frames a step, each sent twice, put together to one row.

Big-endian, 20 bytes: 51, which frame, the number of the step, and what it says. -1 where a quantity has no sign, and
NaN anywhere, is "not known". A fourth kind of frame tells of the movement between steps and is passed over.

Facts: Orphe-OSS/ORPHE-INSOLE.js, src/InsoleGait.js.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from typing import Any, Final

from drivers.errors import MalformedFrameError
from drivers.gatt.rows import Row
from drivers.packet import Flag, StreamSpec

FRAME_BYTES: Final = 20
HEADER: Final = 51
OVERVIEW, STRIDE, PRONATION, MOTION = 0, 1, 2, 4
OF_A_STEP: Final = frozenset((OVERVIEW, STRIDE, PRONATION))
COUNTS: Final = 1 << 16
MOST_MISSED: Final = 1000  # steps ahead that were missed; more is a count that began anew
REMEMBERED: Final = 16  # steps told already: the second sending of a step may come behind the next one's first

CHANNELS: Final = {
    "step": "1", "kind": "1", "direction": "1", "stance_time": "s", "swing_time": "s", "foot_angle": "deg",
    "stride_x": "m", "stride_y": "m", "stride_z": "m", "landing_force": "1", "strike_angle": "deg", "pronation": "deg",
    "rotation": "deg", "distance": "m", "energy": "kcal",
}  # fmt: skip
GAIT: Final = StreamSpec("insole_gait", tuple(CHANNELS), tuple(CHANNELS.values()))

_SHORT: Final = struct.Struct(">e3f")
_FLOATS: Final = struct.Struct(">4f")
_HALVES: Final = struct.Struct(">7e")


def parse_gait(data: bytes) -> dict[str, Any]:
    """Return what one gait frame says, None where it does not know; raises MalformedFrameError."""
    if len(data) != FRAME_BYTES or data[0] != HEADER:
        raise MalformedFrameError("no gait frame")
    found: dict[str, Any] = {"frame": data[1], "step": data[2] << 8 | data[3]}
    bits = {"high": data[4] >> 6, "middle": data[4] >> 3 & 7, "low": data[4] & 7}
    if data[1] == OVERVIEW:
        energy, distance, stance, swing = map(_without_sign, _SHORT.unpack_from(data, 6))
        found |= {"kind": bits["high"], "direction": bits["middle"], "energy": energy, "distance": distance}
        return found | {"stance_time": stance, "swing_time": swing}
    if data[1] == STRIDE:
        return found | dict(zip(("foot_angle", "stride_x", "stride_y", "stride_z"), _signed(data), strict=True))
    if data[1] == PRONATION:
        force, *angles = _signed(data)
        found["landing_force"] = None if force is None else _without_sign(force)
        return found | dict(zip(("strike_angle", "pronation", "rotation"), angles, strict=True))
    if data[1] == MOTION:
        numbers = [_known(value) for value in _HALVES.unpack_from(data, 6)]
        phases = {"phase": bits["high"], "period": bits["middle"], "event": bits["low"]}
        return found | phases | {"quaternion": numbers[:4], "delta": numbers[4:]}
    raise MalformedFrameError("a gait frame of an unknown kind")


def _signed(data: bytes) -> list[float | None]:
    return [_known(value) for value in _FLOATS.unpack_from(data, 4)]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _without_sign(value: float) -> float | None:
    return value if math.isfinite(value) and value >= 0 else None


class Steps:
    """Puts the frames of a step together; what is sent a second time says nothing new."""

    def __init__(self) -> None:
        self._step: int | None = None  # that is not whole yet
        self._parts: dict[int, dict[str, Any]] = {}
        self._told: deque[int] = deque(maxlen=REMEMBERED)

    def add(self, frame: dict[str, Any], arrival_ns: int) -> list[Row]:
        """Take a frame; return the steps that it ends: one that is whole, or one that another follows."""
        step = frame["step"]
        if frame["frame"] not in OF_A_STEP or step in self._told:
            return []
        rows: list[Row] = []
        if self._step not in {None, step}:
            rows.append(self._end(arrival_ns))
        self._step = step
        self._parts[frame["frame"]] = frame
        if self._parts.keys() == OF_A_STEP:
            rows.append(self._end(arrival_ns))
        return rows

    def _end(self, arrival_ns: int) -> Row:
        assert self._step is not None
        values: dict[str, Any] = {}
        for part in self._parts.values():
            values |= part
        flags = Flag.NONE if self._parts.keys() == OF_A_STEP else Flag.TRUNCATED
        if self._told and 1 < (self._step - self._told[-1]) % COUNTS <= MOST_MISSED:
            flags |= Flag.MISSING
        self._told.append(self._step)
        self._step, self._parts = None, {}
        numbers = (values.get(channel) for channel in CHANNELS)
        return Row(arrival_ns, tuple(math.nan if value is None else float(value) for value in numbers), int(flags))
