"""Recordings of real people in the place of a body: npz + json, the format of the shared gait recordings.

``<name>.npz`` holds ``<sensor>_acc`` (N, 3) m/s^2 (or ``<sensor>_acc_mg``, thousandths of g), optionally
``<sensor>_gyr`` (N, 3) rad/s, and where packets were lost on the radio ``<sensor>_pc`` (N,) packet counters.
``<name>.json`` holds ``fs_hz`` and, where somebody annotated it, ``reference``.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from config.plain_file import look
from simulators.motion.blocks import BLOCK_SAMPLES, Block, BlockSource
from simulators.motion.source import Floats, G, Motion

MILLI_G = G / 1000
LARGEST_GAP_S = 3600.0
"""A counter that jumps further is broken: filling the gap would only eat memory."""


class RecordingError(ValueError):
    """A recording that cannot be replayed; says which file and what is wrong with it."""


class Recording:
    """One recording, in memory.

    Attributes:
        name: File name without suffix.
        rate_hz: Samples a second.
        sensors: Names of the inertial sensors.
        reference: What the recording's authors annotated; empty where they did not.
        about: All else that the json file says.
    """

    def __init__(self, path: Path, arrays: dict[str, NDArray[Any]], about: dict[str, Any]) -> None:
        self._path = path
        self._arrays = arrays
        self.name = path.stem
        self.about = about
        rate = about.get("fs_hz")
        if not isinstance(rate, (int, float)) or isinstance(rate, bool) or not 0 < rate < np.inf:
            raise RecordingError(f"{path.with_suffix('.json')}: fs_hz must be a positive number, got {rate!r}")
        self.rate_hz = float(rate)
        reference = about.get("reference", {})
        self.reference: dict[str, Any] = reference if isinstance(reference, dict) else {}
        stems = (key.removesuffix("_mg") for key in arrays if key.endswith(("_acc", "_acc_mg")))
        self.sensors = tuple(dict.fromkeys(stem.removesuffix("_acc") for stem in stems))
        if not self.sensors:
            raise RecordingError(f"{path}: holds no inertial sensor (no array named <sensor>_acc or <sensor>_acc_mg)")
        self._rows = {sensor: self._read(sensor) for sensor in self.sensors}
        self.first_counter = min(int(counter[0]) for counter, _, _ in self._rows.values())
        last = max(int(counter[-1]) for counter, _, _ in self._rows.values())
        self.duration_s = (last - self.first_counter) / self.rate_hz

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read ``<name>.npz`` and the ``<name>.json`` beside it; either name, or none of the suffixes, will do.

        Raises:
            RecordingError: When a file is missing or not what the format says.
        """
        path = Path(path)
        data = path if path.suffix == ".npz" else path.parent / f"{path.name.removesuffix('.json')}.npz"
        words = data.with_suffix(".json")
        try:
            look(data)
            with data.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {key: archive[key] for key in archive.files}
        except FileNotFoundError:
            raise RecordingError(f"{data}: no such recording") from None
        except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as fault:
            raise RecordingError(f"{data}: not a readable npz file ({fault})") from fault
        try:
            look(words)
            about = json.loads(words.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RecordingError(f"{words}: missing; it must lie beside the npz file and say fs_hz") from None
        except (OSError, ValueError) as fault:
            raise RecordingError(f"{words}: not readable as JSON ({fault})") from fault
        if not isinstance(about, dict):
            raise RecordingError(f"{words}: an object is expected, got {type(about).__name__}")
        return cls(data, arrays, about)

    def _read(self, sensor: str) -> tuple[NDArray[np.int64], Floats, Floats]:
        """Return packet counters (n,), specific force (n, 3) and angular velocity (n, 3) of the rows there are."""
        in_si = f"{sensor}_acc" in self._arrays
        acc = self._vectors(f"{sensor}_acc" if in_si else f"{sensor}_acc_mg") * (1.0 if in_si else MILLI_G)
        gyr = self._vectors(f"{sensor}_gyr") if f"{sensor}_gyr" in self._arrays else np.zeros_like(acc)
        if len(gyr) != len(acc):
            raise RecordingError(f"{self._path}: {sensor} has {len(acc)} rows of acc and {len(gyr)} of gyr")
        counter = self._counter(sensor, len(acc))
        new = np.diff(counter, prepend=counter[0] - 1) > 0  # a packet that the radio delivered twice counts once
        return counter[new], acc[new], gyr[new]

    def _vectors(self, key: str) -> Floats:
        rows = self._arrays[key]
        if rows.ndim != 2 or rows.shape[1] != 3 or not len(rows) or rows.dtype.kind not in "fiu":
            raise RecordingError(f"{self._path}: {key} must be numbers of shape (N, 3), got {rows.dtype} {rows.shape}")
        values = rows.astype(np.float64)
        if not np.isfinite(values).all():
            raise RecordingError(f"{self._path}: {key} holds values that are not finite")
        return values

    def _counter(self, sensor: str, rows: int) -> NDArray[np.int64]:
        key = f"{sensor}_pc"
        if key not in self._arrays:
            return np.arange(rows, dtype=np.int64)
        counter = self._arrays[key]
        if counter.shape != (rows,) or counter.dtype.kind not in "iu":
            raise RecordingError(
                f"{self._path}: {key} must be {rows} whole numbers, got {counter.dtype} {counter.shape}"
            )
        steps = np.diff(counter.astype(np.int64))
        if len(steps) and not 0 <= steps.min() <= steps.max() <= LARGEST_GAP_S * self.rate_hz:
            raise RecordingError(f"{self._path}: {key} must count upwards without jumps of more than an hour")
        return counter.astype(np.int64)

    def source(self, sensor: str) -> RecordingSource:
        """Return the movement of one sensor from its beginning.

        Device time is packet counter / rate; true time starts at zero with the first sample of any sensor. Packets
        missing from the counter come as ``sent=False`` with values on the straight line between their neighbours.

        Raises:
            RecordingError: When there is no such sensor.
        """
        if sensor not in self._rows:
            raise RecordingError(f"{self._path}: no sensor {sensor!r}; it has {', '.join(self.sensors)}")
        return RecordingSource(self.rate_hz, self.first_counter, *self._rows[sensor])


class RecordingSource(BlockSource):
    """The movement of one sensor of a recording."""

    def __init__(
        self, rate_hz: float, first_counter: int, counter: NDArray[np.int64], acc: Floats, gyr: Floats
    ) -> None:
        self._first_counter = first_counter
        self._counter, self._acc, self._gyr = counter, acc, gyr
        super().__init__(rate_hz)

    def _blocks(self) -> Iterator[Block]:
        have = self._counter
        for start in range(int(have[0]), int(have[-1]) + 1, BLOCK_SAMPLES):
            counter = np.arange(start, min(start + BLOCK_SAMPLES, int(have[-1]) + 1))
            row = np.searchsorted(have, counter, side="right") - 1
            sent = have[row] == counter
            after = np.where(sent, row, row + 1)
            span = np.where(sent, 1, have[after] - have[row])
            share = ((counter - have[row]) / span)[:, None]
            acc = self._acc[row] + share * (self._acc[after] - self._acc[row])
            gyr = self._gyr[row] + share * (self._gyr[after] - self._gyr[row])
            motion = Motion(counter / self.rate_hz, acc, gyr, np.zeros_like(acc), sent)
            yield Block((counter - self._first_counter) / self.rate_hz, partial(_made, motion))


def _made(motion: Motion) -> Motion:
    return motion
