"""The packets of several sensors to samples at once: what was measured at one instant stands in one cycle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from drivers.packet import Flag, Packets, Samples, Ticks
from drivers.witmotion.units import (
    ANGLE_SCALE,
    CELSIUS_A_COUNT,
    FIELD,
    FULL,
    MICROTESLA_A_COUNT,
    TEMPERATURE,
    imu_flags,
    imu_samples,
)
from drivers.witmotion_serial import packet as wire

Ints = NDArray[np.int64]

NS: Final = 1_000_000_000
ORIENTATION: Final = ("roll", "pitch", "yaw", "q_w", "q_x", "q_y", "q_z")
ANGLES: Final = 3


@dataclass(frozen=True, slots=True)
class Cycles:
    """Packets of whole cycles of several sensors, sensor after sensor.

    Attributes:
        devices: How many sensors there are.
        device: (n,) whose each packet is.
        cycle: (n,) which cycle it is in, of all cycles of all sensors.
        kinds: (n,) what it is.
        words: (n, 4) its counts.
        arrival_ns: (n,) when it came.
    """

    devices: int
    device: Ints
    cycle: Ints
    kinds: Ints
    words: NDArray[np.int16]
    arrival_ns: Ticks

    def packets(self, seconds: list[int]) -> list[Packets]:
        """Return the samples; ``seconds`` holds in which second each sensor told its temperature last."""
        kinds, cycle = self.kinds, self.cycle
        acc = np.flatnonzero((kinds[:-1] == wire.ACC) & (kinds[1:] == wire.GYR) & (cycle[:-1] == cycle[1:]))
        counts = np.concatenate([self.words[acc, :3], self.words[acc + 1, :3]], axis=1)
        field = np.flatnonzero(kinds == wire.FIELD)
        warm = self._warm(np.flatnonzero(kinds == wire.ACC), seconds)
        return [
            *self._packets("imu", acc + 1, imu_samples(counts), imu_flags(counts)),
            *self._orientation(),
            *self._packets(FIELD.name, field, self.words[field, :3] * np.float64(MICROTESLA_A_COUNT)),
            *self._packets(TEMPERATURE.name, warm, self.words[warm, 3:] * np.float64(CELSIUS_A_COUNT)),
        ]

    def _warm(self, at: Ints, seconds: list[int]) -> Ints:
        """Return the first packet of acceleration in each second of each sensor: the temperature is in all of them."""
        now, device = self.arrival_ns[at] // NS, self.device[at]
        before = np.concatenate([[-1], now[:-1]])
        first = np.flatnonzero(np.diff(device, prepend=-1))
        before[first] = np.array(seconds, np.int64)[device[first]]
        newest = np.flatnonzero(np.diff(device, append=-1))
        for number, second in zip(device[newest].tolist(), now[newest].tolist(), strict=True):
            seconds[number] = second
        return np.asarray(at[now != before], np.int64)

    def _orientation(self) -> list[Packets]:
        """Return angles and quaternion of each cycle that has one of the two, at the arrival of its last."""
        angle, turn = np.flatnonzero(self.kinds == wire.ANGLE), np.flatnonzero(self.kinds == wire.QUATERNION)
        cycles, last = np.unique(self.cycle[np.concatenate([angle, turn])], return_index=True)
        samples = np.full((len(cycles), len(ORIENTATION)), np.nan)
        at = np.concatenate([angle, turn])[last]
        for own, columns, scale in (
            (angle, slice(0, ANGLES), ANGLE_SCALE),
            (turn, slice(ANGLES, len(ORIENTATION)), 1.0 / FULL),
        ):
            row = np.searchsorted(cycles, self.cycle[own])
            samples[row, columns] = self.words[own, : columns.stop - columns.start] * scale
            at[row] = own
        return self._packets("orientation", at, samples)

    def _packets(
        self, stream: str, at: Ints, samples: Samples, flags: NDArray[np.uint8] | None = None
    ) -> list[Packets]:
        marks = np.full(len(at), Flag.LOSS_UNKNOWN, np.uint8) if flags is None else flags
        counts = np.bincount(self.device[at], minlength=self.devices).tolist()
        return Packets.counted(stream, counts, self.arrival_ns[at], np.empty(0, np.int64), samples, marks)


def split_cycles(before: Sequence[wire.Found], new: Sequence[wire.Found]) -> tuple[Cycles | None, list[wire.Found]]:
    """Return the whole cycles of several sensors, and of each the packets of the cycle that may go on.

    Args:
        before: Packets of the cycle that might go on, of each.
        new: What came behind them.
    """
    parts = [part for pair in zip(before, new, strict=True) for part in pair]
    rows = np.concatenate([part.rows for part in parts])
    if not len(rows):
        return None, list(new)
    arrival_ns = np.concatenate([part.arrival_ns for part in parts])
    broken = np.concatenate([part.broken for part in parts])
    sizes = np.array([len(part.rows) for part in parts]).reshape(-1, 2).sum(axis=1)
    device, ends = np.repeat(np.arange(len(sizes)), sizes), np.cumsum(sizes)
    kinds = rows[:, 1].astype(np.int64)
    begins = broken | (np.diff(kinds, prepend=wire.ANSWER + 1) <= 0) | (np.diff(device, prepend=-1) > 0)
    at = np.flatnonzero(begins)
    last = at[np.searchsorted(device[at], np.arange(len(sizes)), side="right") - 1]
    last = np.where(sizes > 0, last, ends)
    bounds = zip(last.tolist(), ends.tolist(), strict=True)
    left = [wire.Found(rows[a:b], arrival_ns[a:b], broken[a:b]) for a, b in bounds]
    whole = np.flatnonzero(np.arange(len(rows)) < last[device])
    if not len(whole):
        return None, left
    cycle = np.cumsum(begins, dtype=np.int64)
    words = np.ascontiguousarray(rows[whole, 2:10]).view("<i2")
    return Cycles(len(sizes), device[whole], cycle[whole], kinds[whole], words, arrival_ns[whole]), left
